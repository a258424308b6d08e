"""predict, embed and evaluate."""

import gzip
import json
import math
import resource
import struct
import subprocess
import sys
import unittest

from support import CORPUS, FNET, CliTest, done, fnet

TEXTS = CORPUS.splitlines()


def npy(data):
    """Rows of a NumPy file of little-endian floats."""
    assert data[:8] == b"\x93NUMPY\x01\x00"
    length = struct.unpack("<H", data[8:10])[0]
    assert (10 + length) % 64 == 0
    header = eval(data[10 : 10 + length])
    rows, cols = header["shape"]
    values = struct.unpack(f"<{rows * cols}f", data[10 + length :])
    return [list(values[i * cols : (i + 1) * cols]) for i in range(rows)]


def fill_weight(model, name, value):
    """Sets all numbers of a float32 tensor."""
    path = model / "model.safetensors"
    data = bytearray(path.read_bytes())
    start = 8 + struct.unpack("<Q", data[:8])[0]
    begin, end = json.loads(data[8:start])[name]["data_offsets"]
    data[start + begin : start + end] = struct.pack("<f", value) * ((end - begin) // 4)
    path.write_bytes(data)


class Predict(CliTest):
    def test_one_line_an_answer_in_order_whatever_the_batch(self):
        whole = done("predict", self.classifier, self.corpus)
        self.assertEqual(len(whole.splitlines()), len(TEXTS))
        self.assertEqual(done("predict", self.classifier, stdin=CORPUS), whole)
        for batch in (1, 3):
            for threads in (1, 2):
                self.assertEqual(done("predict", self.classifier, self.corpus, "--batch-size", batch,
                                      "--threads", threads), whole)  # fmt: skip
        single = "".join(done("predict", self.classifier, stdin=text + "\n") for text in TEXTS)
        self.assertEqual(single, whole)

    def test_top_k_scores_sum_to_one_best_first(self):
        for line in done("predict", self.classifier, self.corpus, "--top-k", 3).splitlines():
            cells = line.split("\t")
            scores = [float(cell) for cell in cells[1::2]]
            self.assertEqual(sorted(cells[0::2]), ["bad", "good", "so-so"])
            self.assertEqual(scores, sorted(scores, reverse=True))
            self.assertAlmostEqual(sum(scores), 1, places=5)

    def test_jsonl_tells_the_line_and_the_same_labels(self):
        rows = [json.loads(line) for line in
                done("predict", self.classifier, self.corpus, "--format", "jsonl", "--top-k", 2).splitlines()]  # fmt: skip
        tsv = [line.split("\t") for line in done("predict", self.classifier, self.corpus).splitlines()]
        self.assertEqual([row["line"] for row in rows], list(range(1, len(TEXTS) + 1)))
        self.assertEqual([row["label"] for row in rows], [cells[0] for cells in tsv])
        self.assertEqual([len(row["top_k"]) for row in rows], [2] * len(TEXTS))
        for row, cells in zip(rows, tsv):
            self.assertAlmostEqual(row["score"], float(cells[1]), places=5)

    def test_every_input_format_gives_the_same_answers(self):
        expected = done("predict", self.classifier, self.corpus)
        tsv = "label\ttext\n" + "".join(f"x\t{text}\n" for text in TEXTS)
        csv = "text,label\n" + "".join(f'"{text}",x\n' for text in TEXTS)
        jsonl = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS)
        for name, text in (("a.tsv", tsv), ("a.csv", csv), ("a.jsonl", jsonl)):
            self.assertEqual(done("predict", self.classifier, self.write(name, text)), expected, name)
            (self.folder / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
            self.assertEqual(done("predict", self.classifier, self.folder / f"{name}.gz"), expected, name)
        self.assertEqual(done("predict", self.classifier, "--input-format", "tsv", stdin=tsv), expected)

    def test_pairs(self):
        one = self.write("one.tsv", "text\ttext_pair\n" + f"{TEXTS[0]}\t{TEXTS[1]}\n")
        self.assertNotEqual(done("predict", self.classifier, one, "--format", "jsonl"),
                            done("predict", self.classifier, "--format", "jsonl", stdin=TEXTS[0] + "\n"))  # fmt: skip

    def test_tagger_prints_conll_columns_or_jsonl(self):
        text = done("predict", self.tagger, stdin="Anna Berg went to Rome\nthe dog\n")
        sentences = [[line.split("\t") for line in part.splitlines()] for part in text.strip().split("\n\n")]
        self.assertEqual([[word for word, _ in s] for s in sentences],
                         [["Anna", "Berg", "went", "to", "Rome"], ["the", "dog"]])  # fmt: skip
        rows = [json.loads(line) for line in
                done("predict", self.tagger, "--format", "jsonl", stdin="Anna Berg went to Rome\nthe dog\n").splitlines()]  # fmt: skip
        self.assertEqual([row["tags"] for row in rows], [[tag for _, tag in s] for s in sentences])
        conll = self.write("a.conll", "Anna\tO\nBerg\tO\nwent\tO\nto\tO\nRome\tO\n\nthe\tO\ndog\tO\n")
        self.assertEqual(done("predict", self.tagger, conll), text)

    def test_bad_line_is_an_error_with_its_number_or_skipped(self):
        bad = self.folder / "bad.txt"
        bad.write_bytes(b"the cat\n\xff\xfe broken\nthe dog\n")
        self.assertIn("bad.txt:2: ", self.fails("predict", self.classifier, bad))
        self.assertEqual(len(done("predict", self.classifier, bad, "--skip-bad-lines").splitlines()), 2)
        csv = self.write("bad.csv", 'text,label\nfine,x\none,two,three\nalso fine,x\n')
        self.assertIn("bad.csv:3: ", self.fails("predict", self.classifier, csv))
        self.assertEqual(len(done("predict", self.classifier, csv, "--skip-bad-lines").splitlines()), 2)

    def test_long_text_is_cut_not_refused(self):
        self.assertEqual(len(done("predict", self.classifier, stdin="the cat " * 5000 + "\n").splitlines()), 1)
        self.assertEqual(done("predict", self.classifier, "--max-length", 4, stdin="the cat sat\n"),
                         done("predict", self.classifier, "--max-length", 4, stdin="the cat sat on the mat\n"))  # fmt: skip

    def test_labels_are_never_cut(self):
        labels = [f"{'ä' * 150}{end}" for end in ("one", "two")]
        model = self.model("long", "text-classification", ",".join(labels))
        line = done("predict", model, "--top-k", 2, stdin="the cat\n").rstrip("\n").split("\t")
        self.assertEqual(sorted(line[::2]), labels)

    def test_columns_can_be_read_again_whatever_the_words(self):
        words = ["a\tb", "line\nend", "", "#", "plain"]
        data = self.write("odd.jsonl", json.dumps({"tokens": words}) + "\n")
        columns = done("predict", self.tagger, data)
        self.assertEqual(len(columns.splitlines()), len(words) + 1)
        again = self.write("again.conll", columns)
        done("evaluate", self.tagger, "--data", again)
        rows = json.loads(done("predict", self.tagger, again, "--format", "jsonl"))
        self.assertEqual(rows["tokens"], ["a\\x09b", "line\\x0aend", "_", "#", "plain"])

    def test_a_long_line_is_cut_and_told(self):
        result = fnet("predict", self.classifier, stdin="the cat " * 2_200_000 + "\nshort\n")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(len(result.stdout.splitlines()), 2)
        self.assertIn("1 lines of more than 16777216 bytes", result.stderr)

    def test_a_table_on_standard_input_is_warned_about(self):
        result = fnet("predict", self.classifier, stdin="text\tlabel\nfine\tgood\n")
        self.assertIn("--input-format tsv", result.stderr)
        self.assertEqual(fnet("predict", self.classifier, stdin="some text\tmore\n").stderr, "")

    def test_answers_that_are_not_finite_are_an_error_that_counts_them(self):
        model = self.model("overflow", "text-classification", "a,b")
        fill_weight(model, "classifier.weight", 3e38)
        fill_weight(model, "fnet.pooler.dense.bias", 100)
        error = self.fails("predict", model, "--format", "jsonl", stdin="the cat\n")
        self.assertIn("standard input:1: scores: expected finite numbers, found 1 of 1 rows", error)

    def test_encoder_has_nothing_to_predict(self):
        self.assertIn("fnet embed", self.fails("predict", self.model("encoder"), stdin="x\n"))


class Embed(CliTest):
    def test_npy_says_why_its_temporary_file_fails_and_prints_no_part(self):
        error = self.fails("embed", self.classifier, self.corpus, "--format", "npy", code=1,
                           env={"TMPDIR": str(self.folder / "nowhere")})  # fmt: skip
        self.assertIn("nowhere/fnet-", error)
        self.assertIn("No such file or directory", error)
        run = subprocess.run([FNET, "embed", self.classifier, self.corpus, "--format", "npy"], capture_output=True,
                             restore_signals=False,  # else the signal ends it before it can say anything
                             preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)))  # fmt: skip
        self.assertEqual((run.returncode, run.stdout), (1, b""))
        self.assertIn(b"temporary file to be written, found: File too large", run.stderr)

    def test_poolings_differ_and_normalize_gives_unit_length(self):
        seen = set()
        for pooling in ("cls", "mean", "max", "pooler"):
            lines = done("embed", self.classifier, self.corpus, "--pooling", pooling, "--normalize").splitlines()
            self.assertEqual(len(lines), len(TEXTS))
            for line in lines:
                vector = json.loads(line)["embedding"]
                self.assertEqual(len(vector), 32)
                self.assertAlmostEqual(math.fsum(v * v for v in vector), 1, places=5)
            seen.add(lines[0])
        self.assertEqual(len(seen), 4)
        self.assertIn("did you mean 'mean'?", self.fails("embed", self.classifier, "--pooling", "maen"))

    def test_npy_is_the_same_numbers(self):
        rows = npy(done("embed", self.classifier, self.corpus, "--format", "npy", stdin=b"", binary=True))
        lines = [json.loads(line)["embedding"] for line in done("embed", self.classifier, self.corpus).splitlines()]
        self.assertEqual(len(rows), len(TEXTS))
        for row, line in zip(rows, lines):
            self.assertEqual(row, [struct.unpack("<f", struct.pack("<f", value))[0] for value in line])
        self.assertEqual(npy(done("embed", self.classifier, "--format", "npy", stdin=b"", binary=True)), [])


class Evaluate(CliTest):
    def labelled(self):
        """The corpus with the labels that the model gives, but for the first line."""
        labels = [line.split("\t")[0] for line in done("predict", self.classifier, self.corpus).splitlines()]
        labels[0] = next(label for label in ("bad", "good", "so-so") if label != labels[0])
        return self.write("labelled.tsv", "text\tlabel\n" + "".join(f"{t}\t{y}\n" for t, y in zip(TEXTS, labels)))

    def test_counts_right_answers(self):
        data = self.labelled()
        report = json.loads(done("evaluate", self.classifier, "--data", data, "--json"))
        self.assertEqual(report["count"], len(TEXTS))
        self.assertAlmostEqual(report["accuracy"], 1 - 1 / len(TEXTS))
        self.assertAlmostEqual(report["micro_f1"], report["accuracy"])
        for key in ("macro_f1", "mcc"):
            self.assertLess(report[key], 1)
        self.assertEqual([c["name"] for c in report["classes"]], ["bad", "good", "so-so"])
        self.assertEqual(sum(map(sum, report["confusion"])), len(TEXTS))
        text = done("evaluate", self.classifier, "--data", data)
        self.assertEqual(done("evaluate", self.classifier, data), text)
        self.assertIn(f"accuracy   {report['accuracy']:.4f}", text)
        self.assertIn("confusion", text)

    def test_unknown_label_and_missing_label_are_errors_with_their_line(self):
        data = self.write("wrong.tsv", "text\tlabel\nfine\tgood\nfine\tgod\n")
        error = self.fails("evaluate", self.classifier, "--data", data)
        self.assertIn("wrong.tsv:3: ", error)
        self.assertIn("did you mean 'good'?", error)
        error = self.fails("evaluate", self.classifier, "--data", self.write("none.tsv", "text\nfine\n"))
        self.assertIn("label", error)

    def test_no_example_is_an_error(self):
        empty = self.write("empty.tsv", "text\tlabel\n")
        error = self.fails("evaluate", self.classifier, "--data", empty)
        self.assertIn("empty.tsv: expected at least one example, found none", error)

    def test_many_labels_take_memory_only_for_what_occurs(self):
        labels = [f"label{i}" for i in range(4000)]
        model = self.model("many", "text-classification", ",".join(labels))
        data = self.write("many.tsv", "text\tlabel\nfine\tlabel0\nbad\tlabel3999\n")
        peak = "import resource, subprocess, sys; print(subprocess.run(sys.argv[1:], check=True, " \
               "stdout=subprocess.PIPE).stdout.decode()); " \
               "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"  # fmt: skip
        out = subprocess.run([sys.executable, "-c", peak, FNET, "evaluate", model, "--data", data, "--json"],
                             capture_output=True, text=True, check=True).stdout  # fmt: skip
        text, _, kilobytes = out.rstrip("\n").rpartition("\n")
        report = json.loads(text)
        self.assertEqual(sum(sum(row.values()) for row in report["confusion"].values()), 2)
        self.assertLess(int(kilobytes), 120_000)

    def test_tagger_is_scored_by_entities(self):
        words = "Anna Berg went from Oslo to Rome".split()
        rows = json.loads(done("predict", self.tagger, "--format", "jsonl", stdin=" ".join(words) + "\n"))
        data = self.write("own.conll", "".join(f"{w}\t{t}\n" for w, t in zip(words, rows["tags"])) + "\n")
        report = json.loads(done("evaluate", self.tagger, "--data", data, "--json"))
        self.assertEqual(report["accuracy"], 1)
        truth = self.write("true.conll", "Anna\tB-PER\nBerg\tI-PER\nwent\tO\nfrom\tO\nOslo\tB-LOC\nto\tO\nRome\tB-LOC\n")
        report = json.loads(done("evaluate", self.tagger, "--data", truth, "--json"))
        self.assertEqual(report["count"], 3)
        self.assertEqual([c["name"] for c in report["classes"]][-1], "PER")
        self.assertIn("of words", done("evaluate", self.tagger, "--data", truth))

    def test_data_of_another_kind_is_one_clear_line(self):
        table = "text\tlabel\nfine\tgood\n"
        tsv, txt = self.write("kind.tsv", table), self.write("kind.txt", "fine\n")
        conll = self.write("kind.conll", "Anna\tO\n\n")
        for model, data, stdin, found in (
            (self.classifier, "-", table, "standard input: expected the fields 'text' and 'label'"),
            (self.classifier, txt, "", "found 'text' (format text)"),
            (self.classifier, conll, "", "found 'tokens', 'tags' (format conll)"),
            (self.tagger, tsv, "", "expected the fields 'tokens' and 'tags' for token-classification"),
            (self.tagger, txt, "", "found 'text' (format text)"),
            (self.tagger, self.write("kind.jsonl", '{"text": "a", "label": "O"}\n'), "", "kind.jsonl:1: "),
        ):
            error = self.fails("evaluate", model, "--data", data, stdin=stdin)
            self.assertIn(found, error)
            self.assertIn("name the fields or the format", error)
        for command in ("predict", "embed"):
            self.assertIn("found 'tokens', 'tags'", self.fails(command, self.classifier, conll))
        self.assertIn("found 'a', 'b'", self.fails("predict", self.tagger, self.write("ab.tsv", "a\tb\n1\t2\n")))

    def test_words_beyond_the_length_are_counted_as_wrong_and_told(self):
        words = "Anna Berg went from Oslo to Rome".split()
        short = ("--max-length", 9)
        rows = json.loads(done("predict", self.tagger, "--format", "jsonl", *short, stdin=" ".join(words) + "\n"))
        kept = sum(score is not None for score in rows["scores"])
        self.assertTrue(0 < kept < len(words))
        self.assertEqual(set(rows["tags"][kept:]), {None})
        columns = fnet("predict", self.tagger, *short, stdin=" ".join(words) + "\n")
        self.assertEqual([line.split("\t")[1] for line in columns.stdout.split("\n")[kept:len(words)]],
                         ["_"] * (len(words) - kept))  # fmt: skip
        self.assertIn(f"{len(words) - kept} words beyond the length", columns.stderr)
        tags = [tag or "O" for tag in rows["tags"]]
        data = self.write("cut.conll", "".join(f"{w}\t{t}\n" for w, t in zip(words, tags)) + "\n")
        result = fnet("evaluate", self.tagger, "--data", data, "--json", *short)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(f"{len(words) - kept} words beyond the length", result.stderr)
        self.assertAlmostEqual(json.loads(result.stdout)["accuracy"], kept / len(words))

    def test_word_classes_are_scored_by_words(self):
        tagger = self.model("pos", "token-classification", "NOUN,VERB")
        data = self.write("pos.conll", "dogs\tNOUN\nrun\tVERB\n")
        report = json.loads(done("evaluate", tagger, "--data", data, "--json"))
        self.assertEqual(report["count"], 2)
        self.assertEqual([c["name"] for c in report["classes"]], ["NOUN", "VERB"])


class Caches(CliTest):
    def test_no_bit_of_an_answer_depends_on_the_sizes_of_caches(self):
        texts = "".join(f"the cat number {i} sat on the mat\n" for i in range(64))
        for dtype in ("float32", "bfloat16", "int8"):
            answers = {
                done("embed", self.classifier, "--dtype", dtype, stdin=texts, env={"FNET_CACHE_SIZES": sizes})
                for sizes in ("", "16K,64K,64K", "32K,512K,4M", "64K,8M,64M")
            }
            self.assertEqual(len(answers), 1, dtype)

    def test_sizes_that_are_none_are_refused(self):
        error = self.fails("predict", self.classifier, env={"FNET_CACHE_SIZES": "big"}, stdin="the cat\n")
        self.assertIn("FNET_CACHE_SIZES: expected sizes of L1, L2 and L3 such as 32K,512K,4M, found 'big'", error)


if __name__ == "__main__":
    unittest.main()

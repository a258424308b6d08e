"""Vectors of tokens, similarity, search and fill-mask."""

import json
import math
import statistics
import struct
import unittest

from support import CORPUS, CliTest, done, fnet

TEXTS = CORPUS.splitlines()


def array(data, letter):
    """Shape and numbers of a NumPy file."""
    length = struct.unpack("<H", data[8:10])[0]
    header = eval(data[10 : 10 + length])
    count = math.prod(header["shape"])
    return header["shape"], struct.unpack(f"<{count}{letter}", data[10 + length :])


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / (math.hypot(*a) * math.hypot(*b))


class Likeness(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.encoder = cls.model("encoder")
        cls.vectors = [json.loads(line)["embedding"] for line in
                       done("embed", cls.encoder, cls.corpus, "--pooling", "mean").splitlines()]  # fmt: skip

    def pairs(self):
        return [(i, j) for i in range(len(TEXTS)) for j in range(len(TEXTS)) if i != j]

    def test_a_vector_for_each_token(self):
        rows = [json.loads(line) for line in
                done("embed", self.encoder, self.corpus, "--pooling", "none").splitlines()]  # fmt: skip
        pieces = done("tokenizer", "encode", self.encoder, self.corpus, "--format", "pieces").splitlines()
        self.assertEqual([row["tokens"] for row in rows], [line.split(" ") for line in pieces])
        for row, vector in zip(rows, self.vectors, strict=True):
            self.assertEqual(len(row["tokens"]), len(row["embeddings"]))
            for column, value in zip(zip(*row["embeddings"]), vector, strict=True):
                self.assertAlmostEqual(statistics.fmean(column), value, places=5)
        offsets = self.folder / "offsets.npy"
        data = done("embed", self.encoder, self.corpus, "--pooling", "none", "--format", "npy",
                    "--offsets", offsets, binary=True)  # fmt: skip
        shape, numbers = array(data, "f")
        (count,), begins = array(offsets.read_bytes(), "q")
        self.assertEqual(shape, (begins[-1], 32))
        self.assertEqual(count, len(TEXTS) + 1)
        for row, begin, end in zip(rows, begins[:-1], begins[1:], strict=True):
            flat = [value for vector in row["embeddings"] for value in vector]
            for a, b in zip(numbers[32 * begin : 32 * end], flat, strict=True):
                self.assertAlmostEqual(a, b, places=6)

    def test_vectors_of_tokens_can_have_length_one(self):
        row = json.loads(done("embed", self.encoder, "--pooling", "none", "--normalize", stdin="the cat\n"))
        for vector in row["embeddings"]:
            self.assertAlmostEqual(math.hypot(*vector), 1, places=5)

    def test_ragged_arrays_need_their_offsets(self):
        for flags in (["--pooling", "none", "--format", "npy"], ["--offsets", "x.npy"],
                      ["--pooling", "none", "--offsets", "x.npy"]):  # fmt: skip
            self.assertIn("--offsets: expected", self.fails("embed", self.encoder, self.corpus, *flags))

    def test_pooling_without_its_weights_is_refused(self):
        self.assertIn("'attention'", self.fails("embed", self.encoder, self.corpus, "--pooling", "attention"))
        own = self.model("attentive", "encoder", "", "pooling=attention")
        self.assertEqual(len(done("embed", own, self.corpus).splitlines()), len(TEXTS))
        self.assertEqual(len(done("embed", own, self.corpus, "--pooling", "last").splitlines()), len(TEXTS))

    def test_similarity_is_that_of_the_vectors_of_embed(self):
        pairs = self.pairs()
        table = "text\ttext_pair\n" + "".join(f"{TEXTS[i]}\t{TEXTS[j]}\n" for i, j in pairs)
        lines = "".join(json.dumps({"text": TEXTS[i], "text_pair": TEXTS[j]}) + "\n" for i, j in pairs)
        plain = table.split("\n", 1)[1]
        wanted = [cosine(self.vectors[i], self.vectors[j]) for i, j in pairs]
        out = done("similarity", self.encoder, "--pooling", "mean", self.write("pairs.tsv", table))
        for found, score in zip(out.splitlines(), wanted, strict=True):
            self.assertAlmostEqual(float(found), score, places=5)
        self.assertEqual(done("similarity", self.encoder, "--pooling", "mean", stdin=plain), out)
        rows = done("similarity", self.encoder, "--pooling", "mean", "--format", "jsonl",
                    self.write("pairs.jsonl", lines)).splitlines()  # fmt: skip
        for i, row in enumerate(rows):
            self.assertEqual(json.loads(row), {"line": i + 1, "score": float(out.splitlines()[i])})
        dots = done("similarity", self.encoder, "--pooling", "mean", "--similarity", "dot", stdin=plain).split()
        for found, (i, j) in zip(dots, pairs, strict=True):
            wanted = sum(a * b for a, b in zip(self.vectors[i], self.vectors[j]))
            self.assertLess(abs(float(found) - wanted), 1e-5 * max(1, abs(wanted)))

    def test_similarity_with_true_scores_tells_the_correlation(self):
        pairs = self.pairs()
        truth = [(7 * i + 3 * j) % 11 / 2 for i, j in pairs]
        found = [cosine(self.vectors[i], self.vectors[j]) for i, j in pairs]
        table = "text\ttext_pair\tscore\n" + "".join(
            f"{TEXTS[i]}\t{TEXTS[j]}\t{t}\n" for (i, j), t in zip(pairs, truth))  # fmt: skip
        data = self.write("judged.tsv", table)
        report = json.loads(done("similarity", self.encoder, data, "--pooling", "mean", "--score-column", "score",
                                 "--format", "jsonl"))  # fmt: skip
        self.assertEqual(report["count"], len(pairs))
        self.assertAlmostEqual(report["pearson"], statistics.correlation(truth, found), places=4)

        def ranks(values):
            return [sum(v < x for v in values) + (sum(v == x for v in values) + 1) / 2 for x in values]

        self.assertAlmostEqual(report["spearman"], statistics.correlation(ranks(truth), ranks(found)), places=4)
        self.assertIn("spearman", done("similarity", self.encoder, data, "--score-column", "score"))
        self.assertIn("judged.tsv:2: ", self.fails("similarity", self.encoder, data, "--score-column", "text"))

    def test_similarity_needs_two_texts(self):
        self.assertIn("standard input:2: ", self.fails("similarity", self.encoder, stdin="a\tb\nthe cat\n"))
        self.assertIn("more than two", self.fails("similarity", self.encoder, stdin="a\tb\tc\n"))
        out = fnet("similarity", self.encoder, "--skip-bad-lines", stdin="a\tb\nthe cat\nc\td\n")
        self.assertEqual(len(out.stdout.splitlines()), 2)
        self.assertIn("1 bad lines skipped", out.stderr)

    def test_search_finds_what_comparing_all_finds(self):
        queries = self.write("queries.txt", "a warm film\nthe dog\n")
        asked = [json.loads(line)["embedding"] for line in
                 done("embed", self.encoder, queries, "--pooling", "mean").splitlines()]  # fmt: skip
        out = done("search", self.encoder, self.corpus, "--queries", queries, "--pooling", "mean", "--top-k", 3,
                   "--format", "jsonl").splitlines()  # fmt: skip
        for line, query, text in zip(out, asked, ["a warm film", "the dog"], strict=True):
            row = json.loads(line)
            self.assertEqual(row["query"], text)
            best = sorted(((cosine(query, v), -i) for i, v in enumerate(self.vectors)), reverse=True)[:3]
            for rank, (match, (score, i)) in enumerate(zip(row["matches"], best, strict=True)):
                self.assertEqual((match["rank"], match["line"], match["text"]), (rank + 1, 1 - i, TEXTS[-i]))
                self.assertAlmostEqual(match["score"], score, places=5)
        flags = ("--query", "a warm film", "--query", "the dog", "--pooling", "mean", "--top-k", 3)
        table = done("search", self.encoder, self.corpus, *flags)
        self.assertEqual(done("search", self.encoder, "-", *flags, stdin=CORPUS), table)
        self.assertEqual(done("search", self.encoder, self.corpus, *flags, "--batch-size", 1), table)
        rows = [line.split("\t") for line in table.splitlines()]
        self.assertEqual([row[:2] for row in rows], [[q, r] for q in "12" for r in "123"])
        self.assertEqual([int(row[3]) for row in rows],
                         [m["line"] for line in out for m in json.loads(line)["matches"]])  # fmt: skip

    def test_search_wants_queries_and_texts(self):
        self.assertIn("--query", self.fails("search", self.encoder, self.corpus))
        self.assertIn("twice", self.fails("search", self.encoder, "-", "--queries", "-"))
        empty = self.write("empty.txt", "")
        self.assertIn("at least one text", self.fails("search", self.encoder, empty, "--query", "x"))
        self.assertIn("at least one query", self.fails("search", self.encoder, self.corpus, "--queries", empty))


class FillMask(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.masked = cls.folder / "masked"
        done("init", "--variant", "tiny", "--tokenizer", cls.spiece, "--out", cls.masked, "--task", "fill-mask",
             "--set", "hidden_size=32", "--set", "num_hidden_layers=2", "--set", "intermediate_size=64")  # fmt: skip

    def test_each_mask_gets_its_tokens(self):
        rows = [json.loads(line) for line in done("fill-mask", self.masked, "--top-k", 3,
                stdin="the [MASK] sat\n[MASK] tea and [MASK] bread\n").splitlines()]  # fmt: skip
        self.assertEqual([len(row["masks"]) for row in rows], [1, 2])
        for row in rows:
            for mask in row["masks"]:
                self.assertEqual(len(mask), 3)
                scores = [p["score"] for p in mask]
                self.assertEqual(scores, sorted(scores, reverse=True))
                self.assertEqual(set(mask[0]), {"score", "token", "token_str", "sequence"})
        everything = json.loads(done("fill-mask", self.masked, "--top-k", 1000, stdin="the [MASK] sat\n"))
        self.assertAlmostEqual(sum(p["score"] for p in everything["masks"][0]), 1, places=3)
        table = done("fill-mask", self.masked, "--top-k", 1, "--format", "tsv",
                     stdin="the [MASK] sat\n[MASK] tea and [MASK] bread\n").splitlines()  # fmt: skip
        self.assertEqual([line.split("\t")[0] for line in table], ["1", "2", "2"])
        self.assertEqual(done("predict", self.masked, "--top-k", 1, stdin="the [MASK] sat\n"), table[0] + "\n")

    def test_answers_do_not_depend_on_the_batch(self):
        text = "".join(f"{line} [MASK]\n" for line in TEXTS)
        whole = done("fill-mask", self.masked, stdin=text)
        self.assertEqual(done("fill-mask", self.masked, "--batch-size", 1, "--threads", 1, stdin=text), whole)

    def test_what_cannot_be_answered_is_told(self):
        self.assertIn("standard input:2: text: expected at least one [MASK]",
                      self.fails("fill-mask", self.masked, stdin="the [MASK]\nthe cat\n"))  # fmt: skip
        self.assertIn("masked language model", self.fails("fill-mask", self.classifier, stdin="[MASK]\n"))
        self.assertIn("plain text", self.fails("evaluate", self.masked, stdin="[MASK]\n"))
        cut = fnet("fill-mask", self.masked, "--max-length", 4, stdin="the cat sat on the [MASK]\n")
        self.assertEqual(json.loads(cut.stdout)["masks"], [[]])
        self.assertIn("1 masks beyond the length", cut.stderr)
        self.assertIn("none for this task", self.fails("init", "--task", "fill-mask", "--labels", "a,b",
                                                       "--out", self.folder / "x"))  # fmt: skip

    def test_the_encoder_of_a_masked_language_model_embeds(self):
        self.assertEqual(len(done("embed", self.masked, self.corpus).splitlines()), len(TEXTS))


if __name__ == "__main__":
    unittest.main()

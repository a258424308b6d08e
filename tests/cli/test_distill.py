"""distill: from texts and a teacher's vectors to a model that gives such vectors itself."""

import array
import gzip
import json
import lzma
import math
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from support import CAN_TRAIN, FNET, SOURCE, CliTest, done, npy

WIDTH = 16
WORDS = "red yellow green blue apple lemon pear plum spring summer town tree bowl".split()
SMALL = ("--set", f"hidden_size={WIDTH}", "--set", "intermediate_size=32", "--set", "num_hidden_layers=1",
         "--set", "hidden_dropout_prob=0", "--threads", 1)  # fmt: skip


def texts_and_vectors(count, seed=1, width=WIDTH):
    """Lines of some words, and the sum of vectors that stand for these."""
    draw, meaning = random.Random(seed), random.Random(7)
    vectors = {word: [meaning.gauss(0, 1) for _ in range(width)] for word in WORDS}
    lines, rows = [], []
    for _ in range(count):
        words = [draw.choice(WORDS) for _ in range(draw.randint(1, 5))]
        lines.append(" ".join(words) + "\n")
        rows.append([sum(column) for column in zip(*(vectors[word] for word in words))])
    return "".join(lines), rows


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def tensors(path):
    """The float32 tensors of a safetensors file, flat, by name."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    return {name: array.array("f", data[8 + size + entry["data_offsets"][0] : 8 + size + entry["data_offsets"][1]])
            for name, entry in header.items()}  # fmt: skip


def write_tensors(path, shapes, seed=3):
    draw, header, data = random.Random(seed), {}, b""
    for name, shape in shapes.items():
        values = array.array("f", [draw.gauss(0, 1) for _ in range(math.prod(shape))]).tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def bert(folder, layers=4, hidden=WIDTH, inner=32):
    """A BERT of random weights in Hugging Face's format."""
    folder.mkdir()
    config = {"model_type": "bert", "vocab_size": 50, "hidden_size": hidden, "num_hidden_layers": layers, "intermediate_size": inner,
              "num_attention_heads": 2, "max_position_embeddings": 40, "type_vocab_size": 2, "hidden_act": "gelu",
              "layer_norm_eps": 1e-12}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    shapes = {"embeddings.word_embeddings.weight": [50, hidden], "embeddings.position_embeddings.weight": [40, hidden],
              "embeddings.token_type_embeddings.weight": [2, hidden], "pooler.dense.weight": [hidden, hidden]}  # fmt: skip
    norms, maps = ["embeddings.LayerNorm"], {}
    for i in range(layers):
        place = f"encoder.layer.{i}."
        norms += [place + "attention.output.LayerNorm", place + "output.LayerNorm"]
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            maps[f"{place}attention.{name}"] = [hidden, hidden]
        maps[place + "intermediate.dense"], maps[place + "output.dense"] = [inner, hidden], [hidden, inner]
    for norm in norms:
        shapes.update({norm + ".weight": [hidden], norm + ".bias": [hidden]})
    for name, shape in maps.items():
        shapes.update({name + ".weight": shape, name + ".bias": shape[:1]})
    write_tensors(folder / "model.safetensors", shapes)
    return folder


@unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
class Distill(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cache = cls.folder / "cache"
        lines, rows = texts_and_vectors(600)
        cls.texts = cls.write("texts.txt", lines)
        cls.rows = rows
        (cls.folder / "texts.txt.npy").write_bytes(cls.array(rows))
        cls.words = cls.folder / "words.model"
        done("tokenizer", "train", "--input", cls.texts, "--model", "bpe", "--vocab-size", 90, "--out", cls.words)

    @staticmethod
    def array(rows, type_="f"):
        return npy(type_, (len(rows), len(rows[0])), [x for row in rows for x in row])

    def pair(self, name, lines, rows):
        """Files of texts and vectors of this name."""
        vectors = self.folder / (name + ".npy")
        vectors.write_bytes(rows if isinstance(rows, bytes) else self.array(rows))
        return self.write(name + ".txt", lines), vectors

    def command(self, out, *arguments, train=None):
        return ("distill", "--train", *(train or [self.texts]), "--out", out, "--cache", self.cache, "--tokenizer", self.words,
                "--batch-size", 32, "--lr", "1e-2", *SMALL, *arguments)  # fmt: skip

    def metric(self, out, name="cosine"):
        lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        return [line[name] for line in lines if line["event"] == "epoch"]

    def test_a_student_learns_the_vectors_of_its_teacher(self):
        out = self.folder / "student"
        done(*self.command(out, "--steps", 200, "--eval-steps", 100))
        self.assertGreater(self.metric(out)[-1], 0.9)
        # Texts that it has never seen, in the program that asks it.
        lines, rows = texts_and_vectors(50, seed=2)
        answers = [json.loads(line) for line in done("embed", out, "--format", "jsonl", stdin=lines).splitlines()]
        cosines = [cosine(answer["embedding"], row) for answer, row in zip(answers, rows, strict=True)]
        self.assertGreater(sum(cosines) / len(cosines), 0.9)
        config = json.loads((out / "config.json").read_text())
        self.assertEqual((config["task"], config["pooling"]), ("sentence-similarity", "mean"))
        self.assertIn("similarity", (out / "report.html").read_text())

    def test_pieces_with_vectors_beside_them_are_one_corpus(self):
        lines, rows = texts_and_vectors(90, seed=4)
        first, second = self.folder / "a.txt.gz", self.folder / "b.txt"
        with gzip.open(first, "wt") as file:
            file.write("".join(lines.splitlines(True)[:40]))
        second.write_text("\n" + "".join(lines.splitlines(True)[40:]))  # blank lines are no texts
        (self.folder / "a.txt.gz.npy").write_bytes(self.array(rows[:40], "d"))
        (self.folder / "b.txt.npy").write_bytes(self.array(rows[40:]))
        dev = self.pair("dev", *texts_and_vectors(20, seed=5))
        out = self.folder / "of_pieces"
        done(*self.command(out, "--epochs", 2, "--dev", dev[0], "--dev-vectors", dev[1], train=[first, second]))
        run = json.loads((out / "run.json").read_text())
        self.assertEqual((run["data"]["texts"], run["data"]["dev_texts"]), (90, 20))
        steps = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        self.assertEqual(max(line["step"] for line in steps), 6)  # 2 * 90 / 32, rounded up

    def test_losses_differ_and_likeness_needs_no_equal_width(self):
        for arguments in (["--loss", "squared_error"], ["--similarity-weight", 5]):
            out = self.folder / ("by_" + arguments[0].strip("-"))
            done(*self.command(out, *arguments, "--steps", 60, "--eval-steps", 60))
            self.assertGreater(self.metric(out)[-1], 0.5)
        out = self.folder / "narrow"
        done(*self.command(out, "--loss", "similarity", "--set", "hidden_size=8", "--steps", 200, "--eval-steps", 200))
        self.assertGreater(self.metric(out, "similarity")[-1], 0.6)

    def test_a_run_that_was_stopped_goes_on_to_the_same_weights(self):
        whole, stopped = self.folder / "whole", self.folder / "stopped"
        arguments = ("--steps", 60, "--eval-steps", 20, "--checkpoint-steps", 3)
        done(*self.command(whole, *arguments))
        command = [str(part) for part in (FNET, *self.command(stopped, *arguments))]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
            for line in run.stderr:
                if "step 20:" in line:
                    break
            run.send_signal(signal.SIGINT)
            run.stderr.read()
        result = done(*self.command(stopped, *arguments)) if run.returncode else ""
        self.assertEqual(result, "")
        self.assertEqual(*[(out / "model.safetensors").read_bytes() for out in (whole, stopped)])
        # From a model on.
        done("distill", "--train", self.texts, "--from", whole, "--out", self.folder / "further", "--cache", self.cache,
             "--steps", 2, "--threads", 1)  # fmt: skip
        done("finetune", "--from", whole, "--train", self.write("rows.tsv", "text\tlabel\nred apple\ta\nblue plum\tb\n" * 5),
             "--epochs", 1, "--out", self.folder / "task", "--threads", 1)  # fmt: skip

    def test_a_new_model_starts_with_the_weights_of_a_bert(self):
        teacher, out = bert(self.folder / "bert"), self.folder / "started"
        done("distill", "--train", self.texts, "--init-from", teacher, "--tokenizer", self.words, "--out", out, "--cache", self.cache,
             "--max-length", 20, "--set", "num_hidden_layers=2", "--set", "mixers=top:1", "--steps", 1, "--lr", 0, "--threads", 1)  # fmt: skip
        theirs, ours = tensors(teacher / "model.safetensors"), tensors(out / "model.safetensors")
        for mine, other in (("embeddings.position_embeddings.weight",) * 2, ("embeddings.LayerNorm.bias",) * 2,
                            ("encoder.layer.0.intermediate.dense.weight", "encoder.layer.1.intermediate.dense.weight"),
                            ("encoder.layer.0.fourier.output.LayerNorm.weight", "encoder.layer.1.attention.output.LayerNorm.weight"),
                            ("encoder.layer.1.attention.self.query.weight", "encoder.layer.3.attention.self.query.weight"),
                            ("encoder.layer.1.output.dense.bias", "encoder.layer.3.output.dense.bias")):  # fmt: skip
            self.assertEqual(ours[mine], theirs[other], mine)
        config = json.loads((out / "config.json").read_text())
        self.assertEqual(config["mixer_options"], {"num_attention_heads": 2})
        self.assertEqual((config["hidden_act"], config["embedding_projection"]), ("gelu", False))
        weights = json.loads((out / "run.json").read_text())["weights"]
        self.assertEqual(weights["fresh"], ["embeddings.word_embeddings.weight (another tokenizer)"])

    def test_a_teacher_beside_its_student_gives_vectors_and_rows(self):
        teacher = bert(self.folder / "asked")
        pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
        (teacher / "vocab.txt").write_text("\n".join(pieces + [f"[unused{i}]" for i in range(50 - len(pieces))]) + "\n")
        alone = self.write("no_vectors.txt", self.texts.read_text())

        def run(name, *arguments):
            out = self.folder / name
            done("distill", "--train", alone, "--teacher", teacher, "--init-from", teacher, "--out", out, "--cache", self.cache,
                 "--max-length", 20, "--batch-size", 32, "--threads", 1, "--hidden-weight", 1, "--set", "hidden_dropout_prob=0",
                 *arguments)  # fmt: skip
            return [line for line in map(json.loads, (out / "log.jsonl").read_text().splitlines()) if line["event"] == "epoch"]

        # A student that is its teacher: nothing is left to learn, in its vectors and in its layers' rows.
        same = run("same", "--set", "mixers=attention", "--set", "mixer_options.attention_probs_dropout_prob=0",
                   "--steps", 1, "--lr", 0)[-1]  # fmt: skip
        self.assertAlmostEqual(same["cosine"], 1, places=5)
        self.assertLess(same["loss"], 1e-5)
        learnt = run("learnt", "--steps", 120, "--eval-steps", 40, "--lr", "1e-2")
        self.assertGreater(learnt[-1]["cosine"], learnt[0]["cosine"])
        self.assertLess(learnt[-1]["loss"], learnt[0]["loss"])
        self.assertIn("teacher_sha256", json.loads((self.folder / "learnt" / "run.json").read_text()))
        self.assertIn("expected the tokenizer of the student", self.fails(
            "distill", "--train", alone, "--teacher", teacher, "--init-from", teacher, "--tokenizer", self.words, "--quiet",
            "--out", self.folder / "none", "--cache", self.cache, "--max-length", 20))  # fmt: skip
        self.assertIn("--hidden-weight: expected 0 without teacher", self.fails(*self.command(self.folder / "none", "--quiet", "--hidden-weight", 1)))
        self.assertIn("expected a teacher of the model's hidden_size (32), found one of 16", self.fails(
            "distill", "--train", alone, "--teacher", teacher, "--tokenizer", teacher, "--quiet", "--out", self.folder / "none",
            "--cache", self.cache, "--max-length", 20, "--hidden-weight", 1, "--set", "hidden_size=32"))  # fmt: skip
        self.assertIn("the teacher's limit", self.fails(
            "distill", "--train", alone, "--teacher", teacher, "--tokenizer", teacher, "--quiet", "--out", self.folder / "none",
            "--cache", self.cache, "--max-length", 60))  # fmt: skip

    def test_what_is_wrong_with_data_is_told_in_one_line(self):
        lines, rows = texts_and_vectors(20)
        none = self.folder / "none"

        def refused(lines, rows, *arguments):
            texts, vectors = self.pair("bad", lines, rows)
            return self.fails(*self.command(none, "--vectors", vectors, "--quiet", *arguments, train=[texts]))

        self.assertIn("bad.npy: expected a vector for each of the 20 texts of ", refused(lines, rows[:-1]))
        self.assertIn("expected 16 numbers in each, the model's hidden_size, found 12", refused(*texts_and_vectors(20, width=12)))
        for bad, message in ((math.nan, "vector 3: expected finite numbers"), (math.inf, "vector 3: expected finite numbers")):
            self.assertIn(message, refused(lines, rows[:2] + [[bad] * WIDTH] + rows[3:]))
        self.assertIn("vector 3: expected a direction, found only 0", refused(lines, rows[:2] + [[0.0] * WIDTH] + rows[3:]))
        self.assertIn("not compressed", refused(lines, gzip.compress(self.array(rows))))
        self.assertIn("found a file of", refused(lines, self.array(rows)[:-8]))
        self.assertIn("found another file", refused(lines, b"junk" * 100))
        self.assertIn("two axes", refused(lines, npy("f", (20, 4, 4), [0.5] * 320)))
        self.assertIn("at least 4 texts", refused("red\nblue\n", rows[:2]))
        self.assertIn("--similarity-weight: expected", refused(lines, rows, "--similarity-weight", "-1"))
        self.assertIn("--max-length: expected 3 to", refused(lines, rows, "--max-length", "2"))
        self.assertIn("--dev-vectors: expected none without", refused(lines, rows, "--dev-vectors", self.texts))
        self.assertIn("--vectors: expected a file for each of the 1 with texts, found 3",
                      refused(lines, rows, "--vectors", self.texts, self.texts))
        missing = self.write("alone.txt", lines)
        self.assertIn("alone.txt.npy", self.fails(*self.command(none, "--quiet", train=[missing])))
        other = bert(self.folder / "no_bert")
        (other / "config.json").write_text('{"model_type": "gpt2"}')
        self.assertIn('expected "bert"', self.fails("distill", "--train", self.texts, "--out", none, "--init-from", other,
                                                    "--tokenizer", self.words, "--quiet"))  # fmt: skip
        wide = bert(self.folder / "wide_bert", hidden=32)
        shutil.copy(bert(self.folder / "odd_bert", hidden=24) / "model.safetensors", wide)
        self.assertIn("found none that fit", self.fails("distill", "--train", self.texts, "--out", none, "--init-from", wide, "--quiet",
                                                        "--tokenizer", self.words, "--loss", "similarity", "--max-length", 20,
                                                        "--cache", self.cache))  # fmt: skip
        self.assertFalse(none.exists())


class Texts(unittest.TestCase):
    """tools/distill_texts.py"""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="fnet-texts-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def cut(self, out, *arguments):
        tool = SOURCE / "tools" / "distill_texts.py"
        subprocess.run([sys.executable, tool, self.folder / out, *arguments], check=True, stdout=subprocess.DEVNULL)
        return [file.read_text().splitlines() for file in sorted((self.folder / out).glob("texts-*.txt"))]

    def test_sentences_of_a_folder_without_those_of_a_test_part(self):
        corpus = self.folder / "corpus"
        corpus.mkdir()
        sentences = [f"The {i}th house on Dr. Lee's street has {i} doors and a roof." for i in range(200)]
        (corpus / "a.txt").write_text("\n".join(" ".join(sentences[i : i + 4]) for i in range(0, 100, 4)) + "\nToo short.\n")
        with lzma.open(corpus / "b.txt.xz", "wt") as file:
            file.write("\n".join(sentences[100:]) + "\n" + " ".join(["word"] * 300) + "\n")
        held = self.folder / "test.tsv"
        held.write_text("text\tlabel\n" + sentences[3].upper().replace(".", "") + "\ta\n" + sentences[150] + "\tb\n")
        train = self.folder / "train.tsv"
        train.write_text("text_pair\ttext\tlabel\nMine own text\tAnother one of mine\t1\n")
        arguments = (corpus, "--add", train, "--exclude", held, "--piece", "50")
        pieces = self.cut("all", *arguments)
        texts = [text for piece in pieces for text in piece]
        self.assertTrue(all(len(piece) == 50 for piece in pieces[:-1]))
        self.assertEqual(len(texts), len(set(texts)))
        self.assertIn("Mine own text", texts)
        self.assertIn("Another one of mine", texts)
        single = set(texts) & set(sentences)
        self.assertGreater(len(single), 150)  # the others stand in passages of several
        self.assertFalse({sentences[3], sentences[150]} & single)
        self.assertTrue(any(text.count("roof.") > 1 for text in texts))
        self.assertTrue(all(len(text.split()) <= 100 for text in texts))
        self.assertNotIn("Too short.", texts)
        self.assertEqual(self.cut("again", *arguments), pieces)
        few = [text for piece in self.cut("few", *arguments, "--texts", "20") for text in piece]
        self.assertLessEqual(len(few), 20)
        self.assertTrue(set(few) <= set(texts))


if __name__ == "__main__":
    unittest.main()

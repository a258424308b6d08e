"""Models that read numbers, images or DNA in place of texts, through the commands."""

import gzip
import json
import math
import os
import random
import re
import subprocess
import unittest

from support import CAN_TRAIN, FNET, SOURCE, CliTest, done, npy

DATA = SOURCE.parent / "shared" / "data"
SMALL = ("--set", "hidden_size=32", "--set", "num_hidden_layers=2", "--set", "intermediate_size=64",
         "--average", 0, "--threads", 2)  # fmt: skip


def series(count, length, seed):
    """Waves of two frequencies, and which one each has."""
    draw = random.Random(seed)
    rows, labels = [], []
    for i in range(count):
        labels.append(("slow", "fast")[i % 2])
        step, phase = (0.25, 1.1)[i % 2], draw.uniform(0, 6)
        rows.append([100 + 30 * math.sin(step * t + phase) + draw.gauss(0, 4) for t in range(length)])
    return rows, labels


def table(rows, labels):
    return "".join(",".join([label, *map(repr, row)]) + "\n" for row, label in zip(rows, labels))


@unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
class Numbers(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rows, cls.labels = series(60, 32, 1)
        cls.train = cls.write("train.csv", table(cls.rows, cls.labels))
        rows, labels = series(30, 32, 2)
        cls.test_rows, cls.test_labels = rows, labels
        cls.test = cls.write("test.csv", table(rows, labels))
        cls.series = cls.folder / "series"
        done("finetune", "--train", cls.train, "--dev", cls.test, "--out", cls.series, "--set", "input_type=vectors",
             "--set", "patch_length=4", "--epochs", 15, "--batch-size", 8, "--lr", "3e-3", *SMALL)  # fmt: skip

    @classmethod
    def bytes(cls, name, content):
        path = cls.folder / name
        path.write_bytes(content)
        return path

    def test_learns_waves_and_tells_what_it_is(self):
        report = json.loads(done("evaluate", self.series, self.test, "--json"))
        self.assertEqual(report["count"], 30)
        self.assertGreater(report["accuracy"], 0.9)
        config = json.loads((self.series / "config.json").read_text())
        self.assertEqual(config["input_type"], "vectors")
        self.assertEqual(config["max_position_embeddings"], 8)
        self.assertEqual(config["wide_features"], 0)
        self.assertNotIn("image_size", config)
        self.assertFalse((self.series / "spiece.model").exists())
        self.assertIn("input_type", done("info", self.series))

    def test_answers_are_those_of_the_engine_whatever_stands_beside(self):
        answers = done("predict", self.series, self.test).splitlines()
        right = sum(a.split("\t")[0] == b for a, b in zip(answers, self.test_labels))
        report = json.loads(done("evaluate", self.series, self.test, "--json"))
        self.assertAlmostEqual(right / 30, report["accuracy"])
        for i in (0, 7):
            alone = done("predict", self.series, stdin=table(self.test_rows[i : i + 1], [""]))
            self.assertEqual(alone.rstrip("\n"), answers[i])
        self.assertEqual(done("predict", self.series, self.test, "--batch-size", 1).splitlines(), answers)

    def test_an_array_says_what_the_table_says(self):
        flat = [value for row in self.test_rows for value in row]
        x = self.bytes("x.npy", npy("d", (30, 32), flat))
        z = self.bytes("x.npy.gz", gzip.compress(npy("d", (30, 32, 1), flat)))
        y = self.write("y.txt", "".join(label + "\n" for label in self.test_labels))
        wanted = done("predict", self.series, self.test)
        self.assertEqual(done("predict", self.series, x), wanted)
        self.assertEqual(done("predict", self.series, z), wanted)
        self.assertEqual(done("predict", self.series, "-", "--input-format", "npy", binary=True,
                              stdin=x.read_bytes()).decode(), wanted)  # fmt: skip
        report = json.loads(done("evaluate", self.series, x, "--labels", y, "--json"))
        self.assertEqual(report, json.loads(done("evaluate", self.series, self.test, "--json")))
        lines = [json.dumps({"values": row}) for row in self.test_rows]
        self.assertEqual(done("predict", self.series, self.write("x.jsonl", "\n".join(lines))), wanted)
        self.assertIn("expected as many labels",
                      self.fails("evaluate", self.series, x, "--labels", self.write("less.txt", "slow\n")))  # fmt: skip

    def test_vectors_of_examples_and_of_their_rows(self):
        vectors = [json.loads(line)["embedding"] for line in done("embed", self.series, self.test).splitlines()]
        self.assertEqual((len(vectors), len(vectors[0])), (30, 32))
        rows = [json.loads(line) for line in done("embed", self.series, self.test, "--pooling", "none").splitlines()]
        self.assertEqual((len(rows), len(rows[0]["embeddings"])), (30, 8))
        self.assertNotIn("tokens", rows[0])
        mean = [sum(column) / 8 for column in zip(*rows[0]["embeddings"])]
        for a, b in zip(vectors[0], mean):
            self.assertAlmostEqual(a, b, places=4)

    def test_goes_on_from_its_model_and_runs_smaller(self):
        out = self.folder / "more"
        done("finetune", "--train", self.train, "--dev", self.test, "--out", out, "--from", self.series, "--epochs", 1,
             "--lr", "1e-4", "--average", 0)  # fmt: skip
        before, after = (json.loads((d / "config.json").read_text()) for d in (self.series, out))
        self.assertEqual(before, after)
        small = self.folder / "small"
        done("quantize", self.series, "--dtype", "int8", "--out", small, "--report")
        self.assertGreater(json.loads(done("evaluate", small, self.test, "--json"))["accuracy"], 0.9)
        done("bench", self.series, "--batch", 1, "--length", 8, "--seconds", 0.01)
        done("info", self.series, "--time")
        self.assertNotIn("wrong", done("doctor", self.series))
        compared = json.loads(done("compare", self.series, small, "--data", self.test, "--json"))
        self.assertEqual(compared["agreement"]["count"], 30)

    def test_what_is_wrong_is_told_with_its_place(self):
        flat = [0.0] * 64
        flat[37] = math.nan
        bad = self.bytes("bad.npy", npy("f", (2, 32), flat))
        self.assertIn("bad.npy:2: values[5]: expected a finite number, found nan", self.fails("predict", self.series, bad))
        turned = npy("f", (2, 32), [0.0] * 64).replace(b"False", b"True ")
        self.assertIn("C order", self.fails("predict", self.series, self.bytes("turned.npy", turned)))
        ragged = self.write("ragged.csv", "a,1,2,3\nb,1,2\n")
        self.assertIn("ragged.csv:2: expected 4 columns", self.fails("predict", self.series, ragged))
        wide = self.bytes("wide.npy", npy("f", (1, 4, 2), [0.0] * 8))
        self.assertIn("steps of 1 numbers (input_size), found the shape [4, 2]", self.fails("predict", self.series, wide))
        self.assertIn("reads tokens", self.fails("inspect", self.series, "a text"))
        self.assertIn("'values'", self.fails("predict", self.series, self.write("a.txt", "a text\n")))
        self.assertIn("'text'", self.fails("predict", self.classifier, bad))
        train = ("finetune", "--train", self.train, "--out", self.folder / "none", "--set", "input_type=vectors", "--quiet")
        self.assertIn("expected text-classification", self.fails(*train, "--task", "question-answering"))
        self.assertIn("which has no words", self.fails(*train, "--wide", "on"))
        self.assertIn("--tokenizer: expected none", self.fails(*train, "--tokenizer", self.spiece))
        self.assertIn("patch_size: expected it left out", self.fails(*train, "--set", "patch_size=2"))
        x = self.bytes("unlabelled.npy", npy("f", (2, 32), [0.0] * 64))
        self.assertIn("'label'", self.fails("finetune", "--train", x, *train[3:]))

    def test_a_number_for_each_example(self):
        draw = random.Random(3)
        rows = [[draw.gauss(5, 2) for _ in range(6)] for _ in range(120)]
        flat = [value for row in rows for value in row]
        x = self.bytes("steps.npy", npy("f", (120, 3, 2), flat))
        y = self.bytes("sums.npy", npy("d", (120,), [row[0] - row[3] + 0.25 for row in rows]))
        out = self.folder / "regression"
        done("finetune", "--train", x, "--train-labels", y, "--dev", x, "--dev-labels", y, "--out", out, "--set",
             "input_type=vectors", "--epochs", 30, "--batch-size", 16, "--lr", "5e-3", "--set", "hidden_dropout_prob=0",
             *SMALL)  # fmt: skip
        config = json.loads((out / "config.json").read_text())
        self.assertEqual((config["input_size"], config["max_position_embeddings"]), (2, 3))
        report = json.loads(done("evaluate", out, x, "--labels", y, "--json"))
        self.assertGreater(report["r2"], 0.8)

    def test_images_by_patches(self):
        draw = random.Random(4)
        images, labels = [], []
        for i in range(80):
            image = [draw.randrange(40) for _ in range(64)]
            for place in range(8):  # a bright row, or a bright column
                image[(8 * 3 + place) if i % 2 else (8 * place + 3)] = 255
            images += image
            labels.append(i % 2)
        x, y = self.bytes("images.npy", npy("B", (80, 8, 8), images)), self.bytes("kinds.npy", npy("q", (80,), labels))
        out = self.folder / "images"
        done("finetune", "--train", x, "--train-labels", y, "--dev", x, "--dev-labels", y, "--out", out, "--set",
             "input_type=patches", "--set", "patch_size=4", "--epochs", 15, "--batch-size", 16, "--lr", "3e-3",
             *SMALL)  # fmt: skip
        config = json.loads((out / "config.json").read_text())
        self.assertEqual([config[k] for k in ("image_size", "num_channels", "max_position_embeddings")], [8, 1, 4])
        self.assertGreater(json.loads(done("evaluate", out, x, "--labels", y, "--json"))["accuracy"], 0.9)

    def test_letters_of_dna(self):
        draw = random.Random(5)
        lines = []
        for i in range(80):
            letters = [draw.choice("ACGT") for _ in range(20)]
            if i % 2:
                letters[9:11] = "GT"
            else:
                letters[9:11] = draw.choice(("CA", "AC"))
            lines.append("".join(letters) + f"\t{('other', 'site')[i % 2]}\n")
        data = self.write("dna.tsv", "text\tlabel\n" + "".join(lines))
        out = self.folder / "dna"
        done("finetune", "--train", data, "--dev", data, "--out", out, "--set", "input_type=dna", "--set", "kmer_size=2",
             "--epochs", 15, "--batch-size", 16, "--lr", "3e-3", *SMALL)  # fmt: skip
        config = json.loads((out / "config.json").read_text())
        self.assertEqual((config["input_type"], config["kmer_size"], config["vocab_size"]), ("dna", 2, 23))
        self.assertGreater(json.loads(done("evaluate", out, data, "--json"))["accuracy"], 0.9)
        self.assertEqual(done("tokenizer", "encode", out, "--format", "pieces", stdin="acgu\n"), "[CLS] AC CG GT [SEP]\n")
        self.assertIn("byte 1: expected a letter of DNA", self.fails("predict", out, stdin="AZ\n"))
        self.assertIn("tokenizer", done("doctor", out))

    def test_a_new_model_of_each_kind(self):
        for type_, more in (("vectors", "input_size=3"), ("patches", "image_size=32"), ("dna", "kmer_size=3")):
            out = self.folder / f"new-{type_}"
            done("init", "--variant", "tiny", "--out", out, "--set", f"input_type={type_}", "--set", more,
                 "--set", "num_hidden_layers=1")  # fmt: skip
            self.assertNotIn("wrong", done("doctor", out))
        self.assertIn("expected none for input_type", self.fails("init", "--out", self.folder / "no", "--tokenizer",
                      self.spiece, "--set", "input_type=vectors"))  # fmt: skip


LONG = bool(os.environ.get("FNET_LONG"))
PAGE = (SOURCE / "docs" / "beyond-text.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"<!-- data: (\w+) -->\n```console\n(.*?)```", re.DOTALL)
FIGURE = re.compile(r"^\| `(\w+)` \|.*\| ([\d.]+) \|$", re.MULTILINE)


def first(path, count):
    """A file's first examples: of an array, or the lines behind a header."""
    content = gzip.open(path).read()
    if not content.startswith(b"\x93NUMPY"):
        return b"".join(content.splitlines(keepends=True)[: count + 1])
    begin = 10 + int.from_bytes(content[8:10], "little")
    examples, *rest = map(int, re.findall(r"\d+", re.search(rb"'shape': \((.*?)\)", content[:begin])[1].decode()))
    header = content[10:begin].replace(f"({examples},".encode(), f"({min(count, examples)},".encode())
    header = header.rstrip() + b" " * (begin - 11 - len(header.rstrip())) + b"\n"
    size = (len(content) - begin) // examples
    return content[:10] + header + content[begin : begin + size * min(count, examples)]


@unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
class RealData(CliTest):
    """The commands of docs/beyond-text.md on real data: a few examples and epochs, or with FNET_LONG all of them, whose
    scores are those of the page."""

    def run_block(self, name):
        if not (DATA / name).is_dir():
            self.skipTest(f"there is no {DATA / name}")
        folder = self.folder / name
        folder.mkdir()
        for path in (DATA / name).glob("*.gz"):
            target = folder / path.name.removesuffix(".gz")
            if LONG:
                target.symlink_to(path)
            else:
                target.write_bytes(first(path, 300))
        commands = dict(BLOCK.findall(PAGE))[name].replace("\\\n", " ")
        if not LONG:
            commands = re.sub(r"--epochs \d+", "--epochs 1", commands)
        env = {**os.environ, "PATH": f"{FNET.parent}:{os.environ['PATH']}"}
        out = []
        for line in commands.splitlines():
            run = subprocess.run(["bash", "-euo", "pipefail", "-c", line.removeprefix("$ ")], cwd=folder, env=env,
                                 capture_output=True, text=True, errors="replace")  # fmt: skip
            self.assertEqual(run.returncode, 0, line + "\n" + run.stderr)
            out.append(run.stdout)
        accuracy = float(re.search(r"^accuracy +([\d.]+)", out[1], re.MULTILINE)[1])
        if LONG and name in (figures := dict(FIGURE.findall(PAGE))):
            self.assertGreater(accuracy, float(figures[name]) - 0.02)
        return out

    def test_dna(self):
        self.assertEqual(len(self.run_block("splice_dna")[2].split("\t")), 6)

    def test_a_time_series(self):
        self.assertEqual(len(self.run_block("series_ecg5000")[2].splitlines()), 3)

    def test_images(self):
        self.run_block("mnist10k")
        vectors = (self.folder / "mnist10k" / "vectors.npy").read_bytes()
        self.assertIn(b"'shape': (2000, 256)" if LONG else b"'shape': (300, 256)", vectors[:128])


if __name__ == "__main__":
    unittest.main()

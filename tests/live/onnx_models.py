"""ONNX Runtime answers as we do, from what `fnet export onnx` writes.

    onnx_models.py FNET ANSWERED_MODELS

ANSWERED_MODELS writes models of every row of the tables with our answers to single texts; ONNX Runtime reads them as one
batch of unequal texts. Skipped with a message (exit 77) where onnx or onnxruntime is missing.
"""

import importlib.util
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

try:
    import numpy as np
    import onnx
    import onnxruntime
except ImportError as error:
    print("skipped:", error)
    sys.exit(77)

FNET, ANSWERED_MODELS = sys.argv[1:3] if len(sys.argv) > 2 else sys.exit(__doc__)
del sys.argv[1:3]
TEXTS = ["the cat sat on the mat", "a fine film", "she sells sea shells by the sea shore in the summer, they say", "x"]
TOLERANCE = 1e-4


def fnet(*words, stdin=""):
    done = subprocess.run([FNET, *map(str, words)], input=stdin, capture_output=True, text=True)
    assert done.returncode == 0, f"fnet {words}: exit {done.returncode}: {done.stderr}"
    return done.stdout


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def batch(texts, rows=0):
    """The inputs for [(ids or rows of numbers, types), …]; padding holds what no one may look at."""
    rows = max(rows, *(len(ids) for ids, _ in texts))
    if isinstance(texts[0][0][0], list):
        values = np.full((len(texts), rows, len(texts[0][0][0])), 7, np.float32)
        mask = np.zeros((len(texts), rows), np.int64)
        for i, (own, _) in enumerate(texts):
            values[i, : len(own)], mask[i, : len(own)] = own, 1
        return {"input_values": values, "attention_mask": mask}
    ids, types = np.full((2, len(texts), rows), 7)
    types[:] = 1
    mask = np.zeros((len(texts), rows), np.int64)
    for i, (own_ids, own_types) in enumerate(texts):
        ids[i, : len(own_ids)], types[i, : len(own_ids)], mask[i, : len(own_ids)] = own_ids, own_types, 1
    return {"input_ids": ids, "token_type_ids": types, "attention_mask": mask}


def run(graph, feed):
    return dict(zip((o.name for o in graph.get_outputs()), graph.run(None, feed), strict=True))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


SCORES = {"regression": lambda x: x, "multi_label_classification": lambda x: 1 / (1 + np.exp(-x)),
          "single_label_classification": softmax}  # fmt: skip


class Onnx(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="fnet-onnx-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)

    def near(self, found, wanted, message):
        wanted = np.asarray(wanted)
        self.assertEqual(found.shape, wanted.shape, message)
        self.assertLessEqual(np.abs(found - wanted).max(), TOLERANCE * max(1, np.abs(wanted).max()), message)

    def fails(self, graph, feed):
        with self.assertRaises(Exception) as caught:
            graph.run(None, feed)
        return str(caught.exception)

    def test_every_part_and_head_answers_as_here(self):
        subprocess.run([ANSWERED_MODELS, self.folder], check=True, stdout=subprocess.DEVNULL)
        records = sorted(self.folder.glob("*.json"), key=lambda p: int(p.stem))
        self.assertGreater(len(records), 100)
        for path in records:
            record = json.loads(path.read_text())
            with self.subTest(model=path.stem, config=record["config"]):
                file = path.with_suffix(".onnx")
                fnet("export", "onnx", path.with_suffix(""), "--out", file, "--fourier", record["fourier"], "--quiet")
                onnx.checker.check_model(onnx.load(file), full_check=True)
                graph = session(file)
                texts = record["texts"]
                answers = run(graph, batch(texts))
                links = record["links"]
                self.assertEqual(set(answers), {*record["outputs"], *(name + "scores" for name in links)})
                for name, wanted in record["outputs"].items():
                    for i, own in enumerate(wanted):
                        rows = len(texts[i][0])
                        by_row = answers[name].shape[1:2] == (max(len(ids) for ids, _ in texts),) and len(own) == rows
                        found = answers[name][i, :rows] if by_row else answers[name][i]
                        self.near(found, own, f"{name} of text {i}")
                for name, problem in links.items():
                    self.near(answers[name + "scores"], SCORES[problem](answers[name + "logits"]), name)
                if record["ragged"]:  # and more padding, up to the rows that a text may have, changes nothing
                    again = run(graph, batch(texts, record["longest"] or 37))
                    for name, found in again.items():
                        by_row = found.shape[1] != answers[name].shape[1]
                        for i, (ids, _) in enumerate(texts):
                            rows = slice(len(ids) if by_row else None)
                            self.near(found[i, rows], answers[name][i, rows], f"{name} of text {i}, more padding")
                else:
                    feed = batch([*texts[:-1], [texts[-1][0][:3], texts[-1][1][:3]]])
                    self.assertIn("texts_of_one_batch_have_equal_lengths", self.fails(graph, feed))

    def model(self, name, *more):
        out = self.folder / name
        sizes = ("hidden_size=48", "num_hidden_layers=2", "intermediate_size=80", "max_position_embeddings=64",
                 "initializer_range=0.3")  # fmt: skip
        sets = [word for size in sizes for word in ("--set", size)]
        fnet("init", "--variant", "tiny", "--tokenizer", self.spiece(), "--out", out, *sets, *more)
        return out

    def spiece(self):
        path = self.folder / "spiece.model"
        if not path.exists():
            corpus = shutil.copy(__file__, self.folder / "corpus.txt")
            fnet("tokenizer", "train", "--input", corpus, "--vocab-size", 200, "--out", path)
        return path

    def export(self, model, *more):
        out = model.with_suffix(".onnx")
        fnet("export", "onnx", model, "--out", out, "--overwrite", *more)
        return session(out)

    def texts(self):
        lines = fnet("tokenizer", "encode", self.spiece(), "-", stdin="\n".join(TEXTS) + "\n").splitlines()
        ids = [[int(word) for word in line.split()] for line in lines]
        return [(own, [0] * len(own)) for own in ids]

    def test_scores_are_what_predict_prints(self):
        labels = ["bad", "good", "so-so"]
        for more in ([], ["--set", "length_policy=fixed:64"]):
            model = self.model("classifier" + str(len(more)), "--task", "text-classification", "--labels", ",".join(labels), *more)
            scores = run(self.export(model), batch(self.texts()))["scores"]
            lines = fnet("predict", model, "-", "--format", "jsonl", "--top-k", 3, stdin="\n".join(TEXTS) + "\n")
            for row, line in zip(scores, lines.splitlines(), strict=True):
                found = {p["label"]: p["score"] for p in json.loads(line)["top_k"]}
                self.near(row, [found[label] for label in labels], line)

    def test_smaller_weights_are_written_as_the_numbers_that_they_stand_for(self):
        model = self.model("encoder")
        whole = run(self.export(model), batch(self.texts()))["last_hidden_state"]
        for dtype, tolerance in (("bfloat16", 0.1), ("int8", 0.2)):
            out = self.folder / dtype
            fnet("quantize", model, "--dtype", dtype, "--out", out)
            found = run(self.export(out), batch(self.texts()))["last_hidden_state"]
            self.assertGreater(np.abs(found - whole).max(), 1e-4)
            self.assertLess(np.linalg.norm(found - whole) / np.linalg.norm(whole), tolerance)

    def test_the_program_of_the_readme(self):
        readme = pathlib.Path(__file__).parents[2] / "README.md"
        program = re.search(r"```python\n(import onnxruntime.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)[1]
        if importlib.util.find_spec("transformers") is None:
            self.skipTest("there is no transformers")
        model = self.model("plain", "--task", "text-classification", "--labels", "bad,good")
        self.export(model)
        shown = subprocess.run([sys.executable, "-c", program], cwd=self.folder, check=True, capture_output=True, text=True)
        found = [float(word) for word in re.findall(r"\d\.[\de-]+", shown.stdout)]
        texts = json.loads(re.search(r"tokenizer\((\[.*?\])", program)[1])
        lines = fnet("predict", model, "-", "--format", "jsonl", "--top-k", 2, stdin="\n".join(texts) + "\n")
        for i, line in enumerate(lines.splitlines()):
            wanted = {p["label"]: p["score"] for p in json.loads(line)["top_k"]}
            self.near(np.array(found[2 * i : 2 * i + 2]), [wanted["bad"], wanted["good"]], line)

    def test_inputs_that_have_no_answer_end_the_run(self):
        graph = self.export(self.model("guarded", "--set", "length_policy=fixed:20"))
        feed = batch(self.texts()[1:2] * 2)
        for place, value in ((0, 0), (1, 0), (1, 2)):  # a text without its first token; a hole; no mask at all
            bad = {**feed, "attention_mask": feed["attention_mask"].copy()}
            bad["attention_mask"][1, place] = value
            self.assertIn("attention_mask_is_ones_then_zeros", self.fails(graph, bad))
        bad = {**feed, "attention_mask": feed["attention_mask"] * np.array([[1], [0]])}
        self.assertIn("attention_mask_is_ones_then_zeros", self.fails(graph, bad))
        long = {name: np.ones((1, 21), np.int64) for name in feed}
        self.assertIn("at_most_20_tokens", self.fails(graph, long))
        exact = self.export(self.model("exact"))
        long = {name: np.ones((1, 65), np.int64) for name in feed}
        self.assertIn("position_embeddings", self.fails(exact, long))
        bad = {**feed, "input_ids": feed["input_ids"] + 200}
        self.assertIn("word_embeddings", self.fails(exact, bad))


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""pretrain: from plain texts to a model that fills in masks and that finetune starts from."""

import gzip
import json
import signal
import subprocess
import unittest

from support import CAN_TRAIN, FNET, CliTest, done

COLOURS = ["red apple", "yellow lemon", "green pear", "blue plum"]
SMALL = ("--set", "hidden_size=64", "--set", "intermediate_size=128", "--set", "num_hidden_layers=1",
         "--set", "hidden_dropout_prob=0", "--set", "fourier_norm=ortho", "--threads", 2)  # fmt: skip


def paragraphs(count):
    """Documents of three lines, in which each colour has its fruit."""
    lines = [f"in {place} there is a {COLOURS[(i * 7 + k) % 4]} {end}"
             for i in range(count)
             for k, (place, end) in enumerate([("spring", "on a tree"), ("summer", "in a bowl"), ("town", "for you")])]  # fmt: skip
    return "\n\n".join("\n".join(lines[i : i + 3]) for i in range(0, len(lines), 3)) + "\n"


@unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
class Pretrain(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cache = cls.folder / "cache"
        cls.texts = cls.write("texts.txt", paragraphs(400))

    def pretrain(self, out, *arguments, train=None):
        return ("pretrain", "--train", train or self.texts, "--out", out, "--cache", self.cache, *SMALL, *arguments)

    def test_learns_which_words_go_together(self):
        out, pieces = self.folder / "model", self.folder / "words.model"
        # With a piece for each word, so that one [MASK] stands for one.
        done("tokenizer", "train", "--input", self.texts, "--model", "bpe", "--vocab-size", 100, "--out", pieces)
        done(*self.pretrain(out, "--tokenizer", pieces, "--steps", 900, "--eval-steps", 300, "--batch-size", 16, "--lr", "3e-3"))
        lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        losses = [line["dev_loss"] for line in lines if line["event"] == "epoch"]
        self.assertEqual([line["step"] for line in lines if line["event"] == "epoch"], [300, 600, 900])
        self.assertLess(losses[-1], losses[0])
        self.assertLess(losses[-1], 1.0)
        text = "in spring there is a blue{} on a tree in summer there is a red apple in a bowl in town there is a yellow{} for you\n"
        asked = self.write("asked.txt", text.format("[MASK]", " lemon") + text.format(" plum", "[MASK]"))
        answers = [json.loads(line)["masks"][0][0]["token_str"]
                   for line in done("fill-mask", out, asked, "--format", "jsonl").splitlines()]  # fmt: skip
        self.assertEqual(answers, ["plum", "lemon"])
        # What it has learnt goes on to a task.
        rows = "".join(f"a {pair} here\t{pair.split()[0]}\n" for pair in COLOURS) * 4
        data = self.write("colours.tsv", "text\tlabel\n" + rows)
        done("finetune", "--task", "text-classification", "--from", out, "--train", data, "--dev", data, "--epochs", 2,
             "--out", self.folder / "colours", "--threads", 2)  # fmt: skip
        run = json.loads((self.folder / "colours" / "run.json").read_text())
        self.assertGreater(run["weights"]["loaded"], 15)
        report = (out / "report.html").read_text()
        self.assertIn("Filled in", report)

    def test_gzip_json_lines_and_folders_are_corpora_too(self):
        folder = self.folder / "many"
        folder.mkdir()
        with gzip.open(folder / "a.txt.gz", "wt") as file:
            file.write(paragraphs(30))
        (folder / "b.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in paragraphs(20).split("\n\n")))
        out = self.folder / "of_many"
        done(*self.pretrain(out, "--steps", 2, "--tokenizer", self.spiece, train=folder))
        data = json.loads((out / "run.json").read_text())["data"]
        self.assertEqual(data["documents"] + data["dev_documents"], 50)

    def test_threads_and_a_cache_from_before_change_nothing(self):
        models = []
        for name, threads in (("one", 1), ("two", 2), ("found", 1)):
            out = self.folder / name
            done("pretrain", "--train", self.texts, "--out", out, "--cache", self.folder / f"cache_{threads}", *SMALL[:-2],
                 "--threads", threads, "--steps", 3, "--batch-size", 4, "--tokenizer", self.spiece)  # fmt: skip
            models.append((out / "model.safetensors").read_bytes())
        self.assertEqual(models[0], models[2])
        samples = [self.first_loss(name) for name in ("one", "two")]
        self.assertAlmostEqual(samples[0], samples[1], places=4)
        self.assertEqual(*[next((self.folder / f"cache_{n}").iterdir()).read_bytes() for n in (1, 2)])

    def first_loss(self, name):
        return json.loads((self.folder / name / "log.jsonl").read_text().splitlines()[0])["loss"]

    def test_bad_corpora_are_errors_in_one_line(self):
        def refused(text, *arguments, name="bad.txt"):
            file = self.folder / name
            file.write_bytes(text)
            return self.fails(*self.pretrain(self.folder / "none", "--tokenizer", self.spiece, "--quiet", *arguments, train=file))

        self.assertIn("bad.txt: expected a document with a token", refused(b""))
        self.assertIn("bad.txt:2: byte 1: expected UTF-8", refused(b"one\nt\xffo\n"))
        self.assertIn("at least two documents", refused(b"one line alone\nand another\n"))
        self.assertIn("cut short", refused(gzip.compress(paragraphs(300).encode())[:-40], name="bad.txt.gz"))
        self.assertIn("bad.jsonl:1", refused(b'{"body": "one"}\n', name="bad.jsonl"))
        self.assertIn("--masking: expected", refused(b"one\n", "--masking", "letter"))
        self.assertIn("--mask-prob: expected", refused(b"one\n", "--mask-prob", "0"))
        self.assertFalse((self.folder / "none").exists())

    def test_an_interrupted_run_leaves_a_model(self):
        out = self.folder / "stopped"
        command = [str(part) for part in (FNET, *self.pretrain(out, "--steps", 100_000, "--eval-steps", 5, "--batch-size", 2,
                                                               "--eval-texts", 4, "--tokenizer", self.spiece))]  # fmt: skip
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
            for line in run.stderr:
                if "step 5:" in line:
                    break
            run.send_signal(signal.SIGINT)
            rest = run.stderr.read()
        self.assertEqual(run.returncode, 130, rest)
        self.assertIn("interrupted after step", rest)
        done("fill-mask", out, stdin="in spring there is a [MASK]\n")


if __name__ == "__main__":
    unittest.main()

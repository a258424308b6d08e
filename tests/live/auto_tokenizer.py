"""What AutoTokenizer of transformers makes of the folders that fnet writes: our ids.

    auto_tokenizer.py FNET ENCODE_IDS GOLDEN_DIR [DATA_DIR]

For texts and pairs, for models of both kinds and all normalizations. Works with transformers 4 and 5
(`./dev transformers4` runs it with 4). DATA_DIR holds */*.tsv.gz; without it the texts are those below.
Skipped with a message (exit 77) where transformers is missing.
"""

import glob
import gzip
import itertools
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

try:
    import transformers
except ImportError as error:
    print("skipped:", error)
    sys.exit(77)

FNET, ENCODE_IDS, GOLDEN, *DATA = sys.argv[1:]
sys.argv[1:] = []
LINES = 20_000
TEXTS = [
    "", " ", "a", "the cat sat on the mat", "  two   spaces ", "a film of 2005, not 1,000,000", "``quoted'' text",
    "The capital is [MASK].", "[MASK] of it", "a[MASK]b", "[MASK]", "unknown \u2603\u2603 \u2603 letters", "caf\u00e9 cafe\u0301 \ufb01n \uff21\uff22",
    "\u200bzero width\u200b", "tab\there\u00a0and there", "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440", "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8", "emoji \U0001f469\u200d\U0001f52c here",
    "00 000 0000 00000 --- ---- =====", "what the <unk> is, <pad> or [SEP] in a text",
]  # fmt: skip


def lines():
    """Lines of moderate length, from each data set in turn."""
    files = sorted(glob.glob(f"{DATA[0]}/*/*.tsv.gz")) if DATA and DATA[0] else []
    streams = [gzip.open(f, "rt", encoding="utf-8", newline="\n") for f in files]
    rows = (line.rstrip("\n") for group in itertools.zip_longest(*streams) for line in group if line is not None)
    return TEXTS + list(itertools.islice((row for row in rows if len(row) < 1_000), LINES))


def fnet(*words, stdin=""):
    done = subprocess.run([FNET, *map(str, words)], input=stdin.encode(), capture_output=True)
    assert done.returncode == 0, f"fnet {words}: exit {done.returncode}: {done.stderr.decode()}"
    return done.stdout.decode()


class AutoTokenizer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="fnet-live-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.lines = lines()
        cls.corpus = cls.folder / "corpus.txt"
        cls.corpus.write_text("\n".join(cls.lines[:10_000]) + "\n" + pathlib.Path(__file__).read_text())
        print("transformers", transformers.__version__, len(cls.lines), "lines", file=sys.stderr)

    def learned(self, kind):
        out = self.folder / f"{kind}.model"
        size = 8000 if len(self.lines) > len(TEXTS) else 150
        fnet("tokenizer", "train", "--model", kind, "--input", self.corpus, "--vocab-size", size, "--out", out)
        return out

    def folder_of(self, spiece, **settings):
        """A model's folder; its tokenizer has these settings."""
        start = self.folder / "start"
        shutil.rmtree(start, ignore_errors=True)
        start.mkdir()
        shutil.copy(spiece, start / "spiece.model")
        (start / "tokenizer_config.json").write_text(json.dumps({"normalization": "raw", **settings}))
        out = self.folder / "model"
        shutil.rmtree(out, ignore_errors=True)
        fnet("init", "--variant", "tiny", "--tokenizer", start, "--out", out, "--set", "hidden_size=16",
             "--set", "intermediate_size=16", "--set", "max_position_embeddings=96")  # fmt: skip
        return out

    def ours(self, folder, texts):
        out = subprocess.run([ENCODE_IDS, folder], input="".join(t + "\n" for t in texts).encode(),
                             stdout=subprocess.PIPE, check=True).stdout  # fmt: skip
        return [list(map(int, row.split())) for row in out.decode().splitlines()]

    def differing(self, folder, texts):
        theirs = transformers.AutoTokenizer.from_pretrained(str(folder))
        self.assertEqual(theirs.model_max_length, 96)
        self.assertEqual(theirs.model_input_names, ["input_ids", "token_type_ids"])
        cls, sep = theirs.cls_token_id, theirs.sep_token_id
        self.assertEqual([theirs.cls_token, theirs.sep_token, theirs.pad_token, theirs.mask_token],
                         ["[CLS]", "[SEP]", "<pad>", "[MASK]"])  # fmt: skip
        found = theirs(texts)["input_ids"]
        wanted = [[cls, *ids, sep] for ids in self.ours(folder, texts)]
        return [(t, f, w) for t, f, w in zip(texts, found, wanted, strict=True) if f != w], theirs, wanted

    def same(self, folder, texts):
        wrong, theirs, wanted = self.differing(folder, texts)
        for text, found, ours in wrong[:3]:
            print(repr(text), theirs.convert_ids_to_tokens(found), theirs.convert_ids_to_tokens(ours), file=sys.stderr)
        self.assertEqual(len(wrong), 0, f"of {len(texts)} lines")
        # Pairs: [CLS] A [SEP] B [SEP], types 0 and 1.
        some = range(0, min(len(texts), 400), 2)
        pairs = theirs([texts[i] for i in some], [texts[i + 1] for i in some])
        for at, i in enumerate(some):
            self.assertEqual(pairs["input_ids"][at], wanted[i] + wanted[i + 1][1:])
            types = [0] * len(wanted[i]) + [1] * (len(wanted[i + 1]) - 1)
            self.assertEqual(pairs["token_type_ids"][at], types)

    def test_a_learned_unigram_model(self):
        self.same(self.folder_of(self.learned("unigram")), self.lines)

    def test_a_learned_bpe_model(self):
        self.same(self.folder_of(self.learned("bpe")), self.lines)

    def test_a_bpe_model_with_case_and_accents_folded(self):
        folder = self.folder_of(f"{GOLDEN}/bpe.model", do_lower_case=True, keep_accents=False)
        self.same(folder, self.lines)

    def test_a_unigram_model_with_byte_pieces(self):
        # Its scores are as SentencePiece trained them: ways to cut that tie differ by the last bit.
        wrong, _, _ = self.differing(self.folder_of(f"{GOLDEN}/unigram.model"), self.lines)
        self.assertLess(len(wrong), 0.01 * len(self.lines))

    def test_hf_fast(self):
        for kind in ("bpe", "unigram"):
            folder = self.folder_of(f"{GOLDEN}/{kind}.model", normalization="hf_fast")
            wrong, _, _ = self.differing(folder, self.lines)
            self.assertLessEqual(len(wrong), 0 if kind == "bpe" else 0.02 * len(self.lines), kind)

    def test_an_encoded_text_is_cut_at_the_length_of_the_model(self):
        folder = self.folder_of(f"{GOLDEN}/bpe.model")
        theirs = transformers.AutoTokenizer.from_pretrained(str(folder))
        self.assertEqual(len(theirs("a " * 500, truncation=True)["input_ids"]), 96)

    def test_what_transformers_saves_again_is_read_without_a_word(self):
        folder = self.folder_of(f"{GOLDEN}/bpe.model")
        transformers.AutoTokenizer.from_pretrained(str(folder)).save_pretrained(folder)
        done = subprocess.run([FNET, "embed", folder, "-"], input=b"a text\n", capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, b""))


if __name__ == "__main__":
    unittest.main(verbosity=2)

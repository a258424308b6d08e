"""BERT's vocabularies in every command that takes a tokenizer."""

import json
import unittest

from support import CAN_TRAIN, CliTest, done, fnet

NAMES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = ["the", "a", "warm", "cold", "film", "##s", "end", "##ing", "heart", "dull", "fine", ".", ",", "oslo"]


class WordPiece(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.vocabulary = cls.write("vocab.txt", "".join(piece + "\n" for piece in NAMES + PIECES))
        cls.spiece = cls.vocabulary
        cls.classifier = cls.model("bert", "text-classification", "bad,good")
        cls.encoder = cls.model("encoder", "encoder", "", "max_position_embeddings=12")
        cls.tagger = cls.model("bert-tagger", "token-classification", "O,B-LOC")

    def test_encodes_and_decodes_as_bert_does(self):
        text = "The films, a warm ENDING [MASK] caf\u00e9.\n"
        pieces = "[CLS] the film ##s , a warm end ##ing [MASK] [UNK] . [SEP]"
        for model in (self.vocabulary, self.encoder, self.encoder / "tokenizer.json"):
            self.assertEqual(done("tokenizer", "encode", model, "--format", "pieces", stdin=text).split(), pieces.split())
        ids = done("tokenizer", "encode", self.encoder, stdin=text)
        self.assertEqual(done("tokenizer", "decode", self.encoder, stdin=ids), "the films, a warm ending [UNK].\n")
        self.assertEqual(done("tokenizer", "decode", self.encoder, "--keep-special", stdin=ids),
                         "[CLS] the films, a warm ending [MASK] [UNK]. [SEP]\n")  # fmt: skip
        line = json.loads(done("tokenizer", "encode", self.encoder, "--format", "jsonl", stdin="A caf\u00e9 films\n"))
        self.assertEqual(line["offsets"], [[0, 0], [0, 1], [2, 7], [8, 12], [12, 13], [0, 0]])
        self.assertEqual(line["pieces"], ["[CLS]", "a", "[UNK]", "film", "##s", "[SEP]"])

    def test_is_compared_with_another_kind(self):
        report = json.loads(done("tokenizer", "compare", self.vocabulary, self.folder / "spiece.model", "--data", self.corpus, "--json"))
        self.assertEqual(report["a"]["pieces"], len(NAMES + PIECES))
        self.assertGreater(report["pieces_in_both"], 5)
        same = json.loads(done("tokenizer", "compare", self.vocabulary, self.encoder, "--data", self.corpus, "--json"))
        self.assertEqual((same["other_ids"], same["pieces_in_both"]), (0, len(NAMES + PIECES)))

    def test_a_model_directory_has_it_and_answers(self):
        for name in ("vocab.txt", "tokenizer.json", "tokenizer_config.json"):
            self.assertTrue((self.encoder / name).exists())
        self.assertFalse((self.encoder / "spiece.model").exists())
        self.assertEqual(json.loads((self.encoder / "config.json").read_text())["pad_token_id"], 0)
        texts = "The warm films.\na cold ending\n"
        for model in (self.encoder, self.classifier):
            answer = fnet("predict" if model == self.classifier else "embed", model, stdin=texts)
            self.assertEqual((answer.returncode, answer.stderr), (0, ""))
            self.assertEqual(len(answer.stdout.splitlines()), 2)
        tags = done("predict", self.tagger, stdin="The\nfilms\nend\n\nOslo\n").splitlines()
        self.assertEqual([line.split("\t")[0] for line in tags if line], ["The", "films", "end", "Oslo"])
        self.assertIn("tokenizer", done("doctor", self.encoder))
        self.assertEqual(fnet("info", self.encoder).returncode, 0)
        quantized = self.folder / "quantized"
        done("quantize", self.encoder, "--dtype", "int8", "--out", quantized)
        self.assertEqual((quantized / "vocab.txt").read_bytes(), self.vocabulary.read_bytes())

    def test_damage_is_told_with_its_line(self):
        twice = self.write("twice.txt", "[UNK]\na\nb\na\n")
        self.assertIn("twice.txt: line 4: 'a' stands there twice, first in line 2", self.fails("tokenizer", "encode", twice))
        empty = self.write("none.txt", "a\nb\n")
        self.assertIn("expected the piece '[UNK]'", self.fails("tokenizer", "encode", empty))
        other = self.write("other.json", '{"model": {"type": "BPE"}}')
        self.assertIn("model: expected WordPiece, found BPE", self.fails("tokenizer", "encode", other))

    @unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
    def test_trains_with_it_and_from_it(self):
        rows = ["a fine warm film\tgood", "a warm heart, fine ending\tgood", "a dull cold film\tbad", "the cold, dull ending\tbad"]
        data = self.write("data.tsv", "text\tlabel\n" + "".join(row + "\n" for row in rows * 6))
        first, second = self.folder / "first", self.folder / "second"
        small = ["--epochs", 2, "--batch-size", 8, "--threads", 2, "--wide", "off"]
        done("finetune", "--train", data, "--dev", data, "--tokenizer", self.vocabulary, "--variant", "tiny", "--out", first, *small)
        self.assertEqual((first / "vocab.txt").read_bytes(), self.vocabulary.read_bytes())
        done("finetune", "--train", data, "--dev", data, "--from", first, "--out", second, *small)
        self.assertEqual(len(done("predict", second, stdin="a warm film\n").splitlines()), 1)
        log = fnet("pretrain", "--train", self.corpus, "--dev", self.corpus, "--tokenizer", self.vocabulary, "--variant", "tiny", "--steps", 2,
                   "--masking", "whole-word", "--out", self.folder / "pretrained", "--cache", self.folder / "cache", "--batch-size", 2,
                   "--threads", 2)  # fmt: skip
        self.assertEqual(log.returncode, 0, log.stderr)
        answer = done("predict", self.folder / "pretrained", "--top-k", 2, "--format", "jsonl", stdin="the [MASK] film.\n")
        best = json.loads(answer)["masks"][0][0]
        self.assertIn(best["token_str"].replace(" ", ""), NAMES + PIECES)


if __name__ == "__main__":
    unittest.main()

"""doctor, and tokenizer compare."""

import json
import os
import shutil
import unittest

from support import CAN_TRAIN, CORPUS, FNET, CliTest, done, fnet

GOLDEN = {"format": 1, "family": "fnet", "source": {"library": "fnet", "version": "0"}, "tolerance": 1e-5}


class Doctor(CliTest):
    def doctor(self, *arguments, code=0, **options):
        """The answer as JSON, and the levels of what was found by place."""
        result = fnet("doctor", *arguments, "--json", **options)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        answer = json.loads(result.stdout)
        self.assertEqual(answer["healthy"], code == 0)
        levels = {}
        for finding in answer["findings"]:
            levels.setdefault(finding["place"], set()).add(finding["level"])
        return answer, levels

    def test_a_model_made_here_is_well(self):
        answer, levels = self.doctor(self.classifier)
        self.assertEqual(answer["family"], "fnet")
        self.assertEqual(levels["self-test"], {"ok"})
        self.assertEqual(levels["tokenizer"], {"ok"})
        text = done("doctor", self.classifier)
        self.assertIn("\nfamily fnet (fnet itself, by its files and config.json)\n", text)
        self.assertIn("kernels and formulas differ by", text)

    def test_vectors_are_computed_again_and_a_changed_weight_is_found(self):
        model = self.folder / "vectors"
        shutil.copytree(self.classifier, model)
        ids = [int(i) for i in done("tokenizer", "encode", model, stdin="the cat sat\n").split()]
        found = json.loads(done("embed", model, "--format", "jsonl", "--pooling", "pooler", stdin="the cat sat\n"))
        vector = next(value for value in found.values() if isinstance(value, list))
        case = {"text": "the cat sat", "input_ids": ids, "pooler_output": vector}
        (model / "golden.json").write_text(json.dumps({**GOLDEN, "cases": [case]}))
        _, levels = self.doctor(model)
        self.assertEqual(levels["golden"], {"ok"})
        with open(model / "model.safetensors", "r+b") as file:  # the last one is fnet.pooler.dense.weight
            file.seek(-400, os.SEEK_END)
            file.write(b"\x00\x00\x00\x40")  # 2.0
        text = fnet("doctor", model)
        self.assertEqual(text.returncode, 1, text.stdout)
        self.assertRegex(text.stdout, r"wrong  golden +pooler_output of 1 texts: off by .*\n +-> ")

    def test_bad_files_are_findings_not_errors(self):
        model = self.folder / "bad"
        shutil.copytree(self.classifier, model)
        (model / "golden.json").write_text('{"format": 1}')
        answer, _ = self.doctor(model, code=1)
        self.assertIn("expected the key 'family'", answer["findings"][0]["message"])
        (model / "golden.json").unlink()
        (model / "model.safetensors").write_bytes(b"junk")
        _, levels = self.doctor(model, code=1)
        self.assertEqual(levels["weights"], {"wrong"})
        (model / "config.json").write_text("{")
        _, levels = self.doctor(model, code=1)
        self.assertEqual(levels, {"config": {"wrong"}})
        _, levels = self.doctor(self.folder / "nothing-there", code=1)
        self.assertEqual(levels, {"config": {"wrong"}})

    def test_alone_it_tells_what_the_build_can_do(self):
        _, levels = self.doctor()
        self.assertEqual(levels["training"], {"ok"} if CAN_TRAIN else {"note"})
        alone = self.folder / "fnet"  # a lean install: no fnet-train beside it or in PATH
        shutil.copy(FNET, alone)
        text = fnet("doctor", program=alone, env={"PATH": "/nowhere"})
        self.assertEqual(text.returncode, 0, text.stderr)
        self.assertRegex(text.stdout, r"note   training +no: .*\n +-> .*\./dev build release")


class Compare(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other = cls.folder / "other.model"
        done("tokenizer", "train", "--input", cls.corpus, "--vocab-size", "60", "--model", "bpe", "--out", cls.other)

    def compare(self, a, b, *arguments):
        return json.loads(done("tokenizer", "compare", a, b, "--data", self.corpus, "--json", *arguments))

    def test_a_tokenizer_is_as_itself(self):
        found = self.compare(self.spiece, self.classifier)
        self.assertEqual(found["texts"], len(CORPUS.splitlines()))
        self.assertEqual((found["other_ids"], found["other_pieces"], found["differences"]), (0, 0, []))
        self.assertEqual(found["pieces_in_both"], 80)

    def test_counts_and_differences_are_those_of_encode(self):
        lines = {}
        for name, model in (("a", self.spiece), ("b", self.other)):
            rows = done("tokenizer", "encode", model, "--format", "jsonl", stdin=CORPUS).splitlines()
            lines[name] = [json.loads(row) for row in rows]
        pairs = list(zip(lines["a"], lines["b"]))
        other = [i for i, (a, b) in enumerate(pairs) if a["pieces"] != b["pieces"]]
        found = self.compare(self.spiece, self.other, "--top", "2")
        self.assertEqual(found["other_pieces"], len(other))
        self.assertEqual(found["other_ids"], sum(a["ids"] != b["ids"] for a, b in pairs))
        for name in "ab":
            self.assertEqual(found[name]["tokens"], sum(len(row["ids"]) for row in lines[name]))
        self.assertEqual(len(found["differences"]), 2)
        first = found["differences"][0]
        self.assertEqual(first["a"], {key: pairs[other[0]][0][key] for key in ("ids", "pieces")})
        a, b = first["a"]["pieces"], first["b"]["pieces"]
        self.assertEqual(a[: first["token"]], b[: first["token"]])
        self.assertNotEqual(a[first["token"]], b[first["token"]])
        text = done("tokenizer", "compare", self.spiece, self.other, "--data", self.corpus)
        self.assertIn(f"other pieces in {len(other)} (", text)
        self.assertIn("corpus.txt:1: token ", text)

    def test_a_normalization_shows(self):
        model = self.folder / "slow"
        shutil.copytree(self.classifier, model)
        config = json.loads((model / "tokenizer_config.json").read_text())
        (model / "tokenizer_config.json").write_text(json.dumps({**config, "do_lower_case": True}))
        data = self.write("cases.txt", "the cat\nThe Cat\n")
        found = json.loads(done("tokenizer", "compare", model, self.classifier, "--data", data, "--json"))
        self.assertEqual([d["line"] for d in found["differences"]], [2])


if __name__ == "__main__":
    unittest.main()

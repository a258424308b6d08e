"""finetune: handed to fnet-train as it is, or refused in a lean install."""

import json
import os
import shutil
import unittest

from support import CAN_TRAIN, FNET, CliTest, done, fnet

GOOD = "a fine warm film|a clever happy ending|a lovely warm heart|clever and fine work|happy lovely film"
BAD = "a dull cold film|the worst long ending|a boring cold heart|long and dull work|worst boring film"


class Finetune(CliTest):
    def data(self, name):
        rows = [f"{text}\tgood\n" for text in GOOD.split("|")] + [f"{text}\tbad\n" for text in BAD.split("|")]
        return self.write(name, "text\tlabel\n" + "".join(rows) * 4)

    def test_lean_install_says_how_to_get_training(self):
        lean = self.folder / "lean" / "fnet"
        lean.parent.mkdir()
        shutil.copy(FNET, lean)
        error = self.fails("finetune", "--task", "text-classification", program=lean,
                           env={"PATH": "/usr/bin:/bin"})  # fmt: skip
        self.assertIn("fnet-train", error)
        self.assertIn("lean install", error)

    def test_arguments_reach_fnet_train_verbatim(self):
        folder = self.folder / "fake"
        folder.mkdir()
        shutil.copy(FNET, folder / "fnet")
        (folder / "fnet-train").write_text('#!/bin/sh\nfor a in "$@"; do echo "[$a]"; done\nexit 7\n')
        os.chmod(folder / "fnet-train", 0o755)
        result = fnet("finetune", "--a b", "*", "", program=folder / "fnet")
        self.assertEqual(result.stdout, "[finetune]\n[--a b]\n[*]\n[]\n")
        self.assertEqual(result.returncode, 7)

    @unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
    def test_learns_a_task_and_leaves_a_model_that_the_lean_program_runs(self):
        train, out = self.data("train.tsv"), self.folder / "learnt"
        done("finetune", "--task", "text-classification", "--train", train, "--dev", train, "--out", out,
             "--from", self.classifier, "--epochs", 12, "--batch-size", 8, "--lr", "3e-3", "--threads", 2)  # fmt: skip
        for name in ("config.json", "model.safetensors", "spiece.model", "log.jsonl", "report.html"):
            self.assertTrue((out / name).exists(), name)
        report = json.loads(done("evaluate", out, "--data", train, "--json"))
        self.assertGreater(report["accuracy"], 0.9)
        self.assertTrue(done("predict", out, stdin="a lovely film\n").startswith("good\t"))


if __name__ == "__main__":
    unittest.main()

"""The model in the box: by its name in every command, and where finetune starts."""

import json
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from support import CAN_TRAIN, FNET, SOURCE, CliTest, done, fnet

MODEL = SOURCE / "models" / "fnet-mini-en"
ENGLISH = ["a warm and funny film about two friends", "the battery of this phone died after a week",
           "the hotel was clean and the staff was kind", "a dull book with a weak ending"]  # fmt: skip
GERMAN = ["ein warmherziger und witziger Film über zwei Freunde", "der Akku des Telefons versagte nach einer Woche",
          "das Hotel war sauber und das Personal freundlich", "ein langweiliges Buch mit schwachem Schluss"]  # fmt: skip
OWN = {"FNET_BOX": ""}  # as a user has it


@unittest.skipUnless(MODEL.exists(), "needs models/fnet-mini-en")
class Box(CliTest):
    def labelled(self, name, texts):
        rows = [f"{text} {i}\t{'good' if i % 2 else 'bad'}\n" for i in range(4) for text in texts]
        return self.write(name, "text\tlabel\n" + "".join(rows))

    def test_stands_for_a_model_in_every_command(self):
        pairs = self.write("pairs.tsv", "text\ttext_pair\nA man plays the guitar.\tSomeone is making music.\n"
                           "A man plays the guitar.\tThe bank raised its rates.\n")  # fmt: skip
        near, far = map(float, done("similarity", "box", pairs, env=OWN).split())
        self.assertGreater(near, far + 0.2)
        texts = self.write("texts.txt", "\n".join(ENGLISH) + "\n")
        found = done("search", "box", texts, "--query", "my mobile stopped working", "--top-k", 1, env=OWN)
        self.assertIn("battery of this phone", found)
        self.assertEqual(json.loads(done("info", "box", "--json", env=OWN))["hidden_size"], 384)
        self.assertEqual(done("embed", "box", texts, env=OWN), done("embed", MODEL, texts, env=OWN))

    def test_a_folder_of_that_name_comes_first(self):
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        shutil.copytree(self.classifier, folder / "box")
        out = subprocess.run([FNET, "info", "box", "--json"], cwd=folder, capture_output=True, text=True)
        self.assertEqual(json.loads(out.stdout)["hidden_size"], 32)

    def test_is_found_beside_the_program_and_by_the_environment(self):
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        (folder / "bin").mkdir()
        shutil.copy(FNET, folder / "bin")
        alone = folder / "bin" / "fnet"
        wrong = fnet("info", "box", program=alone, env=OWN)
        self.assertEqual(wrong.returncode, 2)
        self.assertIn(str(folder / "share"), wrong.stderr)
        self.assertIn("FNET_BOX", wrong.stderr)
        (folder / "share" / "fnet" / "models").mkdir(parents=True)
        shutil.copytree(MODEL, folder / "share" / "fnet" / "models" / "fnet-mini-en")
        done("info", "box", program=alone, env=OWN)
        named = json.loads(done("info", "box", "--json", env={"FNET_BOX": str(self.classifier)}))
        self.assertEqual(named["hidden_size"], 32)
        self.assertIn("FNET_BOX: expected a directory", fnet("info", "box", env={"FNET_BOX": "/nowhere"}).stderr)

    @unittest.skipUnless(CAN_TRAIN, "needs fnet-train")
    def test_finetune_starts_from_it_for_english_texts(self):
        train = self.labelled("english.tsv", ENGLISH)
        common = ("--train", train, "--dev", train, "--epochs", 1, "--threads", 2)
        run = fnet("finetune", *common, "--out", self.folder / "english", env=OWN)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("the one in the box, fnet-mini-en", run.stderr)
        config = json.loads((self.folder / "english" / "config.json").read_text())
        self.assertEqual((config["hidden_size"], config["num_hidden_layers"]), (384, 6))
        self.assertGreater(config["wide_features"], 0)
        for flags in (("--variant", "tiny"), ("--set", "num_hidden_layers=1"), ("--vocab-size", 40)):
            run = fnet("finetune", *common, *flags, "--out", self.folder / "new", "--overwrite", env=OWN)
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertNotIn("the one in the box", run.stderr)

    @unittest.skipUnless(CAN_TRAIN, "needs fnet-train")
    def test_finetune_tells_why_it_makes_a_new_model(self):
        train = self.labelled("german.tsv", GERMAN)
        common = ("finetune", "--train", train, "--dev", train, "--epochs", 1, "--threads", 2)
        alone = Path(tempfile.mkdtemp(dir=self.folder))
        for program in (FNET, FNET.with_name("fnet-train")):
            shutil.copy(program, alone)
        for box, told in (("", True), ("none", False)):
            run = fnet(*common, "--out", alone / "model", "--overwrite", program=alone / "fnet", env={"FNET_BOX": box})
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertEqual("a new one; the one in the box was not found" in run.stderr, told)
        run = fnet(*common, "--out", self.folder / "german", env=OWN)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertRegex(run.stderr, r"a new one, not the one in the box.* only \d+ % of the texts' letters")
        self.assertLess(json.loads((self.folder / "german" / "config.json").read_text())["hidden_size"], 384)


if __name__ == "__main__":
    unittest.main()

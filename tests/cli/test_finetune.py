"""finetune: handed to fnet-train as it is, or refused in a lean install."""

import json
import os
import re
import shutil
import signal
import subprocess
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

    def test_openmp_spins_for_a_short_while_unless_the_user_has_said_how_long(self):
        folder = self.folder / "spins"
        folder.mkdir()
        shutil.copy(FNET, folder / "fnet")
        (folder / "fnet-train").write_text('#!/bin/sh\necho "$GOMP_SPINCOUNT $OMP_WAIT_POLICY"\n')
        os.chmod(folder / "fnet-train", 0o755)
        unset = {"GOMP_SPINCOUNT": None, "OMP_WAIT_POLICY": None}  # whatever stands where the tests run
        # In 10 µs; a pause of the CPU takes from 1 to 100 ns.
        self.assertTrue(100 <= int(done("finetune", program=folder / "fnet", env=unset).split()[0]) <= 10_000)
        for chosen, expected in (
            ({"GOMP_SPINCOUNT": "7"}, "7 "),
            ({"OMP_WAIT_POLICY": "active"}, " active"),
        ):
            self.assertEqual(done("finetune", program=folder / "fnet", env=unset | chosen), expected + "\n")

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

    @unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
    def test_a_classifier_from_nothing_counts_words_too(self):
        train, small = self.data("words.tsv"), self.folder / "words-int8"
        common = ("--train", train, "--dev", train, "--epochs", 1, "--lr", 0, "--threads", 2,
                  "--set", "hidden_size=32", "--set", "num_hidden_layers=1")  # fmt: skip
        out, off = self.folder / "words", self.folder / "words-off"
        done("finetune", "--out", out, *common)
        self.assertRegex(done("info", out), r"(?m)^wide +[1-9]")
        done("quantize", out, "--dtype", "int8", "--out", small)
        for model in (out, small):
            self.assertEqual(self.accuracy(model, train), 1)
        answers = done("predict", out, stdin="a lovely film\n\nNUL\0 inside\n映画\n" + "dull " * 100_000 + "\n")
        self.assertEqual([line.split("\t")[0] for line in answers.splitlines()][::4], ["good", "bad"])
        done("finetune", "--out", off, *common, "--wide", "off")
        self.assertNotRegex(done("info", off), r"(?m)^wide ")
        self.assertLess(self.accuracy(off, train), 1)

    @unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
    def test_layers_of_a_head_learn_and_go_with_the_model(self):
        train, small = self.data("layers.tsv"), self.folder / "layers-int8"
        out, again = self.folder / "layers", self.folder / "layers-again"
        common = ("--train", train, "--dev", train, "--wide", "off", "--lr", "3e-3", "--batch-size", 8, "--threads", 1)
        done("finetune", "--from", self.classifier, "--out", out, "--epochs", 12, *common, "--skip-mismatch",
             "--set", "head_options.intermediate_size=24", "--set", "head_options.norm_type=layer_norm")  # fmt: skip
        config = json.loads((out / "config.json").read_text())
        self.assertEqual(config["head_options"], {"intermediate_size": 24, "norm_type": "layer_norm"})
        self.assertGreater(self.accuracy(out, train), 0.9)
        done("quantize", out, "--dtype", "int8", "--out", small)
        self.assertEqual(done("predict", small, stdin="a lovely film\n").split("\t")[0], "good")
        done("finetune", "--from", out, "--out", again, "--epochs", 0, *common)  # the same head goes on
        self.assertEqual(self.accuracy(again, train), self.accuracy(out, train))
        error = self.fails("finetune", "-q", "--out", self.folder / "none", *common, "--variant", "tiny",
                           "--set", "head_options.width=24")  # fmt: skip
        self.assertIn("intermediate_size", error)

    @unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
    def test_hybrids_and_other_mixers_train_and_run(self):
        train = self.data("mixers.tsv")
        for mixers in ("top:1", "hartley", "linear", "gfilter"):
            out = self.folder / mixers.replace(":", "_")
            done("finetune", "--task", "text-classification", "--train", train, "--dev", train, "--out", out,
                 "--variant", "tiny", "--tokenizer", self.spiece, "--set", "hidden_size=32", "--set",
                 "num_hidden_layers=2", "--set", "intermediate_size=64", "--set", f"mixers={mixers}", "--set",
                 "max_position_embeddings=64", "--max-length", 64, "--epochs", 12, "--batch-size", 8, "--lr", "3e-3",
                 "--wide", "off", "--threads", 2)  # fmt: skip
            self.assertEqual(json.loads((out / "config.json").read_text())["mixers"], mixers)
            report = json.loads(done("evaluate", out, "--data", train, "--json"))
            self.assertGreater(report["accuracy"], 0.9, mixers)

    @unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
    def test_without_dev_a_tenth_is_held_out_by_the_seed(self):
        rows = [f"__label__good {text}\n" for text in GOOD.split("|")] + \
               [f"__label__bad {text}\n" for text in BAD.split("|")]  # fmt: skip
        train, runs = self.write("fasttext.txt", "".join(rows) * 4), []
        for name, seed in (("held", 1), ("again", 1), ("other", 2)):
            out = self.folder / name
            result = fnet("finetune", "--task", "text-classification", "--train", train, "--out", out, "--epochs", 1,
                          "--seed", seed, "--from", self.classifier, "--threads", 2)  # fmt: skip
            self.assertEqual(result.returncode, 0, result.stderr)
            runs.append(json.loads((out / "run.json").read_text())["data"])
        held = len(rows) * 4 // 10
        self.assertEqual(runs[0]["dev"]["examples"], held)
        self.assertEqual(runs[0]["train"]["examples"], len(rows) * 4 - held)
        self.assertEqual(runs[0], runs[1])
        self.assertNotEqual(runs[0]["dev"]["fingerprint"], runs[2]["dev"]["fingerprint"])

    @unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
    def test_a_length_that_cuts_every_word_off_is_named(self):
        train = self.write("words.conll", "Anna\tB-PER\nran\tO\n\n" * 4)
        result = fnet("finetune", "--task", "token-classification", "--train", train, "--dev", train,
                      "--out", self.folder / "none-left", "--max-length", 2)  # fmt: skip
        self.assertEqual(result.returncode, 2)
        self.assertIn("--max-length: expected room for a word, found 2", result.stderr)

    @unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
    def test_the_length_of_training_stays_with_the_model(self):
        train, out = self.data("short.tsv"), self.folder / "short"
        common = ("--task", "text-classification", "--train", train, "--dev", train, "--out", out, "--epochs", 1)
        done("finetune", *common, "--from", self.classifier, "--max-length", 4, "--threads", 2)
        self.assertEqual(json.loads((out / "tokenizer_config.json").read_text())["model_max_length"], 4)
        long, short = "a lovely film for everyone\n", "a lovely film for everyone and more of it\n"
        self.assertEqual(done("predict", out, stdin=long), done("predict", out, stdin=short))
        self.assertNotEqual(done("predict", out, "--max-length", 30, stdin=long), done("predict", out, stdin=long))
        windows = ("--truncation", "windows", "--stride", 1)
        self.assertNotEqual(done("predict", out, *windows, stdin=long), done("predict", out, *windows, stdin=short))
        self.assertNotEqual(done("embed", out, *windows, stdin=long), done("embed", out, *windows, stdin=short))
        refused = self.fails("predict", out, "--truncation", "error", stdin=long)
        self.assertIn("expected at most 2 tokens", refused)
        for flag, value in (("--variant", "tiny"), ("--vocab-size", 100)):
            self.assertIn(f"{flag}: expected none beside --from",
                          self.fails("finetune", *common, "--from", self.classifier, flag, value))  # fmt: skip

    def accuracy(self, model, data):
        return json.loads(done("evaluate", model, "--data", data, "--json"))["accuracy"]

    def interrupted(self, *arguments):
        """What a run says that is interrupted after a step."""
        with subprocess.Popen([FNET, *map(str, arguments)], stderr=subprocess.PIPE, text=True) as run:
            said = []
            for line in run.stderr:
                said.append(line)
                if "ETA" in line:
                    run.send_signal(signal.SIGINT)
        self.assertEqual(run.returncode, 130, "".join(said))
        return "".join(said)

    def advised(self, said, arguments):
        """The command that the log advises, made from the one that was interrupted."""
        advice = re.search(r"run the same command (again|with `([^`]*)`(.*))", said)
        self.assertTrue(advice, said)
        if advice[1] == "again":
            return arguments
        rest = advice[3]
        arguments = [str(argument) for argument in arguments]
        for flag in ("--from", "--tokenizer"):
            if flag in rest:
                at = arguments.index(flag)
                del arguments[at : at + 2]
        return [*arguments, *advice[2].split()]

    @unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
    def test_an_interruption_and_what_the_log_advises_lose_no_model(self):
        train, out = self.data("kept.tsv"), self.folder / "kept"
        command = ["finetune", "--train", train, "--dev", train, "--out", out, "--tokenizer", self.spiece,
                   "--set", "hidden_size=32", "--set", "intermediate_size=32", "--set", "num_hidden_layers=1",
                   "--batch-size", 8, "--lr", "5e-3", "--token-dropout", 0, "--average", "0.5",
                   "--threads", 1, "--checkpoint-steps", 0, "--epochs"]  # fmt: skip
        done(*command, 20)
        best = self.accuracy(out, train)
        self.assertEqual(best, 1)
        before = (out / "model.safetensors").read_bytes()

        error = fnet(*command, 20)  # repeated by mistake
        self.assertEqual(error.returncode, 2)
        self.assertIn("--overwrite", error.stderr)
        said = self.interrupted(*command, 100000, "--overwrite")
        self.assertEqual((out / "model.safetensors").read_bytes(), before)
        done(*self.advised(said, [*command, 2, "--overwrite"]))
        self.assertEqual(self.accuracy(out, train), best)

        # The same where nothing stood there, and of a run that begins with a model.
        for name, flags in (("new", []), ("begun", ["--from", out])):
            other = [str(other) for other in command]
            other[other.index("--out") + 1] = self.folder / name
            if flags:
                at = other.index("--tokenizer")
                del other[at : at + 2]
            said = self.interrupted(*other, 100000, *flags)
            accuracy = self.accuracy(self.folder / name, train)
            self.assertTrue(not flags or accuracy == best)
            done(*self.advised(said, [*other, 2, *flags]))
            self.assertGreaterEqual(self.accuracy(self.folder / name, train), accuracy)
        self.assertEqual([path.name for path in self.folder.iterdir() if path.name.startswith(".")], [])

    @unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
    def test_products_in_bfloat16_learn_as_well_and_leave_float32_weights(self):
        train, out = self.data("bfloat16.tsv"), self.folder / "bfloat16"
        done("finetune", "--train", train, "--dev", train, "--out", out, "--tokenizer", self.spiece, "--dtype",
             "bfloat16", "--set", "hidden_size=32", "--set", "intermediate_size=32", "--set", "num_hidden_layers=1",
             "--batch-size", 8, "--lr", "5e-3", "--token-dropout", 0, "--average", "0.5", "--threads", 1,
             "--epochs", 20)  # fmt: skip
        self.assertEqual(self.accuracy(out, train), 1)
        self.assertEqual(json.loads((out / "run.json").read_text())["dtype"], "bfloat16")
        header = (out / "model.safetensors").read_bytes()[8:2000].decode(errors="replace")
        self.assertIn('"F32"', header)
        self.assertNotIn('"BF16"', header)

    @unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
    def test_a_second_run_into_a_directory_at_work_is_refused(self):
        train, out = self.data("twice.tsv"), self.folder / "twice"
        command = [FNET, "finetune", "--train", train, "--dev", train, "--out", out, "--from", self.classifier,
                   "--threads", 1, "--checkpoint-steps", 0, "--epochs", 100000]  # fmt: skip
        with subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True) as first:
            next(line for line in first.stderr if "ETA" in line)
            second = fnet(*command[1:], "--overwrite")
            first.send_signal(signal.SIGINT)
            first.communicate()
        self.assertEqual(second.returncode, 2)
        self.assertIn(f"process {first.pid}", second.stderr)
        self.assertEqual(first.returncode, 130)

    def trained(self, name, task, train, dev, *flags):
        """The metrics of the best epoch by the log, and the model."""
        out = self.folder / name
        done("finetune", "--task", task, "--train", train, "--dev", dev, "--out", out, "--variant", "tiny",
             "--tokenizer", self.spiece, "--set", "hidden_size=32", "--set", "intermediate_size=32",
             "--set", "num_hidden_layers=1", "--epochs", 4, "--batch-size", 8, "--lr", "5e-3", "--threads", 1,
             *flags)  # fmt: skip
        events = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        epochs = [event for event in events if event["event"] == "epoch"]
        metric = json.loads((out / "run.json").read_text())["metric"]
        return max(epochs, key=lambda epoch: (epoch[metric], -epoch["dev_loss"])), out

    @unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
    def test_evaluate_gives_the_metrics_of_training(self):
        rows = [f"{text}\tgood\n" for text in GOOD.split("|")] + [f"{text}\tbad\n" for text in BAD.split("|")]
        train = self.write("same.tsv", "text\tlabel\n" + "".join(rows))
        dev = self.write("same-dev.tsv", "text\tlabel\n" + "".join(rows[::3]) + "a dull film\tgood\nfine work\tbad\n")
        logged, model = self.trained("same-classifier", "text-classification", train, dev, "--max-length", 6)
        found = json.loads(done("evaluate", model, "--data", dev, "--json", "--max-length", 6))
        for metric in ("accuracy", "macro_f1", "micro_f1", "mcc"):
            self.assertAlmostEqual(logged[metric], found[metric], 9, metric)

    @unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
    def test_evaluate_gives_the_metrics_of_training_where_words_are_cut_off(self):
        people = ("Anna\tB-PER\nBerg\tI-PER\nwent\tO\nto\tO\nRome\tB-LOC\n\n"
                  "the\tO\ndog\tO\nsat\tO\non\tO\nthe\tO\nmat\tO\nnear\tO\nOslo\tB-LOC\n\n")  # fmt: skip
        entities = self.write("same.conll", people * 8)
        classes = self.write("classes.conll", people.replace("B-", "").replace("I-", "").replace("\tO", "\tX") * 8)
        for name, data, keys in (
            ("entities", entities, {"entity_precision": "precision", "entity_recall": "recall",
                                    "entity_f1": "micro_f1", "accuracy": "accuracy"}),
            ("classes", classes, {name: name for name in ("accuracy", "macro_f1", "micro_f1", "mcc")}),
        ):  # fmt: skip
            for length in (0, 7):
                logged, model = self.trained(f"{name}-{length}", "token-classification", data, data,
                                             "--max-length", length)  # fmt: skip
                result = fnet("evaluate", model, "--data", data, "--json", "--max-length", length)
                found = json.loads(result.stdout)
                self.assertEqual("beyond the length" in result.stderr, length > 0, result.stderr)
                for metric, key in keys.items():
                    self.assertAlmostEqual(logged[metric], found[key], 9, f"{name} {length} {metric}")


if __name__ == "__main__":
    unittest.main()

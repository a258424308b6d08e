"""Flags, their errors and their help: the same rules for every command of fnet and fnet-train."""

import json
import unittest

from support import CAN_EXPORT, CAN_TRAIN, CliTest, done, fnet

DATA_FLAGS = {"--input-format", "--text-column", "--text-pair-column", "--label-column", "--tokens-column",
              "--tags-column", "--skip-bad-lines"}  # fmt: skip
COMMANDS = ["init", "tokenizer train", "tokenizer encode", "tokenizer decode", "tokenizer compare", "evaluate", "predict",
            "embed", "info", "doctor", "quantize", "bench"] + (["pretrain", "finetune"] if CAN_TRAIN else []) + (["export onnx"] if CAN_EXPORT else [])  # fmt: skip
READERS = [command for command in COMMANDS if command in ("evaluate", "predict", "embed", "finetune")]
needs_training = unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")


def flags(command):
    return {flag["name"]: flag for flag in json.loads(done(*command.split(), "--help-json"))["flags"]}


class Help(CliTest):
    def test_every_command_has_the_common_flags_with_their_variables(self):
        for command in COMMANDS:
            known = flags(command)
            self.assertEqual(known["--isa"]["environment"], "FNET_ISA", command)
            self.assertEqual(known["--log-level"]["environment"], "FNET_LOG", command)
            self.assertEqual(known["--log-level"]["default"], "info", command)
        for command in READERS:
            self.assertEqual(flags(command)["--threads"]["environment"], "FNET_THREADS", command)

    def test_what_reads_data_has_one_set_of_flags(self):
        for command in [*READERS, "tokenizer train", "quantize"]:
            known = flags(command)
            self.assertLessEqual(DATA_FLAGS, known.keys(), command)
            for name in DATA_FLAGS:
                self.assertEqual(known[name], flags("predict")[name], command)

    def test_help_shows_defaults_allowed_values_and_groups(self):
        for command in COMMANDS:
            text = done(*command.split(), "--help")
            self.assertIn(f"Usage: fnet {command}", text)
            for name, flag in flags(command).items():
                self.assertRegex(text, rf"\n  (-.,)?{name}[ ,]", command)
                self.assertIn(flag["help"] or "help is missing", text, name)
        text = done("predict", "--help")
        self.assertIn("--top-k 0..1000=0 ", text)
        self.assertIn("--dtype auto|float32|bfloat16|int8=auto", text)
        self.assertIn("\nData:\n", text)
        self.assertIn("(or FNET_THREADS)", text)

    def test_an_argument_that_is_required_says_so(self):
        self.assertTrue(flags("quantize")["--out"]["required"])
        error = self.fails("quantize", self.classifier)
        self.assertIn("--out: expected new directory, found none", error)
        self.assertIn("fnet quantize --help", error)

    def test_a_flag_that_another_leaves_no_meaning_is_refused(self):
        data = self.write("both.tsv", "text\tlabel\nfine\tgood\n")
        for arguments, flag, other in (
            (("bench", self.classifier, "--variant", "tiny"), "--variant", "DIR"),
            (("bench", self.classifier, "--set", "hidden_size=8"), "--set", "DIR"),
            (("evaluate", self.classifier, data, "--data", data), "--data", "FILE"),
        ):
            self.assertIn(f"{flag}: expected none beside {other}", self.fails(*arguments))
        self.assertIn("--top-k: expected 1 for a model that labels words", self.fails("predict", self.tagger, "--top-k", 2))

    def test_a_group_of_commands_lists_them(self):
        self.assertIn("\n  encode ", done("tokenizer", "--help"))
        self.assertIn("expected one of train, encode, decode, compare, found none", self.fails("tokenizer"))
        self.assertIn("did you mean 'decode'?", self.fails("tokenizer", "decod"))
        self.assertIn("did you mean 'predict'?", self.fails("predct", self.classifier))


class Errors(CliTest):
    def test_a_value_names_its_flag_and_what_is_allowed(self):
        for value in ("-1", "1001", "x", "1.5", "", "99999999999999999999"):
            self.assertIn(f"--top-k: expected 0 to 1000, found '{value}'",
                          self.fails("predict", self.classifier, "--top-k", value))  # fmt: skip
        self.assertIn("--seed: expected a whole number from 0, found '-1'",
                      self.fails("init", "--out", self.folder / "x", "--seed", "-1"))  # fmt: skip
        self.assertIn("--seconds: expected 0 to 3600, found 'nan'", self.fails("bench", "--seconds", "nan"))
        self.assertIn("did you mean 'jsonl'?", self.fails("predict", self.classifier, "--format", "jsnl"))
        self.assertIn("--top-k: expected once, found 2 times",
                      self.fails("predict", self.classifier, "--top-k", 2, "--top-k", 3))  # fmt: skip
        self.assertIn("--top-k: expected 0 to 1000, found none", self.fails("predict", self.classifier, "--top-k"))
        self.assertIn("--json: expected no value, found 'no'", self.fails("info", "--json=no"))
        self.assertIn("third: expected a flag or argument of 'fnet predict'",
                      self.fails("predict", self.classifier, self.corpus, "third"))  # fmt: skip

    def test_a_variable_is_checked_like_its_flag_and_the_flag_wins(self):
        error = self.fails("predict", self.classifier, env={"FNET_THREADS": "many"})
        self.assertIn("FNET_THREADS: expected 0 to 1024, found 'many'", error)
        self.assertIn("FNET_LOG: expected one of debug", self.fails("info", env={"FNET_LOG": "loud"}))
        done("predict", self.classifier, "--threads", 1, stdin="the cat\n", env={"FNET_THREADS": "many"})
        done("predict", self.classifier, stdin="the cat\n", env={"FNET_THREADS": ""})

    def test_the_librarys_options_are_named_by_their_flags(self):
        self.assertIn("fnet: --max-length: expected at least",
                      self.fails("predict", self.classifier, "--max-length", 1, stdin="the cat\n"))  # fmt: skip
        self.assertIn("fnet: --character-coverage: expected 0.98 to 1, found 0.5",
                      self.fails("tokenizer", "train", "--input", self.corpus, "--out", self.folder / "x",
                                 "--character-coverage", 0.5))  # fmt: skip
        self.assertIn("fnet: --set: unknown key 'hiden_size'",
                      self.fails("init", "--set", "hiden_size=8", "--out", self.folder / "x"))  # fmt: skip
        for setting in ("hidden_size", "hidden_size=wide"):
            self.assertIn("fnet: --set: ", self.fails("bench", "--variant", "tiny", "--set", setting))

    def test_a_setting_takes_one_value_and_may_be_given_again(self):
        config = self.model("two", "encoder", "", "norm_type=rms_norm", "pooling=mean") / "config.json"
        found = json.loads(config.read_text())
        self.assertEqual((found["norm_type"], found["pooling"]), ("rms_norm", "mean"))
        self.assertEqual(fnet("bench", "--set", "hidden_size=8", "no-such-model").returncode, 2)


@needs_training
class Training(CliTest):
    def rows(self, name, head, joined="\t"):
        rows = [head, *[["a fine film", "good"], ["a dull film", "bad"]] * 4]
        return self.write(name, "".join(joined.join(row) + "\n" for row in rows))

    def train(self, data, name, *more, **options):
        sets = ("--set", "hidden_size=16", "--set", "num_hidden_layers=1", "--set", "intermediate_size=16")
        return fnet("finetune", "--train", data, "--dev", data, "--out", self.folder / name, "--epochs", 1,
                    "--tokenizer", self.spiece, *sets, *more, **options)  # fmt: skip

    def test_errors_are_those_of_fnet(self):
        data = self.rows("errors.tsv", ["text", "label"])
        base = ("finetune", "--train", data, "--dev", data)
        self.assertIn("--out: expected model directory to write, found none", self.fails(*base))
        out = (*base, "--out", self.folder / "none")
        self.assertIn("--lr: expected -1 to 10, found '20'", self.fails(*out, "--lr", 20))
        self.assertIn("did you mean '--epochs'?", self.fails(*out, "--epoch", 1))
        self.assertIn("--task: expected text-classification or", self.fails(*out, "--task", "text"))
        self.assertIn("--variant: expected one of tiny", self.fails(*out, "--variant", "huge"))
        self.assertIn("--max-length: expected at most 512", self.fails(*out, "--max-length", 513, "--set",
                                                                       "length_policy=fixed:512",
                                                                       "--tokenizer", self.spiece,
                                                                       "--log-level", "off"))  # fmt: skip
        self.assertIn("--set: unknown key 'hiden_size'", self.fails(*out, "--tokenizer", self.spiece, "--set",
                                                                    "hiden_size=8", "--log-level", "off"))  # fmt: skip
        self.assertFalse((self.folder / "none" / "model.safetensors").exists())
        self.assertTrue(done("finetune", "--help").find("Usage: fnet finetune") >= 0)

    def test_columns_and_format_are_those_that_are_named(self):
        data = self.rows("named.dat", ["sentence", "class"])
        named = ("--input-format", "tsv", "--text-column", "sentence", "--label-column", "class")
        result = self.train(data, "named", *named)
        self.assertEqual(result.returncode, 0, result.stderr)
        report = json.loads(done("evaluate", self.folder / "named", "--data", data, *named, "--json"))
        self.assertEqual(report["count"], 8)
        self.assertEqual(len(done("predict", self.folder / "named", data, *named).splitlines()), 8)
        self.assertEqual(len(done("embed", self.folder / "named", data, *named).splitlines()), 8)
        self.assertEqual(self.train(data, "unnamed", "--input-format", "tsv").returncode, 2)

    def test_variables_and_the_log_level_reach_training(self):
        data = self.rows("variables.tsv", ["text", "label"])
        self.assertEqual(self.train(data, "quiet", env={"FNET_LOG": "off"}).stderr, "")
        self.assertIn("epoch 1", self.train(data, "loud", "--log-level", "info", env={"FNET_LOG": "off"}).stderr)
        for variable, value in (("FNET_THREADS", "many"), ("FNET_ISA", "sse9"), ("FNET_LOG", "loud")):
            result = self.train(data, "wrong", env={variable: value})
            self.assertEqual(result.returncode, 2, result.stderr)
            self.assertIn(value, result.stderr)
        run = self.train(data, "one", env={"FNET_THREADS": "1"})
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(json.loads((self.folder / "one" / "run.json").read_text())["threads"], 1)


if __name__ == "__main__":
    unittest.main()

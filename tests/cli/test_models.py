"""init, tokenizer and info."""

import json
import signal
import subprocess
import time
import unittest

from support import CORPUS, FNET, CliTest, done, fnet


class Init(CliTest):
    def test_same_seed_same_bytes_another_seed_other_bytes(self):
        weights = []
        for name, seed in (("a", 7), ("b", 7), ("c", 8)):
            done("init", "--variant", "tiny", "--set", "hidden_size=8", "--set", "vocab_size=20", "--seed", seed,
                 "--out", self.folder / name)  # fmt: skip
            weights.append((self.folder / name / "model.safetensors").read_bytes())
        self.assertEqual(weights[0], weights[1])
        self.assertNotEqual(weights[0], weights[2])

    def test_config_has_the_overrides_and_the_tokenizers_size(self):
        model = self.model("swiglu", "encoder", "", "ffn_type=swiglu", "norm_type=rms_norm")
        config = json.loads((model / "config.json").read_text())
        self.assertEqual(config["ffn_type"], "swiglu")
        self.assertEqual(config["norm_type"], "rms_norm")
        self.assertEqual(config["vocab_size"], 80)

    def test_does_not_overwrite(self):
        self.assertIn("expected a new or empty directory",
                      self.fails("init", "--variant", "tiny", "--out", self.classifier))  # fmt: skip

    def test_unknown_key_is_refused_with_the_nearest(self):
        error = self.fails("init", "--variant", "tiny", "--set", "hiden_size=8", "--out", self.folder / "x")
        self.assertIn("hidden_size", error)
        error = self.fails("init", "--variant", "tiny", "--set", "norm_type=rmsnorm", "--out", self.folder / "x")
        self.assertIn("did you mean 'rms_norm'?", error)
        self.assertFalse((self.folder / "x").exists())


class Tokenizer(CliTest):
    def test_encode_and_decode_are_each_others_inverse(self):
        ids = done("tokenizer", "encode", self.spiece, stdin=CORPUS)
        self.assertEqual(len(ids.splitlines()), len(CORPUS.splitlines()))
        self.assertTrue(all(line.startswith("4 ") and line.endswith(" 5") for line in ids.splitlines()))
        self.assertEqual(done("tokenizer", "decode", self.spiece, stdin=ids), CORPUS)

    def test_pieces_and_offsets(self):
        row = json.loads(done("tokenizer", "encode", self.classifier, "--format", "jsonl", stdin="the cat\n"))
        self.assertEqual(len(row["ids"]), len(row["pieces"]))
        self.assertEqual(row["pieces"][0], "[CLS]")
        begin, end = row["offsets"][1][0], row["offsets"][-2][1]
        self.assertEqual("the cat"[begin:end].strip(), "the cat")

    def test_train_reads_data_files_too(self):
        data = self.write("train.tsv", "text\tlabel\n" + CORPUS.replace("\n", "\tx\n"))
        for model in ("unigram", "bpe"):
            out = self.folder / f"{model}.model"
            done("tokenizer", "train", "--input", data, "--vocab-size", 60, "--model", model, "--out", out)
            self.assertGreater(len(done("tokenizer", "encode", out, stdin="the cat\n").split()), 3)

    def test_too_large_vocabulary_says_the_largest(self):
        error = self.fails("tokenizer", "train", "--input", self.corpus, "--vocab-size", 5000, "--out",
                           self.folder / "big.model")  # fmt: skip
        self.assertIn("5000", error)

    def test_bad_ids_name_their_line(self):
        self.assertIn("standard input:2: ", self.fails("tokenizer", "decode", self.spiece, stdin="4 5\n4 x\n"))
        self.assertIn("standard input:1: ", self.fails("tokenizer", "decode", self.spiece, stdin="99999\n"))


class Info(CliTest):
    def test_lists_the_tables(self):
        info = json.loads(done("info", "--json"))
        self.assertIn("rms_norm", info["norm_type"])
        self.assertIn("swiglu", info["ffn_type"])
        self.assertIn("fourier", info["mixer"])
        self.assertIn("mean", info["pooling"])
        self.assertIn("text-classification", info["task"])
        self.assertEqual(info["variant"], ["tiny", "small", "base", "large"])
        self.assertIn(info["isa"]["name"], info["isa"]["available"])
        text = done("info")
        for table in ("norm_type", "ffn_type", "mixer", "pooling", "task"):
            for name in info[table]:
                self.assertIn(f"\n  {name} ", text)

    def test_isa_by_flag_wins_over_the_environment(self):
        flag = json.loads(done("info", "--json", "--isa", "portable", env={"FNET_ISA": "avx2"}))
        self.assertEqual(flag["isa"]["name"], "portable")
        env = json.loads(done("info", "--json", env={"FNET_ISA": "portable"}))
        self.assertEqual(env["isa"]["name"], "portable")
        self.assertIn("sse9", self.fails("info", "--isa", "sse9"))

    def test_describes_a_model(self):
        info = json.loads(done("info", self.classifier, "--json"))
        self.assertEqual(info["task"], "text-classification")
        self.assertEqual(info["labels"], ["bad", "good", "so-so"])
        self.assertEqual(info["variant"], "custom")
        parts = info["parameters"]
        self.assertEqual(parts["total"], sum(parts[p] for p in ("embeddings", "encoder", "pooler", "head")))
        self.assertEqual(parts["head"], 3 * 32 + 3)
        self.assertIn("model.safetensors", info["files"])
        # Every parameter is in the file, as four bytes.
        self.assertGreater(info["files"]["model.safetensors"], 4 * parts["total"])
        self.assertIn("so-so", done("info", self.classifier))

    def test_presets_have_the_papers_sizes(self):
        presets = json.loads(done("info", "--json"))["presets"]
        self.assertEqual(presets["base"]["hidden_size"], 768)
        self.assertEqual(presets["large"]["num_hidden_layers"], 24)


class Interrupted(CliTest):
    def test_leaves_nothing_in_the_way_of_the_next_try(self):
        out, staged = self.folder / "stopped", self.folder / ".stopped.fnet-new"
        with subprocess.Popen([FNET, "init", "--variant", "base", "--out", out]) as run:
            while not staged.exists() and run.poll() is None:
                time.sleep(0.01)
            run.send_signal(signal.SIGINT)
            self.assertEqual(run.wait(), 130)
        self.assertFalse(out.exists())
        self.model("stopped")
        self.assertTrue((out / "config.json").exists())
        self.assertFalse(staged.exists())


class Quantize(CliTest):
    def test_reports_on_a_model_of_a_fixed_length(self):
        model = self.model("fixed", "text-classification", "a,b", "length_policy=fixed:64")
        report = done("quantize", model, "--out", self.folder / "fixed-int8", "--report").splitlines()
        self.assertEqual([line.split()[0] for line in report], ["layer", "1", "2"])

    def test_weighs_the_weights_alone(self):
        result = fnet("quantize", self.classifier, "--out", self.folder / "before")
        done("predict", self.classifier, "--packed-file", stdin="the cat\n")
        again = fnet("quantize", self.classifier, "--out", self.folder / "after")
        self.assertEqual(result.stderr.split(": ")[2], again.stderr.split(": ")[2])

    def test_refuses_what_is_quantized(self):
        done("quantize", self.tagger, "--out", self.folder / "once")
        error = self.fails("quantize", self.folder / "once", "--out", self.folder / "twice")
        self.assertIn("expected weights of full precision, found int8", error)
        self.assertFalse((self.folder / "twice").exists())

    def test_tells_how_many_lines_it_skipped(self):
        data = self.write("some.tsv", "text\nfine\na\tb\n")
        result = fnet("quantize", self.classifier, "--out", self.folder / "told", "--report", "--data", data,
                      "--skip-bad-lines")  # fmt: skip
        self.assertIn("some.tsv: 1 bad lines skipped", result.stderr)
        result = fnet("tokenizer", "train", "--input", self.corpus, data, "--skip-bad-lines", "--vocab-size", 80,
                      "--out", self.folder / "told.model")  # fmt: skip
        self.assertIn("some.tsv: 1 bad lines skipped", result.stderr)


class Program(CliTest):
    def test_help_names_every_command(self):
        text = done("--help")
        for command in ("init", "tokenizer", "finetune", "evaluate", "predict", "embed", "info"):
            self.assertIn(f"\n  {command} ", text)
            if command != "finetune":
                self.assertIn("Usage: fnet", done(command, "--help"))
        self.assertTrue(done("--version").startswith("fnet "))
        for arguments in ((), ("help",)):
            self.assertEqual(done(*arguments), text)
        self.assertEqual(done("help", "predict"), done("predict", "--help"))

    def test_usage_errors_are_one_line_with_exit_code_2(self):
        self.assertIn("did you mean '--format'?", self.fails("predict", self.classifier, "--fromat", "tsv"))
        self.assertIn("DIR", self.fails("predict"))
        self.assertIn("jsnl", self.fails("predict", self.classifier, "--format", "jsnl"))
        self.assertEqual(fnet("nonsense").returncode, 2)

    def test_missing_model_is_named(self):
        self.assertIn("nowhere/config.json", self.fails("predict", self.folder / "nowhere"))
        self.assertIn("nowhere", self.fails("info", self.folder / "nowhere"))


if __name__ == "__main__":
    unittest.main()

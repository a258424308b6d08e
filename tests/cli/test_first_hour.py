"""What a newcomer meets first: help, completions, odd paths, data that are looked at, a run repeated."""

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import unittest

from support import BIN, CAN_EXPORT, CAN_TRAIN, CORPUS, FNET, SOURCE, CliTest, done, fnet

SHARE = SOURCE / "share"


def commands():
    return [c["name"] for c in json.loads(done("--help-json"))["commands"] if not c["group"]]


class Help(CliTest):
    def test_every_command_has_an_example_that_it_understands(self):
        for name in commands():
            if (name == "finetune" and not CAN_TRAIN) or (name.startswith("export") and not CAN_EXPORT):
                continue
            example = json.loads(done(*name.split(), "--help-json"))["example"]
            self.assertTrue(example.startswith(f"fnet {name} "), example)
            self.assertIn(f"Example:\n  {example}", done(*name.split(), "--help"))
            # Its files are not there; a flag that the command lacks would be named instead.
            words = shlex.split(re.sub(r" > .*", "", example))[1:]
            self.assertNotRegex(fnet(*words).stderr, "did you mean|none of that name|--help' tells more")

    def test_short_flags_are_the_long_ones(self):
        out = self.folder / "short"
        quiet = fnet("init", "-q", "--variant", "tiny", "-o", out, "--set", "hidden_size=16")
        self.assertEqual((quiet.returncode, quiet.stderr), (0, ""))
        self.assertTrue((out / "config.json").exists())
        self.assertIn("loaded in", fnet("predict", "-v", self.classifier, stdin="the cat\n").stderr)
        self.assertEqual(fnet("predict", self.classifier, stdin="the cat\n").stderr, "")
        self.assertIn("--quiet: expected none beside --log-level",
                      self.fails("predict", "-q", "--log-level", "debug", self.classifier))  # fmt: skip

    def complete(self, *words):
        script = f"""source {SHARE}/bash-completion/completions/fnet
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _fnet; printf '%s\\n' "${{COMPREPLY[@]}}" """
        return subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True).stdout.split()

    def test_bash_completes_commands_flags_and_values(self):
        self.assertEqual(self.complete("fnet", "pre"), ["predict", "pretrain"])
        self.assertEqual(self.complete("fnet", "tokenizer", ""), ["train", "encode", "decode", "compare"])
        self.assertEqual(self.complete("fnet", "predict", "--form"), ["--format"])
        self.assertEqual(self.complete("fnet", "predict", "--format", "j"), ["jsonl"])
        self.assertIn("--dev", self.complete("fnet", "data", "check", "--"))
        self.assertIn("-o", self.complete("fnet", "init", "-"))

    def test_zsh_and_fish_read_their_completions(self):
        for shell, file in (("zsh", "zsh/site-functions/_fnet"), ("fish", "fish/vendor_completions.d/fnet.fish")):
            if shutil.which(shell) is not None:
                check = subprocess.run([shell, "-n", SHARE / file], capture_output=True, text=True)
                self.assertEqual((check.returncode, check.stderr), (0, ""), shell)

    def test_every_command_has_a_man_page(self):
        pages = {path.name for path in (SHARE / "man/man1").iterdir()}
        self.assertEqual(pages, {"fnet.1", *(f"fnet-{c.replace(' ', '-')}.1" for c in commands())})


class Paths(CliTest):
    def test_a_name_that_is_too_long_is_wrong_input(self):
        long = "a" * 300
        data = self.write("rows.tsv", "text\tlabel\nfine\tgood\n")
        for arguments in (
            ("predict", long), ("info", long), ("tokenizer", "encode", long), ("evaluate", self.classifier, f"{long}.tsv"),
            ("init", "--variant", "tiny", "--out", self.folder / long), ("data", "check", f"{long}.tsv"),
            ("init", "--variant", "tiny", "--tokenizer", long, "--out", self.folder / "never"),
            ("quantize", self.classifier, "--dtype", "int8", "--out", self.folder / long),
            *([("finetune", "--train", data, "--out", self.folder / long)] if CAN_TRAIN else []),
        ):  # fmt: skip
            self.assertIn("File name too long", self.fails(*arguments))

    def test_a_name_that_is_not_utf_8_is_told_readably(self):
        run = subprocess.run([os.fsencode(FNET), b"predict", b"no\xffsuch\x01"], capture_output=True)
        self.assertEqual(run.returncode, 2)
        self.assertIn("no\\xffsuch\\x01", run.stderr.decode())  # strict
        folder = os.fsencode(self.folder) + b"/mod\xffel"
        shutil.copytree(os.fsencode(self.classifier), folder)
        run = subprocess.run([os.fsencode(FNET), b"predict", folder], input=b"the cat\n", capture_output=True)
        self.assertEqual(run.returncode, 0, run.stderr)

    @unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
    def test_programs_in_a_folder_with_a_colon_find_each_other(self):
        folder = self.folder / "a:b"
        folder.mkdir()
        shutil.copy(FNET, folder)
        os.symlink(BIN / "fnet-train", folder / "fnet-train")
        self.assertIn("Usage", done("finetune", "--help", program=folder / "fnet", env={"PATH": "/usr/bin:/bin"}))

    @unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
    def test_training_without_its_libraries_says_what_to_set(self):
        folder = self.folder / "moved"
        folder.mkdir()
        shutil.copy(FNET, folder)
        program = (BIN / "fnet-train").read_bytes()
        listed = subprocess.run(["ldd", BIN / "fnet-train"], capture_output=True, text=True).stdout
        torch = os.path.dirname(re.search(r"libtorch_cpu\.so => (\S+)", listed)[1]).encode()
        self.assertIn(torch, program)
        (folder / "fnet-train").write_bytes(program.replace(torch, b"/gone".ljust(len(torch), b"/")))
        os.chmod(folder / "fnet-train", 0o755)
        error = self.fails("finetune", "--help", code=1, program=folder / "fnet")
        self.assertRegex(error, "libtorch.*LD_LIBRARY_PATH")
        info = json.loads(done("info", "--json", program=folder / "fnet"))
        self.assertIsNone(info["trainer"])
        self.assertIn("libtorch.so", info["trainer_lacks"])
        self.assertIn("LD_LIBRARY_PATH", done("info", program=folder / "fnet").split("\n\n")[0])
        self.assertIn("Usage", done("finetune", "--help", program=folder / "fnet",
                                    env={"LD_LIBRARY_PATH": os.fsdecode(torch)}))  # fmt: skip


class Folders(CliTest):
    """Files of Hugging Face's folders that are not read are told of."""

    def warnings(self, **files):
        folder = self.folder / "foreign"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.classifier, folder)
        for name, content in files.items():
            path = folder / (name + ".json")
            old = json.loads(path.read_text()) if path.exists() and name == "tokenizer_config" else {}
            old.update(content)
            path.write_text(json.dumps({k: v for k, v in old.items() if v is not None}))
        result = fnet("predict", folder, stdin="the cat\n")
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stderr

    def test_our_own_is_read_without_a_word(self):
        self.assertTrue((self.classifier / "tokenizer.json").exists())
        self.assertEqual(self.warnings(), "")

    def test_what_is_not_honoured_is_told(self):
        said = self.warnings(tokenizer_config={"truncation_side": "left"})
        self.assertIn("truncation_side 'left' is not honoured", said)
        added = {"0": {"content": "<unk>"}, "99": {"content": "<new>"}}
        said = self.warnings(tokenizer_config={"added_tokens_decoder": added})
        self.assertIn("1 tokens that spiece.model lacks are not honoured, the first '<new>'", said)
        self.assertIn("--max-length", self.warnings(sentence_bert_config={"max_seq_length": 16}))
        self.assertIn("tokenizer.json: not read", self.warnings(tokenizer_config={"normalization": None}, tokenizer={}))
        self.assertIn("added_tokens.json: not read", self.warnings(added_tokens={"<new>": 99}))

    def test_what_is_written_has_a_tokenizer_json_of_the_same_pieces(self):
        written = json.loads((self.classifier / "tokenizer.json").read_text())
        pieces = [piece for piece, _ in written["model"]["vocab"]]
        self.assertEqual(pieces[:7], ["<unk>", "<s>", "</s>", "<pad>", "[CLS]", "[SEP]", "[MASK]"])
        config = json.loads((self.classifier / "tokenizer_config.json").read_text())
        positions = json.loads((self.classifier / "config.json").read_text())["max_position_embeddings"]
        self.assertEqual(config["model_max_length"], positions)
        copy = self.folder / "int8"
        done("quantize", self.classifier, "--dtype", "int8", "--out", copy)
        self.assertEqual((copy / "tokenizer.json").read_bytes(), (self.classifier / "tokenizer.json").read_bytes())


class DataCheck(CliTest):
    def check(self, *arguments):
        return json.loads(done("data", "check", *arguments, "--json"))

    def test_finds_what_would_hurt_a_training(self):
        lines = CORPUS.splitlines()
        rows = [(line, "long" if len(line) > 50 else "short") for line in lines] * 2
        rows += [(lines[0], "other"), ("   ", "short"), ("two words", "rare")]
        train = self.write("train.tsv", "text\tlabel\n" + "".join(f"{t}\t{n}\n" for t, n in rows) + "one field\n")
        dev = self.write("dev.tsv", f"text\tlabel\n{lines[1]}\tshort\nquite new\tunseen\n")
        check = self.check(train, "--dev", dev, "--tokenizer", self.spiece, "--max-length", 20)
        self.assertEqual(check["examples"], len(rows))
        self.assertEqual(check["bad_lines"], 1)
        self.assertEqual(check["labels"], {n: sum(m == n for _, m in rows) for _, n in rows})
        self.assertEqual(check["duplicates"]["count"], len(lines))
        self.assertEqual(check["duplicates"]["some"][0]["first"], 2)
        self.assertEqual(check["duplicates"]["some"][0]["second"], 2 + len(lines))
        self.assertEqual(check["conflicts"]["count"], 1)
        self.assertEqual(check["empty"], [2 * len(lines) + 3])
        self.assertEqual(check["shared"]["count"], 1)
        self.assertEqual(check["dev_only_labels"], ["unseen"])
        self.assertEqual(check["labels_missing_in_dev"], ["long", "other", "rare"])
        texts = "".join(t + "\n" for t, _ in rows)
        encoded = [len(line.split()) for line in done("tokenizer", "encode", self.spiece, stdin=texts).splitlines()]
        self.assertEqual(check["tokens"]["longer"], sum(n > 20 for n in encoded))
        self.assertEqual(check["tokens"]["max"], max(encoded))
        self.assertEqual(check["words"]["max"], max(len(t.split()) for t, _ in rows))
        text = done("data", "check", train, "--dev", dev)
        for finding in ("1 bad lines, the first: ", "1 texts again with other labels: line 2 and line 18",
                        "1 texts of dev stand in the training data", "1 empty texts: line 19", "rare (1)"):  # fmt: skip
            self.assertIn(finding, text)

    def test_says_where_there_is_nothing(self):
        rows = "".join(f"text number {i} of many\t{'ab'[i % 2]}\n" for i in range(40))
        data = self.write("clean.tsv", "text\tlabel\n" + rows)
        self.assertEqual(self.check(data)["findings"], [])
        self.assertIn("nothing to mend was found", done("data", "check", data))

    def test_counts_tags_of_words(self):
        data = self.write("tags.conll", "Anna\tB-PER\nBerg\tI-PER\nslept\tO\n\nOslo\tB-LOC\n")
        check = self.check(data)
        self.assertEqual((check["task"], check["examples"], check["units"]), ("token-classification", 2, 4))
        self.assertEqual(check["labels"], {"B-PER": 1, "I-PER": 1, "O": 1, "B-LOC": 1})

    def test_reads_a_pipe_once(self):
        rows = "text\tlabel\n" + "".join(f"text number {i}\t{'ab'[i % 2]}\n" for i in range(40))
        piped = json.loads(done("data", "check", "-", "--input-format", "tsv", "--json", stdin=rows))
        self.assertEqual(piped, self.check(self.write("piped.tsv", rows)))

    def test_refuses_what_has_no_labels(self):
        self.assertIn("label", self.fails("data", "check", self.corpus))
        self.assertIn("expected at least one example", self.fails("data", "check", self.write("none.tsv", "text\tlabel\n")))


@unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
class Repeated(CliTest):
    def train(self, name, *flags):
        rows = "".join(f"{line}\t{'ab'[len(line) % 2]}\n" for line in CORPUS.splitlines() * 3)
        data = self.write(f"{name}.tsv", "text\tlabel\n" + rows)
        out = self.folder / name
        done("finetune", "--train", data, "--out", out, "--epochs", 2, "--threads", 1, "--lr", "1e-2", *flags)
        return data, out

    def test_run_json_repeats_the_run(self):
        _, first = self.train("first", "--set", "hidden_size=16", "--seed", 7, "--class-weights", "balanced")
        second, other = self.folder / "second", self.folder / "other"
        done("finetune", "--config", first / "run.json", "-o", second)
        done("finetune", "--config", first / "run.json", "-o", other, "--seed", 8)
        weights = [(folder / "model.safetensors").read_bytes() for folder in (first, second, other)]
        self.assertEqual(weights[0], weights[1])
        self.assertNotEqual(weights[0], weights[2])
        runs = [json.loads((folder / "run.json").read_text()) for folder in (first, second)]
        for run in runs:
            run.pop("out"), run["results"].pop("seconds")
        self.assertEqual(*runs)

    def test_every_flag_reaches_the_run(self):
        given = {"--epochs": 1, "--threads": 1, "--vocab-size": 60, "--seed": 9, "--stride": 3, "--max-length": 20,
                 "--class-weights": "balanced", "--wide": "off", "--dtype": "bfloat16", "--metric": "macro_f1",
                 "--set": "hidden_size=24"}  # fmt: skip
        numbers = re.findall(r"^  (--[a-z-]+) (\S+)\.\.(\S+)=(\S+)", done("finetune", "--help"), re.MULTILINE)
        for flag, _, most, default in numbers:  # each another value than its default
            if flag in given or flag == "--minutes":  # of --auto alone, which chooses the others
                continue
            value = int(default) + 1 if float(default).is_integer() else float(default) * 2
            given[flag] = value if value <= float(most) else float(default) / 2
        self.assertGreater(len(given), 18)
        rows = "".join(f"{line}\t{'ab'[i % 2]}\n" for i, line in enumerate(CORPUS.splitlines()))
        data = self.write("given.tsv", "text\tlabel\n" + rows)
        out = self.folder / "given"
        done("finetune", "--train", data, "-o", out, *(part for flag in given.items() for part in flag))
        run = json.loads((out / "run.json").read_text())
        self.assertEqual(run["set"], [given.pop("--set")])
        self.assertEqual(run["config"]["hidden_size"], 24)
        names = {"--lr": "learning_rate"}
        for flag, value in given.items():
            self.assertEqual(run[names.get(flag, flag[2:].replace("-", "_"))], value, flag)

    def test_it_has_hashes_versions_and_results(self):
        data, out = self.train("noted", "--from", self.classifier)
        run = json.loads((out / "run.json").read_text())
        digest = lambda path: hashlib.sha256(path.read_bytes()).hexdigest()  # noqa: E731
        self.assertEqual(run["data"]["train"]["sha256"], digest(data))
        self.assertEqual(run["from_sha256"], {"model.safetensors": digest(self.classifier / "model.safetensors")})
        self.assertEqual(run["results"]["sha256"], {"model.safetensors": digest(out / "model.safetensors")})
        self.assertEqual(run["fnet"], done("--version").split()[1])
        self.assertIn("torch", run)
        epochs = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        epochs = [line for line in epochs if line["event"] == "epoch"]
        best = max(epochs, key=lambda line: line["accuracy"])
        self.assertEqual(run["results"]["dev"]["accuracy"], best["accuracy"])
        self.assertEqual(run["results"]["epochs"], len(epochs))

    def test_what_is_missing_or_no_run_is_named(self):
        self.assertIn("--train: expected training data", self.fails("finetune", "--out", self.folder / "x"))
        no_run = self.write("no_run.json", '{"task": "text-classification"}')
        self.assertIn("expected the run.json of a training", self.fails("finetune", "--config", no_run))
        wrong = self.write("wrong.json", '{"task": "text-classification", "train": "t.tsv", "epochs": "two"}')
        self.assertRegex(self.fails("finetune", "--config", wrong), "wrong.json: epochs: expected an integer")


@unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
class Memory(CliTest):
    def test_evaluation_of_a_fixed_length_is_bounded_by_rows(self):
        train = self.write("few.tsv", "text\tlabel\n" + "a fine film\tgood\na dull film\tbad\n" * 2)
        dev = self.write("many.tsv", "text\tlabel\n" + "a fine film\tgood\na dull film\tbad\n" * 1500)
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            os.execv(FNET, [str(w) for w in (
                FNET, "finetune", "--train", train, "--dev", dev, "--out", self.folder / "bounded", "--epochs", 1,
                "--threads", 1, "--set", "length_policy=fixed:512", "--set", "hidden_size=64", "--set",
                "intermediate_size=256", "--set", "num_hidden_layers=1")])  # fmt: skip
        _, status, used = os.wait4(child, 0)
        self.assertEqual(status, 0)
        # All rows at once, 3000 × 512 × 256 floats, would take 1.5 GB for one activation.
        self.assertLess(used.ru_maxrss, 1_200_000)


if __name__ == "__main__":
    unittest.main()

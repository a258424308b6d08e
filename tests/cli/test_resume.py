"""Training that is killed, stopped or cannot write goes on with the same command, to the same weights.

FNET_KILLS: how often a run is killed at a random instant. FNET_FAULT_STRIDE: each how manieth system call fails.
"""

import errno
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
import unittest

from support import BIN, CAN_TRAIN, FNET, CliTest, fnet, reviews

KILLS = int(os.environ.get("FNET_KILLS", "10"))
STRIDE = int(os.environ.get("FNET_FAULT_STRIDE", "900"))
FAULTS = BIN / "libfnet_faults.so"


class Runs(CliTest):
    """Runs of one command, which is to end alike whatever happens on the way."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.write("resume.tsv", "text\tlabel\n" + "".join(reviews(64)))
        cls.place = cls.folder / "runs"
        cls.place.mkdir()
        start = time.monotonic()
        result = fnet(*cls.command("whole"))
        assert result.returncode == 0, result.stderr
        cls.seconds = time.monotonic() - start
        cls.whole = cls.weights("whole"), cls.log("whole")

    @classmethod
    def weights(cls, name):
        return hashlib.sha256((cls.place / name / "model.safetensors").read_bytes()).hexdigest()

    @classmethod
    def log(cls, name):
        """The log but for what the clock says."""
        lines = [json.loads(line) for line in (cls.place / name / "log.jsonl").read_text().splitlines()]
        return [{key: value for key, value in line.items() if key not in ("time", "seconds", "tokens_per_second")}
                for line in lines]  # fmt: skip

    def is_whole(self, name, what):
        """The run ended as the one that nothing happened to, and left nothing else."""
        self.assertEqual((self.weights(name), self.log(name)), self.whole, what)
        if (self.place / f".{name}.fnet-checkpoints").exists():  # could not be removed: the next start does it
            self.assertIn(fnet(*self.command(name)).returncode, (0, 2), what)
            self.assertEqual((self.weights(name), self.log(name)), self.whole, what)
        self.assertEqual([path.name for path in self.place.iterdir() if path.name.startswith(".")], [], what)
        shutil.rmtree(self.place / name)

    def has_checkpoint(self):
        return any((self.place / ".killed.fnet-checkpoints").glob("step-*"))

    def survives(self, wanted):
        instants = random.Random(7)
        kills = resumed = 0
        while kills < wanted:
            begun = self.has_checkpoint()
            with subprocess.Popen([FNET, *map(str, self.command("killed"))], stderr=subprocess.PIPE, text=True) as run:
                # Every other run has a checkpoint before it is killed: else a slow machine goes on from nothing.
                while kills % 2 == 0 and run.poll() is None and not self.has_checkpoint():
                    time.sleep(0.002)
                try:
                    run.wait(instants.uniform(0, 1) * self.seconds)
                except subprocess.TimeoutExpired:
                    run.kill()
                    kills += 1
                said = run.stderr.read()
            resumed += "goes on from the checkpoint" in said
            if run.returncode != -signal.SIGKILL:
                # It came to its end, perhaps just before it was killed the last time.
                over = "holds a model or a log" in said
                self.assertEqual(run.returncode, 2 if over else 0, said)
                self.assertTrue(over or not begun or "goes on from the checkpoint" in said, said)
                self.is_whole("killed", f"after {kills} kills")
        begun = self.has_checkpoint()
        result = fnet(*self.command("killed"))
        self.assertIn(result.returncode, (0, 2), result.stderr)
        resumed += "goes on from the checkpoint" in result.stderr
        self.is_whole("killed", f"after {kills} kills")
        self.assertGreater(resumed, wanted // 10)


@unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
class Resume(Runs):
    @classmethod
    def command(cls, name):
        return ["finetune", "--train", cls.data, "--dev", cls.data, "--out", cls.place / name, "--tokenizer", cls.spiece,
                "--set", "hidden_size=32", "--set", "intermediate_size=32", "--set", "num_hidden_layers=1",
                "--set", "hidden_dropout_prob=0.1", "--batch-size", 8, "--average", "0.9", "--threads", 1,
                "--epochs", 8, "--checkpoint-steps", 3]  # fmt: skip

    def test_killed_at_any_instant_it_ends_with_the_same_weights(self):
        self.survives(KILLS)

    def test_sigterm_leaves_a_checkpoint_and_is_no_failure(self):
        for asked, code in ((signal.SIGTERM, 0), (signal.SIGINT, 130)):
            name = f"asked{code}"
            with subprocess.Popen([FNET, *map(str, self.command(name))], stderr=subprocess.PIPE, text=True) as run:
                said = []
                for line in run.stderr:
                    said.append(line)
                    if "ETA" in line and len(said) < 100:
                        run.send_signal(asked)
            self.assertEqual(run.returncode, code, "".join(said))
            self.assertRegex("".join(said), "to go on from step [0-9]+, run the same command again")
            again = fnet(*self.command(name))
            self.assertEqual(again.returncode, 0, again.stderr)
            self.assertIn("goes on from the checkpoint of step", again.stderr)
            self.is_whole(name, name)

    def test_another_command_is_refused_unless_it_may_overwrite(self):
        with subprocess.Popen([FNET, *map(str, self.command("other"))], stderr=subprocess.PIPE, text=True) as run:
            for line in run.stderr:
                if "ETA" in line:
                    run.send_signal(signal.SIGTERM)
        error = self.fails_last(*self.command("other"), "--seed", 5)
        self.assertIn("--overwrite: expected where", error)
        self.assertIn("unfinished run that differs (seed: 1 there, 5 here)", error)
        done = fnet(*self.command("other"), "--seed", 5, "--overwrite")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("given up", done.stderr)

    def fails_last(self, *arguments):
        result = fnet(*arguments)
        self.assertEqual(result.returncode, 2, result.stderr)
        return result.stderr.splitlines()[-1]

    @unittest.skipUnless(FAULTS.exists(), "this build has no libfnet_faults.so")
    def test_a_system_call_that_fails_changes_no_weights(self):
        told = self.folder / "met"
        # errno (0: the process is killed before the call), calls that fail in a row, a short write.
        for number, count, short in ((errno.ENOSPC, 20, 0), (errno.EIO, 1, 0), (errno.ENOSPC, 1, 1), (0, 1, 0)):
            call, met = STRIDE // 2, True
            while met:
                env = {"LD_PRELOAD": str(FAULTS), "FNET_FAULT_MET": str(told),
                       "FNET_FAULT": f"{call} {number} {count} {short} {self.place}"}  # fmt: skip
                told.unlink(missing_ok=True)
                result = fnet(*self.command("failing"), env=env)
                what = f"call {call}, errno {number}: {result.stderr}"
                met = told.exists() or result.returncode == -signal.SIGKILL
                self.assertTrue(met or result.returncode == 0, what)
                if result.returncode != 0:  # killed, or it could not begin or end: the same command goes on
                    self.assertEqual(result.returncode, 1 if number else -signal.SIGKILL, what)
                    again = fnet(*self.command("failing"))
                    self.assertEqual(again.returncode, 0, what + again.stderr)
                self.is_whole("failing", what)
                call += STRIDE


@unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
class ResumePretraining(Runs):
    @classmethod
    def command(cls, name):
        texts = cls.folder / "resume.txt"
        if not texts.exists():
            texts.write_text("\n\n".join(cls.data.read_text().split("\n")[1:]), encoding="utf-8")
        return ["pretrain", "--train", texts, "--out", cls.place / name, "--tokenizer", cls.spiece, "--cache", cls.folder / "cache",
                "--set", "hidden_size=32", "--set", "intermediate_size=32", "--set", "num_hidden_layers=2", "--set", "drop_path_rate=0.2",
                "--set", "hidden_dropout_prob=0.1", "--dtype", "bfloat16", "--objective", "mlm+sop", "--batch-size", 8, "--accumulate", 2,
                "--schedule", "cosine", "--average", "0.9", "--threads", 1, "--steps", 60, "--eval-steps", 12, "--eval-texts", 4,
                "--checkpoint-steps", 5]  # fmt: skip

    def test_killed_at_any_instant_it_ends_with_the_same_weights(self):
        self.survives(max(3, KILLS // 3))


@unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
class ResumeSeveralTasks(Runs):
    @classmethod
    def command(cls, name):
        tasks = cls.folder / "tasks.json"
        if not tasks.exists():
            rows = [row.split("\t") for row in cls.data.read_text().splitlines()[1:]]
            cls.write("words.conll", "".join("".join(f"{word}\t{'B-X' if word.isdigit() else 'O'}\n" for word in text.split()) + "\n"
                                             for text, _ in rows))  # fmt: skip
            tasks.write_text(json.dumps({"tasks": {
                "mood": {"task": "text-classification", "train": "resume.tsv", "dev": "resume.tsv"},
                "numbers": {"task": "token-classification", "train": "words.conll", "dev": "words.conll"}}}))  # fmt: skip
        return ["finetune", "--task-config", tasks, "--out", cls.place / name, "--tokenizer", cls.spiece,
                "--set", "hidden_size=32", "--set", "intermediate_size=32", "--set", "num_hidden_layers=2", "--set", "drop_path_rate=0.2",
                "--dtype", "bfloat16", "--batch-size", 8, "--average", "0.9", "--threads", 1, "--epochs", 4,
                "--checkpoint-steps", 3]  # fmt: skip

    def test_killed_at_any_instant_it_ends_with_the_same_weights(self):
        self.survives(max(3, KILLS // 3))


if __name__ == "__main__":
    unittest.main()

"""Several processes that train one model: the same weights as one, and none left behind when one is lost.

FNET_LONG: torchrun starts them too, where there is one.
"""

import array
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import unittest
from pathlib import Path

from support import BIN, CAN_TRAIN, SOURCE, CliTest, reviews

TRAIN = BIN / "fnet-train"
SMALL = ("--set", "hidden_size=32", "--set", "intermediate_size=64", "--set", "num_hidden_layers=2", "--set", "hidden_dropout_prob=0",
         "--threads", 1)  # fmt: skip
LONG = "FNET_LONG" in os.environ


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def tensors(directory):
    """The float32 tensors of a model by name."""
    data = (Path(directory) / "model.safetensors").read_bytes()
    size = int.from_bytes(data[:8], "little")
    found = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            begin, end = entry["data_offsets"]
            found[name] = array.array("f", data[8 + size + begin : 8 + size + end])
    return found


class Started:
    """Processes 0 … size − 1 of one training, with the variables that a launcher sets."""

    def __init__(self, commands, attempt=0):
        port = free_port()
        self.runs = []
        for rank, command in enumerate(commands):
            env = {**os.environ, "RANK": str(rank), "WORLD_SIZE": str(len(commands)), "MASTER_ADDR": "127.0.0.1",
                   "MASTER_PORT": str(port), "LOCAL_RANK": str(rank), "TORCHELASTIC_RESTART_COUNT": str(attempt)}  # fmt: skip
            self.runs.append(subprocess.Popen([str(TRAIN), *map(str, command)], env=env, stderr=subprocess.PIPE, text=True))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for run in self.runs:
            if run.poll() is None:
                run.kill()
                run.send_signal(signal.SIGCONT)
            run.wait()
            run.stderr.close()

    def wait_for_line(self, word):
        """Reads what rank 0 says up to a line with this word."""
        said = ""
        for line in self.runs[0].stderr:
            said += line
            if word in line:
                return said
        raise AssertionError(f"no '{word}' in: {said}")

    def end(self, but=()):
        """Exit codes and what was said, once all but some have ended."""
        told = {rank: run.communicate(timeout=60)[1] for rank, run in enumerate(self.runs) if rank not in but}
        return [run.returncode for rank, run in enumerate(self.runs) if rank not in but], told


@unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
class Ranks(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        rows = reviews(44)
        cls.data = cls.write("ranks.tsv", "text\tlabel\n" + "".join(rows))
        cls.texts = cls.write("ranks.txt", "\n\n".join(row.split("\t")[0] + "\nand more of it" for row in rows * 4))

    def finetune(self, name, *more, epochs=2):
        # A few texts at the epoch's end are fewer than there are processes.
        return ["finetune", "--train", self.data, "--dev", self.data, "--out", self.folder / name, "--tokenizer", self.spiece, *SMALL,
                "--batch-size", 7, "--epochs", epochs, "--lr", "1e-4", "--token-dropout", 0, "--wide", "off", *more]  # fmt: skip

    def pretrain(self, name, *more):
        return ["pretrain", "--train", self.texts, "--out", self.folder / name, "--tokenizer", self.spiece, *SMALL, "--cache",
                self.folder / "cache", "--batch-size", 8, "--eval-texts", 8, "--lr", "1e-4", *more]  # fmt: skip

    def together(self, size, command):
        with Started([command] * size) as started:
            codes, told = started.end()
            self.assertEqual(codes, [0] * size, told)
            return told

    def same(self, name, other, within):
        ours, theirs = tensors(self.folder / name), tensors(self.folder / other)
        self.assertEqual(ours.keys(), theirs.keys())
        most = max(abs(a - b) for key in ours for a, b in zip(ours[key], theirs[key], strict=True))
        self.assertLess(most, within)

    def log(self, name):
        return [json.loads(line) for line in (self.folder / name / "log.jsonl").read_text().splitlines()]

    def test_a_classifier_of_many_is_that_of_one(self):
        for size in (1, 2, 4):
            told = self.together(size, self.finetune(f"f{size}"))
            for rank in range(1, size):
                self.assertEqual(told[rank], "")
        one = self.log("f1")
        for size in (2, 4):
            self.same("f1", f"f{size}", 1e-5)
            many = self.log(f"f{size}")
            self.assertEqual([line["step"] for line in one], [line["step"] for line in many])
            for ours, theirs in zip(one, many, strict=True):
                self.assertAlmostEqual(ours["loss"], theirs["loss"], places=5)
            run = json.loads((self.folder / f"f{size}" / "run.json").read_text())
            self.assertEqual(run["processes"], size)

    def test_pretraining_by_many_or_in_parts_is_that_of_one_at_once(self):
        more = ("--steps", 6, "--eval-steps", 3, "--objective", "mlm+sop", "--schedule", "cosine", "--average", "0.9")
        self.together(1, self.pretrain("p1", *more))
        self.together(1, self.pretrain("parts", *more, "--accumulate", 4))
        self.together(2, self.pretrain("p2", *more, "--accumulate", 2))
        self.same("p1", "parts", 1e-6)
        self.same("p1", "p2", 1e-5)

    def test_a_lost_process_ends_all_and_is_named(self):
        endless = ("--steps", 1_000_000, "--eval-steps", 5, "--rank-timeout", 2)
        for lost, what, within in ((signal.SIGKILL, "ended", 2), (signal.SIGSTOP, "is silent for 2 s", 5)):
            for victim in (1, 0):
                with Started([self.pretrain(f"lost{lost}{victim}", *endless)] * 3) as started:
                    started.wait_for_line("step 5:")
                    start = time.monotonic()
                    started.runs[victim].send_signal(lost)
                    codes, told = started.end(but=(victim,))
                    self.assertLess(time.monotonic() - start, within)
                    self.assertEqual(codes, [1, 1], told)
                    for said in told.values():
                        self.assertRegex(said.splitlines()[-1], rf"^fnet: rank {victim} of 3 \(.*, process [0-9]+\) {what} after step [0-9]+$")

    def test_processes_of_different_runs_are_refused(self):
        commands = [self.pretrain("other", "--steps", 3), self.pretrain("other", "--steps", 3, "--seed", 2)]
        with Started(commands) as started:
            codes, told = started.end()
        self.assertNotIn(0, codes)
        for said in told.values():
            self.assertRegex(said, r"rank 1 of 2 \(.*\): expected what rank 0 has, found seed: 1 at rank 0, 2 here")
        self.assertFalse((self.folder / "other").exists())
        other = self.write("other.tsv", self.data.read_text().replace("number 7 ", "number seven "))
        with Started([self.finetune("other"), [other if part == self.data else part for part in self.finetune("other")]]) as started:
            codes, told = started.end()
        self.assertNotIn(0, codes)
        self.assertIn("rank 1 of 2", told[0])
        self.assertIn("sha256", told[0])

    def test_they_go_on_from_a_checkpoint(self):
        more = ("--checkpoint-steps", 10, "--average", "0.9", "--set", "hidden_dropout_prob=0.1")
        self.together(2, self.finetune("whole", *more, epochs=30))
        # Asked to stop is one of them; killed is the other.
        for how, stopped in ((signal.SIGTERM, 1), (signal.SIGKILL, 0)):
            with Started([self.finetune("again", *more, epochs=30)] * 2) as started:
                started.wait_for_line("epoch 2:")
                started.runs[stopped].send_signal(how)
                codes, told = started.end()
                self.assertIn(codes, ([0, 0],) if how == signal.SIGTERM else ([-9, 1], [0, 0]), told)
            with Started([self.finetune("again", *more, epochs=30)] * 2, attempt=1) as started:
                codes, told = started.end()
            self.assertEqual(codes, [0, 0], told)
            self.assertIn("goes on from the checkpoint of step", told[0])
            self.assertEqual((self.folder / "again/model.safetensors").read_bytes(),
                             (self.folder / "whole/model.safetensors").read_bytes())  # fmt: skip
            shutil.rmtree(self.folder / "again")

    @unittest.skipUnless(LONG, "starts Python with torch")
    def test_torchrun_starts_them_again(self):
        torchrun = shutil.which("torchrun") or SOURCE / ".venv/bin/torchrun"
        if not Path(torchrun).exists():
            self.skipTest("there is no torchrun")
        more = ("--steps", 3000, "--eval-steps", 500, "--checkpoint-steps", 50)
        command = [torchrun, "--no-python", "--standalone", "--nproc-per-node", 2, "--max-restarts", 1, TRAIN,
                   *self.pretrain("elastic", *more)]  # fmt: skip
        with subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True) as run:
            said = ""
            for line in run.stderr:
                said += line
                if "step 500:" in line and said.count("step 500:") == 1:
                    children = subprocess.run(["pgrep", "-P", str(run.pid)], capture_output=True, text=True, check=True).stdout.split()
                    os.kill(int(children[-1]), signal.SIGKILL)
        self.assertEqual(run.returncode, 0, said)
        self.assertIn("goes on from the checkpoint of step", said)
        self.together(2, self.pretrain("plain", *more))
        self.same("elastic", "plain", 1e-9)


if __name__ == "__main__":
    unittest.main()

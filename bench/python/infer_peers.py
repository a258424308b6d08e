#!/usr/bin/env python3
"""Time fnet-base here and elsewhere, in turns: tokens a second of one forward pass, last hidden state.

    infer_peers.py --fnet build/release/bin/fnet --threads 2 --shapes 8,512 1,128 --rounds 3 --out result.json

A contender is a process of its own (peers.py) that stays warm; shape by shape they take turns, forwards
and backwards, so that a slow minute of the machine meets them all. Ours is `fnet bench`. Prints a
Markdown table of median tokens a second with the ratio to the first contender; `--out` keeps every
timing. Each peer runs as well as its users could make it: see peers.py for what that took.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PEERS = (
    "hf_float32", "hf_float32_fused_gelu", "hf_bfloat16", "compile_float32", "compile_bfloat16",
    "onnx_float32", "onnx_int8", "keras_jax", "bert_float32", "bert_bfloat16",
)  # fmt: skip
OURS = ("fnet_float32", "fnet_bfloat16", "fnet_int8")


def environment(threads):
    """Thread counts for every library; OPENBLAS_CORETYPE and _L2_SIZE slow OpenBLAS down where set."""
    env = dict(os.environ)
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        env.pop(name, None)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        env[name] = str(threads)
    return env | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}


def on_cores(threads):
    """JAX and ONNX Runtime start more threads than asked for: held to as many cores."""
    cores = sorted(os.sched_getaffinity(0))[:threads]
    return ["taskset", "-c", ",".join(map(str, cores))]


class Peer:
    """A warm process of peers.py."""

    def __init__(self, name, threads, work):
        self.name = name
        self.process = subprocess.Popen(
            [*on_cores(threads), sys.executable, str(HERE / "peers.py"), name, str(threads), work],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(threads),
        )  # fmt: skip

    def seconds(self, batch, length, repeats):
        self.process.stdin.write(json.dumps([batch, length, repeats]) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"error": "it died"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["seconds"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Ours:
    """`fnet bench` on a new fnet-base; a process each time, which times several passes itself."""

    def __init__(self, name, threads, work, fnet):
        self.name, self.threads, self.fnet = name, threads, fnet
        self.dtype = name.removeprefix("fnet_")
        self.model = pathlib.Path(work) / "fnet-base"
        if not self.model.exists():
            self._run("init", "--variant", "base", "--out", self.model,
                      "--set", "max_position_embeddings=4096", "--set", "length_policy=exact")  # fmt: skip

    def _run(self, *words):
        command = [*on_cores(self.threads), self.fnet, *map(str, words)]
        done = subprocess.run(command, env=environment(self.threads), capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return done.stdout

    def seconds(self, batch, length, repeats):
        del repeats  # `fnet bench` chooses
        answer = json.loads(
            self._run("bench", self.model, "--batch", batch, "--length", length, "--dtype", self.dtype,
                      "--threads", self.threads, "--json")
        )  # fmt: skip
        return [batch * length / answer["tokens_per_second"]]

    def close(self):
        pass


def start(options, work):
    contenders = []
    for name in options.contenders:
        try:
            if name in OURS:
                contenders.append(Ours(name, options.threads, work, options.fnet))
            else:
                contenders.append(Peer(name, options.threads, work))
        except RuntimeError as error:
            print(f"{name}: left out: {error}", file=sys.stderr)
    return contenders


def measure(contenders, shapes, rounds):
    """{(contender, shape): [seconds…]}, in turns."""
    timings = {}
    for batch, length in shapes:
        repeats = max(1, min(5, 2500 // (batch * length)))
        for turn in range(rounds):
            for contender in contenders[:: 1 if turn % 2 == 0 else -1]:
                key = contender.name, (batch, length)
                if timings.get(key) is None and key in timings:
                    continue  # it failed at this shape
                try:
                    timings.setdefault(key, []).extend(contender.seconds(batch, length, repeats))
                except (RuntimeError, BrokenPipeError) as error:
                    print(f"{contender.name} ({batch},{length}): {error}", file=sys.stderr)
                    timings[key] = None
        print(f"({batch},{length}) done", file=sys.stderr)
    return timings


def table(names, shapes, timings):
    lines = ["| tokens a second | " + " | ".join(f"({b},{n})" for b, n in shapes) + " |"]
    lines.append("|---" + "|---:" * len(shapes) + "|")
    for name in names:
        cells = []
        for shape in shapes:
            mine, first = timings.get((name, shape)), timings.get((names[0], shape))
            if not mine:
                cells.append("–")
                continue
            median = statistics.median(mine)
            ratio = f" ({statistics.median(first) / median:.2f}×)" if first else ""
            cells.append(f"{shape[0] * shape[1] / median:,.0f}{ratio}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--fnet", help="our executable; without it only the peers")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shapes", nargs="+", default=["8,512"], metavar="BATCH,LENGTH")
    parser.add_argument("--contenders", nargs="+", choices=OURS + PEERS, metavar="NAME",
                        help=f"the first is what ratios refer to; all: {' '.join(OURS + PEERS)}")  # fmt: skip
    parser.add_argument("--work", help="folder for exported models, kept; else a temporary one")
    parser.add_argument("--out", help="JSON file for every timing")
    options = parser.parse_args()
    options.contenders = options.contenders or [*(OURS if options.fnet else ()), *PEERS]
    if not options.fnet and set(options.contenders) & set(OURS):
        parser.error("--fnet: expected the path of our executable, for " + ", ".join(OURS))
    shapes = [tuple(map(int, shape.split(","))) for shape in options.shapes]
    with tempfile.TemporaryDirectory() as folder:
        contenders = start(options, options.work or folder)
        names = [contender.name for contender in contenders]
        timings = measure(contenders, shapes, options.rounds)
        for contender in contenders:
            contender.close()
    print(f"{processor()}, {options.threads} threads, median of {options.rounds} rounds\n")
    print(table(names, shapes, timings))
    if options.out:
        rows = [{"contender": c, "batch": s[0], "length": s[1], "seconds": t} for (c, s), t in timings.items()]
        result = {"processor": processor(), "threads": options.threads, "timings": rows}
        pathlib.Path(options.out).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

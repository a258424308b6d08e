#!/usr/bin/env python3
"""Time fnet-base here and elsewhere, in turns: tokens a second of one forward pass, last hidden state.

    infer_peers.py --fnet build/release/bin/fnet --threads 2 --shapes 8,512 1,128 --rounds 3 --out result.json
    infer_peers.py --fnet build/release/bin/fnet --texts file.txt --tokenizer spiece.model \\
        --contenders fnet_float32 hf_float32

A contender is a process of its own (peers.py) that stays warm; shape by shape they take turns, forwards
and backwards, so that a slow minute of the machine meets them all. Ours is `fnet bench`; on `--texts`,
one text a line, it is all of `fnet embed`, start and tokenizer included, against peers that run the same
tokens in the file's order, padded in batches of 32. Prints a Markdown table of median tokens a second
(padding does not count) with the ratio to the first contender; `--out` keeps every timing. Each peer
runs as well as its users could make it: see peers.py for what that took.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PEERS = (
    "hf_float32", "hf_float32_fused_gelu", "hf_bfloat16", "compile_float32", "compile_bfloat16",
    "onnx_float32", "onnx_int8", "keras_jax", "bert_float32", "bert_bfloat16",
)  # fmt: skip
OURS = ("fnet_float32", "fnet_bfloat16", "fnet_int8")
PADDED_BATCH = 32


@dataclasses.dataclass
class Work:
    """What is timed: batches [(texts, rows)], and the tokens in them that are not padding."""

    name: str
    batches: list
    tokens: int
    texts: str = ""  # the file, where the work is one


def shape(text):
    batch, length = map(int, text.split(","))
    return Work(f"({batch},{length})", [(batch, length)], batch * length)


def file_of_texts(path, tokenizer, most=512):
    import sentencepiece

    pieces = sentencepiece.SentencePieceProcessor(model_file=tokenizer)
    lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    lengths = [min(len(ids) + 2, most) for ids in pieces.encode(lines)]
    groups = [lengths[i : i + PADDED_BATCH] for i in range(0, len(lengths), PADDED_BATCH)]
    name = f"{len(lines)} texts of {min(lengths)}…{max(lengths)}"
    return Work(name, [(len(group), max(group)) for group in groups], sum(lengths), path)


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

    def __init__(self, name, options, folder):
        self.name = name
        self.process = subprocess.Popen(
            [*on_cores(options.threads), sys.executable, str(HERE / "peers.py"), name,
             str(options.threads), folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(options.threads),
        )  # fmt: skip

    def seconds(self, work):
        repeats = max(1, min(5, 2500 // work.tokens))
        self.process.stdin.write(json.dumps([work.batches, repeats]) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"error": "it died"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["seconds"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Ours:
    """`fnet bench` or `fnet embed`, a process each time."""

    def __init__(self, name, options, folder):
        self.name, self.options = name, options
        self.flags = ["--dtype", name.removeprefix("fnet_"), "--threads", options.threads]
        self.model = pathlib.Path(folder) / "fnet-base"
        if options.texts and not self.model.exists():
            self._run("init", "--variant", "base", "--tokenizer", options.tokenizer, "--out", self.model)

    def _run(self, *words):
        command = [*on_cores(self.options.threads), self.options.fnet, *map(str, words)]
        done = subprocess.run(command, env=environment(self.options.threads), capture_output=True)
        if done.returncode:
            raise RuntimeError(done.stderr.decode().strip())
        return done.stdout

    def seconds(self, work):
        if work.texts:
            begin = time.perf_counter()
            self._run("embed", self.model, work.texts, "--pooling", "mean", "--format", "npy", *self.flags)
            return [time.perf_counter() - begin]
        [(batch, length)] = work.batches
        answer = json.loads(
            self._run("bench", "--variant", "base", "--batch", batch, "--length", length,
                      "--seconds", 2, "--json", *self.flags)
        )  # fmt: skip
        print(f"{self.name} {work.name}: {answer['fraction_of_peak']:.3f} of the peak", file=sys.stderr)
        return [work.tokens / answer["tokens_per_second"]]

    def close(self):
        pass


def measure(contenders, works, rounds):
    """{(contender, work): [seconds…]}, in turns; a contender that fails at a work is left out there."""
    timings, failed = {}, set()
    for work in works:
        for turn in range(rounds):
            for contender in contenders[:: 1 if turn % 2 == 0 else -1]:
                key = contender.name, work.name
                if key in failed:
                    continue
                try:
                    timings.setdefault(key, []).extend(contender.seconds(work))
                except (RuntimeError, BrokenPipeError) as error:
                    print(f"{contender.name} {work.name}: {error}", file=sys.stderr)
                    failed.add(key)
        print(f"{work.name} done", file=sys.stderr)
    return {key: seconds for key, seconds in timings.items() if seconds and key not in failed}


def table(names, works, timings):
    lines = ["| tokens a second | " + " | ".join(work.name for work in works) + " |"]
    lines.append("|---" + "|---:" * len(works) + "|")
    for name in names:
        cells = []
        for work in works:
            mine, first = timings.get((name, work.name)), timings.get((names[0], work.name))
            if not mine:
                cells.append("–")
                continue
            median = statistics.median(mine)
            ratio = f" ({statistics.median(first) / median:.2f}×)" if first else ""
            cells.append(f"{work.tokens / median:,.0f}{ratio}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--fnet", help="our executable; without it only the peers")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shapes", nargs="*", default=[], metavar="BATCH,LENGTH")
    parser.add_argument("--texts", metavar="FILE", help="a text a line: lengths as they come")
    parser.add_argument("--tokenizer", metavar="FILE", help="SentencePiece model for --texts")
    parser.add_argument("--contenders", nargs="+", choices=OURS + PEERS, metavar="NAME",
                        help=f"the first is what ratios refer to; all: {' '.join(OURS + PEERS)}")  # fmt: skip
    parser.add_argument("--folder", help="for exported models, kept; else a temporary one")
    parser.add_argument("--out", help="JSON file for every timing")
    options = parser.parse_args()
    options.contenders = options.contenders or [*(OURS if options.fnet else ()), *PEERS]
    if not options.fnet and set(options.contenders) & set(OURS):
        parser.error("--fnet: expected the path of our executable, for " + ", ".join(OURS))
    if bool(options.texts) != bool(options.tokenizer):
        parser.error("--texts and --tokenizer: expected both or neither")
    return options


def main():
    options = read_options()
    works = [shape(text) for text in options.shapes]
    if options.texts:
        works.append(file_of_texts(options.texts, options.tokenizer))
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or temporary
        contenders = [(Ours if name in OURS else Peer)(name, options, folder) for name in options.contenders]
        timings = measure(contenders, works, options.rounds)
        for contender in contenders:
            contender.close()
    print(f"{processor()}, {options.threads} threads, median of {options.rounds} rounds\n")
    print(table(options.contenders, works, timings))
    if options.out:
        rows = [{"contender": c, "work": w, "seconds": seconds} for (c, w), seconds in timings.items()]
        result = {"processor": processor(), "threads": options.threads, "timings": rows}
        pathlib.Path(options.out).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

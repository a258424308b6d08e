#!/usr/bin/env python3
"""Time fnet-base here and elsewhere, in turns: tokens a second of one forward pass, last hidden state.

    infer_peers.py --shapes 8,512 1,128
    infer_peers.py --texts file.txt --threads 2 --contenders fnet_float32 hf_float32

A contender is a process of its own (peers.py) that stays warm; shape by shape they take turns, forwards
and backwards, so that a slow minute of the machine meets them all. Ours is `fnet bench`; on `--texts`,
one text a line, it is all of `fnet embed`, start and tokenizer included, against peers that run the same
tokens in the file's order, padded in batches of 32; padding does not count as tokens. Each peer runs as
well as its users could make it: see peers.py for what that took. What was measured is added to the file
of results after every shape, so that a measurement can be done in pieces; report.py makes tables of it.
"""

import argparse
import dataclasses
import datetime
import json
import pathlib
import subprocess
import sys
import time

from machine import BUILT, HERE, commit, describe, environment, on_cores, output_of
from report import table
from results import OURS, Results

EAGER = (
    "hf_float32", "hf_fused_gelu_float32", "hf_bfloat16", "bert_float32", "bert_bfloat16",
)  # fmt: skip
COMPILED = (
    "compile_float32", "compile_bfloat16", "exported_float32", "onnx_float32", "onnx_int8", "keras_jax_float32",
)  # fmt: skip
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


def file_of_texts(path, tokenizer, most):
    import sentencepiece

    pieces = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer))
    lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    lengths = [min(len(ids) + 2, most) for ids in pieces.encode(lines)]
    groups = [lengths[i : i + PADDED_BATCH] for i in range(0, len(lengths), PADDED_BATCH)]
    name = f"{len(lengths)} texts of {min(lengths)}…{max(lengths)}"
    return Work(name, [(len(group), max(group)) for group in groups], sum(lengths), path)


class Peer:
    """A warm process of peers.py."""

    def __init__(self, name, threads, options, device="cpu"):
        self.name = name
        peer = [str(HERE / "peers.py"), name, str(threads), options.folder, device]
        self.process = subprocess.Popen(
            [*on_cores(threads), sys.executable, *peer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment(threads, device) | {"TORCHINDUCTOR_CACHE_DIR": str(options.folder / "inductor")},
        )  # fmt: skip

    def answer(self, work, repeats):
        self.process.stdin.write(json.dumps([work.batches, repeats]) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"error": "it died"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def ask(self, work, repeats):
        return self.answer(work, repeats)["seconds"]

    def prepare(self, work):
        self.ask(dataclasses.replace(work, batches=work.batches[:1]), 0)

    def time(self, work, timing):
        timing["seconds"] += self.ask(work, max(1, min(5, 2500 // work.tokens)))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Ours:
    """`fnet bench` or `fnet embed`, a process each time."""

    def __init__(self, name, threads, options):
        self.name, self.threads, self.options = name, threads, options
        self.flags = ["--dtype", name.removeprefix("fnet_"), "--threads", threads]
        self.model = options.folder / "fnet-base"

    def _run(self, *words):
        return output_of([self.options.fnet, *words], self.threads)

    def prepare(self, work):
        if work.texts and not self.model.exists():
            self._run("init", "--variant", "base", "--tokenizer", self.options.tokenizer, "--out", self.model)

    def time(self, work, timing):
        if work.texts:
            begin = time.perf_counter()
            self._run("embed", self.model, work.texts, "--pooling", "mean", "--format", "npy",
                      "--max-length", self.options.max_length, *self.flags)  # fmt: skip
            timing["seconds"].append(time.perf_counter() - begin)
            return
        [(batch, length)] = work.batches
        answer = json.loads(
            self._run("bench", "--variant", "base", "--batch", batch, "--length", length,
                      "--seconds", 2, "--json", *self.flags)
        )  # fmt: skip
        timing["seconds"].append(work.tokens / answer["tokens_per_second"])
        timing.setdefault("fractions_of_peak", []).append(answer["fraction_of_peak"])
        timing["peak_gflops"] = answer["peak_gflops"][answer["dtype"]]

    def close(self):
        pass


def measure(contenders, work, rounds):
    """A timing for each contender, in turns; one that fails says so and has none."""
    timings = [{"contender": c.name, "work": work.name, "tokens": work.tokens, "seconds": []} for c in contenders]
    racing = list(zip(contenders, timings))
    for turn in range(-1, rounds):
        for entry in racing[:: 1 if turn % 2 == 0 else -1]:
            contender, timing = entry
            try:
                contender.prepare(work) if turn < 0 else contender.time(work, timing)
            except (RuntimeError, BrokenPipeError) as error:
                print(f"{contender.name} {work.name}: {error}", file=sys.stderr)
                racing.remove(entry)
    return [timing for _, timing in racing]


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--shapes", nargs="*", default=[], metavar="BATCH,LENGTH")
    parser.add_argument("--texts", metavar="FILE", help="a text a line: lengths as they come")
    parser.add_argument("--max-length", type=int, default=400, help="tokens a text of --texts")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3, help="0: compile and export, for a later call")
    parser.add_argument("--contenders", nargs="+", default=OURS + EAGER + COMPILED,
                        choices=OURS + EAGER + COMPILED, metavar="NAME", help=" ".join(OURS + EAGER + COMPILED))  # fmt: skip
    parser.add_argument("--fnet", default=BUILT / "release/bin/fnet", help="our executable")
    parser.add_argument("--tokenizer", default=BUILT / "bench/spiece.model", help="SentencePiece model for --texts")
    parser.add_argument("--folder", type=pathlib.Path, default=BUILT / "bench",
                        help="for models that are exported or compiled")  # fmt: skip
    parser.add_argument("--out", default=BUILT / "bench/results.json", help="file of results")
    return parser.parse_args()


def main():
    options = read_options()
    options.folder.mkdir(parents=True, exist_ok=True)
    results = Results.load(options.out, describe())
    works = [shape(text) for text in options.shapes]
    if options.texts:
        works.append(file_of_texts(options.texts, options.tokenizer, options.max_length))
    for threads in options.threads:
        run = {
            "date": datetime.date.today().isoformat(), "commit": commit(), "threads": threads,
            "command": " ".join(["./dev bench", *sys.argv[1:]]), "timings": [],
        }  # fmt: skip
        if options.rounds:
            results.runs.append(run)
        contenders = [(Ours if name in OURS else Peer)(name, threads, options) for name in options.contenders]
        for work in works:
            # The compiled ones would make a graph for each padded length of a file.
            able = [c for c in contenders if not work.texts or c.name not in COMPILED]
            run["timings"] += measure(able, work, options.rounds)
            print(f"{work.name}, {threads} threads: done", file=sys.stderr)
            if options.rounds:
                results.save(options.out)
        for contender in contenders:
            contender.close()
        print(f"{threads} threads\n\n{table(results, threads)}\n")


if __name__ == "__main__":
    main()

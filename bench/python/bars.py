#!/usr/bin/env python3
"""What this program promises of its speed, measured here: one table of bar, found, met or not.

    bars.py [--only growth …]

Each bar compares two settings of `fnet bench` that take turns, or a setting with the machine's peak. Those
against other programs are read from the file of results, to which the table is added.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import errors
from machine import BUILT, describe, environment, on_cores, output_of
from results import Results

MEGABYTE = 1e6
FRACTIONS = {  # of the peak, by type, at (8,512) and (8,128), and at (1,128)
    "float32": (0.88, 0.85),
    "bfloat16": (0.82, 0.75),
    "int8": (0.70, 0.60),
}
PEERS = (
    ("keras_jax_float32", "(8,512)", 1.3), ("compile_bfloat16", "(8,512)", 1.4), ("onnx_int8", "(8,512)", 2.8),
    ("hf_float32", "(8,512)", 4.0), ("hf_bfloat16", "(8,512)", 2.4), ("bert_float32", "(8,512)", 4.0),
    ("bert_float32", "(1,4096)", 6.0), ("hf_float32", "texts", 6.0),
)  # fmt: skip


class Measurement:
    def __init__(self, options, folder):
        self.options, self.folder = options, pathlib.Path(folder)
        self.results = Results.load(options.results, describe())

    def bench(self, *words):
        command = [self.options.fnet, "bench", "--json", "--threads", self.options.threads,
                   "--seconds", self.options.seconds, *words]  # fmt: skip
        return json.loads(output_of(command, self.options.threads))

    def in_turns(self, *settings):
        """A function for each setting: the median of a value in its answers."""
        found = [[] for _ in settings]
        for _ in range(self.options.rounds):
            for answers, words in zip(found, settings):
                answers.append(self.bench(*words))
        return [lambda value, answers=answers: statistics.median(map(value, answers)) for answers in found]

    def model(self):
        """fnet-base with a head, of the published vocabulary."""
        path = self.folder / "base"
        if not path.exists():
            output_of([self.options.fnet, "init", "--variant", "base", "--set", "vocab_size=32000",
                       "--tokenizer", self.options.tokenizer, "--task", "text-classification",
                       "--labels", "no,yes", "--out", path], self.options.threads)  # fmt: skip
        return path


def shape(batch, length, *more):
    return ["--batch", batch, "--length", length, *more]


def per_token(answer):
    """Nanoseconds."""
    return 1e9 / answer["tokens_per_second"]


def mixing_per_token(answer):
    return answer["parts"]["mixing"] * per_token(answer)


TILES, VECTORS = "avx512_amx", "avx512_bf16"


def on_vectors(measure, words):
    """Tiles are so fast that what is no product bounds a pass: the fractions are those of vectors."""
    tiles = measure.bench("--variant", "tiny", *shape(1, 8))["isa"] == TILES
    return [*words, "--isa", VECTORS] if tiles else words


def tiles(measure):
    for dtype, limit in (("bfloat16", 3), ("int8", 1.3)):
        words = shape(8, 512, "--dtype", dtype)
        if on_vectors(measure, words) == words:
            return
        fast, plain = measure.in_turns(words, on_vectors(measure, words))
        found = plain(per_token) / fast(per_token)
        yield f"AMX against AVX-512, {dtype} (8,512)", "≥", limit, found


def peak(measure):
    for dtype, (large, small) in FRACTIONS.items():
        for batch, length, limit in ((8, 512, large), (8, 128, large), (1, 128, small)):
            words = on_vectors(measure, shape(batch, length, "--dtype", dtype))
            [median] = measure.in_turns(words)
            found = median(lambda answer: answer["fraction_of_peak"])
            yield f"fraction of the peak, {dtype} ({batch},{length})", "≥", limit, found


def mixing(measure):
    for length in (128, 512, 1024):
        words = shape(4096 // length, length, "--dtype", "float32")
        [median] = measure.in_turns(words)
        found = median(lambda answer: 100 * answer["parts"]["mixing"])
        yield f"mixing, % of a float32 pass, length {length}", "≤", 2.5, found


def growth(measure):
    """With two layers, as all are alike and a pass over 65,536 tokens is long."""
    few = ["--dtype", "float32", "--set", "num_hidden_layers=2"]
    settings = [shape(max(1, 4096 // length), length, *few) for length in (512, 509, 65536)]
    power, prime, long = measure.in_turns(*settings)
    base = power(mixing_per_token)
    yield "mixing a token, length 509 against 512", "≤", 3, prime(mixing_per_token) / base
    yield "mixing a token, length 65,536 against 512", "≤", 4, long(mixing_per_token) / base
    yield "time a token, length 65,536 against 512", "≤", 1.15, long(per_token) / power(per_token)


def pooled(measure):
    words = shape(32, 64, "--variant", "tiny")
    hidden, vector = measure.in_turns([*words, "--pass", "hidden"], [*words, "--pass", "pooled"])
    yield "tiny, one vector a text against every row", "≥", 1.25, hidden(per_token) / vector(per_token)


def swiglu(measure):
    words = shape(8, 512, "--dtype", "float32")
    other = ["ffn_type=swiglu", "norm_type=rms_norm", "intermediate_size=2048"]  # 3 x 2048 = 2 x 3072
    mlp, gated = measure.in_turns(words, [*words, *(word for s in other for word in ("--set", s))])
    found = gated(per_token) / mlp(per_token)
    yield "swiglu and rms_norm against mlp and layer_norm, same operations", "≤", 1.05, found


def memory(measure):
    """The model is read from its file: with random weights the making of them would count too."""
    words = ["--batch", "8", "--length", "512", "--dtype", "float32", "--seconds", "1", "--json"]
    command = [measure.options.fnet, "bench", measure.model(), *words, "--threads", measure.options.threads]
    with subprocess.Popen(
        [*on_cores(measure.options.threads), *map(str, command)], stdout=subprocess.PIPE,
        env=environment(measure.options.threads),
    ) as process:  # fmt: skip
        answer = json.load(process.stdout)
        usage = os.wait4(process.pid, 0)[2]
    over = 1024 * usage.ru_maxrss - answer["weight_bytes"]
    yield "peak memory at (8,512) over the weights, MB", "≤", 64, over / MEGABYTE


def start(measure):
    text = measure.folder / "text.txt"
    text.write_text("one line of text\n")
    for command in ("embed", "predict"):
        words = [measure.options.fnet, command, measure.model(), text, "--dtype", "float32", "--threads",
                 measure.options.threads]  # fmt: skip
        seconds = []
        for _ in range(1 + 3 * measure.options.rounds):  # the first brings the files into the page cache
            begin = time.perf_counter()
            output_of(words, measure.options.threads)
            seconds.append(time.perf_counter() - begin)
        yield f"start to first answer, fnet {command}, s", "≤", 0.35, statistics.median(seconds[1:])


def error(measure):
    """Of the pooled vectors of fnet-base, relative to float64."""
    options = measure.options
    rows = errors.against_float64(options.fnet, options.tokenizer, options.texts, measure.folder)
    for length, pooling, ours, theirs in rows:
        name = f"error over that of transformers in float32, {pooling} of {length} tokens"
        yield name, "≤", 1, ours / theirs, f"({ours:.2g})"


def peers(measure):
    """With what the ratio would be if ours reached the machine's peak: no program can be faster than that."""
    results, threads = measure.results, measure.options.threads
    for name, work, limit in PEERS:
        for full in (w for w in results.works(threads) if work in w):
            cell = results.cell(name, full, threads)
            if not cell or not cell.ratio:
                continue
            fraction = results.cell(f"fnet_{name.rpartition('_')[2]}", full, threads).fraction
            note = [f"({cell.ratio / fraction:.3g} at the peak)"] if fraction else []
            yield f"as fast as {name}, {full}, times", "≥", limit, cell.ratio, *note


BARS = (peak, tiles, mixing, growth, pooled, swiglu, memory, start, error, peers)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--fnet", default=BUILT / "release/bin/fnet", help="our executable")
    parser.add_argument("--tokenizer", default=BUILT / "bench/spiece.model",
                        help="SentencePiece model, for a model directory")  # fmt: skip
    parser.add_argument("--texts", type=pathlib.Path, default=BUILT / "bench/texts.txt",
                        help="a text a line, for the errors")  # fmt: skip
    parser.add_argument("--results", default=BUILT / "bench/results.json",
                        help="file of results: read for the bars against others")  # fmt: skip
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1, help="of each measurement")
    parser.add_argument("--only", nargs="+", choices=[bar.__name__ for bar in BARS], metavar="BAR",
                        help=" ".join(bar.__name__ for bar in BARS))  # fmt: skip
    options = parser.parse_args()
    print("| bar | wanted | found | met |\n|---|---:|---:|---|")
    with tempfile.TemporaryDirectory() as folder:
        measure = Measurement(options, folder)
        for bar in BARS:
            if options.only and bar.__name__ not in options.only:
                continue
            for name, sign, limit, found, *note in bar(measure):
                met = found >= limit if sign == "≥" else found <= limit
                words = " ".join([f"{found:.3g}", *note])
                row = {"wanted": f"{sign} {limit:g}", "found": words, "met": "yes" if met else "no"}
                print("| " + " | ".join([name, *row.values()]) + " |", flush=True)
                measure.results.bars[name] = row
        measure.results.save(options.results)


if __name__ == "__main__":
    main()

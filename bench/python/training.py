#!/usr/bin/env python3
"""Time training steps of fnet-base here and in transformers, in turns, and write docs/benchmarks.md.

    training.py --shapes 4,512 1,2048 --dtypes float32 bfloat16
    training.py --lengths 128 512 2048 8192 --steps 1
    training.py --shapes 64,512 --dtypes bfloat16 --steps 20 --device cuda      (as bench/gpu)

A step is all of it: forward, backward, norm and clipping of the gradient, AdamW; a masked language model with 15 % of
random tokens masked. Ours is `fnet train-bench`. At each shape every contender is a process of its own, so that the
memory is that of the shape; they take turns, forwards and backwards. `--lengths` are shapes of 2,048 tokens, or of one
text where that is longer: the table and plot of a step's time by length. What was measured is added to the file of
results, so that a measurement can be done in pieces.
"""

import argparse
import datetime
import json
import pathlib
import re
import statistics
import sys

from infer_peers import Peer, shape
from machine import BUILT, commit, describe, output_of
from results import Results

NAMES = {"fnet": "**fnet**", "hf": "HF FNet", "bert": "HF BERT-base"}
TOKENS = 2048
PART = re.compile(r"(<!-- training -->\n).*?(<!-- end training -->)", re.DOTALL)
COLOURS = {"fnet": "#3b6fb6", "hf": "#c8702a", "bert": "#2a9d6e"}


class Ours:
    """`fnet train-bench`, a process each time."""

    def __init__(self, dtype, threads, options):
        self.name, self.dtype, self.threads, self.options = "fnet", dtype, threads, options

    def time(self, work, steps, timing):
        [(batch, length)] = work.batches
        words = ["train-bench", "--variant", "base", "--batch", batch, "--length", length, "--dtype", self.dtype,
                 "--threads", self.threads, "--steps", steps, "--device", self.options.device, "--json"]  # fmt: skip
        answer = json.loads(output_of([self.options.fnet, *words], self.threads, self.options.device))
        timing["seconds"].append(work.tokens / answer["tokens_per_second"])
        timing.setdefault("fractions_of_peak", []).append(answer["fraction_of_peak"])
        timing["isa"] = answer["isa"]
        timing["peak_bytes"] = max(answer["peak_bytes"], timing.get("peak_bytes", 0))

    def close(self):
        pass


class Theirs:
    """A warm process of peers.py."""

    def __init__(self, name, dtype, threads, options):
        self.name, self.peer = name, Peer(f"{name}_training_{dtype}", threads, options, options.device)

    def time(self, work, steps, timing):
        answer = self.peer.answer(work, steps)
        timing["seconds"].append(statistics.median(answer["seconds"]))
        timing["peak_bytes"] = answer["peak_bytes"]

    def close(self):
        self.peer.close()


def measure(work, dtype, options):
    names = [name for name in NAMES if name in options.contenders]
    racing = [Ours(dtype, options.threads, options) if name == "fnet" else Theirs(name, dtype, options.threads, options)
              for name in names]  # fmt: skip
    timings = [{"contender": name, "dtype": dtype, "work": work.name, "tokens": work.tokens, "seconds": []}
               for name in names]  # fmt: skip
    for turn in range(options.rounds):
        pairs = list(zip(racing, timings))
        for contender, timing in pairs[:: 1 if turn % 2 == 0 else -1]:
            contender.time(work, options.steps, timing)
    for contender in racing:
        contender.close()
    return timings


def latest(runs):
    """{(dtype, work): {contender: timing}}, each as it was last measured, with ours of the same run as `ours`."""
    found = {}
    for run in runs:
        for timing in run["timings"]:
            key = timing["dtype"], timing["work"]
            ours = [t for t in run["timings"] if (t["dtype"], t["work"]) == key and t["contender"] == "fnet"]
            if ours:
                found.setdefault(key, {})[timing["contender"]] = timing | {"ours": ours[0]}
    return found


def seconds(timing):
    return statistics.median(timing["seconds"])


def cell(timing):
    words = f"{timing['tokens'] / seconds(timing):,.0f}"
    if timing["contender"] == "fnet":
        return f"{words} ({statistics.median(timing['fractions_of_peak']):.0%})"
    return f"{words} ({seconds(timing) / seconds(timing['ours']):.2f}×)"


def memory(timing):
    words = f"{timing['peak_bytes'] / 1e9:.1f}"
    if timing["contender"] == "fnet":
        return words
    return f"{words} ({timing['ours']['peak_bytes'] / timing['peak_bytes']:.2f})"


def lines(rows):
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def size(work):
    return tuple(map(int, re.findall(r"\d+", work)))


def table(found):
    rows = [["", *NAMES.values(), "GB, fnet", "GB, HF FNet (ours of it)", "GB, BERT (ours of it)"]]
    rows.append(["---", *["---:"] * (len(rows[0]) - 1)])
    for (dtype, work), cells in sorted(found.items(), key=lambda item: (item[0][0] != "float32", size(item[0][1]))):
        rows.append([f"{work} {dtype}", *(cell(cells[n]) if n in cells else "–" for n in NAMES),
                     *(memory(cells[n]) if n in cells else "–" for n in NAMES)])  # fmt: skip
    return lines(rows)


def plot(found, dtype):
    """An SVG of milliseconds for 1,000 tokens of a step by the texts' length, both axes logarithmic."""
    import math

    points = {}
    for (kind, work), cells in found.items():
        if kind != dtype:
            continue
        for name, timing in cells.items():
            points.setdefault(name, {})[size(work)[1]] = 1e6 * seconds(timing) / timing["tokens"]
    lengths = sorted({length for by_length in points.values() for length in by_length})
    values = [value for by_length in points.values() for value in by_length.values()]
    low, high = math.floor(math.log2(min(values))), math.ceil(math.log2(max(values)))
    left, top, width, height = 80, 40, 520, 320

    def x(length):
        return left + width * math.log2(length / lengths[0]) / max(1, math.log2(lengths[-1] / lengths[0]))

    def y(value):
        return top + height * (high - math.log2(value)) / max(1, high - low)

    body = [f'<text x="{left}" y="22" class="head">Milliseconds of a training step for 1,000 tokens, {dtype}</text>']
    for power in range(low, high + 1):
        at = y(2.0**power)
        body.append(f'<path d="M{left} {at:.1f}h{width}" stroke="#ddd"/>')
        body.append(f'<text x="{left - 8}" y="{at + 4:.1f}" text-anchor="end">{2.0**power:,.0f}</text>')
    for length in lengths:
        body.append(f'<text x="{x(length):.1f}" y="{top + height + 20}" text-anchor="middle">{length:,}</text>')
    for row, (name, by_length) in enumerate(sorted(points.items(), key=lambda item: list(NAMES).index(item[0]))):
        corners = " ".join(f"{x(length):.1f},{y(by_length[length]):.1f}" for length in sorted(by_length))
        body.append(f'<polyline points="{corners}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>')
        body += [f'<circle cx="{point.split(",")[0]}" cy="{point.split(",")[1]}" r="3" fill="{COLOURS[name]}"/>'
                 for point in corners.split()]  # fmt: skip
        body.append(f'<text x="{left + width + 12}" y="{top + 20 + 20 * row}" fill="{COLOURS[name]}">'
                    f'{NAMES[name].replace("**", "")}</text>')  # fmt: skip
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 130}" height="{top + height + 50}">',
        "<style>text { font: 12px sans-serif } .head { font-size: 14px; font-weight: bold }</style>",
        '<rect width="100%" height="100%" fill="#fff"/>', *body,
        f'<text x="{left + width / 2}" y="{top + height + 42}" text-anchor="middle">tokens a text</text>', "</svg>\n",
    ])  # fmt: skip


def write(results, threads, path):
    found = latest(run for run in results.runs if run["threads"] == threads)
    commands = dict.fromkeys(run["command"] for run in results.runs)
    dates = sorted({run["date"] for run in results.runs})
    chapter = (
        f"{results.machine}; {dates[-1]}; {threads} threads, fnet-base and bert-base. Tokens a second of whole steps; "
        "in brackets ours of the peak of its type, and how many times as fast ours was in turns with the other. "
        "Memory is the process' peak, weights and AdamW's moments included.\n\n"
        + table(found) + "\n\n![Time of a training step by length](training.svg)\n\nMeasured by\n```\n"
        + "\n".join(commands) + "\n```\n"
    )  # fmt: skip
    new, count = PART.subn(lambda m: m[1] + chapter + m[2], path.read_text(encoding="utf-8"))
    if not count:
        raise SystemExit(f"{path}: expected `<!-- training -->` and `<!-- end training -->`")
    path.write_text(new, encoding="utf-8")
    drawn = min((kind for kind, _ in found), key=lambda kind: kind != "float32")
    path.with_name("training.svg").write_text(plot(found, drawn), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--shapes", nargs="*", default=[], metavar="BATCH,LENGTH")
    parser.add_argument("--lengths", nargs="*", type=int, default=[], help="of texts, 2,048 tokens a step")
    parser.add_argument("--dtypes", nargs="+", default=["float32"], choices=["float32", "bfloat16"])
    parser.add_argument("--contenders", nargs="+", default=list(NAMES), choices=list(NAMES))
    parser.add_argument("--rounds", type=int, default=2, help="turns of each contender")
    parser.add_argument("--steps", type=int, default=2, help="of a turn, after a first one that is not timed")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="cuda: docs/benchmarks.md stays")
    parser.add_argument("--fnet", default=BUILT / "release/bin/fnet", help="our executable")
    parser.add_argument("--folder", type=pathlib.Path, default=BUILT / "bench", help="for what peers keep")
    parser.add_argument("--out", type=pathlib.Path, default=BUILT / "bench/training.json", help="file of results")
    parser.add_argument("--document", type=pathlib.Path, default=BUILT.parent / "docs/benchmarks.md")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if not options.shapes and not options.lengths:
        options.shapes, options.dtypes = ["4,512", "1,2048"], ["float32", "bfloat16"]
        options.lengths = [128, 256, 512, 1024, 2048, 4096, 8192]
    works = [shape(text) for text in options.shapes]
    works += [shape(f"{max(1, TOKENS // length)},{length}") for length in options.lengths]
    results = Results.load(options.out, describe(options.device))
    run = {
        "date": datetime.date.today().isoformat(), "commit": commit(), "threads": options.threads,
        "command": " ".join(["./dev bench --training", *sys.argv[1:]]), "timings": [],
    }  # fmt: skip
    results.runs.append(run)
    for work in {work.name: work for work in works}.values():
        for dtype in options.dtypes:
            run["timings"] += measure(work, dtype, options)
            results.save(options.out)
            print(f"{work.name} {dtype}: done", file=sys.stderr)
    if options.device == "cpu":
        write(results, options.threads, options.document)
    print(table(latest(results.runs)))


if __name__ == "__main__":
    main()

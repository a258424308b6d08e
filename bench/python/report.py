#!/usr/bin/env python3
"""Write a file of results into docs/benchmarks.md, as tables and as a plot beside it.

    report.py results.json docs/benchmarks.md

The tables stand between `<!-- measured -->` and `<!-- end -->`; the plot is benchmarks.svg in the same folder.
"""

import pathlib
import re
import sys

from plot import plot
from results import LABELS, OURS, Results

PART = re.compile(r"(<!-- measured -->\n).*?(<!-- end -->)", re.DOTALL)

TRAPS = """\
A cell has tokens a second; ours also the fraction of the machine's peak, the others how many times as fast
ours of the same type was in turns with them. Read them with care:
- float32 in torch is MKL's product, which uses AVX2 on AMD processors: on Zen 5 that is at most half of the peak, on
  Zen 4 and on Intel's processors it is no handicap. JAX and ONNX Runtime have none.
- transformers' FNet has `gelu_new`, seven operations in eager torch; BERT's `gelu` is one. "Fused GELU" is FNet with
  `gelu_pytorch_tanh`, the same function as one operation.
- transformers' FNet does not run in bfloat16 on a CPU as shipped, as torch's FFT refuses the type: here its
  transform is patched to float32.
- ONNX Runtime runs the transform as products with cosine and sine matrices, as its own DFT is slower; int8 is
  its dynamic quantization, without the mixing.
- A file of texts: ours is all of `fnet embed`, start and tokenizer included. The others have the tokens ready and pad
  them, in the file's order, in batches of 32; those that build a graph for each length are left out.
"""


def words(cell):
    if cell is None:
        return "–"
    note = f" ({cell.ratio:.2f}×)" if cell.ratio else f" ({cell.fraction:.0%})" if cell.fraction else ""
    return f"{cell.speed:,.0f}{note}"


def lines(rows):
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def table(results, threads):
    works = results.works(threads)
    rows = [[label, *(words(results.cell(name, work, threads)) for work in works)] for name, label in LABELS.items()]
    rows = [row for row in rows if set(row[1:]) - {"–"}]
    return lines([["tokens a second", *works], ["---", *["---:"] * len(works)], *rows])


def chapter(results):
    dates = sorted({run["date"] for run in results.runs})
    commits = list(dict.fromkeys(run["commit"] for run in results.runs))
    period = " to ".join(dict.fromkeys((dates[0], dates[-1])))
    parts = [f"{results.machine}; {period}; commit {', '.join(commits)}. fnet-base with random weights, last hidden "
             "state of every token.\n", TRAPS]  # fmt: skip
    for threads in results.threads():
        peaks = {name.removeprefix("fnet_"): results.peak(name, threads) for name in OURS}
        peaks = ", ".join(f"{peak:,.0f} in {dtype}" for dtype, peak in peaks.items() if peak)
        parts.append(f"{threads} thread{'s'[: threads > 1]}; the machine's peak, in GFLOP/s, is {peaks}:\n")
        parts.append(table(results, threads) + "\n")
    if results.bars:
        parts.append(lines([["our bar", "wanted", "found", "met"], ["---", "---:", "---:", "---"],
                            *([name, *bar.values()] for name, bar in results.bars.items())]) + "\n")  # fmt: skip
    parts.append("![Tokens a second of each contender](benchmarks.svg)\n")
    commands = dict.fromkeys(run["command"] for run in results.runs)
    parts.append("Measured by\n```\n" + "\n".join(commands) + "\n```\n")
    return "\n".join(parts)


def write(results, path):
    old = path.read_text(encoding="utf-8")
    new, found = PART.subn(lambda m: m[1] + chapter(results) + m[2], old)
    if not found:
        raise SystemExit(f"{path}: expected `<!-- measured -->` and `<!-- end -->`")
    path.write_text(new, encoding="utf-8")
    path.with_suffix(".svg").write_text(plot(results, max(results.threads())), encoding="utf-8")


if __name__ == "__main__":
    write(Results.load(sys.argv[1]), pathlib.Path(sys.argv[2]))

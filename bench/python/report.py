#!/usr/bin/env python3
"""Write a file of results into docs/benchmarks.md, as tables and as a plot beside it.

    report.py results.json docs/benchmarks.md

The tables stand between `<!-- measured -->` and `<!-- end -->`; the plot is benchmarks.svg in the same folder.
"""

import pathlib
import re
import sys

from results import OURS, Results

# What readers know the contenders by, in the order of the tables: best peers first in each type.
LABELS = {
    "fnet_float32": "**fnet**, float32",
    "keras_jax_float32": "keras-hub on JAX, float32",
    "onnx_float32": "ONNX Runtime, float32",
    "compile_float32": "torch.compile, float32",
    "hf_fused_gelu_float32": "HF FNet eager, fused GELU, float32",
    "hf_float32": "HF FNet eager, float32",
    "bert_float32": "HF BERT-base, float32",
    "fnet_bfloat16": "**fnet**, bfloat16",
    "compile_bfloat16": "torch.compile, bfloat16",
    "hf_bfloat16": "HF FNet eager, bfloat16",
    "bert_bfloat16": "HF BERT-base, bfloat16",
    "fnet_int8": "**fnet**, int8",
    "onnx_int8": "ONNX Runtime, int8",
}
PLOTTED = ("(1,128)", "(8,512)")
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


BAR, GAP, PANEL, NAMES = 18, 10, 330, 240  # pixels: a bar's row, between the types, a panel's and the names' width
COLOURS = {"float32": "#3b6fb6", "bfloat16": "#2a9d6e", "int8": "#c8702a"}


def plot(results, threads):
    """Bars of each type under one another, a panel for each shape; a dashed line is ours at the machine's peak."""
    panels = [work for work in PLOTTED if work in results.works(threads)]
    cells = {(n, w): results.cell(n, w, threads) for n in LABELS for w in panels}
    names = [name for name in LABELS if any(cells[name, work] for work in panels)]
    peaks = {key: c.speed / c.fraction for key, c in cells.items() if c and c.fraction}
    if not names:
        return ""
    scale = (PANEL - 60) / max([*peaks.values(), *(c.speed for c in cells.values() if c)])
    body, y, top = [], 50, 42
    for index, work in enumerate(panels):
        body.append(f'<text x="{NAMES + index * PANEL}" y="26" class="head">{work}, {threads} threads</text>')
    for name in names:
        kind = name.rpartition("_")[2]
        if name in OURS and name != names[0]:
            y += GAP
            top = y - 4
        label = LABELS[name].replace("**", "")
        weight = ' font-weight="bold"' if name in OURS else ""
        body.append(f'<text x="{NAMES - 8}" y="{y + 12}" text-anchor="end"{weight}>{label}</text>')
        for index, work in enumerate(panels):
            left, cell = NAMES + index * PANEL, cells[name, work]
            if not cell:
                continue
            width, opacity = cell.speed * scale, 1 if name in OURS else 0.45
            body.append(f'<rect x="{left}" y="{y}" width="{width:.1f}" height="{BAR - 4}" '
                        f'fill="{COLOURS[kind]}" fill-opacity="{opacity}"/>')  # fmt: skip
            if (name, work) in peaks:
                rows = sum(other.endswith(kind) for other in names)
                x = left + peaks[name, work] * scale
                body.append(f'<path d="M{x:.1f} {top}v{rows * BAR + 4}" stroke="{COLOURS[kind]}" '
                            'stroke-dasharray="3 3"/>')  # fmt: skip
            body.append(f'<text x="{left + width + 4:.1f}" y="{y + 12}" class="value">{cell.speed:,.0f}</text>')
        y += BAR
    note = "Tokens a second; dashed: ours at the peak of multiply-adds of the same machine and type"
    body.append(f'<text x="{NAMES}" y="{y + 20}" fill="#666">{note}</text>')
    width, height = NAMES + PANEL * len(panels), y + 32
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="12" fill="#222">\n'
        "<style>.head { font-size: 14px; font-weight: bold }\n"
        ".value { paint-order: stroke; stroke: #fff; stroke-width: 3px }</style>\n"
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def write(results, path):
    old = path.read_text(encoding="utf-8")
    new, found = PART.subn(lambda m: m[1] + chapter(results) + m[2], old)
    if not found:
        raise SystemExit(f"{path}: expected `<!-- measured -->` and `<!-- end -->`")
    path.write_text(new, encoding="utf-8")
    path.with_suffix(".svg").write_text(plot(results, max(results.threads())), encoding="utf-8")


if __name__ == "__main__":
    write(Results.load(sys.argv[1]), pathlib.Path(sys.argv[2]))

#!/usr/bin/env python3
"""How fast each norm, feed-forward and mixer is beside the default, in turns.

    parts.py FNET [--rounds 3] [--dtype float32] [--set num_hidden_layers=2] [--only rms_norm geglu]

Each line is the median over the rounds of the part's tokens a second over the default's, measured just before it, and of
the multiply-adds of their products. Where the part has more or fewer products, the second ratio is the fair one.
"""

import argparse
import json
import statistics

from machine import describe, output_of

KEYS = {"norm_type": "norm", "ffn_type": "feed-forward", "mixer": "mixer"}


def measure(fnet, options, settings):
    command = [fnet, "bench", "--json", "--batch", options.batch, "--length", options.length, "--dtype", options.dtype,
               "--threads", options.threads, "--seconds", options.seconds]  # fmt: skip
    for setting in options.set + settings:
        command += ["--set", setting]
    return json.loads(output_of(command, options.threads))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("fnet", help="the binary, such as build/release/bin/fnet")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--set", nargs="+", default=[], help="for every model, as fnet bench has it")
    parser.add_argument("--only", nargs="+", help="these parts alone")
    options = parser.parse_args()
    tables = json.loads(output_of([options.fnet, "info", "--json"], options.threads))
    print(f"{describe()}; ({options.batch},{options.length}), {options.dtype}, {options.threads} threads\n")
    print("| part | | tokens/s | of the default's | products of the default's | runs as formulas |")
    print("| --- | --- | ---: | ---: | ---: | --- |")
    for key, kind in KEYS.items():
        for name in tables[key]:
            if options.only and name not in options.only:
                continue
            setting = f"mixers={name}" if key == "mixer" else f"{key}={name}"
            rates, products = [], []
            for _ in range(options.rounds):
                default, part = measure(options.fnet, options, []), measure(options.fnet, options, [setting])
                rates.append(part["tokens_per_second"] / default["tokens_per_second"])
                products.append(part["gflops"] / default["gflops"])
            print(f"| {kind} | `{name}` | {part['tokens_per_second']:,.0f} | {statistics.median(rates):.2f} "
                  f"| {statistics.median(products):.2f} | {', '.join(part['formulas'])} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""How the forward pass of fnet-base grows with the cores, beside a loop of bare multiply-adds.

    cores.py FNET [--threads 1 2 4 8 16]

Prints one table, in some three minutes. It needs Python and the binary alone.
"""

import argparse
import json
import os

from machine import describe, output_of

SHAPES = (("float32", 32, 128), ("bfloat16", 32, 128), ("int8", 32, 128), ("float32", 1, 32), ("float32", 1, 128))


def measure(fnet, threads, dtype, batch, length):
    command = [fnet, "bench", "--json", "--threads", threads, "--dtype", dtype, "--batch", batch,
               "--length", length, "--seconds", 1]  # fmt: skip
    return json.loads(output_of(command, threads))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("fnet", help="the binary, such as build/release/bin/fnet")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    options = parser.parse_args()
    counts = [count for count in options.threads if count <= len(os.sched_getaffinity(0))]
    print(f"{describe()}\n")
    print("| | threads | tokens/s | of the peak | speed-up | of the bare loop's |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for dtype, batch, length in SHAPES:
        first = None
        for count in counts:
            found = measure(options.fnet, count, dtype, batch, length)
            first = first or found
            growth = found["tokens_per_second"] / first["tokens_per_second"]
            bare = found["peak_gflops"][dtype] / first["peak_gflops"][dtype]
            print(f"| {dtype} ({batch},{length}) | {count} | {found['tokens_per_second']:,.0f} "
                  f"| {found['fraction_of_peak']:.2f} | {growth:.2f} | {growth / bare:.2f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Writes the seeds of fuzz/corpus/ for the readers of safetensors, JSON, indices and lines.

Seeds that a fuzzer found and that are worth keeping lie beside them; they are left alone.
"""
import gzip
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from make_hostile_files import FILES  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent / "fuzz/corpus"
SMALL = 2048  # bytes: large seeds slow a fuzzer down

SEEDS = {
    "safetensors": {name: data for name, data, _, _ in FILES if len(data) <= SMALL},
    "json": {
        "values": b'{"a": [1, -2, 1.5e3, true, null, "\\u00e9\\ud83d\\ude00"], "b": {"c": {}}, "d": []}',
        "config": b'{"model_type":"fnet","hidden_size":768,"layer_norm_eps":1e-12,"id2label":{"0":"no"}}',
        "limits": b"[18446744073709551615, -9223372036854775808, 1e308, 0.1, -0.0, -0]",
        "duplicate": b'{"a":1,"\\u0061":2}',
        "utf8": '{"é":"😀"}'.encode(),
    },
    "weights_index": {
        "good": b'{"metadata":{"total_size":8},"weight_map":{"w":"model-00001-of-00002.safetensors",'
                b'"v":"model-00002-of-00002.safetensors"}}',
        "path": b'{"weight_map":{"w":"../../x.safetensors"}}',
    },
    "lines": {
        "plain": b"one\r\ntwo\n\nlast",
        "mark": b"\xef\xbb\xbfone\n",
        "long": b"x" * 150 + b"\nafter\n",
        "gzip": gzip.compress(b"one\ntwo\n" * 40, mtime=0),
        "members": gzip.compress(b"one\nt", mtime=0) + gzip.compress(b"wo\n", mtime=0),
        "cut": gzip.compress(b"one\ntwo\n" * 40, mtime=0)[:-9],
    },
}

for target, seeds in SEEDS.items():
    (ROOT / target).mkdir(parents=True, exist_ok=True)
    for name, data in seeds.items():
        (ROOT / target / name).write_bytes(data)

#!/usr/bin/env python3
"""Writes the seeds of fuzz/corpus/ for the kernels and the readers of safetensors, JSON, configs, indices and lines.

Seeds that a fuzzer found and that are worth keeping lie beside them; they are left alone.
"""
import gzip
import json
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from make_hostile_files import FILES  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent / "fuzz/corpus"
SMALL = 2048  # bytes: large seeds slow a fuzzer down

FLOATS = struct.pack(">9f", 1.0, -0.75, 3.25e-3, 88.0, -1.5e6, 0.0, 1e-39, 7.1, -2e-8) + b"\x3f"

NAMES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDPIECE = {
    "added_tokens": [{"id": 7, "content": "word", "special": False}, {"id": 4, "content": "[MASK]", "special": True, "lstrip": True}],
    "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "vocab": {piece: i for i, piece in enumerate([*NAMES, "read", "##s"])}},
}  # fmt: skip

SEEDS = {
    "safetensors": {name: data for name, data, _, _ in FILES if len(data) <= SMALL},
    "json": {
        "values": b'{"a": [1, -2, 1.5e3, true, null, "\\u00e9\\ud83d\\ude00"], "b": {"c": {}}, "d": []}',
        "config": b'{"model_type":"fnet","hidden_size":768,"layer_norm_eps":1e-12,"id2label":{"0":"no"}}',
        "limits": b"[18446744073709551615, -9223372036854775808, 1e308, 0.1, -0.0, -0]",
        "duplicate": b'{"a":1,"\\u0061":2}',
        "utf8": '{"é":"😀"}'.encode(),
    },
    "config": {
        "classifier": b'{"architectures":["FNetForSequenceClassification"],"model_type":"fnet","vocab_size":100,'
                      b'"id2label":{"0":"no","1":"yes"},"layer_norm_eps":1e-12,"length_policy":"exact"}',
        "default_labels": b'{"architectures":["FNetForTokenClassification"],"num_labels":3,"num_label":1}',
        "layers": b'{"num_hidden_layers":2,"mixers":["fourier","identity"],"norm_type":"rms_norm","pooling":"mean"}',
        "keras": b'{"hidden_dim":768}',
        "tokenizer": b'{"do_lower_case":true,"keep_accents":false,"normalization":"hf_fast",'
                     b'"cls_token":{"content":"[CLS]"},"pad_token":null}',
    },
    "wordpiece": {
        "vocabulary": "\n".join([*NAMES, "the", "caf", "##e", "##\u00e9", "read", "##s", "1", ",", "0", "##0", ""]).encode(),
        "windows": b"[UNK]\r\na\r\n##a\r\n",
        "twins": b"[UNK]\na\na\n",
        "nothing": b"[UNK]\n\na\n",
        "json": json.dumps(WORDPIECE).encode(),
        "gap": json.dumps({**WORDPIECE, "added_tokens": [{"id": 9, "content": "x"}]}).encode(),
    },
    # The kernel, its variant and shape, then what its numbers are made of.
    "across_isas": {
        "float32": bytes([0, 0, 0, 12, 0, 37, 0, 8, 2, *FLOATS]),
        "bfloat16": bytes([0, 1, 0, 4, 0, 16, 0, 65, 0, *FLOATS]),
        "int8": bytes([0, 2, 0, 6, 0, 33, 0, 100, 1, *FLOATS]),
        "fourier": bytes([1, 47, 0, 35, 0, *FLOATS]),
        "fourier_chirp": bytes([1, 66, 0, 66, 0, *FLOATS]),
        "layer_norm": bytes([2, 3, 0, 99, 0, *FLOATS]),
        "activations": bytes([3, 1, 0, 90, 0, *FLOATS]),
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

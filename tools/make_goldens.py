#!/usr/bin/env python3
"""Write tests/golden/model/*.json: what implementations that are not ours answer, for the parity tests.

    python tools/make_goldens.py            # writes all files
    python tools/make_goldens.py --check    # recomputes them and compares: nothing is written

A file holds one architecture (`config`, as in config.json) and several cases: the tokens of some
texts and, for each output, a sample of the float64 answer with torch's own float32 error beside it,
both on the sample and on the whole tensor. Error means ‖y − y64‖ / ‖y64‖. The weights are those of
formula_weights.py. References: transformers' FNet and BERT, keras-hub's FNetBackbone and, for what
none of them has, reference_model.py, all in float64. Needs torch, transformers, keras-hub with jax,
scipy.
"""

import argparse
import json
import os
import pathlib
import sys

os.environ.update(KERAS_BACKEND="jax", JAX_ENABLE_X64="1", TF_CPP_MIN_LOG_LEVEL="3")

import numpy as np

from formula_weights import fnv1a64
from golden_cases import BERT, GOLDENS, HEADS, STOCK
from golden_references import LABELS, REFERENCES, Bert, Numpy, Transformers, rows_of

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "model"
TOKENS = ("lengths", "input_ids", "token_type_ids", "arrays")  # what a case is given
SAMPLE = 96  # values kept of an output
DIGITS = 11  # kept of a float64 value: far below float32's error


def reads_numbers(config):
    return config.get("input_type", "tokens") in ("vectors", "patches")


def make_arrays(name, config, lengths):
    """Sequences of so many steps, or images, in sixteenths."""
    rng = np.random.default_rng([fnv1a64(name) % 2**32, *lengths])
    if config["input_type"] == "patches":
        shape = (config["image_size"], config["image_width"], config["num_channels"])
        return [rng.integers(-40, 60, shape) for _ in lengths]
    return [rng.integers(-40, 60, (n, config["input_size"])) for n in lengths]


def make_texts(name, config, lengths):
    """Token ids, or rows of numbers, and types of texts of these lengths, by a seed that depends on the file's name."""
    if reads_numbers(config):
        rows = [rows_of(array / 16, config) for array in make_arrays(name, config, lengths)]
        return [(r, np.zeros(len(r), "int64")) for r in rows]
    rng = np.random.default_rng([fnv1a64(name) % 2**32, *lengths])
    ids = [rng.integers(0, config["vocab_size"], n) for n in lengths]
    types = [np.sort(rng.integers(0, config["type_vocab_size"], n)) for n in lengths]
    return list(zip(ids, types))


def padded(text, rows, config):
    ids, types = text
    fill = rows - len(ids)
    if ids.ndim == 2:  # rows of numbers
        return np.pad(ids, ((0, fill), (0, 0)))[None], np.pad(types, (0, fill))[None]
    return (
        np.pad(ids, (0, fill), constant_values=config["pad_token_id"])[None],
        np.pad(types, (0, fill))[None],
    )


def mixed_rows(config, lengths):
    """How many rows each text is mixed over."""
    policy, _, number = config["length_policy"].partition(":")
    if policy == "exact":
        return lengths
    return [int(number) if policy == "fixed" else max(lengths)] * len(lengths)


def answers_of(model, config, texts):
    """Outputs of all texts, rows packed end to end: name → flat array. Padding rows are dropped."""
    lengths = [len(ids) for ids, _ in texts]
    rows = mixed_rows(config, lengths)
    packed = {}
    for text, length, n in zip(texts, lengths, rows):
        for name, value in model.run(*padded(text, n, config), length).items():
            by_row = name in ("hidden", "token-classification", "fill-mask")
            packed.setdefault(name, []).append((value[0, :length] if by_row else value[0]).ravel())
    return {name: np.concatenate(parts) for name, parts in packed.items()}


def error(y, reference):
    return float(np.linalg.norm(y.astype(np.float64) - reference) / np.linalg.norm(reference))


def sampled(reference, y32, name):
    """A golden output: which elements, their float64 values, torch's float32 error."""
    size = reference.size
    count = SAMPLE if name == "hidden" else 48
    index = np.arange(size)
    if size > count:
        rng = np.random.default_rng(size)
        inner = rng.choice(np.arange(1, size - 1), count - 2, replace=False)
        index = np.sort(np.concatenate([[0, size - 1], inner]))
    return {
        "size": size,
        "index": index.tolist(),
        "value": [float(f"{v:.{DIGITS}g}") for v in reference[index]],
        "torch_error_sample": float(f"{error(y32[index], reference[index]):.3g}"),
        "torch_error": float(f"{error(y32, reference):.3g}"),
    }


def make_golden(name):
    kind, changes, cases = GOLDENS[name]
    config = {**STOCK, **changes}
    reference = REFERENCES[kind](config, double=True)
    yardstick = (Transformers if kind == "keras-hub" else REFERENCES[kind])(config, double=False)
    golden = {"reference": reference.version + ", float64", "config": config, "labels": LABELS, "cases": []}
    for lengths in cases:
        texts = make_texts(name, config, lengths)
        y64, y32 = answers_of(reference, config, texts), answers_of(yardstick, config, texts)
        if reads_numbers(config):
            arrays = make_arrays(name, config, lengths)
            given = {"arrays": [{"shape": a.shape, "values": a.ravel().tolist()} for a in arrays]}
        else:
            given = {
                "input_ids": np.concatenate([ids for ids, _ in texts]).tolist(),
                "token_type_ids": "".join(str(t) for _, types in texts for t in types),
            }
        golden["cases"].append(
            {
                "lengths": lengths,
                **given,
                "outputs": {k: sampled(y64[k], y32[k], k) for k in y64},
            }
        )
    return golden


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def written(golden):
    """JSON with one line for each case's tokens and for each output."""
    head = {k: v for k, v in golden.items() if k != "cases"}
    lines = []
    for case in golden["cases"]:
        tokens = {k: v for k, v in case.items() if k != "outputs"}
        outputs = ",\n".join(f"  {compact(k)}:{compact(v)}" for k, v in case["outputs"].items())
        lines.append(compact(tokens)[:-1] + ',"outputs":{\n' + outputs + "}}")
    return compact(head)[:-1] + ',"cases":[\n' + ",\n".join(lines) + "]}\n"


def differences(stored, made):
    """What differs but for the last digits of values; torch's errors belong to the machine."""
    if {k: stored[k] for k in ("config", "labels")} != {k: made[k] for k in ("config", "labels")}:
        return "another config"
    if len(stored["cases"]) != len(made["cases"]):
        return "another number of cases"
    for i, (a, b) in enumerate(zip(stored["cases"], made["cases"])):
        if any(json.loads(compact(b.get(k))) != a.get(k) for k in TOKENS):
            return f"case {i}: other tokens"
        if a["outputs"].keys() != b["outputs"].keys():
            return f"case {i}: other outputs"
        for name, x in a["outputs"].items():
            y = b["outputs"][name]
            if (x["size"], x["index"]) != (y["size"], y["index"]):
                return f"case {i}: {name}: another sample"
            if error(np.array(x["value"]), np.array(y["value"])) > 1e-10:
                return f"case {i}: {name}: other values"
    return ""


def check_reference_model():
    """reference_model.py against transformers where both know the architecture."""
    fnet, bert = ({**STOCK, "hidden_act": "gelu"}, Transformers), ({**STOCK, **BERT, **HEADS}, Bert)
    for changed, reference in ((STOCK, Transformers), fnet, bert):
        ids, types = (a[None] for a in make_texts("check", changed, [60])[0])
        ours, theirs = (r(changed, True).run(ids, types, 60) for r in (Numpy, reference))
        for name, value in theirs.items():
            assert error(ours[name].ravel(), value.ravel()) < 1e-12, (changed, name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the stored files")
    parser.add_argument("names", nargs="*", help="only these files, e.g. hf_64")
    options = parser.parse_args()
    check_reference_model()
    failed = False
    for name in options.names or GOLDENS:
        golden, path = make_golden(name), GOLDEN / f"{name}.json"
        if options.check:
            problem = differences(json.loads(path.read_text()), golden) if path.exists() else "missing"
            print(f"{path.name}: {problem or 'same'}", flush=True)
            failed |= bool(problem)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(written(golden))
            print(f"{path.name}: {path.stat().st_size / 1000:.0f} KB", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()

"""golden.json of a converted model: what its owner's program answers, for `fnet doctor` to compute again. The format is
docs/model-format.md's."""

import json

import numpy as np

TOLERANCE = 1e-4


def lengths(policy, positions):
    """Of the texts: one token, a few, some, and as many as fit, or as the model is always fed."""
    kind, _, number = policy.partition(":")
    most = min(positions, int(number) if kind == "fixed" else 48)
    return sorted({1, min(7, most), min(24, most), most})


def numbers(array):
    return [[float(f"{x:.8g}") for x in row] for row in np.atleast_2d(array)]


def case(checkpoint, tokens, rng):
    config = checkpoint.config
    ids = rng.integers(0, config["vocab_size"], tokens)
    types = np.sort(rng.integers(0, config["type_vocab_size"], tokens))
    kind, _, number = config["length_policy"].partition(":")
    fill = (int(number) - tokens) if kind == "fixed" else 0
    padded = [np.pad(ids, (0, fill), constant_values=config["pad_token_id"]), np.pad(types, (0, fill))]
    found = checkpoint.run(*(x[None].astype(np.int64) for x in padded), tokens)
    rows = sorted({0, tokens // 2, tokens - 1})
    answer = {"input_ids": ids.tolist(), "token_type_ids": types.tolist(), "rows": rows,
              "last_hidden_state": numbers(found["last_hidden_state"][0, rows])}  # fmt: skip
    if "pooler_output" in found:
        answer["pooler_output"] = numbers(found["pooler_output"])[0]
    if "logits" in found:
        logits = found["logits"]
        answer["logits"] = numbers(logits[0, :tokens] if logits.ndim == 3 else logits)
    return answer


def golden(checkpoint):
    """The file's text."""
    rng = np.random.default_rng(0)
    texts = checkpoint.lengths or lengths(checkpoint.config["length_policy"], checkpoint.config["max_position_embeddings"])
    cases = [case(checkpoint, tokens, rng) for tokens in texts]
    head = {"format": 1, "family": checkpoint.family, "source": checkpoint.source, "tolerance": TOLERANCE}
    return json.dumps(head | {"cases": cases}) + "\n"

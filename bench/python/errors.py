"""How far fnet-base in float32 is from the same weights in float64, beside transformers in float32.

transformers makes the weights (random) and computes with them in both types; ours reads them from its
file. Each text is a pass of its own, without padding, on one thread.
"""

import json
import shutil

import numpy as np
from machine import output_of

LENGTHS = (2, 37, 64, 128, 300, 509, 512)
TEXTS = 6  # of each length
POOLINGS = {
    "cls": lambda hidden: hidden[0],
    "mean": lambda hidden: hidden.mean(axis=0),
    "max": lambda hidden: hidden.max(axis=0),
}


def model_of_transformers(path, tokenizer):
    import sentencepiece
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer))
    model = transformers.FNetModel(transformers.FNetConfig(vocab_size=len(pieces))).eval()
    model.save_pretrained(path)
    shutil.copy(tokenizer, path / "spiece.model")
    config = path / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"length_policy": "exact"}))
    return model


def vectors(model, ids, dtype):
    """{pooling: [texts, hidden]} by transformers."""
    import torch

    model = model.to(dtype)
    hidden = [model(input_ids=torch.tensor([row])).last_hidden_state[0].double().numpy() for row in ids]
    return {name: np.array([pool(h) for h in hidden]) for name, pool in POOLINGS.items()}


def distance(found, truth):
    return np.linalg.norm(found - truth) / np.linalg.norm(truth)


def against_float64(fnet, tokenizer, texts, folder):
    """(length, pooling, our error, that of transformers) for each. `texts` is a file, a text a line, which
    is read as one from several places on."""
    import torch

    long = " ".join(texts.read_text(encoding="utf-8").split("\n"))
    step = len(long) // TEXTS
    pieces = folder / "pieces.txt"
    rotated = (long[i * step :] + " " + long[: i * step] + "\n" for i in range(TEXTS))
    pieces.write_text("".join(rotated), encoding="utf-8")
    model = model_of_transformers(folder / "theirs", tokenizer)
    for length in LENGTHS:
        ids = encoded(fnet, tokenizer, pieces, length)
        assert {len(row) for row in ids} == {length}, "the file of texts is too short"
        truth = vectors(model, ids, torch.float64)
        theirs = vectors(model.float(), ids, torch.float32)
        for pooling in POOLINGS:
            words = ["embed", folder / "theirs", pieces, "--pooling", pooling, "--max-length", length]
            lines = output_of([fnet, *words, "--dtype", "float32", "--threads", 1], 1).splitlines()
            ours = np.array([json.loads(line)["embedding"] for line in lines])
            yield length, pooling, distance(ours, truth[pooling]), distance(theirs[pooling], truth[pooling])


def encoded(fnet, tokenizer, path, length):
    words = ["tokenizer", "encode", tokenizer, path, "--max-length", length]
    return [list(map(int, line.split())) for line in output_of([fnet, *words], 1).decode().splitlines()]

#!/usr/bin/env python3
"""Writes tests/golden/text/pairs.json: losses of pairs of vectors with their gradients, and retrieval.

    python3 tools/make_pair_goldens.py     (needs torch and numpy)

The losses are those of sentence-transformers, in torch's float64: CosineSimilarityLoss,
MultipleNegativesRankingLoss (scale 20, cosine) and MatryoshkaLoss around them (weights of 1).
"""

import json
import pathlib

import numpy as np
import torch
from torch.nn import functional

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "text" / "pairs.json"


def cosine_similarity_loss(texts, scores):
    return functional.mse_loss(torch.cosine_similarity(texts[0], texts[1]), scores)


def ranking_loss(texts, _):
    anchors, candidates = (functional.normalize(t, p=2, dim=1) for t in (texts[0], torch.cat(texts[1:])))
    return functional.cross_entropy(anchors @ candidates.T * 20, torch.arange(len(anchors)))


def loss(seed, pairs, width, each, scored, dims):
    """`each` texts a sample; the vectors stand sample after sample."""
    rng = np.random.default_rng(seed)
    vectors = torch.tensor(np.round(rng.normal(size=(pairs * each, width)), 4), requires_grad=True)
    scores = torch.tensor(np.round(rng.uniform(-1, 1, pairs), 2).astype(np.float32).astype(np.float64))
    texts = [vectors[i::each] for i in range(each)]
    of = cosine_similarity_loss if scored else ranking_loss
    total = sum(of([t[:, :d] for t in texts], scores) for d in [width, *dims])
    total.backward()
    return {
        "each": each, "width": width, "dims": dims, "vectors": vectors.detach().flatten().tolist(),
        "scores": scores.tolist() if scored else [],
        "loss": total.item(), "gradient": vectors.grad.flatten().tolist(),
    }  # fmt: skip


def retrieval(seed, pairs, width, texts, noise):
    """Partners of the same text (their number below `texts`) have the same vector."""
    rng = np.random.default_rng(seed)
    text = rng.integers(0, texts, pairs)
    partners = np.round(rng.normal(size=(texts, width)), 3)[text]
    queries = np.round(partners + noise * rng.normal(size=(pairs, width)), 3)
    unit = lambda m: m / np.linalg.norm(m, axis=1, keepdims=True)  # noqa: E731
    cosines = unit(queries) @ unit(partners).T
    ranks = []
    for i, row in enumerate(cosines):
        others = text != text[i]
        ranks.append(1 + int((row[others] > row[i]).sum()))
    return {
        "width": width, "text": text.tolist(), "queries": queries.flatten().tolist(),
        "partners": partners.flatten().tolist(), "first_cosine": cosines[0, 0],
        "accuracy_at_1": float(np.mean(np.array(ranks) == 1)), "mrr": float(np.mean(1 / np.array(ranks))),
    }  # fmt: skip


def main():
    golden = {
        "losses": [
            loss(1, 5, 6, 2, True, []), loss(2, 5, 6, 2, False, []), loss(3, 4, 8, 3, False, []),
            loss(4, 6, 8, 2, True, [4, 2]), loss(5, 6, 8, 3, False, [5, 1]), loss(6, 1, 4, 2, False, []),
        ],
        "retrieval": [retrieval(1, 30, 5, 30, 1.0), retrieval(2, 40, 19, 12, 3.0), retrieval(3, 1, 4, 1, 0.1)],
    }  # fmt: skip
    OUT.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{OUT.name}: {OUT.stat().st_size / 1000:.0f} KB")


if __name__ == "__main__":
    main()

"""What the reference libraries say of metrics: the part of tests/golden/text that make_text_goldens.py writes as metrics.json."""

import collections
import random
import re
import string

import numpy as np
import scipy.stats
import seqeval.metrics
import seqeval.scheme  # noqa: F401  (imported so that a missing package shows at once)
import sklearn.metrics
from seqeval.metrics.sequence_labeling import get_entities


def classification(rng, classes, count, skew):
    names = [f"c{i}" for i in range(classes)]
    truth = [min(int(rng.expovariate(skew)), classes - 1) for _ in range(count)]
    predicted = [t if rng.random() < 0.7 else rng.randrange(classes) for t in truth]
    labels = list(range(classes))
    present = sorted(set(truth) | set(predicted))
    p, r, f, s = sklearn.metrics.precision_recall_fscore_support(truth, predicted, labels=labels, zero_division=0)
    return {
        "names": names, "truth": truth, "predicted": predicted,
        "accuracy": sklearn.metrics.accuracy_score(truth, predicted),
        "macro_f1": sklearn.metrics.f1_score(truth, predicted, labels=present, average="macro", zero_division=0),
        "micro_f1": sklearn.metrics.f1_score(truth, predicted, average="micro", zero_division=0),
        "mcc": sklearn.metrics.matthews_corrcoef(truth, predicted),
        "precision": p.tolist(), "recall": r.tolist(), "f1": f.tolist(), "support": s.tolist(),
        "confusion": sklearn.metrics.confusion_matrix(truth, predicted, labels=labels).tolist(),
    }


def tagging(rng, prefixes, count):
    tags = ["O"] + [f"{p}-{t}" for p in prefixes for t in ("PER", "LOC", "MISC-X")]
    truth, predicted = [], []
    for _ in range(count):
        n = rng.randrange(1, 12)
        sentence = [rng.choice(tags) if rng.random() < 0.6 else "O" for _ in range(n)]
        truth.append(sentence)
        predicted.append([t if rng.random() < 0.75 else rng.choice(tags) for t in sentence])
    report = seqeval.metrics.classification_report(truth, predicted, output_dict=True, zero_division=0)
    classes = {k: [v["precision"], v["recall"], v["f1-score"], int(v["support"])]
               for k, v in report.items() if not k.endswith(" avg")}
    return {
        "truth": truth, "predicted": predicted, "classes": classes,
        "precision": seqeval.metrics.precision_score(truth, predicted, zero_division=0),
        "recall": seqeval.metrics.recall_score(truth, predicted, zero_division=0),
        "f1": seqeval.metrics.f1_score(truth, predicted, zero_division=0),
        "macro_f1": seqeval.metrics.f1_score(truth, predicted, average="macro", zero_division=0),
        "token_accuracy": seqeval.metrics.accuracy_score(truth, predicted),
        "entities": [[[e[0], e[1], e[2] + 1] for e in get_entities(s)] for s in truth],
    }


def multi_label(rng, labels, count, density):
    truth = [[int(rng.random() < density) for _ in range(labels)] for _ in range(count)]
    predicted = [[t if rng.random() < 0.8 else 1 - t for t in row] for row in truth]
    m = sklearn.metrics
    p, r, f, s = m.precision_recall_fscore_support(truth, predicted, average=None, zero_division=0)
    micro = m.precision_recall_fscore_support(truth, predicted, average="micro", zero_division=0)
    return {
        "truth": truth, "predicted": predicted,
        "precision": p.tolist(), "recall": r.tolist(), "f1": f.tolist(), "support": s.tolist(),
        "micro_precision": micro[0], "micro_recall": micro[1], "micro_f1": micro[2],
        "macro_f1": m.f1_score(truth, predicted, average="macro", zero_division=0),
        "subset_accuracy": m.accuracy_score(truth, predicted),
        "hamming_loss": m.hamming_loss(truth, predicted),
    }


def regression(rng, count, noise, digits):
    """Numbers in single precision, as a model has them; few digits make ties."""
    truth = [float(np.float32(round(rng.uniform(0, 5), digits))) for _ in range(count)]
    predicted = [float(np.float32(round(t + rng.gauss(0, noise), digits))) for t in truth]
    return {
        "truth": truth, "predicted": predicted,
        "pearson": float(scipy.stats.pearsonr(truth, predicted)[0]),
        "spearman": float(scipy.stats.spearmanr(truth, predicted)[0]),
        "r2": sklearn.metrics.r2_score(truth, predicted),
        "rmse": sklearn.metrics.root_mean_squared_error(truth, predicted),
        "mae": sklearn.metrics.mean_absolute_error(truth, predicted),
    }


ANSWERS = [
    ("Denver Broncos", ["Denver Broncos", "the Denver Broncos"]), ("the  Denver Broncos!", ["denver broncos"]),
    ("Broncos of Denver", ["Denver Broncos"]), ("", []), ("", [""]), ("", ["an"]), ("The", []), ("x", []), ("x", [""]),
    ("", ["x"]), ("the a an", ["a"]), ("theatre a-b the-end", ["theatre ab end"]), ("$1,000.50", ["100050", "1000.50"]),
    ("a cat a cat", ["cat", "cat cat cat"]), ("an\u2013the\u2013x", ["\u2013 \u2013x"]), ("caf\u00e9 the\u00e9", ["CAF\u00c9 THE\u00c9"]),
    ("l'a b", ["la b"]), ("\u00c0\u00e0 \u0415\u0436", ["\u00e0\u00e0 \u0435\u0436"]), ("a\u00a0b \u3000c", ["b c"]), ("_a_ an_x", ["anx"]),
    ("a\u0301 x", ["x"]), ("the\u20ac5", ["\u20ac5", "5"]), ("\u5317\u4eac a \u5317", ["\u5317\u4eac \u5317"]), ("1990s", ["1990s", "the 1990s"]),
]


def comparable(text):
    """An answer as the rules of SQuAD 2.0 compare it."""
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def answer(predicted, truths):
    def f1(truth):
        ours, theirs = predicted_words, truth.split()
        if not ours or not theirs:
            return float(ours == theirs)
        same = sum((collections.Counter(ours) & collections.Counter(theirs)).values())
        return 2 * same / (len(ours) + len(theirs))

    predicted_words = comparable(predicted).split()
    wanted = [t for t in map(comparable, truths) if t] or [""]
    return {
        "answer": predicted, "truths": truths, "normalized": comparable(predicted),
        "exact_match": float(max(comparable(predicted) == t for t in wanted)), "f1": max(map(f1, wanted)),
    }


def metrics():
    rng = random.Random(3)
    return {
        "classification": [classification(rng, c, n, k) for c, n, k in
                           [(2, 50, 1.0), (3, 40, 0.8), (6, 200, 0.5), (20, 60, 0.1), (2, 1, 1.0), (4, 30, 9.0)]],
        "tagging": [tagging(rng, p, n) for p, n in [("BI", 40), ("BIES", 40), ("I", 20), ("IE", 20), ("BIESLU", 30)]],
        "multi_label": [multi_label(rng, c, n, d) for c, n, d in [(2, 20, 0.5), (7, 60, 0.2), (4, 30, 0.02), (3, 2, 0.9)]],
        "regression": [regression(rng, *row) for row in [(40, 0.5, 6), (60, 1.0, 0), (5, 9.0, 3), (30, 0.01, 1)]],
        "answers": [answer(*row) for row in ANSWERS],
    }

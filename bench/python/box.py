#!/usr/bin/env python3
"""What sentence vectors are worth: likeness of sentences, and classification with few labelled lines.

    box.py --fnet build/release/bin/fnet --data FOLDER --model DIR [--teacher DIR] --out build/box [SET …]

Likeness: Pearson's and Spearman's correlation (times 100) of cosines with people's scores on the test parts of stsb
and sick_sts (columns text, text_pair, label). Classification: accuracy on test of logistic regression (C = 10) on
frozen vectors after 100, 500, 1,000 and all train rows, means over --samples samples, beside TF-IDF of words and
pairs of words and beside both together. --teacher is a Hugging Face directory with mean pooling, such as
all-MiniLM-L6-v2, run by tools/teacher_vectors.py. Sentences a second: those of stsb's test part, tokenizing
included, of the program as it is used, less its start. Needs numpy, SciPy and scikit-learn.
"""

import argparse
import pathlib
import random
import subprocess
import sys
import time

import numpy as np

from machine import describe
from tasks import table

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "teacher_vectors.py"
CLASSES = ("trec6", "sst2", "debian20", "banking77", "newsgroups20", "ag_news_small")
SIZES = (100, 500, 1000, None)


class Vectors:
    """Vectors of texts by one encoder, kept in files of `folder`."""

    def __init__(self, name, folder, command):
        self.name, self.folder, self.command = name, folder, command

    def of(self, key, texts):
        place = self.folder / self.name
        place.mkdir(parents=True, exist_ok=True)
        texts = [" ".join(text.split()) or "." for text in texts]
        lines, vectors = place / f"{key}.txt", place / f"{key}.txt.npy"
        whole = "".join(text + "\n" for text in texts)
        if not vectors.exists() or lines.read_text(encoding="utf-8") != whole:
            vectors.unlink(missing_ok=True)
            lines.write_text(whole, encoding="utf-8")
            self.command(lines, vectors)
        rows = np.load(vectors).astype(np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def rate(self, texts):
        """Texts a second, start not counted."""
        folder = self.folder / "rate"
        folder.mkdir(parents=True, exist_ok=True)
        seconds = []
        for name, lines in (("one", texts[:1]), ("many", texts * 4)):
            path = folder / f"{name}.txt"
            path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
            tries = []
            for _ in range(3):
                pathlib.Path(f"{path}.npy").unlink(missing_ok=True)
                start = time.perf_counter()
                self.command(path, pathlib.Path(f"{path}.npy"))
                tries.append(time.perf_counter() - start)
            seconds.append(min(tries))
        return 4 * len(texts) / (seconds[1] - seconds[0])


def of_fnet(options, model):
    def run(lines, vectors):
        with open(vectors, "wb") as out:
            command = [options.fnet, "embed", model, lines, "--format", "npy", "--threads", str(options.threads)]
            subprocess.run(command, check=True, stdout=out)

    return run


def of_teacher(options):
    def run(lines, _):
        command = [sys.executable, TOOL, options.teacher, lines, "--threads", str(options.threads), "--max-length", "256"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    return run


def likeness(encoder, data, name):
    from scipy.stats import pearsonr, spearmanr

    rows = table(data / name / "test.tsv.gz")
    first, second = (encoder.of(f"{name}.{column}", [row[column] for row in rows]) for column in ("text", "text_pair"))
    cosines, truth = (first * second).sum(1), [float(row["label"]) for row in rows]
    return 100 * pearsonr(cosines, truth)[0], 100 * spearmanr(cosines, truth)[0]


def samples(rows, size, count):
    if size is None or size >= len(rows):
        return [list(range(len(rows)))]
    return [random.Random(seed).sample(range(len(rows)), size) for seed in range(count)]


def accuracies(encoders, data, name, options):
    """For each size the mean accuracy of TF-IDF, and of each encoder alone and with it."""
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    train, test = (table(data / name / f"{part}.tsv.gz") for part in ("train", "test"))
    vectors = [(e.name, e.of(f"{name}.train", [r["text"] for r in train]), e.of(f"{name}.test", [r["text"] for r in test]))
               for e in encoders]  # fmt: skip
    truth = [row["label"] for row in test]
    for size in SIZES:
        if size is not None and size >= len(train):
            continue
        sums, chosen = {}, samples(train, size, options.samples)
        for rows in chosen:
            labels = [train[i]["label"] for i in rows]
            if len(set(labels)) < 2:
                continue
            counts = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
            words = counts.fit_transform([train[i]["text"] for i in rows]), counts.transform([row["text"] for row in test])
            contenders = [("TF-IDF", words[0], words[1])]
            for encoder, x, y in vectors:
                contenders.append((encoder, x[rows], y))
                contenders.append((f"{encoder} + TF-IDF", hstack([csr_matrix(x[rows]), words[0]]).tocsr(),
                                   hstack([csr_matrix(y), words[1]]).tocsr()))  # fmt: skip
            for contender, x, y in contenders:
                score = LogisticRegression(C=10, max_iter=300).fit(x, labels).score(y, truth)
                sums.setdefault(contender, []).append(100 * score)
        yield size or len(train), {contender: float(np.mean(scores)) for contender, scores in sums.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(CLASSES)}; default all")
    parser.add_argument("--fnet", required=True, type=pathlib.Path)
    parser.add_argument("--data", required=True, type=pathlib.Path)
    parser.add_argument("--model", required=True, type=pathlib.Path, nargs="+")
    parser.add_argument("--teacher", type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-rate", action="store_true", help="do not time anything")
    options = parser.parse_args()
    encoders = [Vectors(model.name, options.out, of_fnet(options, model)) for model in options.model]
    if options.teacher:
        encoders.append(Vectors("teacher", options.out, of_teacher(options)))

    print(describe(), end="\n\n")
    print("| encoder | STS-B Pearson | Spearman | SICK Pearson | Spearman | sentences/s |\n|---|---|---|---|---|---|")
    lines = [row[column] for row in table(options.data / "stsb" / "test.tsv.gz") for column in ("text", "text_pair")]
    for encoder in encoders:
        scores = [score for name in ("stsb", "sick_sts") for score in likeness(encoder, options.data, name)]
        rate = "–" if options.no_rate else f"{encoder.rate(lines):,.0f}"
        print(f"| {encoder.name} | " + " | ".join(f"{score:.1f}" for score in scores) + f" | {rate} |", flush=True)
    print()
    header = False
    for name in options.sets or CLASSES:
        if not (options.data / name).is_dir():
            continue
        for size, scores in accuracies(encoders, options.data, name, options):
            if not header:
                print(f"| set | rows | {' | '.join(scores)} |\n|---|---|{'---|' * len(scores)}")
                header = True
            print(f"| {name} | {size:,} | " + " | ".join(f"{score:.1f}" for score in scores.values()) + " |", flush=True)


if __name__ == "__main__":
    main()

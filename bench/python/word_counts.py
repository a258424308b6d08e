#!/usr/bin/env python3
"""What README compares: fnet from scratch, TF-IDF with logistic regression, and fastText, on the same splits.

    word_counts.py --fnet build/release/bin/fnet --data FOLDER --out build/word_counts [SET …]

FOLDER/<set>/ holds train, dev and test as .tsv.gz (text, label). Prints a Markdown table: accuracy on test,
size of what has to be kept to answer, texts a second on one thread (loaded already, one by one for fastText
and scikit-learn as for us), and seconds of training on two threads. fastText and TF-IDF learn from train
alone; ours chooses its epoch by dev. Needs scikit-learn and fasttext-wheel.
"""

import argparse
import json
import os
import pathlib
import pickle
import shlex
import subprocess
import sys
import tempfile
import time

import baselines
from baselines import accuracy, table

SMALL = "--variant tiny --set num_hidden_layers=2 --lr 2e-3"
SETS = {
    "trec6": f"{SMALL} --set num_hidden_layers=1 --set hidden_dropout_prob=0.2 --epochs 12 --token-dropout 0.2",
    "sst2": f"{SMALL} --set hidden_dropout_prob=0.2 --epochs 8 --token-dropout 0.5",
    "debian20": f"{SMALL} --set hidden_dropout_prob=0.3 --epochs 14 --token-dropout 0.6 --vocab-size 8000",
}


def rows(path):
    found = table(path)
    return [r["text"] for r in found], [r["label"] for r in found]


def size(path):
    path = pathlib.Path(path)
    files = path.rglob("*") if path.is_dir() else [path]
    wanted = {".safetensors", ".model", ".json", ".bin", ".pickle"}
    return sum(f.stat().st_size for f in files if f.suffix in wanted and f.name not in ("run.json", "tokenizer.json"))


def tfidf(train, test, out):
    from sklearn.pipeline import make_pipeline

    start = time.perf_counter()
    model = make_pipeline(baselines.word_counts(), baselines.logistic_regression())
    model.fit(*train)
    trained = time.perf_counter() - start
    path = out / "tfidf.pickle"
    path.write_bytes(pickle.dumps(model))
    start = time.perf_counter()
    answers = [model.predict([text])[0] for text in test[0]]
    speed = len(answers) / (time.perf_counter() - start)
    return accuracy(answers, test[1]), size(path), speed, trained


def fast_text(train, test, out):
    model = baselines.FastText(*train, out / "train.txt")
    path = out / "fasttext.bin"
    model.model.save_model(str(path))
    start = time.perf_counter()
    answers = model.answers(test[0])
    speed = len(answers) / (time.perf_counter() - start)
    return accuracy(answers, test[1]), size(path), speed, model.seconds


def ours(fnet, folder, flags, out):
    def run(*command):
        print("+", shlex.join(map(str, command)), file=sys.stderr, flush=True)
        return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout

    model = out / "fnet"
    start = time.perf_counter()
    run(fnet, "finetune", "-q", "--task", "text-classification", "--train", folder / "train.tsv.gz", "--dev",
        folder / "dev.tsv.gz", "--out", model, "--overwrite", "--threads", "2", *shlex.split(flags))  # fmt: skip
    trained = time.perf_counter() - start
    score = json.loads(run(fnet, "evaluate", model, folder / "test.tsv.gz", "--json"))["accuracy"]
    seconds = []  # of a run over the test texts, and over them ten times: the start goes out
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as once, tempfile.NamedTemporaryFile("w", suffix=".txt") as more:
        texts = [text + "\n" for text in rows(folder / "test.tsv.gz")[0]]
        once.writelines(texts), once.flush(), more.writelines(texts * 10), more.flush()
        for file in (once, more):
            start = time.perf_counter()
            run(fnet, "predict", model, file.name, "--threads", "1", "--batch-size", "1")
            seconds.append(time.perf_counter() - start)
    return score, size(model), 9 * len(texts) / (seconds[1] - seconds[0]), trained


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fnet", type=pathlib.Path, required=True)
    parser.add_argument("--data", type=pathlib.Path, nargs="+", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("sets", nargs="*", default=list(SETS))
    arguments = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS="2")
    print("| data | | accuracy | size | texts/s, 1 thread | training |\n|---|---|---|---|---|---|")
    for name in arguments.sets:
        folder = next(f / name for f in arguments.data if (f / name).exists())
        out = arguments.out / name
        out.mkdir(parents=True, exist_ok=True)
        train, test = rows(folder / "train.tsv.gz"), rows(folder / "test.tsv.gz")
        ways = {
            "fnet, from scratch": lambda: ours(arguments.fnet, folder, SETS[name], out),  # noqa: B023
            "TF-IDF + logistic regression": lambda: tfidf(train, test, out),  # noqa: B023
            "fastText, bigrams": lambda: fast_text(train, test, out),  # noqa: B023
        }
        for way, measure in ways.items():
            score, taken, speed, seconds = measure()
            print(f"| {name} | {way} | {score:.3f} | {taken / 1e6:.1f} MB | {speed:,.0f} | {seconds:.1f} s |", flush=True)


if __name__ == "__main__":
    main()

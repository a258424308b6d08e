#!/usr/bin/env python3
"""Train a model from scratch on each of several small data sets, and score it on their tests.

    learning_table.py --fnet build/release/bin/fnet --data FOLDER --out build/learning [sst2 trec6 …]

FOLDER/<set>/ holds train, dev and test as .tsv.gz (text, label) or .conll.gz (token, tag). Where a set
has no dev, every tenth example of train becomes it. Prints the commands to stderr and a Markdown table
to stdout: the scores of the epoch that was best on dev and the seconds of all training epochs,
beside simple baselines measured on the same split: the most frequent class, logistic regression on
TF-IDF of words and bigrams, and a bag of learned embeddings; for tags the most frequent tag of each
word.
"""

import argparse
import dataclasses
import gzip
import json
import pathlib
import shlex
import subprocess
import sys


@dataclasses.dataclass
class Set:
    """A data set: how it is trained on, and what simple ways reach on its test in per cent."""

    epochs: int
    flags: str
    majority: float
    tfidf: float | None = None
    bag: float | None = None
    frequent_tag: float | None = None
    task: str = "text-classification"
    metric: str = "accuracy"


SMALL = "--variant tiny --set num_hidden_layers=2 --set hidden_dropout_prob=0.2 --lr 2e-3"
TAGS = dict(task="token-classification")
SETS = {
    "sst2": Set(8, f"{SMALL} --token-dropout 0.5", 49.9, 81.3, 79.5),
    "ag_news_small": Set(8, f"{SMALL} --token-dropout 0.5", 25.0, 87.3, 87.2),
    "trec6": Set(12, f"{SMALL} --set num_hidden_layers=1 --token-dropout 0.2", 13.0, 88.6, 88.8),
    "newsgroups20": Set(6, f"{SMALL} --token-dropout 0.5 --max-length 256", 5.3, 82.3, 78.7),
    "wnut17": Set(12, f"{SMALL} --token-dropout 0.1", 0.0, frequent_tag=9.0, metric="micro_f1", **TAGS),
    "ewt_pos": Set(8, f"{SMALL} --token-dropout 0.1", 16.4, frequent_tag=86.7, **TAGS),
}  # fmt: skip


def run(*command):
    print("+", shlex.join(map(str, command)), file=sys.stderr, flush=True)
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def files_of(folder, out):
    """train, dev and test of a set; a dev that is missing is cut from train and left in `out`."""
    ending = ".conll.gz" if (folder / "train.conll.gz").exists() else ".tsv.gz"
    train, dev, test = (folder / (part + ending) for part in ("train", "dev", "test"))
    if dev.exists():
        return train, dev, test
    with gzip.open(train, "rt", encoding="utf-8") as file:
        header, *lines = file
    out.mkdir(parents=True, exist_ok=True)
    for name, kept in ("train", lambda i: i % 10 != 0), ("dev", lambda i: i % 10 == 0):
        with gzip.open(out / (name + ending), "wt", encoding="utf-8") as file:
            file.writelines([header, *(line for i, line in enumerate(lines) if kept(i))])
    return out / train.name, out / dev.name, test


def train_and_score(name, options):
    """Seconds of training, and best dev and test scores in per cent."""
    data, out = SETS[name], options.out / name
    train, dev, test = files_of(options.data / name, out)
    run(options.fnet, "finetune", "--task", data.task, "--train", train, "--dev", dev, "--out", out / "model", "--overwrite",
        "--threads", str(options.threads), "--seed", str(options.seed),
        "--epochs", str(options.epochs or data.epochs), *data.flags.split())  # fmt: skip
    with open(out / "model/log.jsonl", encoding="utf-8") as file:
        epochs = [event for event in map(json.loads, file) if event["event"] == "epoch"]
    metric = "entity_f1" if data.metric == "micro_f1" else data.metric
    report = json.loads(run(options.fnet, "evaluate", out / "model", "--data", test, "--json"))
    return {
        "seconds": sum(epoch["seconds"] for epoch in epochs),
        "dev": 100 * max(epoch[metric] for epoch in epochs),
        "test": 100 * report[data.metric],
    }


def cell(value):
    return "" if value is None else f"{value:.1f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fnet", required=True, type=pathlib.Path)
    parser.add_argument("--data", required=True, type=pathlib.Path, help="folder of the data sets")
    parser.add_argument("--out", required=True, type=pathlib.Path, help="folder for the models")
    parser.add_argument("--threads", type=int, default=0, help="0: one for each core")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=0, help="instead of each set's own")
    parser.add_argument("sets", nargs="*", metavar="SET", help="default: " + " ".join(SETS))
    options = parser.parse_args()
    print("| | ours, dev | ours, test | majority | TF-IDF | bag | frequent tag | training |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    for name in options.sets or SETS:
        data, scores = SETS[name], train_and_score(name, options)
        baselines = " | ".join(map(cell, (data.majority, data.tfidf, data.bag, data.frequent_tag)))
        print(
            f"| {name} | {scores['dev']:.1f} | {scores['test']:.1f} | {baselines} | {scores['seconds']:.0f} s |",
            flush=True,
        )


if __name__ == "__main__":
    main()

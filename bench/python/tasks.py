#!/usr/bin/env python3
"""What a model of each task learns of a real data set, beside what needs no model of ours.

    tasks.py --fnet build/release/bin/fnet --data FOLDER --out build/tasks [TASK …]

Trains on train from the model in the box, unless a recipe below says otherwise, chooses the epoch by dev, scores test
once, each in a run of the binary. FOLDER holds the data sets as
docs/benchmarks.md names them; what a task lacks is made of them, as said beside it. Needs scikit-learn and SciPy.
"""

import argparse
import collections
import gzip
import json
import pathlib
import random
import re
import shlex
import time

from baselines import accuracy, logistic_regression, table, word_counts
from machine import describe, output_of

PARTS = ("train", "dev", "test")


def jsonl(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def conll(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        sentences = file.read().strip().split("\n\n")
    return [[line.split("\t") for line in sentence.split("\n")] for sentence in sentences]


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def parts(data, folder, read):
    suffix = {table: "tsv", jsonl: "jsonl", conll: "conll"}[read]
    return [read(data / folder / f"{part}.{suffix}.gz") for part in PARTS]


def words(text):
    return re.findall(r"\w+", text.lower())


def overlap(a, b):
    """Cosine of the counts of words of two texts."""
    x, y = collections.Counter(words(a)), collections.Counter(words(b))
    size = (sum(n * n for n in x.values()) * sum(n * n for n in y.values())) ** 0.5
    return sum(n * y[w] for w, n in x.items()) / size if size else 0.0


def logistic(train, train_y, test, several=False):
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline

    model = OneVsRestClassifier(logistic_regression()) if several else logistic_regression()
    return make_pipeline(word_counts(), model).fit(train, train_y).predict(test)


class Task:
    """What a model is to learn of a data set. `folder` has its files, in the form that `read` reads."""

    read = staticmethod(table)

    def data(self, data):
        return parts(data, self.folder, self.read)


class Entailment(Task):
    about = "SICK: does one sentence follow from the other"
    folder = "sick_nli"
    task, metric = "text-classification", "accuracy"
    baseline_is = "majority"
    flags = ""

    def baseline(self, train, test):
        most = collections.Counter(r["label"] for r in train).most_common(1)[0][0]
        return accuracy([most] * len(test), [r["label"] for r in test])


class Paraphrase(Entailment):
    about = "MRPC: do two sentences say the same"
    folder = "mrpc"


class Regression(Task):
    about = "SICK: how related two sentences are, from 1 to 5"
    task, metric = "text-classification", "pearson"
    baseline_is = "cosine of word counts"
    folder, flags = "sick_sts", "--problem-type regression"

    def baseline(self, train, test):
        from scipy import stats

        correlation = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}[self.metric]
        return correlation([overlap(r["text"], r["text_pair"]) for r in test], [float(r["label"]) for r in test])[0]


class Similarity(Regression):
    about = "STS-B: how alike two sentences are"
    task, metric = "sentence-similarity", "spearman"
    folder, flags = "stsb", ""


class MultiLabel:
    about = "WNUT-17: which kinds of entities a sentence names"
    task, metric = "text-classification", "micro_f1"
    baseline_is = "TF-IDF, one against the rest"
    flags = "--problem-type multi_label_classification --variant tiny --set num_hidden_layers=2 --epochs 15"

    def data(self, data):
        return [[{"text": " ".join(word for word, _ in sentence),
                  "label": sorted({tag[2:] for _, tag in sentence if tag != "O"})} for sentence in part]
                for part in parts(data, "wnut17", conll)]  # fmt: skip

    def baseline(self, train, test):
        from sklearn.metrics import f1_score
        from sklearn.preprocessing import MultiLabelBinarizer

        labels = MultiLabelBinarizer().fit([r["label"] for r in train])
        answers = logistic([r["text"] for r in train], labels.transform([r["label"] for r in train]),
                           [r["text"] for r in test], True)  # fmt: skip
        return f1_score(labels.transform([r["label"] for r in test]), answers, average="micro")


class PartOfSpeech:
    about = "English Web Treebank: part of speech of each word"
    task, metric = "token-classification", "accuracy"
    baseline_is = "a word's most frequent tag"
    folder, flags = "ewt_pos", "--variant tiny --set mixers=top:2 --epochs 6"

    def data(self, data):
        return [[{"tokens": [word for word, _ in sentence], "tags": [tag for _, tag in sentence]} for sentence in part]
                for part in parts(data, self.folder, conll)]  # fmt: skip

    def tags(self, train, test):
        seen = collections.defaultdict(collections.Counter)
        for row in train:
            for word, tag in zip(row["tokens"], row["tags"], strict=True):
                seen[word][tag] += 1
        most = sum(seen.values(), collections.Counter()).most_common(1)[0][0]
        return [[seen[w].most_common(1)[0][0] if w in seen else most for w in row["tokens"]] for row in test]

    def baseline(self, train, test):
        answers = sum(self.tags(train, test), [])
        return accuracy(answers, sum((row["tags"] for row in test), []))


class Entities(PartOfSpeech):
    about = "WNUT-17: names of new people, places, products"
    metric = "micro_f1"
    folder, flags = "wnut17", "--epochs 8"

    def baseline(self, train, test):
        from seqeval.metrics import f1_score

        return f1_score([row["tags"] for row in test], self.tags(train, test))


class QuestionAnswering(Task):
    about = "SubjQA: which words of a review answer a question, if any"
    task, metric = "question-answering", "f1"
    baseline_is = "no answer"
    folder, flags = "subjqa", "--epochs 2 --max-length 256 --dtype bfloat16"
    read = staticmethod(jsonl)

    def baseline(self, train, test):
        return accuracy([not row["answers"] for row in test], [True] * len(test))


def stories(data):
    """Paragraphs of reviews as sentences, for tasks about what follows what."""
    with gzip.open(data / "corpus_imdb_unsup" / "text.txt.gz", "rt", encoding="utf-8") as file:
        texts = [re.split(r"(?<=[.!?])\s+", next(file).strip()) for _ in range(8000)]
    texts = [[s for s in text if 20 < len(s) < 200] for text in texts]
    return [text for text in texts if len(text) > 3]


def cut(rows):
    """Train, dev and test of rows that come in no order."""
    return rows[:-1500], rows[-1500:-1000], rows[-1000:]


class NextSentence:
    about = "film reviews: does a sentence follow another, or come from another review"
    task, metric = "next-sentence-prediction", "accuracy"
    baseline_is = "cosine of word counts, best threshold"
    flags = "--dtype bfloat16"

    def data(self, data):
        draw, texts = random.Random(1), stories(data)
        rows = []
        for text in texts:
            at = draw.randrange(len(text) - 1)
            other = draw.choice(texts)
            follows = draw.random() < 0.5
            rows.append({"text": text[at], "text_pair": text[at + 1] if follows else draw.choice(other),
                         "label": 0 if follows else 1})  # fmt: skip
        return cut(rows)

    def baseline(self, train, test):
        def scored(rows):
            return [(overlap(r["text"], r["text_pair"]), r["label"]) for r in rows]

        def right(rows, limit):
            return sum((score < limit) == bool(label) for score, label in rows) / len(rows)

        known = scored(train)
        return right(scored(test), max((i / 50 for i in range(50)), key=lambda limit: right(known, limit)))


class MultipleChoice:
    about = "film reviews: which of four sentences follows"
    task, metric = "multiple-choice", "accuracy"
    baseline_is = "cosine of word counts"
    flags = "--epochs 2 --dtype bfloat16"

    def data(self, data):
        draw, texts = random.Random(2), stories(data)
        rows = []
        for text in texts:
            at = draw.randrange(len(text) - 1)
            choices = [draw.choice(draw.choice(texts)) for _ in range(4)]
            right = draw.randrange(4)
            choices[right] = text[at + 1]
            rows.append({"question": text[at], "choices": choices, "label": right})
        return cut(rows)

    def baseline(self, train, test):
        def answer(row):
            scores = [overlap(row["question"], choice) for choice in row["choices"]]
            return scores.index(max(scores))

        return accuracy([answer(row) for row in test], [row["label"] for row in test])


TASKS = {
    "entailment": Entailment(),
    "paraphrase": Paraphrase(),
    "regression": Regression(),
    "similarity": Similarity(),
    "multi-label": MultiLabel(),
    "part-of-speech": PartOfSpeech(),
    "entities": Entities(),
    "question-answering": QuestionAnswering(),
    "next-sentence": NextSentence(),
    "multiple-choice": MultipleChoice(),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=f"of {', '.join(TASKS)}; all unless given")
    parser.add_argument("--fnet", required=True, help="the binary, fnet-train beside it")
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    print(f"{describe()}; {options.threads} threads\n")
    print("| task | data | metric | baseline | fnet, test | dev | training, s |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: |")
    for name in options.tasks or TASKS:
        task, folder = TASKS[name], options.out / name
        folder.mkdir(parents=True, exist_ok=True)
        train, dev, test = task.data(options.data)
        files = [write(folder / f"{part}.jsonl", rows) for part, rows in zip(PARTS, (train, dev, test), strict=True)]
        model = folder / "model"
        begin = time.perf_counter()
        output_of([options.fnet, "finetune", "--task", task.task, "--train", files[0], "--dev", files[1], "--out", model,
                   "--overwrite", "--threads", options.threads, "--log-level", "warn", *shlex.split(task.flags)],
                  options.threads)  # fmt: skip
        seconds = time.perf_counter() - begin
        scores = [json.loads(output_of([options.fnet, "evaluate", model, file, "--json"], options.threads))
                  for file in (files[2], files[1])]  # fmt: skip
        test_score, dev_score = (found[task.metric] for found in scores)
        print(f"| {name}: `{task.task}` | {task.about} | {task.metric} | {task.baseline(train, test):.3f} "
              f"({task.baseline_is}) | **{test_score:.3f}** | {dev_score:.3f} | {seconds:.0f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()

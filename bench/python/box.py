#!/usr/bin/env python3
"""What sentence vectors are worth: likeness of sentences, and classification with few labelled lines.

    box.py --fnet build/release/bin/fnet --data FOLDER --model DIR --out build/box [SET …]

Likeness: Pearson's and Spearman's correlation (times 100) of cosines with people's scores on the test parts of stsb
and sick_sts (columns text, text_pair, label). Classification: accuracy on test of logistic regression (C = 10) on
frozen vectors after 100, 500, 1,000 and all train rows, means over --samples samples, beside TF-IDF of words and
pairs of words, beside both together, and beside fastText where it is installed. --finetune adds the classifier that
`fnet finetune` makes of the same rows, a tenth of them held out, no other flag; --setfit DIR a SetFit of DIR (it
takes long). Sentences a second: those of stsb's test part, tokenizing included, less the start.

Other encoders: --teacher DIR, a Hugging Face directory with mean pooling such as all-MiniLM-L6-v2, and with it the
static table that Model2Vec's recipe makes of it; --onnx FILE, the same model for ONNX Runtime; wordllama, where it is
installed. --plot FILE draws quality over speed. Needs numpy, SciPy and scikit-learn.
"""

import argparse
import importlib.util
import json
import pathlib
import random
import subprocess
import time

import numpy as np

import sentence_encoders
from baselines import FastText, accuracy, logistic_regression, table, word_counts
from machine import describe
from plot import scatter

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


def set_fit(directory, place, train, labels, test):
    """One epoch over 20 pairs a text, SetFit's own recipe."""
    import datasets
    import setfit

    model = setfit.SetFitModel.from_pretrained(str(directory))
    options = setfit.TrainingArguments(
        output_dir=str(place), save_strategy="no", num_epochs=1, num_iterations=20, batch_size=16, report_to="none"
    )
    rows = datasets.Dataset.from_dict({"text": train, "label": labels})
    setfit.Trainer(model=model, args=options, train_dataset=rows).train()
    return [str(label) for label in model.predict(test)]


def finetuned(options, train, labels, test, truth):
    """Accuracy of the model that `fnet finetune` makes with no flag but the files."""
    place = options.out / "finetune"
    place.mkdir(parents=True, exist_ok=True)
    for name, texts, marks in (("train", train, labels), ("test", test, truth)):
        rows = ({"text": text, "label": label} for text, label in zip(texts, marks, strict=True))
        (place / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    command = [options.fnet, "finetune", "--train", place / "train.jsonl", "--out", place / "model", "--overwrite", "-q",
               "--threads", str(options.threads)]  # fmt: skip
    subprocess.run(command, check=True)
    command = [options.fnet, "evaluate", place / "model", place / "test.jsonl", "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["accuracy"]


def accuracies(encoders, data, name, options):
    """For each size the mean accuracy of TF-IDF, and of each encoder alone and with it."""
    from scipy.sparse import csr_matrix, hstack

    train, test = (table(data / name / f"{part}.tsv.gz") for part in ("train", "test"))
    texts, test_texts = ([row["text"] for row in rows] for rows in (train, test))
    vectors = [(e.name, e.of(f"{name}.train", texts), e.of(f"{name}.test", test_texts)) for e in encoders]
    truth = [row["label"] for row in test]
    for size in SIZES:
        if size is not None and size >= len(train):
            continue
        scores = {}
        for rows in samples(train, size, options.samples):
            labels, chosen = [train[i]["label"] for i in rows], [texts[i] for i in rows]
            if len(set(labels)) < 2:
                continue

            def fitted(contender, x, y):
                model = logistic_regression().fit(x, labels)  # noqa: B023
                scores.setdefault(contender, []).append(model.score(y, truth))  # noqa: B023

            def answered(contender, answers):
                scores.setdefault(contender, []).append(accuracy(answers, truth))  # noqa: B023

            counts = word_counts()
            words = counts.fit_transform(chosen), counts.transform(test_texts)
            fitted("TF-IDF", *words)
            if importlib.util.find_spec("fasttext"):
                answered("fastText", FastText(chosen, labels, options.out / "fasttext.txt").answers(test_texts))
            for encoder, x, y in vectors:
                fitted(encoder, x[rows], y)
                if encoder in {model.name for model in options.model}:
                    both = (hstack([csr_matrix(v), w]).tocsr() for v, w in zip((x[rows], y), words, strict=True))
                    fitted(f"{encoder} + TF-IDF", *both)
            if options.finetune:
                score = finetuned(options, chosen, labels, test_texts, truth)
                scores.setdefault("`fnet finetune`", []).append(score)
            if options.setfit and size is not None and size <= 500:
                answered("SetFit", set_fit(options.setfit, options.out / "setfit", chosen, labels, test_texts))
        yield size or len(train), {contender: 100 * float(np.mean(found)) for contender, found in scores.items()}


def encoders_of(options):
    threads = options.threads
    found = {model.name: sentence_encoders.of_fnet(options.fnet, model, threads) for model in options.model}
    if options.teacher:
        found["teacher, torch"] = sentence_encoders.of_teacher(options.teacher, threads)
        found["teacher, static table"] = sentence_encoders.of_static(options.teacher, threads)
        if options.onnx:
            found["teacher, int8, ONNX Runtime"] = sentence_encoders.of_onnx(options.onnx, options.teacher, threads)
    if importlib.util.find_spec("wordllama"):
        found["wordllama"] = sentence_encoders.of_wordllama()
    return [Vectors(name, options.out, command) for name, command in found.items()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(CLASSES)}; default all")
    parser.add_argument("--fnet", required=True, type=pathlib.Path)
    parser.add_argument("--data", required=True, type=pathlib.Path, nargs="+")
    parser.add_argument("--model", required=True, type=pathlib.Path, nargs="+")
    parser.add_argument("--teacher", type=pathlib.Path)
    parser.add_argument("--onnx", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--setfit", type=pathlib.Path, metavar="DIR")
    parser.add_argument("--finetune", action="store_true")
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--plot", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-rate", action="store_true", help="do not time anything")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    encoders = encoders_of(options)

    def folder(name):
        return next((data for data in options.data if (data / name).is_dir()), None)

    print(describe(), end="\n\n")
    print("| encoder | STS-B Pearson | Spearman | SICK Pearson | Spearman | sentences/s |\n|---|---|---|---|---|---|")
    lines = [row[column] for row in table(folder("stsb") / "stsb" / "test.tsv.gz") for column in ("text", "text_pair")]
    points = []
    for encoder in encoders:
        scores = [score for name in ("stsb", "sick_sts") for score in likeness(encoder, folder(name), name)]
        rate = 0 if options.no_rate else encoder.rate(lines)
        points.append((encoder.name, rate, scores[1]))
        told = f"{rate:,.0f}" if rate else "–"
        print(f"| {encoder.name} | " + " | ".join(f"{score:.1f}" for score in scores) + f" | {told} |", flush=True)
    print()
    if options.plot and not options.no_rate:
        options.plot.write_text(scatter(points, "Sentences a second", "STS-B, Spearman on test"), encoding="utf-8")
    header = False
    for name in options.sets or CLASSES:
        if folder(name) is None:
            continue
        for size, scores in accuracies(encoders, folder(name), name, options):
            if not header:
                print(f"| set | rows | {' | '.join(scores)} |\n|---|---|{'---|' * len(scores)}")
                header = list(scores)
            cells = (f"{scores[contender]:.1f}" if contender in scores else "" for contender in header)
            print(f"| {name} | {size:,} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

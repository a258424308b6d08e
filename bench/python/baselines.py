"""What models of ours are compared with, on tables of texts and labels: word counts, and fastText."""

import csv
import gzip
import time

csv.field_size_limit(1 << 24)  # a text of newsgroups20 is longer than the default


def table(path):
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def accuracy(answers, truth):
    return sum(a == t for a, t in zip(answers, truth, strict=True)) / len(truth)


def word_counts():
    """TF-IDF of words and pairs of words."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)


def logistic_regression():
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=10, max_iter=300)


class FastText:
    """fastText with bigrams, its other settings as they are but for 25 epochs and a step of 0.5."""

    def __init__(self, texts, labels, place):
        import fasttext

        self.labels = sorted(set(labels))
        rows = zip(texts, labels, strict=True)
        place.write_text("".join(f"__label__{self.labels.index(label)} {self.line(text)}" for text, label in rows))
        start = time.perf_counter()
        self.model = fasttext.train_supervised(str(place), epoch=25, lr=0.5, wordNgrams=2, thread=2, verbose=0)
        self.seconds = time.perf_counter() - start

    @staticmethod
    def line(text):
        return " ".join(text.split()) + "\n"

    def answers(self, texts):
        # Its Python wrapper builds arrays by a call that NumPy 2 refuses; what is beneath answers all the same.
        found = [self.model.f.predict(self.line(text), 1, 0.0, "strict") for text in texts]
        return [self.labels[int(best[0][1].removeprefix("__label__"))] if best else None for best in found]

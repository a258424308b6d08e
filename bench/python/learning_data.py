"""Data of `learning_transformers.py`: texts, words and questions as token ids, encoded as ours are."""

import collections
import csv
import gzip
import json

import sentencepiece
import torch

IGNORED = -100  # the label of a piece that is not the first of its word
STRIDE = 128  # tokens that two windows of a long context share

# labels: one class, one a token, or the rows where an answer begins and ends
Example = collections.namedtuple("Example", "ids types labels")
Batch = collections.namedtuple("Batch", "ids types lengths labels")


def read_lines(path):
    return (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8")


def read_texts(path):
    """([text] or [text, pair], label) of a TSV file with a header."""
    with read_lines(path) as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [([row[name] for name in ("text", "text_pair") if name in row], row["label"]) for row in rows]


def read_sentences(path):
    """(words, tags) of a CoNLL file."""
    sentences, words, tags = [], [], []
    with read_lines(path) as file:
        for line in [*file, "\n"]:
            if line.strip():
                fields = line.split()
                words.append(fields[0])
                tags.append(fields[-1])
            elif words:
                sentences.append((words, tags))
                words, tags = [], []
    return sentences


def read_questions(path):
    """(question, context, first answer's [begin, end) or None) of SQuAD's rows as JSON lines."""
    with read_lines(path) as file:
        rows = [json.loads(line) for line in file]
    places = [
        (a[0]["answer_start"], a[0]["answer_start"] + len(a[0]["text"])) if (a := row["answers"]) else None
        for row in rows
    ]
    return [(row["question"], row["context"], place) for row, place in zip(rows, places)]


class Data:
    """Examples of both files, encoded as `[CLS] … [SEP]`, or `[CLS] … [SEP] … [SEP]` of pairs.

    A row of data is a list of examples: one, or the windows of a long context, which overlap."""

    def __init__(self, options, max_length):
        self.pieces = sentencepiece.SentencePieceProcessor(model_file=options.tokenizer)
        self.cls, self.sep, self.mask, self.pad = map(
            self.pieces.piece_to_id, ("[CLS]", "[SEP]", "[MASK]", "<pad>")
        )
        self.room = max_length - 2
        read, encode = {
            "text-classification": (read_texts, self._labelled),
            "token-classification": (read_sentences, self._tagged),
            "question-answering": (read_questions, self._asked),
        }[options.task]
        train, dev = read(options.train), read(options.dev)
        if options.limit:
            train, dev = train[: options.limit], dev[: options.limit]
        found = {"begin", "end"}
        if options.task != "question-answering":
            found = {tag for _, y in train for tag in (y if isinstance(y, list) else [y])}
        self.labels = sorted(found)
        self.number = {label: i for i, label in enumerate(self.labels)}
        self.train, self.dev = ([encode(*row) for row in rows] for rows in (train, dev))

    def _labelled(self, texts, label):
        sides = self.pieces.encode(texts)
        room = self.room + 1 - len(sides)
        while sum(map(len, sides)) > room:
            max(reversed(sides), key=len).pop()  # of equals the second
        ids, types = [self.cls], [0]
        for kind, side in enumerate(sides):
            ids += [*side, self.sep]
            types += [kind] * (len(side) + 1)
        return [Example(ids, types, self.number.get(label, -1))]

    def _tagged(self, words, tags):
        ids, labels = [], []
        for word, tag in zip(words, tags):
            pieces = self.pieces.encode(word) or [self.pieces.unk_id()]
            ids += pieces
            labels += [self.number.get(tag, -1)] + [IGNORED] * (len(pieces) - 1)
        ids, labels = ids[: self.room], labels[: self.room]
        return [Example([self.cls, *ids, self.sep], [0] * (len(ids) + 2), [IGNORED, *labels, IGNORED])]

    def _asked(self, question, context, answer):
        """Windows whose answer is [CLS] where it is not whole in them."""
        front = self.pieces.encode(question)[: (self.room - 1) // 2]
        front = [self.cls, *front, self.sep]
        pieces = self.pieces.encode(context, out_type="immutable_proto").pieces
        room = self.room + 1 - len(front)
        step, windows = room - min(STRIDE, room // 2), []
        for begin in range(0, len(pieces), step):
            window = pieces[begin : begin + room]
            first = last = 0
            if answer and window[0].begin <= answer[0] and answer[1] <= window[-1].end:
                first = len(front) + max(i for i, piece in enumerate(window) if piece.begin <= answer[0])
                last = len(front) + min(i for i, piece in enumerate(window) if piece.end >= answer[1])
            ids = [*front, *(piece.id for piece in window), self.sep]
            windows.append(Example(ids, [0] * len(front) + [1] * (len(window) + 1), (first, last)))
            if begin + room >= len(pieces):
                break
        return windows

    def batch(self, examples, fixed):
        """Padded to the longest, or to `fixed` rows. Labels of tagging are padded likewise."""
        lengths = [len(example.ids) for example in examples]
        rows = fixed or max(lengths)
        ids = torch.tensor([e.ids + [self.pad] * (rows - len(e.ids)) for e in examples])
        types = torch.tensor([e.types + [0] * (rows - len(e.types)) for e in examples])
        labels = [
            e.labels + [IGNORED] * (rows - len(e.ids)) if isinstance(e.labels, list) else e.labels
            for e in examples
        ]
        return Batch(ids, types, torch.tensor(lengths), torch.tensor(labels))

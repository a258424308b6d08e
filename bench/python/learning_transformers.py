#!/usr/bin/env python3
"""Train FNet with transformers on a recipe of ours, to compare what is learned and how fast.

    learning_transformers.py --task text-classification --tokenizer spiece.model \\
        --train train.tsv.gz --dev dev.tsv.gz --recipe OUT/run.json --seed 1

The recipe is the run.json that `fnet finetune` leaves, or a file with some of its keys; what is missing
has the default of `fnet finetune`, and `config` in it holds keys of config.json:
    {"epochs": 10, "learning_rate": 1e-3, "config": {"hidden_size": 256, "fourier_norm": "ortho"}}
Prints a line of progress an epoch to stderr and one JSON object to stdout:
    {"dev_accuracy": …, "best_epoch": …, "accuracy": […], "seconds": […], …}

Answers of `question-answering` are scored by `fnet evaluate` (--fnet), which reads the weights in place of those
beside run.json; the others by their accuracy here.

What transformers' FNet lacks is patched in: the length policy `exact` (each text's transform over its
own rows: one FFT for each length in a batch), `fourier_norm` ortho, and poolings other than the
pooler. The model, optimiser, loss and loop are otherwise torch's and transformers' own, in float32; batches are
drawn as ours are, of texts of like length.
"""

import argparse
import collections
import copy
import itertools
import json
import math
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import safetensors.torch
import torch
import transformers
from torch.nn import functional as F

from learning_data import IGNORED, Data

RECIPE = dict(
    epochs=10, batch_size=32, learning_rate=1e-3, warmup=0.1, weight_decay=0.01, max_grad_norm=1.0,
    token_dropout=0.0, label_smoothing=0.0, average=0.998, class_weights="none", max_length=0,
)  # fmt: skip
MODEL = dict(
    hidden_size=256, num_hidden_layers=4, intermediate_size=512, max_position_embeddings=512,
    hidden_act="gelu_new", hidden_dropout_prob=0.1, layer_norm_eps=1e-12, initializer_range=0.02,
    type_vocab_size=4, fourier_norm="backward", length_policy="exact", pooling="pooler",
)  # fmt: skip
# What transformers' FNet cannot be told: any other value is refused.
FIXED = dict(
    embedding_projection=True, norm_type="layer_norm", norm_position="post", ffn_type="mlp", mixers="fourier",
    embedding_norm_eps=0,
)  # fmt: skip
POOL = 50  # batches of texts that are sorted by length together
AVERAGE_EVERY = 8  # steps between two updates of the weights' average
CLASSES = {
    "text-classification": "FNetForSequenceClassification",
    "token-classification": "FNetForTokenClassification",
    "question-answering": "FNetForQuestionAnswering",
}


class Mixing:
    """Stands in for `fourier_transform` of a layer of transformers' FNet, which reads `.real`.

    With `lengths` set, each text is transformed over its own rows: along the hidden axis all at once,
    along the sequence in groups of equal length. Rows past a text are zero.
    """

    def __init__(self, norm):
        self.norm, self.lengths = norm, None

    def __call__(self, x):
        if self.lengths is None:
            return torch.fft.fft2(x, norm=self.norm)
        across = torch.fft.fft(x, dim=2, norm=self.norm)
        y = torch.zeros_like(across)
        for length in self.lengths.unique().tolist():
            texts = (self.lengths == length).nonzero().squeeze(1)
            y[texts, :length] = torch.fft.fft(across[texts, :length], dim=1, norm=self.norm)
        return y


class Pooling(torch.nn.Module):
    """Stands in for the pooler: cls, mean or max over the text's own rows."""

    def __init__(self, kind):
        super().__init__()
        self.kind, self.lengths = kind, None

    def forward(self, hidden):
        if self.kind == "cls":
            return hidden[:, 0]
        inside = (torch.arange(hidden.shape[1]) < self.lengths[:, None])[..., None]
        if self.kind == "max":
            return hidden.masked_fill(~inside, -math.inf).amax(1)
        return (hidden * inside).sum(1) / self.lengths[:, None]


class Model:
    """transformers' FNet with a head, and what was patched into it."""

    def __init__(self, task, keys, data):
        own = {key: keys.pop(key) for key in ("fourier_norm", "length_policy", "pooling")}
        config = transformers.FNetConfig(
            vocab_size=data.pieces.vocab_size(), num_labels=len(data.labels), pad_token_id=data.pad, **keys
        )
        self.asking = task == "question-answering"
        self.net = getattr(transformers, CLASSES[task])(config)
        self.exact = own["length_policy"] == "exact"
        self.rows = int(own["length_policy"].partition(":")[2] or 0)  # of fixed:N, else 0
        self.mixing, self.pooling = Mixing(own["fourier_norm"]), None
        for layer in self.net.fnet.encoder.layer:
            layer.fourier.self.fourier_transform = self.mixing
        if own["pooling"] != "pooler" and task == "text-classification":
            self.pooling = self.net.fnet.pooler = Pooling(own["pooling"])

    def logits(self, ids, types, lengths):
        self.mixing.lengths = lengths if self.exact else None
        if self.pooling is not None:
            self.pooling.lengths = lengths
        out = self.net(input_ids=ids, token_type_ids=types)
        if not self.asking:
            return out.logits
        outside = torch.arange(ids.shape[1]) >= lengths[:, None]
        return torch.stack([out.start_logits, out.end_logits], 1).masked_fill(outside[:, None], -math.inf)


def answers_f1(model, options):
    """What `fnet evaluate` says of the weights, in a copy of the directory in which run.json lies."""
    like = pathlib.Path(options.recipe).parent
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder, "model")
        shutil.copytree(like, place)
        wanted = safetensors.torch.load_file(place / "model.safetensors").keys()
        weights = {name: x.contiguous() for name, x in model.net.state_dict().items() if name in wanted}
        if weights.keys() != wanted:
            sys.exit(f"{like}: weights that transformers' model lacks: {wanted - weights.keys()}")
        safetensors.torch.save_file(weights, place / "model.safetensors")
        command = [options.fnet, "evaluate", place, "--data", options.dev, "--json"]
        return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["f1"]


def class_weights(kind, data):
    if kind == "none":
        return None
    counts = collections.Counter()
    for (example,) in data.train:
        labels = example.labels if isinstance(example.labels, list) else [example.labels]
        counts.update(label for label in labels if label != IGNORED)
    total = sum(counts.values())
    return torch.tensor([total / (len(data.labels) * counts[i]) for i in range(len(data.labels))])


def quality(model, data, batch_size, options):
    """Share of the dev texts, or of the dev words, that get their label; F1 of answers."""
    model.net.eval()
    if model.asking:
        return answers_f1(model, options)
    right = count = 0
    by_length = sorted(itertools.chain(*data.dev), key=lambda example: len(example.ids))
    with torch.no_grad():
        for begin in range(0, len(by_length), batch_size):
            batch = data.batch(by_length[begin : begin + batch_size], model.rows)
            guess, wanted = model.logits(batch.ids, batch.types, batch.lengths).argmax(-1), batch.labels
            counted = wanted != IGNORED
            right += int((guess == wanted)[counted].sum())
            count += int(counted.sum())
    return right / count


class Average:
    """Exponential moving average of the weights, what is evaluated. Young averages forget faster."""

    def __init__(self, model, decay):
        self.model, self.decay, self.steps = model, decay, 0
        self.net = copy.deepcopy(model.net) if decay else None

    def update(self):
        if self.net is None:
            return
        self.steps += 1
        if self.steps % AVERAGE_EVERY:
            return
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        old, new = list(self.net.parameters()), list(self.model.net.parameters())
        with torch.no_grad():
            torch._foreach_lerp_(old, new, 1 - decay**AVERAGE_EVERY)

    def evaluate(self, *how):
        if self.net is None:
            return quality(self.model, *how)
        live, self.model.net = self.model.net, self.net
        for layer in self.net.fnet.encoder.layer:
            layer.fourier.self.fourier_transform = self.model.mixing
        if self.model.pooling is not None:
            self.net.fnet.pooler = self.model.pooling
        result = quality(self.model, *how)
        self.model.net = live
        return result


def batches_of(rows, batch_size):
    """Random batches of rows of like length, with all their windows: pools of shuffled rows are sorted, and cut."""
    order, pool = torch.randperm(len(rows)).tolist(), POOL * batch_size
    batches = []
    for begin in range(0, len(order), pool):
        texts = sorted(order[begin : begin + pool], key=lambda i: sum(len(e.ids) for e in rows[i]))
        batches += [texts[i : i + batch_size] for i in range(0, len(texts), batch_size)]
    return [[e for i in batches[j] for e in rows[i]] for j in torch.randperm(len(batches)).tolist()]


def read_recipe(path):
    """All keys of a recipe, `config` with those of MODEL only."""
    given = {}
    if path:
        with open(path, encoding="utf-8") as file:
            given = json.load(file)
    config = given.get("config", {})
    for key, value in FIXED.items():
        if config.get(key, value) != value:
            sys.exit(f"{path}: {key}: expected {value}, all that transformers' FNet can, found {config[key]}")
    recipe = {key: given.get(key, default) for key, default in RECIPE.items()}
    return recipe | {"config": {key: config[key] for key in MODEL if key in config}}


def train(options, recipe):
    torch.manual_seed(options.seed)
    keys = {**MODEL, **recipe["config"]}
    data = Data(options, recipe["max_length"] or keys["max_position_embeddings"])
    model = Model(options.task, keys, data)
    decayed = [p for n, p in model.net.named_parameters() if not n.endswith("bias") and "LayerNorm" not in n]
    others = [p for n, p in model.net.named_parameters() if n.endswith("bias") or "LayerNorm" in n]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": recipe["weight_decay"]}, {"params": others, "weight_decay": 0}],
        lr=recipe["learning_rate"],
        fused=True,
    )
    batch_size = recipe["batch_size"]
    steps = recipe["epochs"] * math.ceil(len(data.train) / batch_size)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, round(recipe["warmup"] * steps), steps)
    weights = class_weights(recipe["class_weights"], data)
    average = Average(model, recipe["average"])
    report = {"accuracy": [], "loss": [], "seconds": [], "tokens": sum(len(e.ids) for row in data.train for e in row)}

    for epoch in range(1, recipe["epochs"] + 1):
        model.net.train()
        losses, start = [], time.perf_counter()
        for examples in batches_of(data.train, batch_size):
            batch = data.batch(examples, model.rows)
            ids = batch.ids
            if recipe["token_dropout"]:
                special = (ids == data.cls) | (ids == data.sep) | (ids == data.pad)
                dropped = (torch.rand(ids.shape) < recipe["token_dropout"]) & ~special
                ids = ids.masked_fill(dropped, data.mask)
            logits = model.logits(ids, batch.types, batch.lengths)
            loss = F.cross_entropy(
                logits.flatten(0, 1) if model.asking else logits.flatten(0, -2), batch.labels.flatten(), weight=weights,
                ignore_index=IGNORED, label_smoothing=recipe["label_smoothing"],
            )  # fmt: skip
            loss.backward()
            if recipe["max_grad_norm"]:
                torch.nn.utils.clip_grad_norm_(model.net.parameters(), recipe["max_grad_norm"])
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            average.update()
            losses.append(loss.item())
        report["seconds"].append(round(time.perf_counter() - start, 3))
        report["loss"].append(round(sum(losses) / len(losses), 4))
        report["accuracy"].append(round(average.evaluate(data, batch_size, options), 5))
        print(
            f"epoch {epoch}: loss {report['loss'][-1]}, dev accuracy {report['accuracy'][-1]}, "
            f"{report['seconds'][-1]} s",
            file=sys.stderr, flush=True,
        )  # fmt: skip
    best = max(report["accuracy"])
    return {
        "trainer": f"transformers {transformers.__version__}, torch {torch.__version__}",
        "seed": options.seed,
        "dev_accuracy": best,
        "best_epoch": report["accuracy"].index(best) + 1,
        **report,
        "parameters": sum(p.numel() for p in model.net.parameters()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--task", required=True, choices=CLASSES)
    parser.add_argument("--fnet", help="the program that scores answers")
    for name in ("tokenizer", "train", "dev"):
        parser.add_argument(f"--{name}", required=True, metavar="FILE")
    parser.add_argument("--recipe", metavar="FILE", help="run.json, or JSON like it; without it the defaults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0, help="0: torch's own choice")
    parser.add_argument("--limit", type=int, default=0, help="only so many texts of each file, for a trial")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    print(json.dumps(train(options, read_recipe(options.recipe))))


if __name__ == "__main__":
    main()

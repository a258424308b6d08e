#!/usr/bin/env python3
"""Write tests/golden/model/*.json: what implementations that are not ours answer, for the parity tests.

    python tools/make_goldens.py            # writes all files
    python tools/make_goldens.py --check    # recomputes them and compares: nothing is written

A file holds one architecture (`config`, as in config.json) and several cases: the tokens of some
texts and, for each output, a sample of the float64 answer with torch's own float32 error beside it,
both on the sample and on the whole tensor. Error means ‖y − y64‖ / ‖y64‖. The weights are those of
formula_weights.py. References: transformers' FNet and BERT, keras-hub's FNetBackbone and, for what
none of them has, reference_model.py, all in float64. Needs torch, transformers, keras-hub with jax,
scipy.
"""

import argparse
import importlib.metadata
import json
import os
import pathlib
import sys

os.environ.update(KERAS_BACKEND="jax", JAX_ENABLE_X64="1", TF_CPP_MIN_LOG_LEVEL="3")

import numpy as np

from formula_weights import fnv1a64, weight
from golden_cases import BERT, GOLDENS, HEADS, STOCK
from reference_model import NumpyOps, ReferenceModel, TorchOps

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "model"
SAMPLE = 96  # values kept of an output
LABELS = 24  # classes of the heads: enough that an error over them says something
DIGITS = 11  # kept of a float64 value: far below float32's error


def version_of(package):
    """Its name and version; the files that it makes need it, the others do not."""
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return package


def make_texts(name, config, lengths):
    """Token ids and types of texts of these lengths, by a seed that depends on the file's name."""
    rng = np.random.default_rng([fnv1a64(name) % 2**32, *lengths])
    ids = [rng.integers(0, config["vocab_size"], n) for n in lengths]
    types = [np.sort(rng.integers(0, config["type_vocab_size"], n)) for n in lengths]
    return list(zip(ids, types))


def padded(text, rows, config):
    ids, types = text
    fill = rows - len(ids)
    return (
        np.pad(ids, (0, fill), constant_values=config["pad_token_id"])[None],
        np.pad(types, (0, fill))[None],
    )


def mixed_rows(config, lengths):
    """How many rows each text is mixed over."""
    policy, _, number = config["length_policy"].partition(":")
    if policy == "exact":
        return lengths
    return [int(number) if policy == "fixed" else max(lengths)] * len(lengths)


class Transformers:
    """FNetModel with the two classification heads."""

    version = version_of("transformers")

    def __init__(self, config, double):
        import torch
        from transformers import (
            FNetConfig,
            FNetForSequenceClassification,
            FNetForTokenClassification,
        )

        torch.set_grad_enabled(False)
        self.torch = torch
        keys = {k: v for k, v in config.items() if hasattr(FNetConfig(), k)}
        hf_config = FNetConfig(**keys, num_labels=LABELS)
        self.sequence = self._fill(FNetForSequenceClassification(hf_config), double)
        self.token = self._fill(FNetForTokenClassification(hf_config), double)

    def _fill(self, model, double):
        values = {k: weight(self._name(k), tuple(v.shape)) for k, v in model.state_dict().items()}
        model.load_state_dict({k: self.torch.from_numpy(v) for k, v in values.items()})
        return model.eval().to(self.torch.float64 if double else self.torch.float32)

    def _name(self, key):
        """Ours of a weight of theirs."""
        return key

    def _mask(self, ids, tokens):
        return {}

    def run(self, ids, types, tokens):
        """Outputs of one text of so many tokens, ids and types [1, N] with its padding: name → array
        [1, N, …] or [1, …].
        """
        given = dict(input_ids=self.torch.from_numpy(ids), token_type_ids=self.torch.from_numpy(types))
        given |= self._mask(ids, tokens)
        base = self.sequence.fnet(**given)
        answers = {
            "hidden": base.last_hidden_state,
            "embed pooler": base.pooler_output,
            "text-classification": self.sequence(**given).logits,
            "token-classification": self.token(**given).logits,
        }
        return {k: v.numpy() for k, v in answers.items()}


class States(Transformers):
    """FNetModel's hidden states, and how numpy finds their energy spread over frequencies."""

    def run(self, ids, types, tokens):
        given = dict(input_ids=self.torch.from_numpy(ids), token_type_ids=self.torch.from_numpy(types))
        base = self.sequence.fnet(**given, output_hidden_states=True)
        answers = {"hidden": base.last_hidden_state.numpy()}
        for i, state in enumerate(base.hidden_states):
            answers[f"hidden state {i}"] = state.numpy()
            answers[f"energy {i}"] = self._energy(state[0].numpy())[None]
        return answers

    @staticmethod
    def _energy(state):
        """|rfft|² along the text, summed over the columns; what stands for two frequencies counts twice."""
        energy = (np.abs(np.fft.rfft(state, axis=0)) ** 2).sum(axis=1) / len(state)
        energy[1 : (len(state) + 1) // 2] *= 2
        return energy


class Heads(Transformers):
    """The same, with the heads that not every golden file needs to have."""

    def __init__(self, config, double):
        from transformers import FNetForMultipleChoice, FNetForNextSentencePrediction

        super().__init__(config, double)
        self.choice = self._fill(FNetForMultipleChoice(self.sequence.config), double)
        self.next = self._fill(FNetForNextSentencePrediction(self.sequence.config), double)

    def run(self, ids, types, tokens):
        answers = super().run(ids, types, tokens)
        ids, types = self.torch.from_numpy(ids), self.torch.from_numpy(types)
        answers["multiple-choice"] = self.choice(input_ids=ids[:, None], token_type_ids=types[:, None]).logits.numpy()
        answers["next-sentence-prediction"] = self.next(input_ids=ids, token_type_ids=types).logits.numpy()
        return answers


class Bert(Transformers):
    """BertModel with the two classification heads: attention in every layer."""

    def __init__(self, config, double):
        import torch
        from transformers import (
            BertConfig,
            BertForSequenceClassification,
            BertForTokenClassification,
        )

        torch.set_grad_enabled(False)
        self.torch = torch
        keys = {k: v for k, v in config.items() if hasattr(BertConfig(), k) and k != "model_type"}
        bert_config = BertConfig(**keys, **config["mixer_options"], num_labels=LABELS)
        self.sequence = self._fill(BertForSequenceClassification(bert_config), double)
        self.sequence.fnet = self.sequence.bert
        self.token = self._fill(BertForTokenClassification(bert_config), double)

    def _mask(self, ids, tokens):
        return dict(attention_mask=(self.torch.arange(ids.shape[1]) < tokens).long()[None])

    def _name(self, key):
        return key.removeprefix("bert.").replace("attention.output.LayerNorm", "fourier.output.LayerNorm")


class MaskedLM(Transformers):
    """FNetForMaskedLM."""

    def __init__(self, config, double):
        import torch
        from transformers import FNetConfig, FNetForMaskedLM

        torch.set_grad_enabled(False)
        self.torch = torch
        keys = {k: v for k, v in config.items() if hasattr(FNetConfig(), k)}
        self.model = self._fill(FNetForMaskedLM(FNetConfig(**keys)), double)

    def _name(self, key):
        tied = {"decoder.weight": "embeddings.word_embeddings.weight", "decoder.bias": "cls.predictions.bias"}
        return tied.get(key.removeprefix("cls.predictions."), key)

    def run(self, ids, types, tokens):
        given = dict(input_ids=self.torch.from_numpy(ids), token_type_ids=self.torch.from_numpy(types))
        hidden, logits = self.model.fnet(**given).last_hidden_state, self.model(**given).logits
        return {"hidden": hidden.numpy(), "fill-mask": logits.numpy()}


class KerasHub:
    """FNetBackbone on JAX. Its transform casts to float32, whatever the dtype: undone here."""

    version = version_of("keras-hub")

    def __init__(self, config, double):
        assert double, "keras-hub gives the reference; the yardstick is torch's"
        import keras
        import keras_hub
        from keras_hub.src.layers.modeling import f_net_encoder

        class DoubleOps:
            def __getattr__(self, name):
                return getattr(keras.ops, name)

            def cast(self, x, dtype):
                return keras.ops.cast(x, "float64" if dtype == "float32" else dtype)

        f_net_encoder.ops = DoubleOps()
        self.model = keras_hub.models.FNetBackbone(
            vocabulary_size=config["vocab_size"],
            num_layers=config["num_hidden_layers"],
            hidden_dim=config["hidden_size"],
            intermediate_dim=config["intermediate_size"],
            max_sequence_length=config["max_position_embeddings"],
            num_segments=config["type_vocab_size"],
            dtype="float64",
        )
        self.model({"token_ids": np.zeros((1, 2), "int32"), "segment_ids": np.zeros((1, 2), "int32")})
        layer = self.model.get_layer
        self._set(layer("token_embedding"), "embeddings.word_embeddings", table=True)
        self._set(layer("position_embedding"), "embeddings.position_embeddings", table=True)
        self._set(layer("segment_embedding"), "embeddings.token_type_embeddings", table=True)
        self._set(layer("embeddings_layer_norm"), "embeddings.LayerNorm")
        self._set(layer("embedding_projection"), "embeddings.projection")
        self._set(layer("pooled_dense"), "pooler.dense")
        for i in range(config["num_hidden_layers"]):
            block, place = layer(f"f_net_layer_{i}"), f"encoder.layer.{i}"
            self._set(block._mixing_layer_norm, f"{place}.fourier.output.LayerNorm")
            self._set(block._intermediate_dense, f"{place}.intermediate.dense")
            self._set(block._output_dense, f"{place}.output.dense")
            self._set(block._output_layer_norm, f"{place}.output.LayerNorm")

    def _set(self, layer, name, table=False):
        shapes = [tuple(w.shape) for w in layer.get_weights()]
        if table or len(shapes[0]) == 1:
            values = [weight(f"{name}.{kind}", s) for kind, s in zip(("weight", "bias"), shapes)]
        else:  # Dense kernels are [in, out]
            values = [weight(f"{name}.weight", shapes[0][::-1]).T, weight(f"{name}.bias", shapes[1])]
        layer.set_weights(values)

    def run(self, ids, types, tokens):
        y = self.model({"token_ids": ids, "segment_ids": types})
        return {"hidden": np.asarray(y["sequence_output"]), "embed pooler": np.asarray(y["pooled_output"])}


class Numpy:
    """reference_model.py; the yardstick is the same architecture on torch's functions."""

    version = f"reference_model.py with numpy {np.__version__}"

    def __init__(self, config, double):
        self.model = ReferenceModel(config, weight, NumpyOps() if double else TorchOps())

    def run(self, ids, types, tokens):
        hidden = self.model.hidden(ids, types, tokens)
        own = hidden[..., :tokens, :]
        poolings = ["cls", "mean", "max"] + ["pooler"] * self.model.config["pooler"]
        poolings += {self.model.config["pooling"]} - {*poolings}
        answers = {"hidden": hidden}
        answers |= {f"embed {p}": self.model.pooled(own, p) for p in poolings}
        pooled = answers["embed " + self.model.config["pooling"]]
        answers["text-classification"] = self.model.classify(pooled, LABELS)
        answers["token-classification"] = self.model.classify(hidden, LABELS)
        return {k: np.asarray(v) for k, v in answers.items()}


REFERENCES = {
    "transformers": Transformers,
    "states": States,
    "heads": Heads,
    "masked-lm": MaskedLM,
    "bert": Bert,
    "keras-hub": KerasHub,
    "numpy": Numpy,
}


def answers_of(model, config, texts):
    """Outputs of all texts, rows packed end to end: name → flat array. Padding rows are dropped."""
    lengths = [len(ids) for ids, _ in texts]
    rows = mixed_rows(config, lengths)
    packed = {}
    for text, length, n in zip(texts, lengths, rows):
        for name, value in model.run(*padded(text, n, config), length).items():
            by_row = name in ("hidden", "token-classification", "fill-mask")
            packed.setdefault(name, []).append((value[0, :length] if by_row else value[0]).ravel())
    return {name: np.concatenate(parts) for name, parts in packed.items()}


def error(y, reference):
    return float(np.linalg.norm(y.astype(np.float64) - reference) / np.linalg.norm(reference))


def sampled(reference, y32, name):
    """A golden output: which elements, their float64 values, torch's float32 error."""
    size = reference.size
    count = SAMPLE if name == "hidden" else 48
    index = np.arange(size)
    if size > count:
        rng = np.random.default_rng(size)
        inner = rng.choice(np.arange(1, size - 1), count - 2, replace=False)
        index = np.sort(np.concatenate([[0, size - 1], inner]))
    return {
        "size": size,
        "index": index.tolist(),
        "value": [float(f"{v:.{DIGITS}g}") for v in reference[index]],
        "torch_error_sample": float(f"{error(y32[index], reference[index]):.3g}"),
        "torch_error": float(f"{error(y32, reference):.3g}"),
    }


def make_golden(name):
    kind, changes, cases = GOLDENS[name]
    config = {**STOCK, **changes}
    reference = REFERENCES[kind](config, double=True)
    yardstick = (Transformers if kind == "keras-hub" else REFERENCES[kind])(config, double=False)
    golden = {"reference": reference.version + ", float64", "config": config, "labels": LABELS, "cases": []}
    for lengths in cases:
        texts = make_texts(name, config, lengths)
        y64, y32 = answers_of(reference, config, texts), answers_of(yardstick, config, texts)
        golden["cases"].append(
            {
                "lengths": lengths,
                "input_ids": np.concatenate([ids for ids, _ in texts]).tolist(),
                "token_type_ids": "".join(str(t) for _, types in texts for t in types),
                "outputs": {k: sampled(y64[k], y32[k], k) for k in y64},
            }
        )
    return golden


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def written(golden):
    """JSON with one line for each case's tokens and for each output."""
    head = {k: v for k, v in golden.items() if k != "cases"}
    lines = []
    for case in golden["cases"]:
        tokens = {k: v for k, v in case.items() if k != "outputs"}
        outputs = ",\n".join(f"  {compact(k)}:{compact(v)}" for k, v in case["outputs"].items())
        lines.append(compact(tokens)[:-1] + ',"outputs":{\n' + outputs + "}}")
    return compact(head)[:-1] + ',"cases":[\n' + ",\n".join(lines) + "]}\n"


def differences(stored, made):
    """What differs but for the last digits of values; torch's errors belong to the machine."""
    if {k: stored[k] for k in ("config", "labels")} != {k: made[k] for k in ("config", "labels")}:
        return "another config"
    if len(stored["cases"]) != len(made["cases"]):
        return "another number of cases"
    for i, (a, b) in enumerate(zip(stored["cases"], made["cases"])):
        if any(a[k] != b[k] for k in ("lengths", "input_ids", "token_type_ids")):
            return f"case {i}: other tokens"
        if a["outputs"].keys() != b["outputs"].keys():
            return f"case {i}: other outputs"
        for name, x in a["outputs"].items():
            y = b["outputs"][name]
            if (x["size"], x["index"]) != (y["size"], y["index"]):
                return f"case {i}: {name}: another sample"
            if error(np.array(x["value"]), np.array(y["value"])) > 1e-10:
                return f"case {i}: {name}: other values"
    return ""


def check_reference_model():
    """reference_model.py against transformers where both know the architecture."""
    fnet, bert = ({**STOCK, "hidden_act": "gelu"}, Transformers), ({**STOCK, **BERT, **HEADS}, Bert)
    for changed, reference in ((STOCK, Transformers), fnet, bert):
        ids, types = (a[None] for a in make_texts("check", changed, [60])[0])
        ours, theirs = (r(changed, True).run(ids, types, 60) for r in (Numpy, reference))
        for name, value in theirs.items():
            assert error(ours[name].ravel(), value.ravel()) < 1e-12, (changed, name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the stored files")
    parser.add_argument("names", nargs="*", help="only these files, e.g. hf_64")
    options = parser.parse_args()
    check_reference_model()
    failed = False
    for name in options.names or GOLDENS:
        golden, path = make_golden(name), GOLDEN / f"{name}.json"
        if options.check:
            problem = differences(json.loads(path.read_text()), golden) if path.exists() else "missing"
            print(f"{path.name}: {problem or 'same'}", flush=True)
            failed |= bool(problem)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(written(golden))
            print(f"{path.name}: {path.stat().st_size / 1000:.0f} KB", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()

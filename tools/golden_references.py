"""The implementations whose answers tools/make_goldens.py writes, each as run(ids, types, tokens) → {output: values}."""

import importlib.metadata

import numpy as np

from formula_weights import weight
from reference_model import NumpyOps, ReferenceModel, TorchOps

def row_size(config):
    """Numbers in a row of a model that reads them."""
    if config["input_type"] == "patches":
        return config["num_channels"] * config["patch_size"] ** 2
    return config["input_size"] * config.get("patch_length", 1)


def rows_of(array, config):
    """An array cut into rows: patches from left to right and down, or windows over the steps."""
    if config["input_type"] == "patches":
        p, (height, width, channels) = config["patch_size"], array.shape
        cut = array.reshape(height // p, p, width // p, p, channels).swapaxes(1, 2)
        return cut.reshape(-1, p * p * channels)
    length = config.get("patch_length", 1)
    stride = config.get("patch_stride", 0) or length
    starts = range(0, max(len(array) - length, 0) + stride, stride)
    starts = [s for s in starts if s == 0 or s - stride + length < len(array)]
    return np.stack([array[np.minimum(np.arange(s, s + length), len(array) - 1)].ravel() for s in starts])


LABELS = 24  # classes of the heads: enough that an error over them says something


def version_of(package):
    """Its name and version; the files that it makes need it, the others do not."""
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return package


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


class Numbers(Transformers):
    """FNetModel over inputs_embeds: rows of numbers, standardised, behind a linear map."""

    def __init__(self, config, double):
        super().__init__(config, double)
        inner, place = row_size(config), "embeddings.input_embeddings."
        shapes = {"projection.weight": (config["hidden_size"], inner), "projection.bias": (config["hidden_size"],),
                  "mean": (inner,), "std": (inner,)}  # fmt: skip
        dtype = self.torch.float64 if double else self.torch.float32
        self.own = {k: self.torch.from_numpy(weight(place + k, s)).to(dtype) for k, s in shapes.items()}

    def run(self, rows, types, tokens):
        x = self.torch.from_numpy(rows).to(self.own["mean"].dtype)
        x = (x - self.own["mean"]) / self.own["std"]
        given = dict(inputs_embeds=x @ self.own["projection.weight"].T + self.own["projection.bias"])
        given["token_type_ids"] = self.torch.from_numpy(types)
        base = self.sequence.fnet(**given)
        answers = {"hidden": base.last_hidden_state, "embed pooler": base.pooler_output,
                   "text-classification": self.sequence(**given).logits}  # fmt: skip
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


class HeadLayers(Transformers):
    """The two classification heads with layers of torch's own before their last map."""

    def __init__(self, config, double):
        super().__init__(config, double)
        nn, options = self.torch.nn, config["head_options"]
        hidden, width = config["hidden_size"], options["intermediate_size"]
        inner = width * options["ffn_expansion_factor"]
        layers = {"LayerNorm": nn.LayerNorm(hidden, config["layer_norm_eps"]), "dense": nn.Linear(hidden, width),
                  "dense_LayerNorm": nn.LayerNorm(width, config["layer_norm_eps"])}  # fmt: skip
        self.heads = options.get("num_attention_heads", 0)
        if self.heads:
            layers |= {f"attention.{n}": nn.Linear(width, width)
                       for n in ("self.query", "self.key", "self.value", "output.dense")}  # fmt: skip
        layers |= {"ffn.intermediate.dense": nn.Linear(width, inner), "ffn.output.dense": nn.Linear(inner, width)}
        self.layers = {name: self._layer(layer, f"head_layers.{name}", double) for name, layer in layers.items()}
        self.classifier = self._layer(nn.Linear(width, LABELS), "classifier", double)

    def _layer(self, layer, place, double):
        values = {k: weight(f"{place}.{k}", tuple(v.shape)) for k, v in layer.state_dict().items()}
        layer.load_state_dict({k: self.torch.from_numpy(v) for k, v in values.items()})
        return layer.to(self.torch.float64 if double else self.torch.float32)

    def _attention(self, x):
        q, k, v = (self.layers[f"attention.self.{name}"](x).unflatten(-1, (self.heads, -1)).transpose(-2, -3)
                   for name in ("query", "key", "value"))  # fmt: skip
        mixed = self.torch.nn.functional.scaled_dot_product_attention(q, k, v)
        return self.layers["attention.output.dense"](mixed.transpose(-2, -3).flatten(-2))

    def _scores(self, x):
        own, gelu = self.layers, self.torch.nn.functional.gelu
        x = gelu(own["dense_LayerNorm"](own["dense"](own["LayerNorm"](x))))
        if self.heads:
            x = self._attention(x)
        return self.classifier(own["ffn.output.dense"](gelu(own["ffn.intermediate.dense"](x))))

    def run(self, ids, types, tokens):
        given = dict(input_ids=self.torch.from_numpy(ids), token_type_ids=self.torch.from_numpy(types))
        base = self.sequence.fnet(**given)
        answers = {"hidden": base.last_hidden_state, "token-classification": self._scores(base.last_hidden_state)}
        if not self.heads:  # which read rows
            answers["text-classification"] = self._scores(base.pooler_output)
        return {k: v.numpy() for k, v in answers.items()}


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
    "head-layers": HeadLayers,
    "masked-lm": MaskedLM,
    "numbers": Numbers,
    "bert": Bert,
    "keras-hub": KerasHub,
    "numpy": Numpy,
}

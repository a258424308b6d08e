"""What every family of checkpoints shares: the target's weights, the checks, and how a library is asked for."""

import dataclasses
import importlib
import importlib.metadata
import os
import re
import typing

import numpy as np

# JAX runs the Keras models, and alone: TensorFlow is not needed.
os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# Keys of config.json that are fnet's own and decide answers, with what Hugging Face's FNet has. A file in which one
# has another value is of model_type fnet-cpp, so that transformers does not compute something else in silence.
OWN_KEYS = dict(fourier_norm="backward", embedding_projection=True, embedding_norm_eps=0, pooler=True,
                norm_type="layer_norm", norm_position="post", ffn_type="mlp", position_embedding="learned",
                mixers=["fourier"], norm_options={}, ffn_options={}, mixer_options={}, head_options={}, pooling="pooler",
                wide_features=0, input_type="tokens")  # fmt: skip
GATED = ("glu", "reglu", "geglu", "bilinear", "swiglu")
HEADS = {"text-classification": "FNetForSequenceClassification",
         "token-classification": "FNetForTokenClassification",
         "question-answering": "FNetForQuestionAnswering"}  # fmt: skip


class Refused(Exception):
    """An input that is not converted; the message says the place, what was expected, what was found, what to do."""


def require(ok, message):
    if not ok:
        raise Refused(message)


def library(name, package=None):
    """A module of an owner's package."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Refused(f"{name}: expected the Python package {package or name.partition('.')[0]}, found none ({error}); "
                      "install what tools/requirements-convert.txt lists") from error  # fmt: skip


def version(package):
    return importlib.metadata.version(package)


@dataclasses.dataclass
class Checkpoint:
    """A model as it was read: what stands in config.json, the weights by our names, and how its owner runs it."""

    family: str  # huggingface, google, keras-hub or seed
    config: dict
    weights: dict[str, np.ndarray]
    source: dict  # of golden.json: library, version, class
    # ids and types [1, N] with their padding, and the number of tokens → last_hidden_state [1, N, H], and where the
    # model has them pooler_output [1, H] and logits [1, C] or [1, N, C].
    run: typing.Callable[[np.ndarray, np.ndarray, int], dict[str, np.ndarray]]
    tokenizer: dict[str, bytes] = dataclasses.field(default_factory=dict)  # files
    notes: list[str] = dataclasses.field(default_factory=list)
    lengths: list[int] = dataclasses.field(default_factory=list)  # of the golden texts; empty: by the length policy


def value(config, key):
    return config.get(key, OWN_KEYS[key])


def write_config(config):
    """config.json's values with the model type that they need."""
    own = {key for key, default in OWN_KEYS.items() if config.get(key, default) != default}
    kept = {key: found for key, found in config.items() if key not in OWN_KEYS or key in own}
    return {"model_type": "fnet-cpp" if own else "fnet", **kept}


def norm_shapes(place, config):
    h = config["hidden_size"]
    names = {"layer_norm": ["weight", "bias"], "rms_norm": ["weight"],
             "batch_norm": ["weight", "bias", "running_mean", "running_var"]}  # fmt: skip
    return {f"{place}.{name}": (h,) for name in names[value(config, "norm_type")]}


def linear_shapes(place, inputs, outputs, bias=True):
    return {f"{place}.weight": (outputs, inputs)} | ({f"{place}.bias": (outputs,)} if bias else {})


def layer_shapes(place, config, mixer):
    h, inner, rows = config["hidden_size"], config["intermediate_size"], config["max_position_embeddings"]
    ffn = value(config, "ffn_type")
    bias = value(config, "ffn_options").get("bias", ffn != "swiglu")
    shapes = {}
    if mixer == "linear":
        shapes |= {f"{place}.linear.sequence.weight": (rows, rows), f"{place}.linear.hidden.weight": (h, h)}
    if mixer == "attention":
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            shapes |= linear_shapes(f"{place}.attention.{name}", h, h)
    shapes |= norm_shapes(f"{place}.fourier.output.LayerNorm", config)
    if ffn in GATED:
        shapes |= linear_shapes(f"{place}.intermediate.gate", h, inner, bias)
    shapes |= linear_shapes(f"{place}.intermediate.dense", h, inner, bias)
    shapes |= linear_shapes(f"{place}.output.dense", inner, h, bias)
    return shapes | norm_shapes(f"{place}.output.LayerNorm", config)


def mixers_of(config):
    mixers = value(config, "mixers")
    return mixers * config["num_hidden_layers"] if len(mixers) == 1 else mixers


def encoder_shapes(config):
    """Name → shape of every weight of the encoder, without prefix, as docs/model-format.md has them."""
    h = config["hidden_size"]
    shapes = {"embeddings.word_embeddings.weight": (config["vocab_size"], h)}
    if value(config, "position_embedding") == "learned":
        shapes["embeddings.position_embeddings.weight"] = (config["max_position_embeddings"], h)
    shapes["embeddings.token_type_embeddings.weight"] = (config["type_vocab_size"], h)
    shapes |= norm_shapes("embeddings.LayerNorm", config)
    if value(config, "embedding_projection"):
        shapes |= linear_shapes("embeddings.projection", h, h)
    for i, mixer in enumerate(mixers_of(config)):
        shapes |= layer_shapes(f"encoder.layer.{i}", config, mixer)
    if value(config, "norm_position") == "pre":
        shapes |= norm_shapes("encoder.LayerNorm", config)
    return shapes | (linear_shapes("pooler.dense", h, h) if value(config, "pooler") else {})


class Names:
    """How a family calls our weights: patterns of our names, each with the family's, `{0}` being what the pattern
    caught, and whether the matrix is stored the other way round, [in, out]."""

    def __init__(self, rows):
        self.rows = [(re.compile(ours + "$"), theirs, turned) for ours, theirs, turned in rows]

    def __call__(self, ours):
        for pattern, theirs, turned in self.rows:
            if found := pattern.match(ours):
                return theirs.format(*found.groups()), turned
        raise KeyError(ours)


def rename(source, shapes, names, place, ignored=lambda name: False):
    """Our weights out of a family's: all of `shapes`, each of its shape, and nothing left over; else an error that
    lists all that is wrong."""
    weights, left, missing, wrong = {}, dict(source), [], []
    for ours, shape in shapes.items():
        theirs, turned = names(ours)
        if theirs not in left:
            missing.append(theirs)
            continue
        found = np.asarray(left.pop(theirs), dtype=np.float32)
        expected = shape[::-1] if turned else shape
        if found.shape != tuple(expected):
            wrong.append(f"{theirs} (expected {list(expected)}, found {list(found.shape)})")
            continue
        require(np.isfinite(found).all(), f"{place}: {theirs}: expected finite numbers, found others; "
                "the file is damaged or of a training that diverged")  # fmt: skip
        weights[ours] = np.ascontiguousarray(found.T if turned else found)
    left = [name for name in left if not ignored(name)]
    problems = [f"{len(names_)} {what}: {', '.join(names_)}" for what, names_ in
                (("missing", missing), ("not expected", left), ("of another shape", wrong)) if names_]  # fmt: skip
    require(not problems, f"{place}: expected the {len(shapes)} weights of this model, found {'; '.join(problems)}")
    return weights


def size(array, place, name, axes):
    """The shape of an array that must have so many axes."""
    require(array is not None, f"{place}: expected {name}, found none; is it a file of this family?")
    require(np.ndim(array) == axes, f"{place}: {name}: expected {axes} axes, found {np.ndim(array)}")
    return np.shape(array)


def count_layers(names, pattern, place):
    """One more than the largest number that the pattern finds; every number below must be there."""
    found = sorted({int(match[1]) for name in names if (match := re.search(pattern, name))})
    require(found and found == list(range(len(found))),
            f"{place}: expected encoder layers numbered from 0 without a gap, found {found or 'none'}")  # fmt: skip
    return len(found)


def labels_of(count):
    return {str(i): f"LABEL_{i}" for i in range(count)}

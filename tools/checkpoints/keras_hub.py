"""keras-hub's FNetBackbone, FNetTextClassifier and FNetMaskedLM: a preset's folder, a .keras file, or .weights.h5.
Numerics: GELU's tanh form in the encoder, epsilon 1e-12, no scale of the transform, a projection behind the embeddings'
norm. Its masked-LM head has another GELU (exact) and epsilon (1e-5) than Hugging Face's, so it is left out."""

import json
import shutil
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from checkpoints.common import (
    Checkpoint,
    Names,
    count_layers,
    encoder_shapes,
    labels_of,
    library,
    linear_shapes,
    rename,
    require,
    version,
)

NAMES = Names([
    (r"embeddings\.word_embeddings\.weight", "token_embedding/0", False),
    (r"embeddings\.position_embeddings\.weight", "position_embedding/0", False),
    (r"embeddings\.token_type_embeddings\.weight", "segment_embedding/0", False),
    (r"embeddings\.LayerNorm\.weight", "embeddings_layer_norm/0", False),
    (r"embeddings\.LayerNorm\.bias", "embeddings_layer_norm/1", False),
    (r"embeddings\.projection\.weight", "embedding_projection/0", True),
    (r"embeddings\.projection\.bias", "embedding_projection/1", False),
    (r"encoder\.layer\.(\d+)\.fourier\.output\.LayerNorm\.weight", "f_net_layer_{0}/mixing_layer_norm/0", False),
    (r"encoder\.layer\.(\d+)\.fourier\.output\.LayerNorm\.bias", "f_net_layer_{0}/mixing_layer_norm/1", False),
    (r"encoder\.layer\.(\d+)\.(intermediate|output)\.dense\.weight", "f_net_layer_{0}/{1}_dense/0", True),
    (r"encoder\.layer\.(\d+)\.(intermediate|output)\.dense\.bias", "f_net_layer_{0}/{1}_dense/1", False),
    (r"encoder\.layer\.(\d+)\.output\.LayerNorm\.weight", "f_net_layer_{0}/output_layer_norm/0", False),
    (r"encoder\.layer\.(\d+)\.output\.LayerNorm\.bias", "f_net_layer_{0}/output_layer_norm/1", False),
    (r"pooler\.dense\.weight", "pooled_dense/0", True),
    (r"pooler\.dense\.bias", "pooled_dense/1", False),
    (r"classifier\.weight", "logits/0", True),
    (r"classifier\.bias", "logits/1", False),
])  # fmt: skip
TASKS = ("FNetTextClassifier", "FNetMaskedLM")
LAYER_PARTS = ("mixing_layer_norm", "intermediate_dense", "output_dense", "output_layer_norm")


def keras_config(path):
    """The config of a .keras file or of a preset's folder; None of another file."""
    try:
        if path.is_dir():
            return json.loads((path / "config.json").read_text(encoding="utf-8"))
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("config.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None


def owns(path):
    if path.name.endswith(".h5"):
        return True
    config = keras_config(path)
    return isinstance(config, dict) and config.get("class_name") in ("FNetBackbone", *TASKS)


def from_h5(path, options):
    """A model of the sizes that a .weights.h5 has, with its weights."""
    h5py, keras_hub = library("h5py"), library("keras_hub", "keras-hub")
    try:
        with h5py.File(path) as file:
            shapes = {}
            file.visititems(lambda name, x: shapes.__setitem__(name, x.shape) if hasattr(x, "shape") else None)
    except OSError as error:
        require(False, f"{path}: expected a whole HDF5 file, found another ({error}); fetch it again")
    root = "layers/f_net_backbone/" if any(name.startswith("layers/f_net_backbone/") for name in shapes) else ""

    def shape(name):
        found = shapes.get(f"{root}layers/{name}")
        require(found is not None, f"{path}: expected {root}layers/{name}, found {sorted(shapes)[:4]} and so on; is it "
                "a file of keras-hub's FNet?")  # fmt: skip
        require(len(found) == 2, f"{path}: {root}layers/{name}: expected 2 axes, found {len(found)}")
        return found

    numbered = [name.replace("f_net_encoder/", "f_net_encoder_0/") for name in shapes]
    layers = count_layers(numbered, r"f_net_encoder_(\d+)/", path)
    vocab, hidden = shape("reversible_embedding/vars/0")
    model = keras_hub.models.FNetBackbone(
        vocabulary_size=vocab, num_layers=layers, hidden_dim=hidden,
        intermediate_dim=shape("f_net_encoder/_intermediate_dense/vars/0")[1],
        max_sequence_length=shape("position_embedding/vars/0")[0], num_segments=shape("embedding/vars/0")[0],
    )  # fmt: skip
    if root and "layers/dense/vars/0" in shapes:
        model = keras_hub.models.FNetTextClassifier(model, num_classes=shapes["layers/dense/vars/0"][1])
    elif root:
        model = keras_hub.models.FNetMaskedLM(model)
    model.load_weights(path)
    return model


def load(path, options):
    keras, keras_hub = library("keras"), library("keras_hub", "keras-hub")
    try:
        if path.name.endswith(".h5"):
            return from_h5(path, options)
        if path.is_dir():
            folder = path.absolute()  # a bare name would be one of the presets on Kaggle
            if (path / "task.json").exists():
                name = json.loads((path / "task.json").read_text(encoding="utf-8")).get("class_name")
                require(name in TASKS, f"{path / 'task.json'}: class_name: expected {' or '.join(TASKS)}, found {name}")
                return getattr(keras_hub.models, name).from_preset(str(folder), preprocessor=None)
            return keras_hub.models.Backbone.from_preset(str(folder))
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (ValueError, KeyError, TypeError, OSError, zipfile.BadZipFile) as error:
        first = " ".join(str(error).split())[:300]
        require(False, f"{path}: expected a whole model that keras-hub {version('keras-hub')} loads; it says: {first}")


def variables(layer, name):
    return {f"{name}/{i}": np.asarray(found) for i, found in enumerate(layer.weights)}


def source_of(backbone, model):
    """Every weight by its layer's name and its number there."""
    source = {}
    for layer in backbone.layers:
        if layer.name.startswith("f_net_layer_"):
            for part in LAYER_PARTS:
                source |= variables(getattr(layer, f"_{part}"), f"{layer.name}/{part}")
        else:
            source |= variables(layer, layer.name)
    return source | (variables(model.output_dense, "logits") if hasattr(model, "output_dense") else {})


def read(path, options):
    model = load(path, options)
    backbone = getattr(model, "backbone", model)
    require(type(backbone).__name__ == "FNetBackbone",
            f"{path}: expected an FNetBackbone, found {type(backbone).__name__}")  # fmt: skip
    notes = []
    config = dict(
        vocab_size=backbone.vocabulary_size, hidden_size=backbone.hidden_dim, num_hidden_layers=backbone.num_layers,
        intermediate_size=backbone.intermediate_dim, hidden_act="gelu_new", hidden_dropout_prob=backbone.dropout,
        max_position_embeddings=backbone.max_sequence_length, type_vocab_size=backbone.num_segments,
        layer_norm_eps=1e-12, pad_token_id=3, bos_token_id=1, eos_token_id=2,
        length_policy=options.length_policy or f"fixed:{backbone.max_sequence_length}",
    )  # fmt: skip
    shapes = encoder_shapes(config)
    if hasattr(model, "output_dense"):
        count = model.num_classes
        config = {"architectures": ["FNetForSequenceClassification"], **config, "id2label": labels_of(count)}
        shapes = {"fnet." + name: shape for name, shape in shapes.items()}
        shapes |= linear_shapes("classifier", backbone.hidden_dim, count)
        notes.append(f"the file names no labels: they are LABEL_0 to LABEL_{count - 1} in config.json")
    else:
        config = {"architectures": ["FNetModel"], **config}
        if model is not backbone:
            notes.append("the masked-LM head is left out: its GELU and epsilon are not Hugging Face's")
    weights = rename(source_of(backbone, model), shapes, lambda name: NAMES(name.removeprefix("fnet.")), path)
    spm = path / "assets" / "tokenizer" / "vocabulary.spm"
    tokenizer = {"spiece.model": spm.read_bytes()} if spm.is_file() else {}
    source = {"library": "keras-hub", "version": version("keras-hub"), "class": type(model).__name__}
    return Checkpoint("keras-hub", config, weights, source,
                      lambda ids, types, tokens: run(model, backbone, ids, types), tokenizer, notes)  # fmt: skip


def run(model, backbone, ids, types):
    given = {"token_ids": ids.astype("int32"), "segment_ids": types.astype("int32")}
    found = backbone(given, training=False)
    answers = {"last_hidden_state": found["sequence_output"], "pooler_output": found["pooled_output"]}
    if hasattr(model, "output_dense"):
        answers["logits"] = model.output_dense(found["pooled_output"])
    return {name: np.asarray(array) for name, array in answers.items()}


def write(folder, config, weights):
    """A preset's folder of a model that Hugging Face's FNet can express, without a preprocessor."""
    keras_hub = library("keras_hub", "keras-hub")
    require(config["hidden_act"] in ("gelu_new", "gelu_pytorch_tanh"), "config.json: hidden_act: expected gelu_new, the "
            f"only one that keras-hub's FNet has, found {config['hidden_act']}")  # fmt: skip
    require(config["layer_norm_eps"] == 1e-12, "config.json: layer_norm_eps: expected 1e-12, the only one that keras-hub's "
            f"FNet has, found {config['layer_norm_eps']}")  # fmt: skip
    architecture = config["architectures"][0]
    require(architecture in ("FNetModel", "FNetForSequenceClassification"), "config.json: architectures: expected an "
            f"encoder or a text classifier, which keras-hub has, found {architecture}")  # fmt: skip
    model = backbone = keras_hub.models.FNetBackbone(
        vocabulary_size=config["vocab_size"], num_layers=config["num_hidden_layers"], hidden_dim=config["hidden_size"],
        intermediate_dim=config["intermediate_size"], dropout=config.get("hidden_dropout_prob", 0.1),
        max_sequence_length=config["max_position_embeddings"], num_segments=config["type_vocab_size"],
    )  # fmt: skip
    if architecture == "FNetForSequenceClassification":
        model = keras_hub.models.FNetTextClassifier(backbone, num_classes=len(config["id2label"]))
    theirs = {}
    for name, array in weights.items():
        place, turned = NAMES(name.removeprefix("fnet."))
        theirs[place] = array.T if turned else array
    for layer in [*backbone.layers, *([model.output_dense] if model is not backbone else [])]:
        parts = {part: getattr(layer, f"_{part}") for part in LAYER_PARTS} if "f_net_layer_" in layer.name else {"": layer}
        for part, found in parts.items():
            place = f"{layer.name}/{part}" if part else layer.name
            found.set_weights([theirs.pop(f"{place}/{i}") for i in range(len(found.weights))])
    require(not theirs, f"weights: expected those of keras-hub's FNet, found {sorted(theirs)} too")
    with tempfile.TemporaryDirectory() as preset:
        model.save_to_preset(preset)
        shutil.copytree(preset, folder, dirs_exist_ok=True)
    return Path(folder)

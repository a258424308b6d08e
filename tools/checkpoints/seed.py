"""The Keras seed's FNet (dl_techniques): a .keras file of the encoder, or of a model that has the encoder in it, as
create_fnet_with_head makes them. Numerics: GELU exact, the transform divided by sqrt(L H), no projection, no pooler, the
embeddings' norm with the model's epsilon and those of the blocks with 1e-6, dropout inside the feed-forward, and one
length, that of its stored DFT matrices, whose padding rows a mask sets to 0 after the mixing. Its heads have layers that
ours have not, so the encoder is converted alone."""

import json
import re
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from checkpoints.common import Checkpoint, Names, count_layers, encoder_shapes, library, rename, require, size, version

BLOCK = "encoder_layers/{0}/"
NORM = [("weight", 0), ("bias", 1), ("running_mean", 2), ("running_var", 3)]
# ffn_type of the seed → our keys, and the places of its maps: the gate, the inner one, the last.
FEED_FORWARDS = {
    "mlp": (dict(hidden_act="gelu"), (None, "fc1", "fc2")),
    "swin_mlp": (dict(hidden_act="gelu", ffn_dropout="both"), (None, "fc1", "fc2")),
    "gelu_tanh": (dict(hidden_act="gelu_pytorch_tanh"), (None, "fc1", "fc2")),
    "squared_relu": (dict(hidden_act="squared_relu"), (None, "fc1", "fc2")),
    "glu": (dict(ffn_type="glu"), ("gate_proj", "value_proj", "output_proj")),
    "reglu": (dict(ffn_type="reglu"), ("gate_proj", "value_proj", "output_proj")),
    "bilinear": (dict(ffn_type="bilinear"), ("gate_proj", "value_proj", "output_proj")),
    "geglu": (dict(ffn_type="geglu"), ("gate", "inner", "output_proj")),
    "swiglu": (dict(ffn_type="swiglu"), ("gate_proj", "up_proj", "down_proj")),
}  # fmt: skip
NORMS = ("layer_norm", "rms_norm", "batch_norm")
DEFAULTS = dict(vocab_size=30522, hidden_size=768, num_layers=12, intermediate_size=3072, hidden_dropout_prob=0.1,
                max_position_embeddings=512, type_vocab_size=2, initializer_range=0.02, layer_norm_eps=1e-12,
                pad_token_id=0, position_embedding_type="learned", normalization_type="layer_norm",
                normalization_position="post", ffn_type="mlp", use_stochastic_depth=False,
                stochastic_depth_rate=0.1)  # fmt: skip


def find_config(tree):
    """The config of the class FNet, wherever it stands in a saved model's."""
    if isinstance(tree, list):
        return next((found for item in tree if (found := find_config(item))), None)
    if not isinstance(tree, dict):
        return None
    if tree.get("class_name") == "FNet" and isinstance(tree.get("config"), dict):
        return tree["config"]
    return find_config(list(tree.values()))


def read_config(path):
    try:
        with zipfile.ZipFile(path) as archive:
            return find_config(json.loads(archive.read("config.json")))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None


def owns(path):
    return path.is_file() and path.suffix == ".keras" and read_config(path) is not None


def stored(path):
    """The arrays of model.weights.h5 by their places below the encoder."""
    h5py = library("h5py")
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
            with h5py.File(archive.extract("model.weights.h5", folder)) as file:
                file.visititems(lambda name, x: arrays.__setitem__(name, x[()]) if hasattr(x, "shape") else None)
    except (OSError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
        require(False, f"{path}: expected model.weights.h5 in it, found none that is whole ({error}); save it again")
    word = [name for name in arrays if name.endswith("embeddings/word_embeddings/vars/0")]
    require(len(word) == 1, f"{path}: model.weights.h5: expected one table embeddings/word_embeddings, found {len(word)}")
    root = word[0].removesuffix("embeddings/word_embeddings/vars/0")
    first = re.compile(r"encoder_layers/f_net_encoder_block/")
    below = {first.sub("encoder_layers/f_net_encoder_block_0/", name.removeprefix(root)): array
             for name, array in arrays.items() if name.startswith(root)}  # fmt: skip
    others = [name for name in arrays if not name.startswith(root) and not name.startswith("optimizer/")]
    return {name.replace("f_net_encoder_block_", "").replace("/vars/", "/"): x for name, x in below.items()}, others


def halves(arrays):
    """geglu's one map, gate first, as two."""
    for name in [name for name in arrays if "/input_proj/" in name]:
        gate, inner = np.split(arrays.pop(name), 2, axis=-1)
        arrays[name.replace("input_proj", "gate")], arrays[name.replace("input_proj", "inner")] = gate, inner


def names(places):
    gate, inner, last = places
    rows = [(rf"embeddings\.{name}_embeddings\.weight", f"embeddings/{name}_embeddings/0", False)
            for name in ("word", "position", "token_type")]  # fmt: skip
    layer = r"encoder\.layer\.(\d+)\."
    for ours, theirs in ((r"embeddings\.LayerNorm", "embeddings/layer_norm"),
                         (r"encoder\.LayerNorm", "final_norm"),
                         (layer + r"fourier\.output\.LayerNorm", BLOCK + "fourier_layer_norm"),
                         (layer + r"output\.LayerNorm", BLOCK + "output_layer_norm")):  # fmt: skip
        rows += [(rf"{ours}\.{name}", f"{theirs}/{number}", False) for name, number in NORM]
    for ours, theirs in ((r"intermediate\.gate", gate), (r"intermediate\.dense", inner), (r"output\.dense", last)):
        rows += [(rf"{layer}{ours}\.weight", f"{BLOCK}ffn_layer/{theirs}/0", True),
                 (rf"{layer}{ours}\.bias", f"{BLOCK}ffn_layer/{theirs}/1", False)]  # fmt: skip
    return Names(rows)


def read(path, options):
    settings = read_config(path)
    require(settings is not None, f"{path}: expected a .keras file with the class FNet of dl_techniques, found none")
    settings = DEFAULTS | settings
    kind, norm = settings["ffn_type"], settings["normalization_type"]
    require(kind in FEED_FORWARDS, f"{path}: ffn_type: expected one of {', '.join(FEED_FORWARDS)}, found {kind}; fnet "
            "init makes and fnet finetune trains the others")  # fmt: skip
    require(norm in NORMS, f"{path}: normalization_type: expected one of {', '.join(NORMS)}, found {norm}; fnet init "
            "makes and fnet finetune trains the others")  # fmt: skip
    arrays, others = stored(path)
    halves(arrays)
    own, places = FEED_FORWARDS[kind]
    # Older versions kept these settings and built the default all the same: the weights tell.
    pre = "final_norm/0" in arrays and settings["normalization_position"] == "pre"
    sinusoidal = "embeddings/position_embeddings/0" not in arrays
    settings |= {"normalization_position": "pre" if pre else "post",
                 "position_embedding_type": "sinusoidal" if sinusoidal else "learned"}  # fmt: skip
    dft = "encoder_layers/0/fourier_transform/0"
    length = size(arrays.get(dft), path, dft, 3)[0]
    require(count_layers(arrays, r"encoder_layers/(\d+)/", path) == settings["num_layers"],
            f"{path}: expected {settings['num_layers']} encoder layers, as config.json says, found another number")  # fmt: skip
    inner = f"encoder_layers/0/ffn_layer/{places[1]}/0"
    settings["intermediate_size"] = size(arrays.get(inner), path, inner, 2)[1]  # swiglu's was once another
    config = dict(
        architectures=["FNetModel"], vocab_size=settings["vocab_size"], hidden_size=settings["hidden_size"],
        num_hidden_layers=settings["num_layers"], intermediate_size=settings["intermediate_size"], hidden_act="gelu",
        hidden_dropout_prob=settings["hidden_dropout_prob"], ffn_dropout="inner",
        max_position_embeddings=settings["max_position_embeddings"], type_vocab_size=settings["type_vocab_size"],
        initializer_range=settings["initializer_range"], layer_norm_eps=1e-6,
        embedding_norm_eps=settings["layer_norm_eps"], pad_token_id=settings["pad_token_id"], fourier_norm="ortho",
        embedding_projection=False, pooler=False, pooling="cls", norm_type=norm,
        norm_position=settings["normalization_position"],
        position_embedding=settings["position_embedding_type"], mixer_options={"mask": "output"},
        length_policy=options.length_policy or f"fixed:{length}",
    ) | own  # fmt: skip
    if settings["use_stochastic_depth"]:
        config["drop_path_rate"] = settings["stochastic_depth_rate"]
    shapes = encoder_shapes(config)
    weights = rename(arrays, shapes, names(places), path, lambda name: "/fourier_transform/" in name)
    notes = ["the tokenizer is not in such a file: the seed's is tiktoken's, for which fnet has no model; pass ids, or "
             "train one with fnet tokenizer train and fine-tune"]  # fmt: skip
    if others:
        notes.append(f"{len(others)} arrays of its head are left out: such a head has layers that fnet's have not")
    if pre and settings["layer_norm_eps"] != 1e-6:
        notes.append(f"the last norm's epsilon, {settings['layer_norm_eps']}, becomes that of the blocks, 1e-06")
    settings["length"] = length
    require(config["length_policy"] in ("exact", f"fixed:{length}"), f"{path}: --length-policy: expected exact or "
            f"fixed:{length}, the length of its DFT matrices, found {config['length_policy']}")  # fmt: skip
    source = {"library": "keras", "version": version("keras"), "class": "FNet, made again of Keras' layers"}
    return Checkpoint("seed", config, weights, source, lambda *given: run(path, settings, *given), notes=notes,
                      lengths=[length] if config["length_policy"] == "exact" else [])  # fmt: skip


def run(path, settings, ids, types, tokens):
    """The seed's layers, made again, with the weights that Keras itself loads from the file."""
    from checkpoints.seed_layers import FNet

    length = settings["length"]
    padded = [np.pad(x, ((0, 0), (0, length - x.shape[1])), constant_values=fill)
              for x, fill in ((ids, settings["pad_token_id"]), (types, 0))]  # fmt: skip
    model = FNet({key: settings[key] for key in DEFAULTS})
    mask = (np.arange(length) < tokens)[None].astype("int32")
    model([*(x.astype("int32") for x in padded), mask])
    load(model, path)
    return {"last_hidden_state": np.asarray(model([*(x.astype("int32") for x in padded), mask]))}


def load(model, path):
    """Keras' own reader fills the encoder, from wherever it stands in the file."""
    h5py = library("h5py")
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
        extracted = Path(archive.extract("model.weights.h5", folder))
        with h5py.File(extracted) as file:
            place = []
            file.visit(lambda name: place.append(name) if name.endswith("embeddings/word_embeddings") else None)
            root = place[0].removesuffix("embeddings/word_embeddings").strip("/")
            if root:
                alone = Path(folder) / "alone.weights.h5"
                with h5py.File(alone, "w") as target:
                    for name in file[root]:
                        file.copy(file[f"{root}/{name}"], target, name)
                extracted = alone
            model.load_weights(extracted.rename(Path(folder) / "encoder.weights.h5"))

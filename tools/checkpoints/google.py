"""Google's own FNet checkpoints (google-research/f_net): a msgpack file of Flax parameters, with or without the
optimiser's state. Its names and formulas are those of f_net/layers.py and f_net/models.py there: the projection behind
the embeddings' norm, GELU's tanh form, no scale of the transform, epsilon 1e-12, norms after each sum; encoders of the
arithmetic kinds too: LINEAR and FF_ONLY in place of the transform, and attention in all layers or some. The golden
vectors are what Flax's own layers compute of these parameters."""

import re

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
    size,
    version,
)

EPS = 1e-12
NAMES = Names([
    (r"embeddings\.word_embeddings\.weight", "encoder/embedder/word/embedding", False),
    (r"embeddings\.position_embeddings\.weight", "encoder/embedder/position/embedding", False),
    (r"embeddings\.token_type_embeddings\.weight", "encoder/embedder/type/embedding", False),
    (r"embeddings\.LayerNorm\.weight", "encoder/embedder/layer_norm/scale", False),
    (r"embeddings\.LayerNorm\.bias", "encoder/embedder/layer_norm/bias", False),
    (r"embeddings\.projection\.weight", "encoder/embedder/hidden_mapping_in/kernel", True),
    (r"embeddings\.projection\.bias", "encoder/embedder/hidden_mapping_in/bias", False),
    (r"encoder\.layer\.(\d+)\.fourier\.output\.LayerNorm\.weight", "encoder/encoder_{0}/mixing_layer_norm/scale", False),
    (r"encoder\.layer\.(\d+)\.fourier\.output\.LayerNorm\.bias", "encoder/encoder_{0}/mixing_layer_norm/bias", False),
    (r"encoder\.layer\.(\d+)\.output\.LayerNorm\.weight", "encoder/encoder_{0}/output_layer_norm/scale", False),
    (r"encoder\.layer\.(\d+)\.output\.LayerNorm\.bias", "encoder/encoder_{0}/output_layer_norm/bias", False),
    (r"encoder\.layer\.(\d+)\.(intermediate|output)\.dense\.weight", "encoder/feed_forward_{0}/{1}/kernel", True),
    (r"encoder\.layer\.(\d+)\.(intermediate|output)\.dense\.bias", "encoder/feed_forward_{0}/{1}/bias", False),
    (r"encoder\.layer\.(\d+)\.linear\.sequence\.weight", "encoder/linear_transform_{0}/seq_kernel", False),
    (r"encoder\.layer\.(\d+)\.linear\.hidden\.weight", "encoder/linear_transform_{0}/hidden_kernel", True),
    (r"encoder\.layer\.(\d+)\.attention\.self\.(\w+)\.weight", "encoder/self_attention_{0}/{1}/kernel", True),
    (r"encoder\.layer\.(\d+)\.attention\.self\.(\w+)\.bias", "encoder/self_attention_{0}/{1}/bias", False),
    (r"encoder\.layer\.(\d+)\.attention\.output\.dense\.weight", "encoder/self_attention_{0}/out/kernel", True),
    (r"encoder\.layer\.(\d+)\.attention\.output\.dense\.bias", "encoder/self_attention_{0}/out/bias", False),
    (r"pooler\.dense\.weight", "encoder/pooler/kernel", True),
    (r"pooler\.dense\.bias", "encoder/pooler/bias", False),
    (r"classifier\.weight", "classification/output_kernel", False),
    (r"classifier\.bias", "classification/output_bias", False),
    (r"cls\.seq_relationship\.weight", "classification/output_kernel", False),
    (r"cls\.seq_relationship\.bias", "classification/output_bias", False),
    (r"cls\.predictions\.transform\.dense\.weight", "predictions_dense/kernel", True),
    (r"cls\.predictions\.transform\.dense\.bias", "predictions_dense/bias", False),
    (r"cls\.predictions\.transform\.LayerNorm\.weight", "predictions_layer_norm/scale", False),
    (r"cls\.predictions\.transform\.LayerNorm\.bias", "predictions_layer_norm/bias", False),
    (r"cls\.predictions\.bias", "predictions_output/output_bias", False),
])  # fmt: skip


def owns(path):
    """A msgpack map with a name of f_net's modules near its beginning."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(1 << 16)
    is_map = head[:1] in (b"\xde", b"\xdf") or head[:1] and 0x80 <= head[0] <= 0x8F
    return bool(is_map) and any(name in head for name in (b"encoder", b"predictions_", b"classification"))


def flatten(tree, prefix=""):
    flat = {}
    for name, found in tree.items():
        if isinstance(found, dict):
            flat |= flatten(found, f"{prefix}{name}/")
        else:
            flat[prefix + name] = np.asarray(found)
    return flat


def parameters(path):
    """The tree of parameters: the optimiser's target, a train state's params, or the file itself."""
    serialization = library("flax.serialization", "flax")
    try:
        tree = serialization.msgpack_restore(path.read_bytes())
    except Exception as error:
        require(False, f"{path}: expected a whole msgpack file of Flax, found another ({error}); fetch it again")
    while isinstance(tree, dict) and "encoder" not in tree:
        inner = [tree[name] for name in ("target", "optimizer", "params") if name in tree]
        require(inner, f"{path}: expected 'encoder' below 'target' or 'params', found {sorted(tree)[:8]}; is it a "
                "checkpoint of google-research/f_net?")  # fmt: skip
        tree = inner[0]
    require(isinstance(tree, dict), f"{path}: expected a map of parameters, found {type(tree).__name__}")
    return tree


def mixer_of(flat, layer, parameter_free):
    if f"encoder/self_attention_{layer}/query/kernel" in flat:
        return "attention"
    return "linear" if f"encoder/linear_transform_{layer}/seq_kernel" in flat else parameter_free


def without_heads(flat, path):
    """Attention's matrices [D, heads, D / heads] as [D, D]; and how many heads there are."""
    flat, heads = dict(flat), 0
    for name, array in flat.items():
        if not (match := re.match(r"encoder/self_attention_\d+/(\w+)/(kernel|bias)$", name)):
            continue
        of_out, of_kernel = match[1] == "out", match[2] == "kernel"
        if of_out and not of_kernel:
            continue
        shape = size(array, path, name, 3 if of_kernel else 2)
        heads = shape[0] if of_out else shape[-2]
        flat[name] = array.reshape((-1, shape[-1]) if of_out else (shape[0], -1) if of_kernel else -1)
    return flat, heads


def read(path, options):
    """A checkpoint; options.mixer is how it mixes where no parameter tells it."""
    tree = parameters(path)
    flat = flatten(tree)
    flat, heads = without_heads(flat, path)
    table, word, types = (f"encoder/embedder/{name}/embedding" for name in ("position", "word", "type"))
    size(flat.get(table), path, table, 3)
    flat[table] = flat[table][0]
    vocab, width = size(flat.get(word), path, word, 2)
    kernel = "encoder/embedder/hidden_mapping_in/kernel"
    hidden = size(flat.get(kernel), path, kernel, 2)[1]
    require(hidden == width, f"{path}: {kernel}: expected a square matrix, found {width} to {hidden}; embeddings "
            "narrower than the encoder have no place in Hugging Face's layout")  # fmt: skip
    inner = "encoder/feed_forward_0/intermediate/kernel"
    layers = count_layers(flat, r"^encoder/encoder_(\d+)/", path)
    mixers = [mixer_of(flat, i, options.mixer) for i in range(layers)]
    positions = flat[table].shape[0]
    config = dict(
        vocab_size=vocab, hidden_size=width, num_hidden_layers=layers,
        intermediate_size=size(flat.get(inner), path, inner, 2)[1], hidden_act="gelu_new",
        hidden_dropout_prob=0.1, max_position_embeddings=positions,
        type_vocab_size=size(flat.get(types), path, types, 2)[0], layer_norm_eps=EPS, pad_token_id=3,
        bos_token_id=1, eos_token_id=2, mixers=mixers[:1] if len(set(mixers)) == 1 else mixers,
        length_policy=options.length_policy or f"fixed:{positions}",
    )  # fmt: skip
    if heads:
        mixing = [i for i, name in enumerate(mixers) if name != "attention"]
        require(config["length_policy"] == "exact" or not mixing or mixing[-1] < mixers.index("attention"),
                f"{path}: expected attention in the last layers, found it below others, where Google's program mixes "
                "attention's rows of padding and fnet other ones; --length-policy exact has no padding")  # fmt: skip
        config["mixer_options"] = {"num_attention_heads": int(heads)}
    shapes = {"fnet." + name: shape for name, shape in encoder_shapes(config).items()}
    notes = []
    if options.mixer in mixers:
        notes.append(f"nothing in the file tells how {mixers.count(options.mixer)} of {layers} layers mix: taken to be "
                     f"{options.mixer} (--mixer); RANDOM's matrices are in no file, so it cannot be converted")  # fmt: skip
    if "predictions_dense/kernel" in flat:
        config = {"architectures": ["FNetForPreTraining"], **config}
        for name, outputs in (("predictions.transform.dense", width), ("seq_relationship", 2)):
            shapes |= linear_shapes(f"cls.{name}", width, outputs)
        shapes |= {"cls.predictions.transform.LayerNorm.weight": (width,),
                   "cls.predictions.transform.LayerNorm.bias": (width,), "cls.predictions.bias": (vocab,)}  # fmt: skip
        notes.append("the heads of pretraining are taken along under transformers' names")
    elif "classification/output_kernel" in flat:
        count = size(flat["classification/output_kernel"], path, "classification/output_kernel", 2)[0]
        config = {"architectures": ["FNetForSequenceClassification"], **config, "id2label": labels_of(count)}
        shapes |= linear_shapes("classifier", width, count)
        notes.append(f"the file names no labels: they are LABEL_0 to LABEL_{count - 1} in config.json")
    else:
        config = {"architectures": ["FNetModel"], **config}
    weights = rename(flat, shapes, lambda name: NAMES(name.removeprefix("fnet.")), path)
    return Checkpoint(
        "google", config, weights,
        {"library": "flax", "version": version("flax"), "class": "layers of flax.linen by f_net's names"},
        lambda ids, types, tokens: run(tree, mixers, ids, types, tokens), notes=notes,
    )  # fmt: skip


def run(tree, mixers, ids, types, tokens):
    """f_net's models on its own parameters, by Flax's layers."""
    nn, jnp = library("flax.linen", "flax"), library("jax.numpy", "jax")

    def norm(x, params):
        return nn.LayerNorm(epsilon=EPS).apply({"params": params}, x)

    def dense(x, params):
        return nn.Dense(params["kernel"].shape[-1]).apply({"params": params}, x)

    def mix(x, name, layer):
        if name == "attention":
            params = encoder[f"self_attention_{layer}"]
            heads = params["query"]["kernel"].shape[1]
            mask = nn.make_attention_mask(jnp.arange(x.shape[1])[None] < tokens, jnp.arange(x.shape[1])[None] < tokens)
            module = nn.MultiHeadDotProductAttention(heads, qkv_features=x.shape[-1], deterministic=True)
            return module.apply({"params": params}, x, x, mask=mask)
        if name == "linear":
            params = encoder[f"linear_transform_{layer}"]
            return jnp.einsum("bij,jk,ni->bnk", x, params["hidden_kernel"], params["seq_kernel"])
        return x if name == "identity" else jnp.fft.fftn(x, axes=(1, 2)).real

    encoder = tree["encoder"]
    embedder = encoder["embedder"]
    x = embedder["word"]["embedding"][ids] + embedder["position"]["embedding"][:, : ids.shape[1]]
    x = dense(norm(x + embedder["type"]["embedding"][types], embedder["layer_norm"]), embedder["hidden_mapping_in"])
    for layer, name in enumerate(mixers):
        block, feed_forward = encoder[f"encoder_{layer}"], encoder[f"feed_forward_{layer}"]
        x = norm(x + mix(x, name, layer), block["mixing_layer_norm"])
        y = dense(nn.gelu(dense(x, feed_forward["intermediate"])), feed_forward["output"])
        x = norm(x + y, block["output_layer_norm"])
    answers = {"last_hidden_state": x, "pooler_output": jnp.tanh(dense(x[:, 0], encoder["pooler"]))}
    if "classification" in tree and "predictions_dense" not in tree:
        head = tree["classification"]
        answers["logits"] = answers["pooler_output"] @ head["output_kernel"].T + head["output_bias"]
    return {name: np.asarray(found) for name, found in answers.items()}

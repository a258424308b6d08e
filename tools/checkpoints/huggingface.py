"""Hugging Face's FNet: a folder with pytorch_model.bin or safetensors, to and fro. Numerics as its config.json says."""

import json
import pickle
import warnings

import numpy as np

from checkpoints.common import HEADS, OWN_KEYS, Checkpoint, library, require, value, version

WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
TOKENIZER = ("spiece.model", "vocab.txt", "tokenizer_config.json", "tokenizer.json", "special_tokens_map.json", "added_tokens.json")
# Of ours in transformers' words.
ACTIVATIONS = {"squared_relu": "relu2"}
# What only training reads, and what a program that is not fnet cannot know.
DROPPED = ("length_policy", "ffn_dropout", "drop_path_rate", "no_answer")


def owns(path):
    return path.is_dir() and any((path / name).exists() for name in WEIGHTS)


def read_json(path):
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        require(False, f"{path}: expected a JSON file, found none ({error})")
    require(isinstance(found, dict), f"{path}: expected a JSON object, found {type(found).__name__}")
    return found


def first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def file_weights(path):
    """The tensors of one file, by name. A pickle is read without running what it holds."""
    torch = library("torch")
    try:
        if path.suffix == ".safetensors":
            return library("safetensors.torch", "safetensors").load_file(path)
        with warnings.catch_warnings(action="ignore"):  # of pickles' versions
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        require(False, f"{path}: expected a pickle of tensors alone, found one that holds other things; it was not run")
    except Exception as error:
        require(False, f"{path}: expected a whole file of weights, found another ({first_line(error)}); fetch it again")
    require(isinstance(found, dict) and all(isinstance(x, torch.Tensor) for x in found.values()),
            f"{path}: expected a map of names to tensors, found something else; is it a state_dict?")  # fmt: skip
    return found


def state_dict(folder):
    name = next((name for name in WEIGHTS if (folder / name).exists()), None)
    require(name, f"{folder}: expected {', '.join(WEIGHTS)}, found none of them")
    if not name.endswith(".index.json"):
        return file_weights(folder / name), folder / name
    shards = sorted(set(read_json(folder / name).get("weight_map", {}).values()))
    require(shards and all("/" not in shard for shard in shards),
            f"{folder / name}: weight_map: expected files beside it, found {shards[:4]}")  # fmt: skip
    tensors = {}
    for shard in shards:
        tensors |= file_weights(folder / shard)
    return tensors, folder / name


def model_of(architecture, config, folder):
    """transformers' model of a config."""
    transformers = library("transformers")
    kind = getattr(transformers, architecture, None)
    require(kind is not None and architecture.startswith("FNet"), f"{folder / 'config.json'}: architectures: expected a "
            f"class of transformers' FNet, found {architecture}")  # fmt: skip
    try:
        return kind(transformers.FNetConfig.from_dict(config)).eval()
    except (TypeError, ValueError, KeyError, RuntimeError) as error:
        require(False, f"{folder / 'config.json'}: expected a config of transformers' FNet, found what it refuses: "
                f"{first_line(error)}")  # fmt: skip


def numpy_weights(tensors):
    torch = library("torch")
    return {name: x.detach().to(torch.float32).contiguous().numpy() for name, x in tensors.items()}


def fill(model, tensors, place):
    """Sets all weights of a model; else an error that lists what is missing, not expected or of another shape."""
    shapes = {name: tuple(x.shape) for name, x in model.state_dict().items()}
    bare = not any(name.startswith("fnet.") for name in shapes)
    given = {}
    for name, x in tensors.items():
        name = name.replace(".gamma", ".weight").replace(".beta", ".bias")  # names of the first checkpoints
        if bare:
            name = name.removeprefix("fnet.")
        elif name not in shapes and f"fnet.{name}" in shapes:
            name = f"fnet.{name}"
        given[name] = x
    tied = {"cls.predictions.decoder.weight": "fnet.embeddings.word_embeddings.weight",
            "cls.predictions.decoder.bias": "cls.predictions.bias"}  # fmt: skip
    for copy, kept in tied.items():
        if copy in shapes and copy not in given and kept in given:
            given[copy] = given[kept]
    ignored = ("position_ids", "token_type_ids")
    extra = [name for name in given if name not in shapes and not name.endswith(ignored) and "dft_mat" not in name
             and not (bare and name.startswith("cls."))]  # fmt: skip
    missing = [name for name in shapes if name not in given and not name.endswith(ignored)]
    wrong = [f"{name} (expected {list(shapes[name])}, found {list(given[name].shape)})" for name in shapes
             if name in given and not name.endswith(ignored) and tuple(given[name].shape) != shapes[name]]  # fmt: skip
    problems = [f"{len(names)} {what}: {', '.join(names)}" for what, names in
                (("missing", missing), ("not expected", extra), ("of another shape", wrong)) if names]  # fmt: skip
    require(not problems, f"{place}: expected the weights of {type(model).__name__}, found {'; '.join(problems)}")
    model.load_state_dict({name: given[name] for name in shapes if name in given}, strict=False)


def untied(model):
    """Weights as transformers stores them: what is tied once."""
    stored = numpy_weights(model.state_dict())
    return {name: x for name, x in stored.items() if not name.startswith("cls.predictions.decoder.")
            and not name.endswith(("position_ids", "token_type_ids")) and "dft_mat" not in name}  # fmt: skip


def read(path, options):
    config = read_json(path / "config.json")
    require(config.get("model_type") == "fnet", f"{path / 'config.json'}: model_type: expected fnet, found "
            f"{config.get('model_type')}")  # fmt: skip
    tensors, place = state_dict(path)
    architecture = (config.get("architectures") or ["FNetModel"])[0]
    model = model_of(architecture, config, path)
    fill(model, tensors, place)
    policy = options.length_policy or config.get("length_policy") or f"fixed:{model.config.max_position_embeddings}"
    kept = {key: found for key, found in config.items() if key not in ("torch_dtype", "dtype")}
    kept |= {"architectures": [architecture], "length_policy": policy}
    for key in ("hidden_act", "layer_norm_eps", "max_position_embeddings", "type_vocab_size", "vocab_size"):
        kept.setdefault(key, getattr(model.config, key))  # stated, so that no reader's default decides
    tokenizer = {name: (path / name).read_bytes() for name in TOKENIZER if (path / name).is_file()}
    source = {"library": "transformers", "version": version("transformers"), "class": architecture}
    return Checkpoint("huggingface", kept, untied(model), source,
                      lambda ids, types, tokens: run(model, ids, types), tokenizer)  # fmt: skip


def run(model, ids, types):
    torch = library("torch")
    given = {"input_ids": torch.from_numpy(ids), "token_type_ids": torch.from_numpy(types)}
    with torch.no_grad():
        base = getattr(model, "fnet", model)(**given)
        answers = {"last_hidden_state": base.last_hidden_state}
        if base.pooler_output is not None:
            answers["pooler_output"] = base.pooler_output
        kind = type(model).__name__
        if kind in (HEADS["text-classification"], HEADS["token-classification"]):
            answers["logits"] = model(**given).logits
        if kind == HEADS["question-answering"]:
            found = model(**given)
            answers["logits"] = torch.stack([found.start_logits, found.end_logits], -1)
    return {name: x.numpy() for name, x in answers.items()}


def our_weights(folder):
    """The float32 weights of a directory of fnet's, those of int8 multiplied out again."""
    tensors, _ = state_dict(folder)
    torch = library("torch")
    weights = {}
    for name, x in tensors.items():
        if name.endswith("_scale") and name.removesuffix("_scale") in tensors:
            continue
        scale = tensors.get(f"{name}_scale")
        x = x.to(torch.float32) if scale is None else x.to(torch.float32) * scale.to(torch.float32)[:, None]
        weights[name] = x.numpy()
    return weights


def expressible(config, place):
    """config.json of a model that is an FNet of Hugging Face's, without fnet's own keys; else an error that names the
    key for which it has no word."""
    for key, default in OWN_KEYS.items():
        found = value(config, key)
        if key == "mixers":
            same = set([found] if isinstance(found, str) else found) == {"fourier"}
        elif key == "embedding_norm_eps":
            same = found in (0, config.get("layer_norm_eps"))
        elif key == "pooling":  # who asks for a vector says which
            same = found == default or config.get("architectures", [""])[0] != HEADS["text-classification"]
        else:
            same = found == default
        require(same, f"{place}: {key}: expected {json.dumps(default)}, as Hugging Face's FNet has it, found "
                f"{json.dumps(found)}, which it cannot express")  # fmt: skip
    require(not config.get("heads"), f"{place}: heads: expected none, found {sorted(config.get('heads', {}))}; Hugging "
            "Face's FNet has one head")  # fmt: skip
    kept = {key: found for key, found in config.items() if key not in OWN_KEYS and key not in DROPPED and key != "heads"}
    act = config.get("hidden_act", "gelu_new")
    kept |= {"model_type": "fnet", "architectures": config.get("architectures") or ["FNetModel"],
             "hidden_act": ACTIVATIONS.get(act, act)}  # fmt: skip
    if "id2label" in kept:
        kept["label2id"] = {label: int(i) for i, label in kept["id2label"].items()}
    return kept


def write(folder, config, weights):
    """A folder that transformers loads with no weight missing or left over, which is tried."""
    torch, transformers = library("torch"), library("transformers")
    architecture = config["architectures"][0]
    model = model_of(architecture, config, folder)
    fill(model, {name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in weights.items()}, folder)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    library("safetensors.numpy", "safetensors").save_file(untied(model), folder / "model.safetensors", {"format": "pt"})
    transformers.utils.logging.disable_progress_bar()
    _, notes = type(model).from_pretrained(folder, output_loading_info=True)
    problems = {key: sorted(map(str, found)) for key, found in notes.items() if found}
    require(not problems, f"{folder}: expected transformers to load it as it is, found {problems}")



#!/usr/bin/env python3
"""Make a model directory of fnet out of another program's checkpoint, or the other way round.

    python tools/convert_checkpoint.py pytorch_model/ --out model        # of Hugging Face, .bin or safetensors
    python tools/convert_checkpoint.py checkpoint_1000000 --out model    # of Google, Flax msgpack
    python tools/convert_checkpoint.py f_net_base_en/ --out model        # of keras-hub: preset, .keras, .weights.h5
    python tools/convert_checkpoint.py encoder.keras --out model         # of the Keras seed (dl_techniques)
    python tools/convert_checkpoint.py model --to huggingface --out for_transformers

The owners' libraries read the files and compute the golden vectors that `fnet doctor DIR` checks;
tools/requirements-convert.txt lists them, and only those of one's own family are needed. What the families compute
differently is recorded in config.json. Nothing is left behind when it fails; exit code 2.
"""

import argparse
import importlib
import json
import os
import pathlib
import shutil
import sys
import tempfile

from checkpoints.common import Refused, library, require, write_config

FAMILIES = {"huggingface": "huggingface", "keras-hub": "keras_hub", "seed": "seed", "google": "google"}
SPECIAL = {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]", "pad_token": "<pad>", "unk_token": "<unk>"}


def module(name):
    return importlib.import_module(f"checkpoints.{name}")


def family_of(path):
    require(path.exists(), f"{path}: expected a checkpoint, found nothing there")
    found = next((name for name, file in FAMILIES.items() if module(file).owns(path)), None)
    require(found, f"{path}: expected a checkpoint of one of {', '.join(FAMILIES)}, found another file; --from says whose "
            "it is")  # fmt: skip
    return found


def read(arguments):
    path = arguments.source
    require(path.exists(), f"{path}: expected a checkpoint, found nothing there")
    family = arguments.family or family_of(path)
    checkpoint = module(FAMILIES[family]).read(path, arguments)
    if arguments.labels:
        count = len(checkpoint.config.get("id2label", {}))
        labels = arguments.labels.split(",")
        require(len(labels) == count, f"--labels: expected {count}, as many as the head has, found {len(labels)}")
        checkpoint.config["id2label"] = {str(i): label for i, label in enumerate(labels)}
    if "id2label" in checkpoint.config:
        checkpoint.config["label2id"] = {label: int(i) for i, label in checkpoint.config["id2label"].items()}
    if arguments.tokenizer:
        require(arguments.tokenizer.is_file(), f"{arguments.tokenizer}: expected a SentencePiece model, found no file")
        checkpoint.tokenizer = {"spiece.model": arguments.tokenizer.read_bytes()}
    if "spiece.model" in checkpoint.tokenizer:
        check_tokenizer(checkpoint, arguments.tokenizer or path)
    else:
        checkpoint.notes.append("there is no spiece.model: the model takes ids, not texts; --tokenizer FILE adds one")
    return checkpoint


def check_tokenizer(checkpoint, place):
    """Its pieces are the table's rows, and its padding piece is the model's; and how it is used is written down."""
    pieces = library("sentencepiece").SentencePieceProcessor()
    try:
        pieces.LoadFromSerializedProto(checkpoint.tokenizer["spiece.model"])
    except RuntimeError as error:
        require(False, f"{place}: expected a SentencePiece model, found another file ({error})")
    vocab = checkpoint.config["vocab_size"]
    require(pieces.get_piece_size() <= vocab, f"{place}: expected at most {vocab} pieces (vocab_size), found "
            f"{pieces.get_piece_size()}")  # fmt: skip
    if checkpoint.family != "huggingface":
        pad = pieces.piece_to_id("<pad>")
        if pieces.id_to_piece(pad) == "<pad>":
            checkpoint.config["pad_token_id"] = pad
        # Google's program and keras-hub's give SentencePiece the text as it is, whatever do_lower_case says.
        checkpoint.tokenizer.setdefault("tokenizer_config.json", (json.dumps({
            "tokenizer_class": "FNetTokenizer", "model_input_names": ["input_ids", "token_type_ids"],
            "do_lower_case": False, "keep_accents": True, "normalization": "raw", **SPECIAL,
            "model_max_length": checkpoint.config["max_position_embeddings"]}, indent=2) + "\n").encode())  # fmt: skip


def write_fnet(folder, arguments):
    checkpoint = read(arguments)
    numpy_file = library("safetensors.numpy", "safetensors")
    config = write_config(checkpoint.config)
    (folder / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    numpy_file.save_file(checkpoint.weights, folder / "model.safetensors", {"format": "pt"})
    for name, content in checkpoint.tokenizer.items():
        (folder / name).write_bytes(content)
    (folder / "golden.json").write_text(module("golden").golden(checkpoint), encoding="utf-8")
    return checkpoint.notes


def write_other(folder, arguments):
    """A model of fnet's, or any that can be converted to one, as a folder of Hugging Face's or keras-hub's."""
    huggingface, path = module("huggingface"), arguments.source
    if huggingface.owns(path):
        config, weights, notes = huggingface.read_json(path / "config.json"), huggingface.our_weights(path), []
        tokenizer = {name: (path / name).read_bytes() for name in huggingface.TOKENIZER if (path / name).is_file()}
    else:
        checkpoint = read(arguments)
        config, weights, notes = checkpoint.config, checkpoint.weights, checkpoint.notes
        tokenizer = checkpoint.tokenizer
    policy = config.get("length_policy", f"fixed:{config.get('max_position_embeddings')}")
    config = huggingface.expressible(config, path / "config.json")
    if arguments.to == "keras-hub":
        module("keras_hub").write(folder, config, weights)
        if "spiece.model" in tokenizer:
            (folder / "assets" / "tokenizer").mkdir(parents=True, exist_ok=True)
            (folder / "assets" / "tokenizer" / "vocabulary.spm").write_bytes(tokenizer["spiece.model"])
    else:
        huggingface.write(folder, config, weights)
        for name, content in tokenizer.items():
            (folder / name).write_bytes(content)
    rows = "its own length: do not pad" if policy == "exact" else policy.replace("fixed:", "") + " rows: pad to so many"
    return [*notes, f"this model mixes a text over {rows}, which the other program does not know"]


def convert(arguments):
    """Writes beside the target, and renames at the end."""
    out = arguments.out.absolute()
    require(not out.exists(), f"{arguments.out}: expected a new directory, found one that is there; remove it or choose "
            "another name")  # fmt: skip
    require(out.parent.is_dir(), f"{arguments.out}: expected a folder {out.parent} to write into, found none")
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        notes = write_fnet(folder, arguments) if arguments.to == "fnet" else write_other(folder, arguments)
        mask = os.umask(0)
        os.umask(mask)
        folder.chmod(0o777 & ~mask)
        folder.rename(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return notes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=pathlib.Path, help="a folder or a file")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="the directory to make")
    parser.add_argument("--from", dest="family", choices=FAMILIES, help="whose it is; otherwise the file tells")
    parser.add_argument("--to", default="fnet", choices=("fnet", "huggingface", "keras-hub"))
    parser.add_argument("--tokenizer", type=pathlib.Path, help="a SentencePiece model to take along")
    parser.add_argument("--labels", help="names of the classes, with commas between them")
    parser.add_argument("--length-policy", help="exact or fixed:N; otherwise as the family's programs feed their models")
    parser.add_argument("--mixer", default="fourier", choices=("fourier", "identity"),
                        help="of Google's, where no weight tells it: identity for FF_ONLY")  # fmt: skip
    arguments = parser.parse_args()
    policy, _, rows = (arguments.length_policy or "exact").partition(":")
    try:
        require(policy == "exact" and not rows or policy == "fixed" and rows.isdigit() and int(rows) > 0,
                f"--length-policy: expected exact or fixed:N, found {arguments.length_policy}")  # fmt: skip
        notes = convert(arguments)
    except Refused as error:
        print(f"convert_checkpoint: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"convert_checkpoint: {error.filename or arguments.out}: {error.strerror or error}", file=sys.stderr)
        return 1
    for note in notes:
        print(f"note: {note}")
    print(f"{arguments.out}: done")
    return 0


if __name__ == "__main__":
    sys.exit(main())

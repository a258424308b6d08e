"""Encoders that `box.py` compares: each a function that writes the vectors of a file's lines to another file."""

import pathlib
import subprocess
import sys

import numpy as np

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "teacher_vectors.py"
MAX_LENGTH = 256  # tokens of a text that MiniLM reads, as its own configuration says
BATCH = 32


def lines_of(path):
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def of_fnet(fnet, model, threads):
    def run(lines, vectors):
        with open(vectors, "wb") as out:
            command = [fnet, "embed", model, lines, "--format", "npy", "--threads", str(threads)]
            subprocess.run(command, check=True, stdout=out)

    return run


def of_teacher(directory, threads):
    def run(lines, _):
        command = [sys.executable, TOOL, directory, lines, "--threads", str(threads), "--max-length", str(MAX_LENGTH)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    return run


def of_onnx(file, teacher, threads):
    """MiniLM as an ONNX file that gives last_hidden_state: batches of texts of like length, mean over the text's tokens."""
    import onnxruntime
    import tokenizers

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    tokenizer = tokenizers.Tokenizer.from_file(str(teacher / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_LENGTH)
    tokenizer.enable_padding()

    def run(lines, vectors):
        texts = lines_of(lines)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        rows = [None] * len(texts)
        for begin in range(0, len(order), BATCH):
            batch = order[begin : begin + BATCH]
            encoded = tokenizer.encode_batch([texts[i] for i in batch])
            ids, mask, types = (np.array([getattr(e, name) for e in encoded], np.int64)
                                for name in ("ids", "attention_mask", "type_ids"))  # fmt: skip
            given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
            hidden = session.run(["last_hidden_state"], given)[0]
            pooled = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
            for i, row in zip(batch, pooled, strict=True):
                rows[i] = row
        np.save(vectors, np.stack(rows))

    return run


def of_table(tokenizer, table):
    """The mean of a table's rows, one for each token."""

    def run(lines, vectors):
        encoded = tokenizer.encode_batch(lines_of(lines), add_special_tokens=False)
        np.save(vectors, np.stack([table[e.ids or [0]].mean(0) for e in encoded]))

    return run


def of_wordllama():
    """The table that comes with the package (its own loader looks for the tokenizer in the wrong folder)."""
    import safetensors.numpy
    import tokenizers
    import wordllama

    place = pathlib.Path(wordllama.__file__).parent
    weights = safetensors.numpy.load_file(place / "weights" / "l2_supercat_256.safetensors")
    tokenizer = tokenizers.Tokenizer.from_file(str(place / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    tokenizer.no_padding(), tokenizer.no_truncation()
    return of_table(tokenizer, next(iter(weights.values())).astype(np.float32))


def of_static(teacher, threads, width=256):
    """A table made as Model2Vec makes it: the teacher's vector of each token alone, its principal components, and
    weights by Zipf's law (tokens stand in the vocabulary in the order of their frequency)."""
    import tokenizers
    import torch
    import transformers
    from sklearn.decomposition import PCA

    torch.set_num_threads(threads)
    tokenizer = tokenizers.Tokenizer.from_file(str(teacher / "tokenizer.json"))
    tokenizer.no_padding(), tokenizer.no_truncation()
    model = transformers.AutoModel.from_pretrained(teacher).eval()
    first, last = (tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]"))
    rows = []
    with torch.inference_mode():
        for ids in torch.arange(tokenizer.get_vocab_size()).split(512):
            texts = torch.stack([torch.full_like(ids, first), ids, torch.full_like(ids, last)], 1)
            rows.append(model(input_ids=texts).last_hidden_state.mean(1))
    table = PCA(width, random_state=0).fit_transform(torch.cat(rows).numpy())
    ranks = np.arange(len(table))[:, None]
    return of_table(tokenizer, (table * np.log1p(ranks)).astype(np.float32))

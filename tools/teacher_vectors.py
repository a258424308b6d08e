#!/usr/bin/env python3
"""Write a sentence encoder's vectors beside texts, for `fnet distill`.

    python3 tools/teacher_vectors.py TEACHER FILE.txt… [--threads N] [--dtype bfloat16]

TEACHER is a Hugging Face directory of a BERT-like encoder with its tokenizer. Each FILE (one text a line)
gets FILE.npy beside it: float16 [texts, width], row i for line i, the mean over the text's tokens,
of length 1. A run that was stopped goes on where it was; files that have their vectors are skipped.

Needs torch, transformers and numpy. In bfloat16 the first texts are computed in float32 too, and the
run ends where a cosine between the two is under 0.999.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import numpy as np  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402

CHUNK = 8192  # texts that are sorted by length together, and saved together
TOKENS = 8192  # of a batch


class Teacher:
    def __init__(self, directory: str, dtype: str, most_tokens: int):
        transformers.utils.logging.disable_progress_bar()
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
        self.most_tokens = most_tokens
        self.model = transformers.AutoModel.from_pretrained(directory, dtype=getattr(torch, dtype)).eval()
        self.width = self.model.config.hidden_size
        self.tokens = 0

    def vectors(self, texts):
        """[texts, width] in float32, normalised."""
        rows = self.tokenizer(texts, truncation=True, max_length=self.most_tokens, padding=False)["input_ids"]
        self.tokens += sum(map(len, rows))
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        result = np.empty((len(rows), self.width), np.float32)
        begin = 0
        while begin < len(order):
            end = begin + 1  # texts of one length need no padding and no mask
            length = len(rows[order[begin]])
            while end < len(order) and len(rows[order[end]]) == length and (end - begin + 1) * length <= TOKENS:
                end += 1
            batch = order[begin:end]
            with torch.inference_mode():
                hidden = self.model(input_ids=torch.tensor([rows[i] for i in batch])).last_hidden_state
                pooled = torch.nn.functional.normalize(hidden.float().mean(1), dim=-1)
            result[batch] = pooled.numpy()
            begin = end
        return result


def write(teacher, path: Path):
    texts = path.read_text(encoding="utf-8").split("\n")
    if texts and not texts[-1]:
        texts.pop()
    target, part, state = Path(f"{path}.npy"), Path(f"{path}.npy.part"), Path(f"{path}.npy.part.json")
    if target.exists():
        rows = np.load(target, mmap_mode="r").shape
        if rows != (len(texts), teacher.width):
            raise SystemExit(f"{target}: expected shape {(len(texts), teacher.width)}, found {rows}")
        return
    done = json.loads(state.read_text())["done"] if part.exists() and state.exists() else 0
    shape = (len(texts), teacher.width)
    out = np.lib.format.open_memmap(part, "r+" if done else "w+", np.float16, None if done else shape)
    for begin in range(done, len(texts), CHUNK):
        began, tokens = time.time(), teacher.tokens
        chunk = texts[begin : begin + CHUNK]
        out[begin : begin + len(chunk)] = teacher.vectors(chunk)
        out.flush()
        state.write_text(json.dumps({"done": begin + len(chunk)}))
        speed = (teacher.tokens - tokens) / (time.time() - began)
        print(f"{path.name}: {begin + len(chunk)} of {len(texts)} texts, {speed:.0f} tokens/s", flush=True)
    del out
    part.rename(target)
    state.unlink(missing_ok=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("teacher")
    parser.add_argument("texts", nargs="+", type=Path)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--max-length", type=int, default=128, help="tokens of a text; default 128")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    teacher = Teacher(options.teacher, options.dtype, options.max_length)
    if options.dtype != "float32":
        texts = options.texts[0].read_text(encoding="utf-8").split("\n")[:200]
        exact = Teacher(options.teacher, "float32", options.max_length).vectors(texts)
        least = float((exact * teacher.vectors(texts)).sum(1).min())
        print(f"{options.dtype}: least cosine to float32 {least:.6f}", flush=True)
        if least < 0.999:
            raise SystemExit(f"{options.dtype}: expected cosines to float32 of 0.999 or more, found {least:.6f}")
    for path in options.texts:
        write(teacher, path)


if __name__ == "__main__":
    main()

"""A model that starts from a BERT and has attention in every layer gives the vectors of transformers' own BERT, and so
does tools/teacher_vectors.py.

Usage: distill_transformers.py FNET TOOLS. Exit code 77 where torch or transformers is missing.
"""

import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import torch
    import transformers
except ImportError as error:
    print("skipped:", error)
    sys.exit(77)

FNET, TOOLS = sys.argv[1:3]
WORDS = "the a red yellow green blue apple lemon pear plum in on tree bowl spring summer ##s ##ed , .".split()
TEXTS = ["the red apple", "Yellow lemons, in a bowl.", "a plum", "the trees in spring and summer", "blue pears on a tree " * 4]


def fnet(*arguments):
    return subprocess.run([FNET, *map(str, arguments)], check=True, stdout=subprocess.PIPE).stdout


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        bert, out, lines = folder / "bert", folder / "out", folder / "texts.txt"
        torch.manual_seed(3)
        pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
        sizes = dict(hidden_size=24, num_hidden_layers=3, num_attention_heads=4, intermediate_size=40, max_position_embeddings=64)
        model = transformers.BertModel(transformers.BertConfig(vocab_size=len(pieces), initializer_range=0.3, **sizes)).eval()
        model.save_pretrained(bert)
        (bert / "vocab.txt").write_text("".join(piece + "\n" for piece in pieces))
        lines.write_text("".join(text + "\n" for text in TEXTS))
        tokenizer = transformers.BertTokenizer(str(bert / "vocab.txt"), model_max_length=64)
        tokenizer.save_pretrained(bert)
        expected = []
        for text in TEXTS:
            with torch.no_grad():
                expected.append(model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0).numpy())
        expected = np.array(expected)
        subprocess.run([sys.executable, pathlib.Path(TOOLS) / "teacher_vectors.py", bert, lines, "--threads", "1"], check=True)
        tool = np.load(f"{lines}.npy").astype(np.float32)
        unit = expected / np.linalg.norm(expected, axis=1, keepdims=True)
        assert tool.shape == unit.shape and np.abs(tool - unit).max() < 1e-3, np.abs(tool - unit).max()
        # One step without a learning rate: what is written is what training began with.
        fnet("distill", "--train", lines, "--dev", lines, "--init-from", bert, "--out", out, "--set", "mixers=attention",
             "--max-length", 64, "--steps", 1, "--lr", 0, "--cache", folder / "cache")  # fmt: skip
        found = folder / "found.npy"
        found.write_bytes(fnet("embed", out, lines, "--format", "npy"))
        error = np.abs(np.load(found) - expected).max()
        print(f"largest difference {error:.2e}")
        return 0 if error < 2e-5 else 1


if __name__ == "__main__":
    sys.exit(main())

"""What the tests of converted checkpoints share: the owners' libraries, running the command, and comparing answers."""

import contextlib
import importlib
import io
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

if len(sys.argv) < 3:
    sys.exit("expected: convert_checkpoints.py ANSWERS_OF_IDS TOOLS")
PROGRAM, TOOLS = (pathlib.Path(sys.argv.pop(1)) for _ in range(2))
sys.path.insert(0, str(TOOLS))
importlib.import_module("checkpoints.common")  # chooses Keras' backend
try:
    for name in ("flax", "h5py", "keras_hub", "safetensors"):
        importlib.import_module(name)
    import numpy as np
    import sentencepiece
    import torch
    import transformers
except ImportError as error:
    print("skipped:", error, "(tools/requirements-convert.txt lists what it needs)")
    sys.exit(77)

import convert_checkpoint  # noqa: E402

V, H, L, F, P, T, C = 60, 24, 3, 40, 32, 4, 3  # V H F of no common factor with 32, P short
HF = dict(vocab_size=V, hidden_size=H, num_hidden_layers=L, intermediate_size=F, max_position_embeddings=P, num_labels=C)
SEED = dict(vocab_size=V, hidden_size=H, num_layers=L, intermediate_size=F, hidden_dropout_prob=0.1,
            max_position_embeddings=P, type_vocab_size=2, initializer_range=0.02, layer_norm_eps=1e-12, pad_token_id=0,
            use_stochastic_depth=False, stochastic_depth_rate=0.1)  # fmt: skip
S = 20  # the one length of the seed's models
rng = np.random.default_rng(7)


def random(*shape):
    return rng.normal(0, 0.2, shape).astype("float32")


def shaken(shape):
    """Of a norm's weight: near 1."""
    return 1 + random(*shape)


def command(*words):
    """What the command prints, its errors, and its exit code."""
    out, error, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["convert_checkpoint.py", *map(str, words)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            code = convert_checkpoint.main()
    finally:
        sys.argv = before
    return out.getvalue(), error.getvalue(), code


def answers(directory, texts):
    lines = [" ".join(map(str, ids)) + "," + " ".join(map(str, types)) for ids, types in texts]
    done = subprocess.run([PROGRAM, directory], input="\n".join(lines) + "\n", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


class CheckpointTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="fnet-checkpoints-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        transformers.utils.logging.disable_progress_bar()
        torch.set_grad_enabled(False)

    def convert(self, source, *more):
        out = self.folder / f"out{len(list(self.folder.iterdir()))}"
        printed, error, code = command(source, "--out", out, *more)
        self.assertEqual((error, code), ("", 0))
        self.printed = printed
        return out

    def refused(self, source, *more):
        """The one line of an error, after which nothing is left."""
        before = sorted(self.folder.iterdir())
        out, error, code = command(source, "--out", self.folder / "refused", *more)
        self.assertEqual((code, out, len(error.splitlines())), (2, "", 1), out + error)
        self.assertEqual(sorted(self.folder.iterdir()), before)
        return error

    def config(self, directory):
        return json.loads((directory / "config.json").read_text())

    def same(self, directory, owner=None, padded=None, tolerance=2e-5):
        """The golden vectors and `owner(ids, types, tokens)`, its model asked again, are what fnet computes."""
        golden = json.loads((directory / "golden.json").read_text())
        texts = [(case["input_ids"], case["token_type_ids"]) for case in golden["cases"]]
        found = answers(directory, texts)
        self.assertGreater(len(texts), 0)
        for (ids, types), case, ours in zip(texts, golden["cases"], found, strict=True):
            # Of a checkpoint of pretraining, the owner's vectors are the encoder's alone.
            ours = {name: np.array(x) for name, x in ours.items() if name != "logits" or name in case}
            expected = {name: np.array(case[name]) for name in ours}
            ours["last_hidden_state"] = ours["last_hidden_state"][case["rows"]]
            if "pooler_output" in ours:
                ours["pooler_output"] = ours["pooler_output"][0]
            for name, x in ours.items():
                np.testing.assert_allclose(x, expected[name], rtol=0, atol=tolerance * max(1, np.abs(x).max()), err_msg=name)
            if owner:
                rows = padded or len(ids)
                given = [np.pad(x, (0, rows - len(x)), constant_values=fill)[None] for x, fill in ((ids, 3), (types, 0))]
                again = np.asarray(owner(*given))[0, case["rows"]]
                np.testing.assert_allclose(again, expected["last_hidden_state"], rtol=0, atol=1e-5)
        return golden

    def tokenizer(self, name="spm.model"):
        path = self.folder / name
        if not path.exists():
            model = io.BytesIO()
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(["the cat sat on the mat", "a fine film with a warm heart"] * 20), model_writer=model,
                vocab_size=28, pad_id=3, user_defined_symbols=["[CLS]", "[SEP]", "[MASK]"], minloglevel=2)  # fmt: skip
            path.write_bytes(model.getvalue())
        return path



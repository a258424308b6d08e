"""google/fnet-base answers as Hugging Face's own tests want it to: FNET_BASE_DIR names the checkpoint.

    fnet_base.py ANSWERS_OF_IDS TOOLS

The expected numbers are those of transformers' tests/models/fnet/test_modeling_fnet.py (FNetModelIntegrationTest), which
compare them to 1e-4. The heads of pretraining are evaluated here, from fnet's hidden states and the checkpoint's weights.
Skipped (exit 77) where the variable is not set or a package is missing.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM, TOOLS = (pathlib.Path(sys.argv.pop(1)) for _ in range(2)) if len(sys.argv) > 2 else sys.exit(__doc__)
if not os.environ.get("FNET_BASE_DIR"):
    print("skipped: FNET_BASE_DIR does not name google/fnet-base")
    sys.exit(77)
SOURCE = pathlib.Path(os.environ["FNET_BASE_DIR"])
try:
    import numpy as np
    import safetensors.numpy
    import sentencepiece
except ImportError as error:
    print("skipped:", error)
    sys.exit(77)


class FNetBase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="fnet-base-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        source = SOURCE
        if not (source / "model.safetensors").exists():
            source = cls.folder / "converted"
            subprocess.run([sys.executable, TOOLS / "convert_checkpoint.py", SOURCE, "--out", source], check=True)
        config = json.loads((source / "config.json").read_text())
        cls.models = {}
        for policy in ("exact", "fixed:512"):  # the expected numbers are of 6 rows, and of 512
            cls.models[policy] = cls.folder / policy.replace(":", "_")
            cls.models[policy].mkdir()
            shutil.copy(source / "model.safetensors", cls.models[policy])
            (cls.models[policy] / "config.json").write_text(json.dumps(config | {"length_policy": policy}))
        stored = safetensors.numpy.load_file(source / "model.safetensors")
        cls.weights = {name.removeprefix("fnet."): np.asarray(x, "float64") for name, x in stored.items()}

    def answer(self, policy, ids, types):
        line = " ".join(map(str, ids)) + "," + " ".join(map(str, types))
        done = subprocess.run([PROGRAM, self.models[policy]], input=line + "\n", capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(done.stdout)
        return np.array(found["last_hidden_state"]), np.array(found["pooler_output"][0])

    def masked_lm(self, hidden):
        w, place = self.weights, "cls.predictions.transform"
        x = hidden @ w[f"{place}.dense.weight"].T + w[f"{place}.dense.bias"]
        x = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        x = x * w[f"{place}.LayerNorm.weight"] + w[f"{place}.LayerNorm.bias"]
        return x @ w["embeddings.word_embeddings.weight"].T + w["cls.predictions.bias"]

    def near(self, found, expected):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)

    def test_the_encoder(self):
        hidden, _ = self.answer("exact", range(6), [0] * 6)
        self.assertEqual(hidden.shape, (6, 768))
        self.near(hidden[:3, :3], [[4.1541, -0.1051, -0.1667], [-0.9144, 0.2939, -0.0086], [-0.8472, -0.7281, 0.0256]])

    def test_masked_lm(self):
        logits = self.masked_lm(self.answer("exact", range(6), [0] * 6)[0])
        self.assertEqual(logits.shape, (6, 32000))
        self.near(logits[:3, :3],
                  [[-1.7819, -7.7384, -7.5002], [-3.4746, -8.5943, -7.7762], [-3.2052, -9.0771, -8.3468]])  # fmt: skip

    def test_pretraining_order_of_sentences(self):
        _, pooled = self.answer("exact", range(6), [0] * 6)
        self.near(pooled @ self.weights["cls.seq_relationship.weight"].T + self.weights["cls.seq_relationship.bias"],
                  [-0.2234, -0.0226])  # fmt: skip

    @unittest.skipUnless((SOURCE / "spiece.model").exists(), "FNET_BASE_DIR has no spiece.model")
    def test_masked_words_of_a_pair_padded_to_512_rows(self):
        """ "the man worked as a [MASK]." and "this is his [MASK]." """
        ids = [4, 13, 283, 2479, 106, 8, 6, 845, 5, 168, 65, 367, 6, 845, 5]
        logits = self.masked_lm(self.answer("fixed:512", ids, [0] * 9 + [1] * 6)[0])
        pieces = sentencepiece.SentencePieceProcessor(model_file=str(SOURCE / "spiece.model"))
        for row, expected in ((6, "man child teacher woman model"), (12, "work wife job story name")):
            best = np.argsort(-logits[row])[:5]
            self.assertEqual([pieces.id_to_piece(int(i)).strip("▁") for i in best], expected.split())


if __name__ == "__main__":
    unittest.main(verbosity=2)

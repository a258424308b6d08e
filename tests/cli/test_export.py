"""fnet export: what it refuses, and what it leaves behind. tests/live/onnx_models.py runs what it writes."""

import json
import os
import re
import resource
import shutil
import subprocess
import unittest

from support import BIN, CAN_EXPORT, FNET, CliTest, done, fnet


class Export(CliTest):
    def setUp(self):
        if not CAN_EXPORT:
            self.skipTest("this build has no fnet-export")

    def left(self):
        """Files beside those of every test."""
        return sorted(p.name for p in self.folder.iterdir() if ".onnx" in p.name)

    def test_names_what_it_wrote(self):
        out = self.folder / "named.onnx"
        for model, outputs in ((self.classifier, "logits, scores"), (self.tagger, "logits, scores"),
                               (self.model("bare"), "last_hidden_state, pooler_output"),
                               (self.model("mean", "encoder", "", "pooling=mean", "pooler=false"),
                                "last_hidden_state, sentence_embedding")):  # fmt: skip
            run = fnet("export", "onnx", model, "--out", out, "--overwrite")
            self.assertEqual((run.returncode, run.stdout), (0, ""), run.stderr)
            self.assertIn(f"opset 17, outputs {outputs}; weights in float32", run.stderr)
        self.assertEqual(self.left(), ["named.onnx"])
        out.unlink()

    def test_the_same_model_gives_the_same_bytes_with_its_config_inside(self):
        files = [self.folder / f"{name}.onnx" for name in "ab"]
        for out in files:
            done("export", "onnx", self.classifier, "-o", out)
        a, b = (out.read_bytes() for out in files)
        self.assertEqual(a, b)
        self.assertIn(b'"id2label"', a)
        weights = (self.classifier / "model.safetensors").stat().st_size
        self.assertGreater(len(a), 0.9 * weights)
        for out in files:
            out.unlink()

    def test_says_that_small_weights_grow(self):
        out = self.folder / "grown.onnx"
        done("quantize", self.classifier, "--dtype", "int8", "--out", self.folder / "int8")
        self.assertIn("float32, of int8 in the model", fnet("export", "onnx", self.folder / "int8", "-o", out).stderr)
        out.unlink()

    def test_refuses_before_it_writes(self):
        there = self.write("there.onnx", "mine")
        self.assertIn("--overwrite replaces it", self.fails("export", "onnx", self.classifier, "--out", there))
        self.assertEqual(there.read_text(), "mine")
        there.unlink()
        out = self.folder / "never.onnx"
        batch = self.model("batch", "encoder", "", "length_policy=batch")
        error = self.fails("export", "onnx", batch, "--out", out)
        self.assertRegex(error, "length_policy: expected exact or fixed:N for ONNX, found batch")
        wide = self.model("wide", "text-classification", "a,b", "wide_features=10")
        self.assertIn("wide_features: expected 0 for ONNX", self.fails("export", "onnx", wide, "--out", out))
        self.assertIn("cannot open", self.fails("export", "onnx", self.folder / "nowhere", "--out", out))
        self.assertIn("expected", self.fails("export", "onnx", self.classifier, "--out", out, "--fourier", "fft"))
        damaged = self.folder / "damaged"
        shutil.copytree(self.classifier, damaged)
        weights = (damaged / "model.safetensors").read_bytes()
        (damaged / "model.safetensors").write_bytes(weights[:-100])
        self.assertIn("damaged", self.fails("export", "onnx", damaged, "--out", out))
        self.fails("export", "onnx", self.classifier, "--out", self.folder / "no" / "such.onnx")
        self.assertEqual(self.left(), [])

    def test_a_write_that_fails_leaves_nothing(self):
        out = self.folder / "full.onnx"
        run = subprocess.run([str(FNET), "export", "onnx", self.classifier, "--out", out], capture_output=True, text=True,
                             restore_signals=False,  # SIGXFSZ stays ignored
                             preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)))  # fmt: skip
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertRegex(run.stderr, "full.onnx.*File too large")
        self.assertEqual(self.left(), [])

    def test_starts_fast_and_has_one_protobuf(self):
        # SentencePiece's own protobuf in one program with ONNX's would be two of one name.
        names = subprocess.run(["nm", "-C", BIN / "fnet-export"], capture_output=True, text=True).stdout
        self.assertIn("fnet::OnnxGraph", names)
        self.assertNotIn("sentencepiece::", names)
        listed = subprocess.run(["ldd", FNET], capture_output=True, text=True).stdout
        self.assertNotRegex(listed, "onnx|protobuf")

    def test_without_its_program_says_what_to_install(self):
        folder = self.folder / "alone"
        folder.mkdir()
        shutil.copy(FNET, folder)
        error = self.fails("export", "onnx", self.classifier, "--out", "x", program=folder / "fnet",
                           env={"PATH": "/usr/bin:/bin"})  # fmt: skip
        self.assertIn("libonnx-dev", error)
        info = json.loads(done("info", "--json", program=folder / "fnet", env={"PATH": "/usr/bin:/bin"}))
        self.assertIsNone(info["exporter"])
        program = (BIN / "fnet-export").read_bytes()
        library = re.search(rb"libonnx_proto\.so[.\d]*", program)[0]
        (folder / "fnet-export").write_bytes(program.replace(library, b"libgone".ljust(len(library), b"x")))
        os.chmod(folder / "fnet-export", 0o755)
        error = self.fails("export", "onnx", self.classifier, "--out", "x", code=1, program=folder / "fnet")
        self.assertRegex(error, "libgone.*install libonnx-dev")


if __name__ == "__main__":
    unittest.main()

"""The Keras families of convert_checkpoints.py: keras-hub's, and the seed's."""

import json
import pathlib
import shutil
import tempfile
import zipfile

from checkpoint_support import SEED, C, CheckpointTest, F, H, L, P, S, T, V, random

import h5py
import keras
import keras_hub
import numpy as np
from checkpoints import seed_layers


class KerasHub(CheckpointTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.backbone = keras_hub.models.FNetBackbone(V, L, H, F, max_sequence_length=P)
        cls.classifier = keras_hub.models.FNetTextClassifier(cls.backbone, num_classes=C)
        for weight in cls.classifier.weights:
            weight.assign(np.asarray(weight) + random(*weight.shape))

    def owner(self, ids, types):
        return self.backbone({"token_ids": ids, "segment_ids": types})["sequence_output"]

    def test_presets_with_their_tokenizer(self):
        self.backbone.save_to_preset(self.folder / "hub_backbone")
        assets = self.folder / "hub_backbone" / "assets" / "tokenizer"
        assets.mkdir(parents=True)
        shutil.copy(self.tokenizer(), assets / "vocabulary.spm")
        out = self.convert(self.folder / "hub_backbone")
        golden = self.same(out, self.owner, P)
        self.assertEqual(golden["source"]["class"], "FNetBackbone")
        self.assertEqual((out / "spiece.model").read_bytes(), self.tokenizer().read_bytes())
        self.assertEqual(json.loads((out / "tokenizer_config.json").read_text())["do_lower_case"], False)
        self.classifier.save_to_preset(self.folder / "hub_task")
        out = self.convert(self.folder / "hub_task", "--labels", "bad,good,so-so")
        self.assertIn("logits", self.same(out, self.owner, P)["cases"][0])
        self.assertEqual(self.config(out)["id2label"], {"0": "bad", "1": "good", "2": "so-so"})

    def test_single_files(self):
        self.backbone.save(self.folder / "hub.keras")
        self.same(self.convert(self.folder / "hub.keras"), self.owner, P)
        self.backbone.save_weights(self.folder / "hub.weights.h5")
        self.same(self.convert(self.folder / "hub.weights.h5"), self.owner, P)
        self.classifier.save_weights(self.folder / "hub_task.weights.h5")
        out = self.convert(self.folder / "hub_task.weights.h5")
        self.assertEqual(self.config(out)["architectures"], ["FNetForSequenceClassification"])
        self.assertIn("they are LABEL_0 to LABEL_2", self.printed)
        self.same(out, self.owner, P)

    def test_the_masked_lm_head_is_left_out_and_that_is_told(self):
        keras_hub.models.FNetMaskedLM(self.backbone).save_weights(self.folder / "hub_mlm.weights.h5")
        self.same(self.convert(self.folder / "hub_mlm.weights.h5"), self.owner, P)
        self.assertIn("the masked-LM head is left out", self.printed)

    def test_damaged_files_are_refused(self):
        good = self.folder / "hub_good.weights.h5"
        self.backbone.save_weights(good)
        bad = self.folder / "hub_bad.weights.h5"
        for part in (0, 500, good.stat().st_size // 2):
            bad.write_bytes(good.read_bytes()[:part])
            self.assertIn(f"{bad.name}: expected a whole HDF5 file", self.refused(bad))
        shutil.copy(good, bad)
        with h5py.File(bad, "a") as file:
            del file["layers/embedding/vars/0"]
        self.assertIn("expected layers/embedding/vars/0", self.refused(bad))
        with h5py.File(bad, "a") as file:
            file["layers/embedding/vars/0"] = random(T, H)
            del file["layers/f_net_encoder_1"]
        self.assertIn("numbered from 0 without a gap, found [0, 2]", self.refused(bad))
        archive = self.folder / "hub_bad.keras"
        archive.write_bytes(b"PK\x03\x04 no archive")
        self.assertIn("hub_bad.keras: expected", self.refused(archive))

    def test_back(self):
        self.classifier.save_weights(self.folder / "hub_back.weights.h5")
        back = self.convert(self.convert(self.folder / "hub_back.weights.h5"), "--to", "keras-hub")
        again = keras_hub.models.FNetTextClassifier.from_preset(str(back), preprocessor=None)
        for one, other in zip(self.classifier.weights, again.weights, strict=True):
            np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


class Seed(CheckpointTest):
    def save(self, name, around=False, **settings):
        """A .keras file as the seed's FNet makes it: its classes' names, its attributes' places."""
        config = SEED | {"position_embedding_type": "learned", "normalization_type": "layer_norm",
                         "normalization_position": "post", "ffn_type": "mlp"} | settings  # fmt: skip
        model = seed_layers.FNet(config)
        model([np.zeros((1, S), "int32")] * 3)
        for weight in model.weights:
            matrix = weight.name.startswith("dft_matrix")
            size = weight.shape[0]
            k = np.arange(size)
            angle = -2 * np.pi * (np.outer(k, k) % size) / size
            weight.assign(np.stack([np.cos(angle), np.sin(angle)], -1) / np.sqrt(size) if matrix else
                          np.abs(np.asarray(weight) + random(*weight.shape)))  # fmt: skip
        path = self.folder / f"{name}.keras"
        with tempfile.TemporaryDirectory() as folder:
            weights = pathlib.Path(folder) / "model.weights.h5"
            if around:  # as create_fnet_with_head makes it: the encoder is a layer
                ids = [keras.Input((S,), dtype="int32") for _ in range(3)]
                keras.Model(ids, keras.layers.Dense(2)(model(ids)[:, 0])).save_weights(weights)
            else:
                model.save_weights(weights)
            saved = {"class_name": "FNet", "config": config, "registered_name": "Custom>FNet"}
            if around:
                saved = {"class_name": "Functional", "config": {"layers": [saved]}}
            with zipfile.ZipFile(path, "w") as archive:
                archive.write(weights, "model.weights.h5")
                archive.writestr("config.json", json.dumps(saved))
        return path

    def test_its_defaults(self):
        out = self.convert(self.save("seed_default"))
        golden = self.same(out)
        self.assertEqual(golden["family"], "seed")
        config = self.config(out)
        self.assertEqual(config["model_type"], "fnet-cpp")
        expected = dict(hidden_act="gelu", fourier_norm="ortho", embedding_projection=False, embedding_norm_eps=1e-12,
                        layer_norm_eps=1e-6, pooler=False, length_policy=f"fixed:{S}", ffn_dropout="inner")  # fmt: skip
        self.assertEqual({key: config[key] for key in expected}, expected)

    def test_norms_feed_forwards_and_positions(self):
        for i, settings in enumerate((
            dict(normalization_type="rms_norm", ffn_type="swiglu"), dict(normalization_type="batch_norm", ffn_type="geglu"),
            dict(normalization_position="pre", ffn_type="gelu_tanh", layer_norm_eps=1e-6),
            dict(position_embedding_type="sinusoidal", ffn_type="squared_relu"),
            dict(ffn_type="glu"), dict(ffn_type="reglu"), dict(ffn_type="bilinear"), dict(ffn_type="swin_mlp"),
        )):  # fmt: skip
            with self.subTest(**settings):
                self.same(self.convert(self.save(f"seed_{i}", **settings)))

    def test_the_encoder_of_a_model_with_a_head(self):
        out = self.convert(self.save("seed_head", around=True))
        self.same(out)
        self.assertIn("2 arrays of its head are left out", self.printed)

    def test_texts_of_the_one_length_answer_under_exact(self):
        self.same(self.convert(self.save("seed_exact"), "--length-policy", "exact"))
        self.assertIn(f"fixed:{S}, the length of its DFT", self.refused(self.save("seed_9"), "--length-policy", "fixed:9"))

    def test_what_is_not_converted_is_refused_by_name(self):
        path = self.save("seed_named")
        for key, found in (("ffn_type", "monarch"), ("normalization_type", "band_rms")):
            with zipfile.ZipFile(path) as archive:
                weights, saved = archive.read("model.weights.h5"), json.loads(archive.read("config.json"))
            saved["config"][key] = found
            other = self.folder / f"seed_{found}.keras"
            with zipfile.ZipFile(other, "w") as archive:
                archive.writestr("model.weights.h5", weights)
                archive.writestr("config.json", json.dumps(saved))
            self.assertIn(f"{key}: expected one of", self.refused(other))

    def test_damaged_files_are_refused(self):
        good, bad = self.save("seed_good"), self.folder / "seed_bad.keras"
        with zipfile.ZipFile(good) as archive:
            weights, config = archive.read("model.weights.h5"), archive.read("config.json")
        for part in (0, 1000, len(weights) // 2):
            with zipfile.ZipFile(bad, "w") as archive:
                archive.writestr("model.weights.h5", weights[:part])
                archive.writestr("config.json", config)
            self.assertIn("seed_bad.keras: expected model.weights.h5", self.refused(bad))
        bad.write_bytes(good.read_bytes()[:-50])
        self.assertIn("seed_bad.keras: expected", self.refused(bad))

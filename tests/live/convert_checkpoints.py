"""Checkpoints of other programs are converted, and the owner's model and fnet answer alike; and back.

    convert_checkpoints.py ANSWERS_OF_IDS TOOLS

Small models of random weights, made by their owners' libraries: transformers, keras-hub, and Flax's serialisation of
Google's tree of parameters; of the Keras seed, whose package is not on PyPI, by its layers made again in
tools/checkpoints/seed_layers.py. Skipped with a message (exit 77) where a library is missing.
"""


import contextlib
import json
import pathlib
import pickle
import re
import unittest

from checkpoint_support import HF, TOOLS, C, CheckpointTest, F, H, L, P, T, V, command, random, shaken

import flax.serialization
import keras_hub
import numpy as np
import safetensors.numpy
import torch
import transformers
from checkpoint_keras import KerasHub, Seed
from checkpoints import google
from checkpoints import keras_hub as hub
from checkpoints.common import OWN_KEYS, encoder_shapes, linear_shapes

__all__ = ["KerasHub", "Seed"]  # run here too: loading the libraries is most of the time


class HuggingFace(CheckpointTest):
    def save(self, name, model, pickled=True):
        for parameter in model.parameters():
            parameter.add_(torch.from_numpy(random(*parameter.shape)))
        out = self.folder / name
        model.eval().save_pretrained(out)
        if pickled:
            torch.save(model.state_dict(), out / "pytorch_model.bin")
            (out / "model.safetensors").unlink()
        return out

    def owner(self, model):
        return lambda ids, types: model(input_ids=torch.from_numpy(ids), token_type_ids=torch.from_numpy(types))[0]

    def test_a_pickled_classifier(self):
        labels = {0: "bad", 1: "good", 2: "so-so"}
        model = transformers.FNetForSequenceClassification(transformers.FNetConfig(
            **HF, id2label=labels, label2id={label: i for i, label in labels.items()}))  # fmt: skip
        out = self.convert(self.save("hf_classifier", model))
        golden = self.same(out, self.owner(model.fnet), P)
        self.assertEqual((golden["family"], golden["source"]["library"]), ("huggingface", "transformers"))
        self.assertEqual(self.config(out)["id2label"], {"0": "bad", "1": "good", "2": "so-so"})
        self.assertEqual(self.config(out)["length_policy"], f"fixed:{P}")

    def test_a_pickled_encoder_of_another_gelu_and_a_tagger_in_safetensors(self):
        encoder = transformers.FNetModel(transformers.FNetConfig(**HF, hidden_act="gelu", layer_norm_eps=1e-5))
        self.same(self.convert(self.save("hf_encoder", encoder)), self.owner(encoder), P)
        tagger = transformers.FNetForTokenClassification(transformers.FNetConfig(**HF))
        self.same(self.convert(self.save("hf_tagger", tagger, False), "--length-policy", "exact"), self.owner(tagger.fnet))

    def test_a_reader_and_a_model_of_pretraining_with_its_heads(self):
        reader = transformers.FNetForQuestionAnswering(transformers.FNetConfig(**HF | {"num_labels": 2}))
        self.same(self.convert(self.save("hf_reader", reader)), self.owner(reader.fnet), P)
        model = transformers.FNetForPreTraining(transformers.FNetConfig(**HF))
        source = self.save("hf_pretraining", model)
        stored = torch.load(source / "pytorch_model.bin", weights_only=True)
        stored["fnet.embeddings.position_ids"] = torch.arange(P)[None]  # as the first checkpoints have it
        torch.save(stored, source / "pytorch_model.bin")
        out = self.convert(source)
        self.same(out, self.owner(model.fnet), P)
        names = safetensors.numpy.load_file(out / "model.safetensors")
        self.assertIn("cls.predictions.transform.dense.weight", names)
        self.assertNotIn("cls.predictions.decoder.weight", names)  # tied

    def test_what_is_no_state_dict_is_refused_without_being_run(self):
        source = self.save("hf_hostile", transformers.FNetModel(transformers.FNetConfig(**HF)))
        path, good = source / "pytorch_model.bin", (source / "pytorch_model.bin").read_bytes()

        class Trap:
            def __reduce__(self):
                return pathlib.Path.touch, (pathlib.Path("trap"),)

        torch.save({"x": Trap()}, path)
        self.assertIn("it was not run", self.refused(source))
        self.assertFalse(pathlib.Path("trap").exists())
        path.write_bytes(pickle.dumps([1, 2, 3]))
        self.assertIn("pytorch_model.bin: expected", self.refused(source))
        torch.save([1.0], path)
        self.assertIn("expected a map of names to tensors", self.refused(source))
        for part in (0, 100, len(good) // 2, len(good) - 10):
            path.write_bytes(good[:part])
            self.assertIn("pytorch_model.bin: expected a whole file", self.refused(source))
        path.write_bytes(good)
        (source / "config.json").write_text('{"model_type": "bert"}')
        self.assertIn("model_type: expected fnet, found bert", self.refused(source))

    def test_missing_left_over_and_wrong_weights_are_all_named(self):
        source = self.save("hf_wrong", transformers.FNetModel(transformers.FNetConfig(**HF)))
        stored = torch.load(source / "pytorch_model.bin", weights_only=True)
        stored["extra"] = stored.pop("pooler.dense.bias")
        stored["pooler.dense.weight"] = torch.zeros(2, 2)
        torch.save(stored, source / "pytorch_model.bin")
        error = self.refused(source)
        self.assertIn("1 missing: pooler.dense.bias; 1 not expected: extra; 1 of another shape: pooler.dense.weight "
                      f"(expected [{H}, {H}], found [2, 2])", error)  # fmt: skip

    def test_a_target_that_is_there_and_a_source_that_is_not(self):
        source = self.save("hf_there", transformers.FNetModel(transformers.FNetConfig(**HF)))
        error = command(source, "--out", source)[1]
        self.assertIn("expected a new directory", error)
        self.assertIn("found nothing there", self.refused(self.folder / "nowhere"))
        self.assertIn("--from says whose", self.refused(self.tokenizer()))
        for policy in ("batch", "fixed", "fixed:0", "exact:3"):
            self.assertIn("--length-policy: expected", self.refused(source, "--length-policy", policy))
        self.assertIn("expected a SentencePiece model", self.refused(source, "--tokenizer", source / "config.json"))
        self.assertIn(f"--labels: expected {C}, as many as the head has, found 2", self.refused(source, "--labels", "a,b"))

    def test_back_with_every_weight(self):
        for name, model in (("back_c", transformers.FNetForSequenceClassification(transformers.FNetConfig(**HF))),
                            ("back_p", transformers.FNetForPreTraining(transformers.FNetConfig(**HF)))):  # fmt: skip
            ours = self.convert(self.save(name, model), "--tokenizer", self.tokenizer())
            back = self.convert(ours, "--to", "huggingface")
            again, notes = type(model).from_pretrained(back, output_loading_info=True)
            self.assertEqual({key: set(found) for key, found in notes.items() if found}, {})
            for key, x in model.state_dict().items():
                self.assertTrue(torch.equal(x, again.state_dict()[key]), key)
            self.assertTrue((back / "spiece.model").exists())
            self.assertIn("pad to so many", self.printed)
            self.assertNotIn("length_policy", self.config(back))

    def test_back_from_int8(self):
        ours = self.convert(self.save("back_int8", transformers.FNetModel(transformers.FNetConfig(**HF))))
        name = "encoder.layer.1.intermediate.dense.weight"
        weights = safetensors.numpy.load_file(ours / "model.safetensors")
        weights[f"{name}_scale"] = (np.abs(weights[name]).max(1) / 127).astype("float32")
        weights[name] = np.round(weights[name] / weights[f"{name}_scale"][:, None]).astype("int8")
        safetensors.numpy.save_file(weights, ours / "model.safetensors")
        back = transformers.FNetModel.from_pretrained(self.convert(ours, "--to", "huggingface"))
        expected = weights[name].astype("float32") * weights[f"{name}_scale"][:, None]
        np.testing.assert_array_equal(back.state_dict()[name].numpy(), expected)

    def test_what_hugging_face_cannot_express_is_refused_by_name(self):
        ours = self.convert(self.save("back_refused", transformers.FNetModel(transformers.FNetConfig(**HF))))
        config = self.config(ours)
        for key, found in (("fourier_norm", "ortho"), ("embedding_projection", False), ("norm_position", "pre"),
                           ("mixers", ["fourier", "attention", "fourier"]), ("ffn_type", "swiglu"), ("pooler", False),
                           ("heads", {"topic": {"task": "text-classification", "labels": ["a", "b"]}})):  # fmt: skip
            (ours / "config.json").write_text(json.dumps(config | {key: found}))
            self.assertIn(f"config.json: {key}: expected", self.refused(ours, "--to", "huggingface"))


def google_tree(mixers, head=None):
    """Parameters of google-research/f_net, made by the names and shapes of its modules."""
    heads = 4
    config = dict(vocab_size=V, hidden_size=H, num_hidden_layers=len(mixers), intermediate_size=F,
                  max_position_embeddings=P, type_vocab_size=T, mixers=mixers)  # fmt: skip
    shapes = encoder_shapes(config)
    if head == "classification":
        shapes |= linear_shapes("classifier", H, C)
    if head == "pretraining":
        shapes |= linear_shapes("cls.predictions.transform.dense", H, H) | linear_shapes("cls.seq_relationship", H, 2)
        shapes |= {"cls.predictions.transform.LayerNorm.weight": (H,), "cls.predictions.transform.LayerNorm.bias": (H,),
                   "cls.predictions.bias": (V,)}  # fmt: skip
    tree = {}
    for ours, shape in shapes.items():
        name, turned = google.NAMES(ours)
        array = shaken(shape) if name.endswith("/scale") else random(*(shape[::-1] if turned else shape))
        if "self_attention" in name and "/out/" not in name:
            array = array.reshape(*array.shape[:-1], heads, H // heads)
        if name.endswith("/out/kernel"):
            array = array.reshape(heads, H // heads, H)
        if "position/embedding" in name:
            array = array[None]
        *path, leaf = name.split("/")
        place = tree
        for part in path:
            place = place.setdefault(part, {})
        place[leaf] = array
    return tree


class Google(CheckpointTest):
    def save(self, name, tree, around=lambda tree: {"target": tree, "state": {"step": 7}}):
        path = self.folder / name
        path.write_bytes(flax.serialization.msgpack_serialize(around(tree)))
        return path

    def test_fourier_with_each_head(self):
        for head, architecture in ((None, "FNetModel"), ("classification", "FNetForSequenceClassification"),
                                   ("pretraining", "FNetForPreTraining")):  # fmt: skip
            tree = google_tree(["fourier"] * L, head)
            out = self.convert(self.save(f"google_{head}", tree))
            golden = self.same(out)
            self.assertEqual((golden["family"], golden["source"]["library"]), ("google", "flax"))
            config = self.config(out)
            self.assertEqual((config["architectures"], config["model_type"]), ([architecture], "fnet"))
            self.assertEqual((config["hidden_act"], config["layer_norm_eps"]), ("gelu_new", 1e-12))
            theirs = getattr(transformers, architecture).from_pretrained(out)  # the port that Google's authors know
            ids, types = (torch.tensor([golden["cases"][-1][key]]) for key in ("input_ids", "token_type_ids"))
            hidden = getattr(theirs, "fnet", theirs)(input_ids=ids, token_type_ids=types).last_hidden_state
            rows = golden["cases"][-1]["rows"]
            np.testing.assert_allclose(hidden[0, rows], golden["cases"][-1]["last_hidden_state"], rtol=0, atol=2e-5)

    def test_other_mixers(self):
        self.convert(self.save("google_told", google_tree(["fourier"] * L)))
        self.assertIn("--mixer", self.printed)  # nothing in the file tells FF_ONLY or RANDOM from it
        linear = self.convert(self.save("google_linear", google_tree(["linear"] * L), lambda tree: {"params": tree}))
        self.assertNotIn("--mixer", self.printed)
        self.same(linear)
        self.assertEqual(self.config(linear)["mixers"], ["linear"])
        plain = self.save("google_ff_only", google_tree(["identity"] * L), lambda tree: tree)
        self.same(self.convert(plain, "--mixer", "identity", "--from", "google"))
        for name, mixers in (("bert", ["attention"] * L), ("top", ["fourier", "fourier", "attention"])):
            out = self.convert(self.save(f"google_{name}", google_tree(mixers)))
            self.same(out)
            self.assertEqual(self.config(out)["mixer_options"], {"num_attention_heads": 4})
        bottom = self.save("google_bottom", google_tree(["attention", "fourier", "fourier"]))
        self.assertIn("--length-policy exact", self.refused(bottom))
        self.same(self.convert(bottom, "--length-policy", "exact"))

    def test_damaged_files_are_refused(self):
        good = self.save("google_good", google_tree(["fourier"] * L))
        bad = self.folder / "google_bad"
        for part in (0, 200, good.stat().st_size // 2, good.stat().st_size - 1):
            bad.write_bytes(good.read_bytes()[:part])
            self.assertIn("google_bad: expected", self.refused(bad, "--from", "google"))
        tree = google_tree(["fourier"] * L)
        del tree["encoder"]["pooler"]
        tree["encoder"]["encoder_1"]["output_layer_norm"]["scale"] = random(H + 1)
        error = self.refused(self.save("google_missing", tree))
        self.assertIn("2 missing: encoder/pooler/kernel, encoder/pooler/bias", error)
        self.assertIn(f"encoder/encoder_1/output_layer_norm/scale (expected [{H}], found [{H + 1}])", error)
        narrow = google_tree(["fourier"] * L)
        narrow["encoder"]["embedder"]["hidden_mapping_in"]["kernel"] = random(H, H + 8)
        self.assertIn("expected a square matrix", self.refused(self.save("google_narrow", narrow)))
        odd = google_tree(["fourier"] * L)
        odd["encoder"]["embedder"]["word"]["embedding"][0, 0] = np.nan
        self.assertIn("expected finite numbers", self.refused(self.save("google_nan", odd)))


class Page(CheckpointTest):
    def test_the_commands_of_the_page_for_other_libraries(self):
        """docs/coming-from.md, on small checkpoints of the names that it has."""
        text = (TOOLS.parent / "docs" / "coming-from.md").read_text(encoding="utf-8")
        commands = [line[2:].split() for line in text.splitlines() if line.startswith("$ python3 tools/convert_checkpoint.py")]
        self.assertGreater(len(commands), 5)
        encoder = transformers.FNetForPreTraining(transformers.FNetConfig(**HF))
        HuggingFace.save(self, "fnet-base", encoder)
        hub_model = keras_hub.models.FNetTextClassifier(
            keras_hub.models.FNetBackbone(V, L, H, F, max_sequence_length=P), num_classes=2)  # fmt: skip
        hub_model.save_to_preset(self.folder / "f_net_base_en")
        Google.save(self, "f_net_checkpoint", google_tree(["fourier"] * L, "pretraining"))
        self.tokenizer("c4_bpe_sentencepiece.model")
        Seed.save(self, "pretrained_fnet_encoder_best")
        with contextlib.chdir(self.folder):
            for words in commands:
                self.assertEqual(command(*words[2:])[1:], ("", 0), words)
        for directory in ("from-transformers", "from-keras-hub", "from-google", "from-the-seed"):
            self.same(self.folder / directory)


class Names(unittest.TestCase):
    def test_keys_of_our_own_are_those_of_the_library(self):
        source = (TOOLS.parent / "src" / "model" / "config_json.cpp").read_text(encoding="utf-8")
        keys = re.search(r"kOwnKeys\[\] = \{([^}]*)\}", source)[1]
        self.assertEqual(re.findall(r'"(\w+)"', keys), list(OWN_KEYS))

    def test_names_of_every_weight_are_known_both_ways(self):
        shapes = encoder_shapes(dict(vocab_size=V, hidden_size=H, num_hidden_layers=L, intermediate_size=F,
                                     max_position_embeddings=P, type_vocab_size=T))  # fmt: skip
        for names in (google.NAMES, hub.NAMES):
            self.assertEqual(len({names(ours)[0] for ours in shapes}), len(shapes))


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")  # numpy's, of Keras' arrays

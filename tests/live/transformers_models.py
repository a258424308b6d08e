"""Model directories go both ways between fnet and transformers, through the commands.

    transformers_models.py FNET

What `fnet init` writes, transformers loads with no key missing or left over, and what transformers
saves, fnet loads; and both give the same answers. Skipped with a message (exit 77) where transformers,
safetensors or sentencepiece is missing.
"""

import io
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

try:
    import numpy as np
    import safetensors.torch
    import sentencepiece
    import torch
    import transformers
except ImportError as error:
    print("skipped:", error)
    sys.exit(77)

FNET = sys.argv.pop(1) if len(sys.argv) > 1 else sys.exit(__doc__)
TEXTS = ["the cat sat on the mat", "a fine film", "she sells sea shells by the sea shore in the summer, they say"]
LABELS = ["bad", "good", "so-so"]
SIZES = dict(hidden_size=48, num_hidden_layers=2, intermediate_size=80, max_position_embeddings=64)
POOLINGS = ("pooler", "mean", "cls", "max")


def fnet(*words, stdin=""):
    """What a command prints, as bytes."""
    done = subprocess.run([FNET, *map(str, words)], input=stdin.encode(), capture_output=True)
    assert done.returncode == 0, f"fnet {words}: exit {done.returncode}: {done.stderr.decode()}"
    return done.stdout


def vectors(model, pooling):
    out = fnet("embed", model, "-", "--pooling", pooling, "--format", "npy", stdin="\n".join(TEXTS) + "\n")
    return np.load(io.BytesIO(out))


def scores(model):
    """[texts, labels] probabilities of a classifier."""
    out = fnet("predict", model, "-", "--format", "jsonl", "--top-k", len(LABELS), stdin="\n".join(TEXTS) + "\n")
    rows = [{p["label"]: p["score"] for p in json.loads(line)["top_k"]} for line in out.decode().splitlines()]
    return np.array([[row[label] for label in LABELS] for row in rows])


def refused(model):
    """What transformers says to a model that it would compute otherwise."""
    try:
        transformers.AutoModelForSequenceClassification.from_pretrained(model)
    except ValueError as error:
        return str(error)
    return "loaded"


def tags(model):
    out = fnet("predict", model, "-", "--input-format", "jsonl", "--format", "jsonl", stdin="".join(
        json.dumps({"tokens": text.split()}) + "\n" for text in TEXTS))  # fmt: skip
    rows = [json.loads(line) for line in out.decode().splitlines()]
    return [row["tags"] for row in rows], [row["scores"] for row in rows]


class Models(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="fnet-live-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        corpus = shutil.copy(__file__, cls.folder / "corpus.txt")
        cls.spiece = cls.folder / "spiece.model"
        fnet("tokenizer", "train", "--input", corpus, "--vocab-size", 200, "--out", cls.spiece)
        cls.pieces = sentencepiece.SentencePieceProcessor(model_file=str(cls.spiece))
        transformers.utils.logging.disable_progress_bar()
        torch.set_grad_enabled(False)
        torch.manual_seed(0)

    def encode(self, pieces):
        return [self.pieces.piece_to_id("[CLS]"), *pieces, self.pieces.piece_to_id("[SEP]")]

    def init(self, name, *more):
        out = self.folder / name
        sets = [word for key, value in SIZES.items() for word in ("--set", f"{key}={value}")]
        fnet("init", "--variant", "tiny", "--tokenizer", self.spiece, "--out", out, *sets, *more)
        return out

    def config(self, **more):
        return transformers.FNetConfig(
            vocab_size=self.pieces.vocab_size(), num_labels=len(LABELS), id2label=dict(enumerate(LABELS)),
            label2id={label: i for i, label in enumerate(LABELS)}, pad_token_id=3, **SIZES, **more,
        )  # fmt: skip

    def save(self, name, model, **options):
        """A directory as transformers saves it, with weights larger than its initial ones."""
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
        out = self.folder / name
        model.eval().save_pretrained(out, **options)
        shutil.copy(self.spiece, out / "spiece.model")
        return out

    def theirs(self, model, rows=None):
        """Hidden states of each text under transformers' encoder, mixed over `rows` or the text's own."""
        for text in TEXTS:
            ids = self.encode(self.pieces.encode(text))
            padded = ids + [3] * ((rows or len(ids)) - len(ids))
            answer = model(input_ids=torch.tensor([padded]))
            yield answer.last_hidden_state[0, : len(ids)].numpy(), answer.pooler_output[0].numpy()

    def same_vectors(self, directory, model, rows=None):
        answers = list(self.theirs(model.eval(), rows))
        wanted = {
            "pooler": [pooler for _, pooler in answers],
            "mean": [hidden.mean(0) for hidden, _ in answers],
            "cls": [hidden[0] for hidden, _ in answers],
            "max": [hidden.max(0) for hidden, _ in answers],
        }
        for pooling in POOLINGS:
            np.testing.assert_allclose(vectors(directory, pooling), wanted[pooling], rtol=0, atol=2e-5)

    def same_scores(self, directory, model, rows=None):
        wanted = []
        for text in TEXTS:
            ids = self.encode(self.pieces.encode(text))
            ids += [3] * ((rows or len(ids)) - len(ids))
            wanted.append(model.eval()(input_ids=torch.tensor([ids])).logits[0].softmax(-1).numpy())
        np.testing.assert_allclose(scores(directory), wanted, rtol=0, atol=5e-6)

    def same_tags(self, directory, model, rows=None):
        found_tags, found_scores = tags(directory)
        for text, names, probabilities in zip(TEXTS, found_tags, found_scores, strict=True):
            pieces, first = [], []
            for word in text.split():
                first.append(len(pieces) + 1)  # after [CLS]
                pieces += self.pieces.encode(word)
            ids = self.encode(pieces)
            ids += [3] * ((rows or len(ids)) - len(ids))
            wanted = model.eval()(input_ids=torch.tensor([ids])).logits[0, first].softmax(-1)
            self.assertEqual(names, [LABELS[i] for i in wanted.argmax(-1)])
            np.testing.assert_allclose(probabilities, wanted.amax(-1).numpy(), rtol=0, atol=5e-6)

    def same_answers(self, directory, model, rows=None):
        """The best span of at most 30 tokens of a context that fits, by transformers' scores."""
        front = self.encode(self.pieces.encode("who went"))
        room = SIZES["max_position_embeddings"] - len(front) - 1
        texts = [text for text in TEXTS if len(self.pieces.encode(text)) <= room]
        self.assertGreater(len(texts), 2)
        out = fnet("predict", directory, "-", "--input-format", "jsonl", "--format", "jsonl",
                   stdin="".join(json.dumps({"question": "who went", "context": text}) + "\n" for text in texts))  # fmt: skip
        for text, line in zip(texts, out.decode().splitlines(), strict=True):
            pieces = self.pieces.encode(text, out_type="immutable_proto").pieces
            ids = front + [piece.id for piece in pieces] + [self.pieces.piece_to_id("[SEP]")]
            types = [0] * len(front) + [1] * (len(ids) - len(front))
            padding = (rows or len(ids)) - len(ids)
            answer = model.eval()(input_ids=torch.tensor([ids + [3] * padding]),
                                  token_type_ids=torch.tensor([types + [0] * padding]))  # fmt: skip
            spans = {}
            for i in range(len(pieces)):
                for j in range(i, min(i + 30, len(pieces))):
                    score = answer.start_logits[0, len(front) + i] + answer.end_logits[0, len(front) + j]
                    words = text[pieces[i].begin : pieces[j].end].strip()
                    if not words:  # white space is no answer
                        continue
                    spans[words] = max(score.item(), spans.get(words, score.item()))  # they may stand twice
            found = json.loads(line)["answer"]
            self.assertAlmostEqual(spans[found], max(spans.values()), delta=1e-4)

    def same_masks(self, directory, model, rows=None):
        """The probabilities of each [MASK]'s tokens under transformers' model."""
        texts = ["the [MASK] sat on the mat", "[MASK] sells sea [MASK]"]
        out = fnet("fill-mask", directory, "-", "--top-k", 10, stdin="\n".join(texts) + "\n")
        for text, line in zip(texts, out.decode().splitlines(), strict=True):
            ids = self.encode(self.pieces.encode(text))
            places = [i for i, id in enumerate(ids) if id == self.pieces.piece_to_id("[MASK]")]
            ids += [3] * ((rows or len(ids)) - len(ids))
            wanted = model.eval()(input_ids=torch.tensor([ids])).logits[0, places].softmax(-1)
            for found, row in zip(json.loads(line)["masks"], wanted, strict=True):
                np.testing.assert_allclose([p["score"] for p in found], row.topk(10).values, rtol=0, atol=5e-6)
                np.testing.assert_allclose([row[p["token"]] for p in found], row.topk(10).values, rtol=0, atol=5e-6)

    def load(self, kind, directory):
        model, notes = kind.from_pretrained(directory, output_loading_info=True)
        self.assertEqual({key: set(found) for key, found in notes.items() if found}, {})
        return model

    # What fnet writes.

    def test_transformers_loads_our_encoder(self):
        for act in ("gelu_new", "gelu"):
            out = self.init(f"encoder_{act}", "--set", f"hidden_act={act}")
            self.same_vectors(out, self.load(transformers.FNetModel, out))
            with safetensors.safe_open(out / "model.safetensors", "pt") as file:
                self.assertEqual(file.metadata(), {"format": "pt"})

    def test_transformers_loads_our_classifier(self):
        out = self.init("classifier", "--task", "text-classification", "--labels", ",".join(LABELS))
        model = self.load(transformers.FNetForSequenceClassification, out)
        self.assertEqual(model.config.id2label, dict(enumerate(LABELS)))
        self.same_scores(out, model)

    def test_transformers_loads_our_tagger(self):
        out = self.init("tagger", "--task", "token-classification", "--labels", ",".join(LABELS))
        self.same_tags(out, self.load(transformers.FNetForTokenClassification, out))

    def test_transformers_loads_our_model_of_questions(self):
        out = self.init("reader", "--task", "question-answering", "--labels", "LABEL_0,LABEL_1")
        self.same_answers(out, self.load(transformers.FNetForQuestionAnswering, out))

    def test_transformers_loads_our_masked_language_model(self):
        out = self.init("masked_tied", "--task", "fill-mask")
        self.same_masks(out, self.load(transformers.FNetForMaskedLM, out))
        out = self.init("masked_own", "--task", "fill-mask", "--set", "tie_word_embeddings=false")
        model, notes = transformers.FNetForMaskedLM.from_pretrained(out, output_loading_info=True)
        self.assertLessEqual(set(notes["missing_keys"]), {"cls.predictions.bias"})  # which it does not read
        self.same_masks(out, model)

    def test_fill_mask_answers_as_the_pipeline(self):
        start = self.init("masked", "--task", "fill-mask")
        model = transformers.FNetForMaskedLM.from_pretrained(start)
        out = self.save("masked_lively", model)
        for name in ("config.json", "tokenizer_config.json", "tokenizer.json"):
            shutil.copy(start / name, out / name)
        pipeline = transformers.pipeline("fill-mask", model=model.eval(),
                                         tokenizer=transformers.AutoTokenizer.from_pretrained(start))  # fmt: skip
        texts = ["the [MASK] sat on the mat", "[MASK] sells [MASK] shells by the sea [MASK]", "[MASK]"]
        lines = fnet("fill-mask", out, "-", "--top-k", 4, stdin="\n".join(texts) + "\n").decode().splitlines()
        for text, line in zip(texts, lines, strict=True):
            masks, wanted = json.loads(line)["masks"], pipeline(text, top_k=4)
            for found, answers in zip(masks, wanted if len(masks) > 1 else [wanted], strict=True):
                for ours, theirs in zip(found, answers, strict=True):
                    self.assertAlmostEqual(ours.pop("score"), theirs.pop("score"), delta=5e-6)
                    self.assertEqual(ours, theirs)

    def test_problem_types_are_those_of_transformers(self):
        for problem, labels in (("regression", ["LABEL_0"]), ("multi_label_classification", LABELS)):
            out = self.init(problem, "--task", "text-classification", "--labels", ",".join(labels),
                            "--set", f"problem_type={problem}")  # fmt: skip
            model = self.load(transformers.FNetForSequenceClassification, out).eval()
            self.assertEqual(model.config.problem_type, problem)
            lines = fnet("predict", out, "-", "--format", "jsonl", "--threshold", 0, stdin="\n".join(TEXTS) + "\n")
            for text, line in zip(TEXTS, lines.decode().splitlines(), strict=True):
                logits = model(input_ids=torch.tensor([self.encode(self.pieces.encode(text))])).logits[0]
                row = json.loads(line)
                if problem == "regression":
                    self.assertAlmostEqual(row["score"], logits.item(), delta=5e-6)
                    continue
                found = dict(zip(row["labels"], row["scores"], strict=True))
                np.testing.assert_allclose([found[x] for x in LABELS], logits.sigmoid(), rtol=0, atol=5e-6)

    def test_transformers_refuses_what_it_would_compute_otherwise(self):
        out = self.init("own", "--task", "text-classification", "--labels", ",".join(LABELS),
                        "--set", "fourier_norm=ortho")  # fmt: skip
        self.assertIn("fnet-cpp", refused(out))

    # What transformers writes: its models have always been padded to their position table.

    def test_we_load_an_encoder_without_prefix(self):
        model = transformers.FNetModel(self.config())
        self.same_vectors(self.save("hf_encoder", model), model, rows=64)

    def test_we_load_a_classifier(self):
        model = transformers.FNetForSequenceClassification(self.config(hidden_act="gelu"))
        out = self.save("hf_classifier", model)
        self.same_scores(out, model, rows=64)
        self.same_vectors(out, model.fnet, rows=64)

    def test_we_load_a_tagger(self):
        model = transformers.FNetForTokenClassification(self.config())
        self.same_tags(self.save("hf_tagger", model), model, rows=64)

    def test_we_load_a_model_of_questions(self):
        model = transformers.FNetForQuestionAnswering(transformers.FNetConfig(
            vocab_size=self.pieces.vocab_size(), pad_token_id=3, **SIZES))  # fmt: skip
        self.same_answers(self.save("hf_reader", model), model, rows=64)

    def test_we_load_a_masked_language_model(self):
        for tied in (True, False):
            model = transformers.FNetForMaskedLM(self.config(tie_word_embeddings=tied))
            self.same_masks(self.save(f"hf_masked_{tied}", model), model, rows=64)

    def test_the_command_in_our_error_converts_a_pickle(self):
        model = transformers.FNetForSequenceClassification(self.config())
        out = self.save("hf_pickle", model)
        (out / "model.safetensors").unlink()
        torch.save(model.state_dict(), out / "pytorch_model.bin")
        refused = subprocess.run([FNET, "predict", out], input=b"", capture_output=True)
        self.assertEqual(refused.returncode, 2)
        command = re.search(r'python3 (-c ".*") converts it', refused.stderr.decode())[1]
        subprocess.run(f"{sys.executable} {command}", shell=True, cwd=out, check=True)
        self.same_scores(out, model, rows=64)

    def test_we_load_shards(self):
        model = transformers.FNetForSequenceClassification(self.config())
        out = self.save("hf_shards", model, max_shard_size="30KB")
        self.assertGreater(len(list(out.glob("model-*.safetensors"))), 1)
        self.same_scores(out, model, rows=64)

    def test_we_load_the_encoder_of_a_pretraining_model(self):
        model = transformers.FNetForPreTraining(self.config())
        out = self.save("hf_pretraining", model)
        self.same_vectors(out, model.fnet, rows=64)
        masked = transformers.FNetForMaskedLM(self.config())
        masked.load_state_dict(model.state_dict(), strict=False)
        self.same_masks(out, masked, rows=64)
        # Tied tensors stored twice, and the buffers that older files hold.
        stored = {name: tensor.clone().contiguous() for name, tensor in model.state_dict().items()}
        stored["fnet.embeddings.position_ids"] = torch.arange(64)[None]
        stored["fnet.embeddings.token_type_ids"] = torch.zeros(1, 64, dtype=torch.int64)
        safetensors.torch.save_file(stored, out / "model.safetensors", metadata={"format": "pt"})
        self.same_vectors(out, model.fnet, rows=64)


if __name__ == "__main__":
    unittest.main(verbosity=2)

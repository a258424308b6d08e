"""Likeness of texts, choices and next sentences, through the commands."""

import json
import math
import random
import unittest

from support import CAN_TRAIN, CliTest, done, fnet

THINGS = {"cat": "dog fox", "tea": "bread table", "film": "ending heart", "train": "Oslo Rome"}
SMALL = ("--set", "hidden_size=32", "--set", "intermediate_size=32", "--set", "num_hidden_layers=1",
         "--average", 0.5, "--batch-size", 16, "--lr", "0.01", "--threads", 1)  # fmt: skip


def lines(records):
    return "".join(json.dumps(record) + "\n" for record in records)


def sentence(rng, topic):
    """A few words of one topic."""
    words = THINGS[topic].split() + [topic]
    return "the " + " and the ".join(rng.choice(words) for _ in range(3))


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


class Pairs(CliTest):
    def finetune(self, name, task, train, dev, *flags):
        out = self.folder / name
        done("finetune", "--task", task, "--train", train, "--dev", dev, "--out", out,
             "--tokenizer", self.spiece, *SMALL, *flags)  # fmt: skip
        return out

    def scored(self, name, count, seed):
        rng, rows = random.Random(seed), ["text\ttext_pair\tlabel"]
        for i in range(count):
            first, second = rng.choice([*THINGS]), rng.choice([*THINGS])
            second = first if i % 2 else second
            rows.append(f"{sentence(rng, first)}\t{sentence(rng, second)}\t{5.0 if first == second else 0.5}")
        return self.write(name, "\n".join(rows) + "\n")

    @unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
    def test_likeness_is_learned_from_scores_and_read_off_a_plain_encoder(self):
        dev = self.scored("dev.tsv", 40, 2)
        model = self.finetune("alike", "text_similarity", self.scored("train.tsv", 160, 1), dev,
                              "--epochs", 8, "--matryoshka-dims", "16,8")  # fmt: skip
        run = json.loads((model / "run.json").read_text())
        self.assertEqual((run["task"], run["metric"], run["matryoshka_dims"]),
                         ("sentence-similarity", "spearman", [16, 8]))  # fmt: skip
        config = json.loads((model / "config.json").read_text())
        self.assertEqual((config["architectures"], config["task"]), (["FNetModel"], "sentence-similarity"))
        header = (model / "model.safetensors").read_bytes()[8:4000].decode("latin1")
        self.assertIn('"embeddings.word_embeddings.weight"', header)
        self.assertNotIn("fnet.", header)

        report = json.loads(done("evaluate", model, dev, "--json"))
        self.assertEqual(report["count"], 40)
        self.assertGreater(report["spearman"], 0.5)  # two scores alone: at most 0.85
        found = [float(line) for line in done("predict", model, dev).splitlines()]
        rows = [line.split("\t") for line in dev.read_text().splitlines()[1:]]
        for size in (32, 8):
            vectors = [[json.loads(line)["embedding"][:size]
                        for line in done("embed", model, stdin="".join(row[i] + "\n" for row in rows)).splitlines()]
                       for i in (0, 1)]  # fmt: skip
            alike = [cosine(a, b) for a, b in zip(*vectors)]
            if size == 32:
                for ours, theirs in zip(found, alike, strict=True):
                    self.assertAlmostEqual(ours, theirs, delta=2e-5)
            same = [c for c, row in zip(alike, rows) if row[2] == "5.0"]
            other = [c for c, row in zip(alike, rows) if row[2] != "5.0"]
            self.assertGreater(sum(same) / len(same) - sum(other) / len(other), 0.2)
        again = self.folder / "again"
        done("finetune", "--task", "sentence-similarity", "--train", dev, "--dev", dev, "--out", again,
             "--from", model, "--epochs", 1, "--lr", "0", "--threads", 1)  # fmt: skip
        for ours, theirs in zip(map(float, done("predict", again, dev).splitlines()), found, strict=True):
            self.assertAlmostEqual(ours, theirs, delta=2e-5)

    @unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
    def test_likeness_may_be_a_sum_of_products(self):
        dev = self.scored("dots_dev.tsv", 40, 2)
        model = self.finetune("dots", "sentence-similarity", self.scored("dots.tsv", 160, 1), dev, "--epochs", 6,
                              "--set", "head_options.similarity=dot")  # fmt: skip
        self.assertGreater(json.loads(done("evaluate", model, dev, "--json"))["spearman"], 0.4)
        rows = [line.split("\t")[:2] for line in dev.read_text().splitlines()[1:]]
        dots = done("similarity", model, "--similarity", "dot", stdin="".join("\t".join(r) + "\n" for r in rows))
        for ours, dot in zip(done("predict", model, dev).splitlines(), dots.splitlines(), strict=True):
            self.assertAlmostEqual(float(ours), float(dot), delta=1e-4 * (1 + abs(float(dot))))

    @unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
    def test_likeness_is_learned_from_pairs_alone(self):
        def pairs(name, count, seed):
            rng = random.Random(seed)
            topics = [rng.choice([*THINGS]) for _ in range(count)]
            return self.write(name, lines({"anchor": sentence(rng, t), "positive": t} for t in topics))

        dev = pairs("dev.jsonl", 40, 4)
        model = self.finetune("pairs", "sentence-similarity", pairs("train.jsonl", 160, 3), dev, "--epochs", 12)
        self.assertEqual(json.loads((model / "run.json").read_text())["metric"], "mrr")
        report = json.loads(done("evaluate", model, dev, "--json"))
        self.assertGreater(report["accuracy_at_1"], 0.9)
        self.assertGreaterEqual(report["mrr"], report["accuracy_at_1"])
        result = fnet("finetune", "--task", "sentence-similarity", "--train", dev, "--dev", dev, "--out",
                      self.folder / "x", "--metric", "spearman", *SMALL)  # fmt: skip
        self.assertEqual(result.returncode, 2)
        self.assertIn("--metric: expected one of mrr, accuracy_at_1 for these dev data", result.stderr)

    @unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
    def test_a_choice_among_texts_is_learned(self):
        def questions(name, count, seed):
            rng, records = random.Random(seed), []
            for _ in range(count):
                topics = rng.sample(["tea", "film", "train"], rng.randrange(1, 4)) + ["cat"]
                rng.shuffle(topics)
                keys = "ABCD"[: len(topics)]
                records.append({"question": "the mat", "answerKey": keys[topics.index("cat")],
                                "choices": {"text": [sentence(rng, t) for t in topics], "label": [*keys]}})  # fmt: skip
            return self.write(name, lines(records))

        dev = questions("dev_choice.jsonl", 40, 6)
        model = self.finetune("choice", "multiple_choice", questions("train_choice.jsonl", 200, 5), dev,
                              "--epochs", 12)  # fmt: skip
        report = json.loads(done("evaluate", model, dev, "--json"))
        self.assertGreater(report["accuracy"], 0.8)  # by chance 0.36
        right = 0
        for line, record in zip(done("predict", model, dev, "--format", "jsonl", "--top-k", 9).splitlines(),
                                map(json.loads, dev.read_text().splitlines()), strict=True):  # fmt: skip
            answer, texts = json.loads(line), record["choices"]["text"]
            self.assertEqual(answer["choice"], texts[answer["label"]])
            self.assertAlmostEqual(sum(p["score"] for p in answer["top_k"]), 1, places=4)
            self.assertEqual(len(answer["top_k"]), len(texts))
            right += "ABCD"[answer["label"]] == record["answerKey"]
        self.assertAlmostEqual(report["accuracy"], right / 40)

    @unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
    def test_whether_a_text_follows_is_learned(self):
        def texts(name, count, seed):
            rng, rows = random.Random(seed), ["text\ttext_pair\tlabel"]
            for i in range(count):
                second = "film" if i % 2 else "cat"
                rows.append(f"{sentence(rng, 'tea')}\t{sentence(rng, second)}\t{i % 2}")
            return self.write(name, "\n".join(rows) + "\n")

        dev = texts("dev_next.tsv", 40, 8)
        model = self.finetune("next", "next_sentence_prediction", texts("train_next.tsv", 300, 7), dev,
                              "--epochs", 12)  # fmt: skip
        config = json.loads((model / "config.json").read_text())
        self.assertEqual(config["architectures"], ["FNetForNextSentencePrediction"])
        self.assertEqual(config["id2label"], {"0": "is_next", "1": "not_next"})
        self.assertGreater(json.loads(done("evaluate", model, dev, "--json"))["accuracy"], 0.8)

    def test_names_of_tasks_are_taken_or_refused_with_what_to_use(self):
        out = self.folder / "named"
        done("init", "--variant", "tiny", "--task", "Sentiment_Analysis", "--labels", "a,b", "--out", out,
             "--set", "vocab_size=50")  # fmt: skip
        self.assertEqual(json.loads((out / "config.json").read_text())["architectures"],
                         ["FNetForSequenceClassification"])  # fmt: skip
        data = self.write("few.tsv", "text\tlabel\na\t1\nb\t2\n")
        self.assertIn("--task: 'text_generation' writes text, which an encoder does not",
                      self.fails("data", "check", data, "--task", "text_generation"))  # fmt: skip
        self.assertIn("--task: expected text-classification or",
                      self.fails("data", "check", data, "--task", "sentiment"))  # fmt: skip
        found = json.loads(done("data", "check", data, "--task", "spam_detection", "--json"))
        self.assertEqual(found["task"], "text-classification")

    def test_data_are_checked_as_the_task_reads_them(self):
        data = self.write("check.jsonl", lines([
            {"text": "a cat", "choices": ["x", "the dog sat on the mat and looked"], "label": 1}] * 2))  # fmt: skip
        found = json.loads(done("data", "check", data, "--task", "multiple-choice", "--tokenizer", self.spiece,
                                "--max-length", 8, "--json"))  # fmt: skip
        self.assertEqual(found["tokens"]["longer"], 2)
        self.assertEqual(found["duplicates"]["count"], 1)

    def test_a_model_without_a_pair_is_told_what_is_missing(self):
        model = self.model("bare", "sentence-similarity", "similarity", "pooling=mean")
        self.assertIn("'text_pair' or 'sentence2' or 'positive'", self.fails("predict", model, stdin="a\n"))
        data = self.write("pair.tsv", "text\ttext_pair\nthe cat\tthe cat\nthe cat\ta dog\n")
        same, other = map(float, done("predict", model, data).splitlines())
        self.assertEqual(same, 1)
        self.assertLess(other, 1)
        done("quantize", model, "--dtype", "int8", "--out", self.folder / "bare8")
        self.assertAlmostEqual(float(done("predict", self.folder / "bare8", data).splitlines()[1]), other, delta=0.05)


if __name__ == "__main__":
    unittest.main()

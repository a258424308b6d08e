"""Several tasks on one encoder, from the training to the answers."""

import json
import random
import unittest

from support import CAN_TRAIN, CliTest, done, fnet

FILLER = "the a film book day was is very so in it".split()
MOODS = {"pos": ["fine", "warm", "clever"], "neg": ["dull", "sad", "poor"], "none": ["plain", "usual"]}
NAMES = {"B-PER": ["Anna", "Berg", "Carl"], "B-LOC": ["Oslo", "Rome", "Paris"]}


def texts(count, seed):
    """Rows of (text, mood)."""
    draw = random.Random(seed)
    rows = []
    for _ in range(count):
        mood = draw.choice(list(MOODS))
        words = draw.choices(FILLER, k=draw.randint(2, 6))
        words.insert(draw.randint(0, len(words)), draw.choice(MOODS[mood]))
        rows.append((" ".join(words), mood))
    return rows


def sentences(count, seed):
    """Lists of (word, tag)."""
    draw = random.Random(seed)
    rows = []
    for _ in range(count):
        words = [(word, "O") for word in draw.choices(FILLER, k=draw.randint(1, 3))]
        for tag in draw.sample(list(NAMES), draw.randint(1, 2)):
            words.insert(draw.randint(0, len(words)), (draw.choice(NAMES[tag]), tag))
        rows.append(words)
    return rows


def tsv(rows):
    return "text\tlabel\n" + "".join(f"{text}\t{mood}\n" for text, mood in rows)


def conll(rows):
    return "".join("".join(f"{word}\t{tag}\n" for word, tag in words) + "\n" for words in rows)


@unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
class TwoTasks(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.write("mood.tsv", tsv(texts(160, 1)))
        cls.mood_dev = cls.write("mood_dev.tsv", tsv(texts(60, 2)))
        cls.write("names.conll", conll(sentences(80, 3)))
        cls.names_dev = cls.write("names_dev.conll", conll(sentences(40, 4)))
        cls.tasks = {
            "mood": {"task": "text-classification", "train": "mood.tsv", "dev": "mood_dev.tsv"},
            "names": {"task": "token-classification", "train": "names.conll", "dev": "names_dev.conll", "weight": 2},
        }
        cls.config = cls.write("tasks.json", json.dumps({"tasks": cls.tasks}))
        cls.both = cls.folder / "both"
        cls.train(cls.config, cls.both)

    @classmethod
    def train(cls, config, out, *flags, epochs=6):
        run = fnet("finetune", "--task-config", config, "--out", out, "--set", "hidden_size=32", "--set",
                   "num_hidden_layers=1", "--set", "intermediate_size=32", "--epochs", epochs, "--batch-size", 8,
                   "--average", 0, "--lr", "5e-3", "--threads", 2, *flags)  # fmt: skip
        assert run.returncode == 0, run.stderr
        return run.stderr

    def run_json(self, model):
        return json.loads((model / "run.json").read_text())

    def test_both_heads_beat_the_majority(self):
        run = self.run_json(self.both)
        dev = run["results"]["dev"]
        truth = [mood for _, mood in texts(60, 2)]
        self.assertGreater(dev["mood.accuracy"], max(truth.count(mood) for mood in MOODS) / len(truth) + 0.3)
        self.assertGreater(dev["names.entity_f1"], 0.8)  # of no name at all: 0
        self.assertAlmostEqual(dev["mean"], (dev["mood.accuracy"] + dev["names.entity_f1"]) / 2)
        self.assertEqual(run["metric"], "mean")
        self.assertEqual((run["alpha"], run["tasks"]["names"]["weight"]), (0.5, 2))
        self.assertEqual(run["data"]["names"]["train"]["examples"], 80)

    def test_the_report_and_log_have_every_metric(self):
        page = (self.both / "report.html").read_text()
        for part in ("mood.accuracy", "names.entity_f1", "<h2>names: ", "B-LOC", "both: mood, names"):
            self.assertIn(part, page)
        epochs = [json.loads(line) for line in (self.both / "log.jsonl").read_text().splitlines()]
        epochs = [line for line in epochs if line["event"] == "epoch"]
        self.assertEqual(len(epochs), 6)
        self.assertTrue(all({"mean", "mood.mcc", "names.accuracy", "dev_loss"} <= set(line) for line in epochs))

    def test_evaluate_gives_the_figures_of_training(self):
        dev = self.run_json(self.both)["results"]["dev"]
        own = json.loads(done("evaluate", self.both, self.mood_dev, "--json"))
        self.assertAlmostEqual(own["accuracy"], dev["mood.accuracy"])
        self.assertEqual(done("evaluate", self.both, self.mood_dev, "--head", "mood", "--json"),
                         done("evaluate", self.both, self.mood_dev, "--json"))  # fmt: skip
        names = json.loads(done("evaluate", self.both, self.names_dev, "--head", "names", "--json"))
        self.assertAlmostEqual(names["micro_f1"], dev["names.entity_f1"])

    def answers(self, model, data, *flags):
        lines = done("predict", model, data, "--format", "jsonl", *flags).splitlines()
        return [{key: value for key, value in json.loads(line).items() if key != "line"} for line in lines]

    def check_all_heads(self, model, names):
        rows = [text for text, _ in texts(70, 5)] + ["", "Anna  went\u00a0to Rome, and\tback . "]
        for data in (self.write("lines.txt", "\n".join(rows) + "\n"),
                     self.write("words.jsonl", "".join(json.dumps({"tokens": [word for word, _ in words]}) + "\n"
                                                       for words in sentences(20, 6)))):  # fmt: skip
            together = self.answers(model, data, "--head", "all")
            self.assertEqual(len(together), len(data.read_text().splitlines()))
            texts_of = data if data.suffix == ".txt" else self.write(
                "joined.txt", "".join(" ".join(json.loads(line)["tokens"]) + "\n"
                                      for line in data.read_text().splitlines()))  # fmt: skip
            for name, reads_words in names.items():
                alone = self.answers(model, data if reads_words else texts_of, "--head", name)
                self.assertEqual([line[name] for line in together], alone)

    def test_all_heads_together_answer_as_each_alone(self):
        self.check_all_heads(self.both, {"mood": False, "names": True})

    def test_heads_behind_a_pooler_do_so_too(self):
        """The last layer of such a model alone would run on first rows, with other sums."""
        config = self.write("pooled.json", json.dumps({"tasks": {
            "names": {**self.tasks["names"], "main": False},
            "mood": {**self.tasks["mood"], "main": True, "pooling": "cls"}}}))  # fmt: skip
        out = self.folder / "pooled"
        self.train(config, out, epochs=1)
        stored = json.loads((out / "config.json").read_text())
        self.assertEqual((stored["pooling"], stored["head_name"], list(stored["heads"])), ("cls", "mood", ["names"]))
        self.check_all_heads(out, {"mood": False, "names": True})

    def test_its_own_head_answers_where_none_is_named(self):
        line = "a warm film\n"
        self.assertEqual(done("predict", self.both, stdin=line), done("predict", self.both, "--head", "mood", stdin=line))
        error = self.fails("predict", self.both, "--head", "moods", stdin=line)
        self.assertIn("--head: expected one of 'mood', 'names', found 'moods'", error)
        self.assertIn("expected jsonl for all heads", self.fails("predict", self.both, "--head", "all", "--format", "tsv",
                                                                 stdin=line))  # fmt: skip

    def test_info_lists_the_heads(self):
        out = done("info", self.both)
        self.assertIn("head     mood: text-classification, 3 labels, the model's own\n", out)
        self.assertIn("head     names: token-classification, 3 labels\n", out)
        self.assertEqual(json.loads(done("info", self.both, "--json"))["heads"]["names"]["task"], "token-classification")

    def test_the_same_options_give_the_same_bytes(self):
        out = self.folder / "again"
        done("finetune", "--config", self.both / "run.json", "--out", out, "--threads", 2)
        self.assertEqual(self.run_json(out)["results"]["sha256"], self.run_json(self.both)["results"]["sha256"])
        self.assertEqual(self.run_json(out)["tasks"], self.run_json(self.both)["tasks"])

    def test_training_goes_on_from_both_heads_and_may_freeze_what_it_names(self):
        out = self.folder / "on"
        log = self.train(self.config, out, "--from", self.both, "--freeze", "encoder", "embeddings", "heads.names", epochs=1)
        self.assertIn("before training: dev  mean ", log)
        self.assertNotIn("new", log.split("epoch 1")[0])
        more = self.write("more.json", json.dumps({"tasks": {**self.tasks, "tone": self.tasks["mood"]}}))
        log = self.train(more, self.folder / "more", "--from", self.both, epochs=1)
        self.assertIn("has no head 'tone' like this: a new one for text-classification with 3 labels", log)
        self.assertEqual(list(self.run_json(self.folder / "more")["config"]["heads"]), ["names", "tone"])

    def test_an_older_model_of_these_tasks_is_the_one_to_beat(self):
        out = self.folder / "beaten"
        self.train(self.config, out, epochs=6)
        log = self.train(self.config, out, "--overwrite", epochs=1)
        self.assertIn("its model stays until this run has one that is better (dev mean ", log)

    def test_questions_learn_beside_others_and_are_asked_alone(self):
        rows = [{"question": "who", "context": f"{name} was in a film", "answers": [{"text": name, "answer_start": 0}]}
                for name in NAMES["B-PER"] * 4]  # fmt: skip
        self.write("who.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        config = self.write("who.json", json.dumps({"metric": "who.f1", "tasks": {
            "mood": self.tasks["mood"], "who": {"task": "question-answering", "train": "who.jsonl"}}}))  # fmt: skip
        out = self.folder / "who"
        self.train(config, out, epochs=1)
        self.assertIn("who.exact_match", self.run_json(out)["results"]["dev"])
        asked = done("predict", out, self.folder / "who.jsonl", "--head", "who", "--format", "jsonl").splitlines()
        self.assertEqual(len(asked), len(rows))
        self.assertIn("--head: expected one for texts or words among all, found 'who', which is for questions",
                      self.fails("predict", out, "--head", "all", stdin="a\n"))  # fmt: skip

    def test_what_does_not_fit_is_refused(self):
        def refused(tasks, *flags, **more):
            config = self.write("bad.json", json.dumps({"tasks": tasks, **more}))
            error = self.fails("finetune", "--task-config", config, "--out", self.folder / "bad", "--quiet", *flags)
            self.assertFalse((self.folder / "bad" / "config.json").exists())
            return error.removeprefix("fnet-train: ")

        mood = {**self.tasks["mood"]}
        self.assertIn("--metric: expected one of mean, mood.accuracy", refused({"mood": mood}, metric="mood.f1"))
        self.assertIn("nowhere.tsv", refused({"mood": {**mood, "train": "nowhere.tsv"}}))
        self.assertIn("expected 7 labels (num_labels), found 3", refused({"mood": {**mood, "num_labels": 7}}))
        self.assertIn("mood: label_smoothing: expected -1 to 0.9, found 3", refused({"mood": {**mood, "label_smoothing": 3}}))
        self.assertIn("config: pooling", refused({"mood": {**mood, "pooling": "median"}}))
        self.assertIn("--task-config: expected none beside --train",
                      refused({"mood": mood}, "--train", self.mood_dev))  # fmt: skip
        self.assertIn("none.json", self.fails("finetune", "--task-config", "none.json", "--out", self.folder / "bad"))


if __name__ == "__main__":
    unittest.main()

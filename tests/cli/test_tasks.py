"""Problem types of text classification and questions, through the commands."""

import json
import unittest

from support import CliTest, done

QUESTIONS = [
    {"id": "a", "question": "who went", "context": "Anna Berg went from Oslo to Rome with the night train"},
    {"id": "b", "question": "what is dull", "context": "the worst film of the year is dull and far too long " * 9},
    {"id": "c", "question": "why", "context": "Übung"},
]


def lines(records):
    return "".join(json.dumps(record) + "\n" for record in records)


class Problems(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.several = cls.model("several", "text-classification", "red,green,blue",
                                "problem_type=multi_label_classification")  # fmt: skip
        cls.number = cls.model("number", "text-classification", "LABEL_0", "problem_type=regression")
        cls.reader = cls.model("reader", "question-answering", "LABEL_0,LABEL_1")

    def test_each_label_has_a_probability_of_its_own(self):
        rows = [json.loads(line) for line in done("predict", self.several, "--format", "jsonl", "--top-k", 3,
                                                  stdin="green tea\nthe cat\n").splitlines()]  # fmt: skip
        for row in rows:
            self.assertEqual(sorted(row["labels"]), ["blue", "green", "red"])
            self.assertEqual(row["scores"], sorted(row["scores"], reverse=True))
            for threshold in (0, row["scores"][1] - 1e-4, 1):
                text = ["green tea", "the cat"][row["line"] - 1]
                found = done("predict", self.several, "--threshold", threshold, stdin=text + "\n")
                self.assertEqual(found.rstrip("\n").split("\t")[::2] if found != "\n" else [],
                                 [n for n, s in zip(row["labels"], row["scores"]) if s >= threshold])  # fmt: skip

    def test_a_number_is_a_line(self):
        out = done("predict", self.number, stdin="green tea\nthe cat\n").splitlines()
        rows = [json.loads(line) for line in done("predict", self.number, "--format", "jsonl",
                                                  stdin="green tea\nthe cat\n").splitlines()]  # fmt: skip
        self.assertEqual([float(n) for n in out], [row["score"] for row in rows])

    def test_evaluate_counts_what_predict_answers(self):
        data = self.write("several.tsv", "text\tlabel\ngreen tea\tred, blue\nthe cat\t\na fine film\tgreen\n")
        report = json.loads(done("evaluate", self.several, data, "--json"))
        wrong = 0
        for truth, line in zip(({"red", "blue"}, set(), {"green"}),
                               done("predict", self.several, data, "--format", "jsonl").splitlines()):  # fmt: skip
            wrong += len(truth ^ set(json.loads(line)["labels"]))
        self.assertEqual(report["count"], 3)
        self.assertAlmostEqual(report["hamming_loss"], wrong / 9)
        self.assertIn("subset_accuracy", done("evaluate", self.several, data))

        data = self.write("number.tsv", "text\tlabel\ngreen tea\t1.5\nthe cat\t-2\na fine film\t0\n")
        report = json.loads(done("evaluate", self.number, data, "--json"))
        found = [float(line) for line in done("predict", self.number, data).splitlines()]
        self.assertAlmostEqual(report["mae"], sum(abs(a - b) for a, b in zip(found, (1.5, -2, 0))) / 3, places=5)
        self.assertIn("number.tsv:2: label: expected a number, found 'x'",
                      self.fails("evaluate", self.number, self.write("number.tsv", "text\tlabel\na\tx\n")))  # fmt: skip

    def test_answers_stand_in_the_context_whatever_the_batch(self):
        file = self.write("questions.jsonl", lines(QUESTIONS))
        flags = ("--format", "jsonl", "--max-length", 32, "--stride", 8, "--top-k", 3)
        out = done("predict", self.reader, file, *flags)
        for question, line in zip(QUESTIONS, out.splitlines(), strict=True):
            row = json.loads(line)
            self.assertEqual(row["id"], question["id"])
            self.assertEqual(row["answer"], question["context"][row["start"] : row["end"]])
            self.assertEqual(row["top_k"][0]["answer"], row["answer"])
        self.assertEqual(done("predict", self.reader, file, *flags, "--batch-size", 1), out)
        self.assertEqual("".join(done("predict", self.reader, "-", "--input-format", "jsonl", *flags,
                                      stdin=lines([q])).replace('"line":1', f'"line":{i}')
                                 for i, q in enumerate(QUESTIONS, 1)), out)  # fmt: skip
        self.assertEqual(len(done("predict", self.reader, file).splitlines()), 3)

    def test_squads_file_is_evaluated_as_json_lines_are(self):
        answers = [[{"text": "Oslo", "answer_start": 20}], [{"text": "dull", "answer_start": 30}], []]
        flat = lines({**q, "answers": a} for q, a in zip(QUESTIONS, answers))
        squad = {"version": "2.0", "data": [
            {"title": q["id"], "paragraphs": [{"context": q["context"], "qas": [
                {"id": q["id"], "question": q["question"], "answers": a}]}]}
            for q, a in zip(QUESTIONS, answers)]}  # fmt: skip
        one = done("evaluate", self.reader, self.write("flat.jsonl", flat), "--json")
        two = done("evaluate", self.reader, self.write("squad.json", json.dumps(squad)), "--json")
        self.assertEqual(one, two)
        self.assertEqual(json.loads(one)["count"], 3)
        self.assertIn("questions", done("evaluate", self.reader, self.folder / "flat.jsonl"))
        found = json.loads(done("data", "check", self.folder / "squad.json", "--task", "question-answering", "--json"))
        self.assertEqual((found["examples"], found["labels"]), (3, {}))

    def test_what_does_not_fit_is_refused(self):
        self.assertIn("id2label: expected two scores for question-answering",
                      self.fails("predict", self.model("three", "question-answering", "a,b,c")))  # fmt: skip
        tagger = self.model("odd", "token-classification", "O,B-X", "problem_type=regression")
        self.assertIn("problem_type: expected none for token-classification", self.fails("predict", tagger))
        self.assertIn("question-answering, found 'text'", self.fails("predict", self.reader, stdin="a\n"))
        error = self.fails("init", "--task", "text-classification", "--labels", "a,b", "--set",
                           "problem_type=regression", "--out", self.folder / "x")  # fmt: skip
        self.assertIn("expected one label for regression, found 2", error)


if __name__ == "__main__":
    unittest.main()

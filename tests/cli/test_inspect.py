"""info's layers, inspect and compare."""

import html.parser
import json
import re
import unittest

from support import CliTest, done, fnet

TEXT = "the cat sat on the mat"
FILMS = """label\ttext
good\ta fine film with a warm heart
bad\tthe worst film of the year
so-so\tgreen tea and brown bread
good\tthe cat sat on the mat
bad\tfar too long and dull
"""


class Page(html.parser.HTMLParser):
    """What a page asks for, the tags that it leaves open, and its text."""

    VOID = {"meta", "circle", "path"}
    OPTIONAL = {"html", "tr", "td", "th"}

    def __init__(self, text):
        super().__init__()
        self.open, self.outside, self.text = [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.outside += [v for k, v in attributes if k in ("src", "href")]
        if tag not in self.VOID | self.OPTIONAL:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID | self.OPTIONAL:
            assert self.open and self.open[-1] == tag, f"{tag} closed in {self.open}"
            self.open.pop()

    def handle_data(self, data):
        self.text += data


class Layers(CliTest):
    def test_parameters_of_all_layers_are_those_of_the_model(self):
        parts = [(), ("norm_position=pre",), ("mixers=top:1", "mixer_options.num_attention_heads=2"),
                 ("mixers=linear", "ffn_type=swiglu"), ("pooler=false", "pooling=mean"),
                 ("pooler=false", "pooling=attention")]  # fmt: skip
        for i, settings in enumerate(parts):
            model = self.model(f"parts-{i}", "text-classification", "a,b", *settings)
            info = json.loads(done("info", model, "--json"))
            self.assertEqual(sum(layer["parameters"] for layer in info["layers"]), info["parameters"]["total"])
            self.assertEqual(info["layers"][0]["name"], "embeddings")
            self.assertEqual(info["layers"][-1]["shape"], [2])

    def test_operations_are_those_of_the_linear_maps(self):
        info = json.loads(done("info", self.classifier, "--json", "--length", 10))
        layers = {layer["name"]: layer for layer in info["layers"]}
        self.assertEqual(layers["encoder.layer.0.mlp"]["operations"], 10 * 2 * 2 * 32 * 64)
        self.assertEqual(layers["embeddings"]["operations"], 10 * 2 * 32 * 32)
        self.assertEqual(layers["text-classification"]["operations"], 2 * 32 * 3)
        self.assertEqual(layers["encoder.layer.1.fourier"]["shape"], ["N", 32])
        self.assertNotIn("seconds", layers["embeddings"])

    def test_time_is_measured_on_request(self):
        info = json.loads(done("info", self.tagger, "--json", "--time", "--length", 20))
        timed = [layer["name"] for layer in info["layers"] if layer.get("seconds", 0) > 0]
        self.assertEqual(timed, ["embeddings", "encoder.layer.0.fourier", "encoder.layer.0.mlp",
                                 "encoder.layer.1.fourier", "encoder.layer.1.mlp"])  # fmt: skip
        table = done("info", self.tagger, "--time").split("\nlayers, ")[1].split("\n\n")[0]
        self.assertIn("[N, 4]", table)
        shares = [float(x) for x in re.findall(r"% +([0-9.]+) %$", table, re.MULTILINE)]
        self.assertEqual(len(shares), 5)
        self.assertAlmostEqual(sum(shares), 100, delta=0.5)


class Inspect(CliTest):
    def seen(self, *arguments, **options):
        return json.loads(done("inspect", *arguments, "--json", **options))

    def test_answers_as_predict_does(self):
        seen = self.seen(self.classifier, TEXT)
        label, score = done("predict", self.classifier, stdin=TEXT + "\n").split()
        self.assertEqual(seen["answers"][0][0]["label"], label)
        self.assertAlmostEqual(seen["answers"][0][0]["score"], float(score), delta=1e-3)

    def test_tokens_and_states_fit_the_text(self):
        seen = self.seen(self.classifier, TEXT)
        ids = [int(i) for i in done("tokenizer", "encode", self.classifier, stdin=TEXT).split()]
        self.assertEqual([t["id"] for t in seen["tokens"]], ids)
        self.assertEqual(seen["frequencies"][-1], len(ids) // 2 / len(ids))
        self.assertEqual([s["name"] for s in seen["states"]],
                         ["embeddings", "0 fourier", "0 mlp", "1 fourier", "1 mlp"])  # fmt: skip
        for state in seen["states"]:
            self.assertEqual(len(state["energy"]), len(seen["frequencies"]))
            self.assertAlmostEqual(sum(state["energy"]), 1, delta=1e-4)
        for token in seen["tokens"][1:-1]:
            self.assertGreater(token["vector"], 0)
            self.assertEqual(len(token["layers"]), 3)

    def test_reads_a_line_a_record_or_words(self):
        text = self.seen(self.classifier, TEXT)["tokens"]
        self.assertEqual(self.seen(self.classifier, "-", stdin=TEXT + "\nmore\n")["tokens"], text)
        data = self.write("films.tsv", FILMS)
        self.assertEqual(self.seen(self.classifier, "--data", data, "--record", 4)["tokens"], text)
        self.assertEqual(len(self.seen(self.tagger, TEXT)["answers"]), 6)
        self.assertIn("expected at least 9 records",
                      self.fails("inspect", self.classifier, "--data", data, "--record", 9))  # fmt: skip
        self.assertIn("expected a text", self.fails("inspect", self.classifier))

    def test_table_has_every_state(self):
        text = done("inspect", self.classifier, TEXT)
        for name in ("embeddings", "0 fourier", "1 mlp", "token", "answer"):
            self.assertRegex(text, rf"(?m)^{name} ")

    def test_page_needs_nothing_and_escapes_the_text(self):
        attack = "<script>alert('x')</script> & the cat"
        for model in (self.classifier, self.tagger, self.model("plain")):
            out = self.folder / "page.html"
            done("inspect", model, attack, "--html", out)
            page = Page(out.read_text(encoding="utf-8"))
            self.assertEqual(page.open, [])
            self.assertEqual(page.outside, [])
            self.assertNotIn("<script", out.read_text(encoding="utf-8"))
            for heading in ("What each token changes", "Energy by frequency", "Norms"):
                self.assertIn(heading, page.text)
            self.assertNotIn("nan", page.text)

    def test_one_token_and_none(self):
        for text in ("a", " "):
            done("inspect", self.classifier, text, "--html", self.folder / "short.html")
            self.assertEqual(len(self.seen(self.classifier, text)["states"]), 5)


class Compare(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.write("films.tsv", FILMS)
        cls.other = cls.folder / "other"
        sizes = [x for s in ("hidden_size=32", "num_hidden_layers=1", "intermediate_size=64") for x in ("--set", s)]
        done("init", "--variant", "tiny", "--tokenizer", cls.spiece, "--out", cls.other, "--task",
             "text-classification", "--labels", "bad,good,so-so", "--seed", 9, *sizes)  # fmt: skip

    def compared(self, *arguments):
        return json.loads(done("compare", *arguments, "--json"))

    def test_a_model_agrees_with_itself(self):
        seen = self.compared(self.classifier, self.classifier, "--data", self.data)
        self.assertEqual(seen["agreement"]["share"], 1)
        self.assertEqual(seen["agreement"]["only_right"], [0, 0])
        self.assertEqual(seen["different"], 0)
        a, b = seen["models"]
        self.assertEqual(a["metrics"], b["metrics"])
        self.assertGreater(a["tokens_per_second"], 0)

    def test_scores_as_evaluate_and_lists_where_predict_differs(self):
        seen = self.compared(self.classifier, self.other, "--data", self.data)
        lines = [line.split("\t") for line in FILMS.splitlines()[1:]]
        texts = self.write("films.txt", "".join(text + "\n" for _, text in lines))
        answers = []
        for model, side in zip((self.classifier, self.other), seen["models"]):
            evaluated = json.loads(done("evaluate", model, self.data, "--json"))
            for metric, value in side["metrics"].items():
                self.assertAlmostEqual(value, evaluated[metric])
            answers.append([row.split("\t")[0] for row in done("predict", model, texts).splitlines()])
        same = [a == b for a, b in zip(*answers)]
        self.assertAlmostEqual(seen["agreement"]["share"], sum(same) / len(same))
        self.assertEqual(seen["different"], same.count(False))
        right = [[a == truth for a, (truth, _) in zip(side, lines)] for side in answers]
        self.assertEqual(seen["agreement"]["only_right"], [
            sum(a and not b for a, b in zip(*right)), sum(b and not a for a, b in zip(*right))])  # fmt: skip

        out = self.folder / "differ.tsv"
        done("compare", self.classifier, self.other, "--data", self.data, "--out", out, "--show", 0)
        rows = [row.split("\t") for row in out.read_text().splitlines()]
        self.assertEqual(len(rows) - 1, same.count(False))
        for row in rows[1:]:
            i = int(row[0]) - 2
            self.assertEqual([row[1], row[2], row[4], row[6]],
                             [lines[i][0], answers[0][i], answers[1][i], lines[i][1]])  # fmt: skip

    def test_without_labels_there_are_no_scores(self):
        texts = self.write("plain.txt", "the cat\na film\n")
        seen = self.compared(self.classifier, self.other, "--data", texts)
        self.assertNotIn("metrics", seen["models"][0])
        self.assertNotIn("p", seen["agreement"])
        self.assertEqual(seen["agreement"]["count"], 2)
        self.assertIn("same answer for", done("compare", self.classifier, self.other, "--data", texts))

    def test_encoders_are_compared_by_their_vectors(self):
        texts = self.write("plain.txt", "the cat\na film\ngreen tea\n")
        encoder, small = self.model("encoder"), self.folder / "encoder-int8"
        done("quantize", encoder, "--out", small)
        agreement = self.compared(encoder, small, "--data", texts)["agreement"]
        self.assertGreater(agreement["cosine"], 0.99)
        self.assertLess(agreement["cosine"], 1)
        self.assertLessEqual(agreement["least_cosine"], agreement["cosine"])
        wide = self.model("wide", "encoder", "", "hidden_size=48")
        self.assertIsNone(self.compared(encoder, wide, "--data", texts)["agreement"]["cosine"])
        self.assertIn("least -", done("compare", encoder, wide, "--data", texts))

    def test_regressions_are_compared_by_their_numbers(self):
        rows = self.write("rows.tsv", "text\tlabel\nthe cat\t1.5\na film\t0.5\ngreen tea\t3\n")
        model = self.model("number", "text-classification", "score")
        agreement = self.compared(model, model, "--data", rows)["agreement"]
        self.assertAlmostEqual(agreement["pearson"], 1)
        self.assertEqual(agreement["mae"], 0)

    def test_taggers_are_compared_word_by_word(self):
        data = self.write("tags.conll", "Anna B-PER\nwent O\n\nto O\nRome B-LOC\n")
        seen = self.compared(self.tagger, self.tagger, "--data", data)
        self.assertEqual(seen["agreement"]["unit"], "words")
        self.assertEqual(seen["agreement"]["count"], 4)

    def test_different_tasks_are_told(self):
        texts = self.write("plain.txt", "the cat\n")
        result = fnet("compare", self.classifier, self.tagger, "--data", texts)
        self.assertEqual(result.returncode, 0)
        self.assertIn("their texts' vectors are compared", result.stderr)
        self.assertIn("expected at least one text",
                      self.fails("compare", self.classifier, self.other, "--data", self.write("empty.txt", "")))  # fmt: skip


if __name__ == "__main__":
    unittest.main()

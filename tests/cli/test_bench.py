"""What fnet bench tells, and what bench/python makes of measurements that were taken in pieces."""

import json
import sys
import tempfile
import unittest
from pathlib import Path

from support import CAN_TRAIN, SOURCE, done, fnet

sys.path.insert(0, str(SOURCE / "bench/python"))
import report  # noqa: E402 (after the path is set)
import training  # noqa: E402
from results import Results  # noqa: E402


def timing(contender, work, *seconds, **more):
    return {"contender": contender, "work": work, "tokens": 1000, "seconds": list(seconds), **more}


def run(*timings, threads=2):
    return {"date": "2026-01-02", "commit": "abc", "threads": threads, "command": "./dev bench", "timings": timings}


class Command(unittest.TestCase):
    def test_the_limit_is_the_nearer_of_products_and_reading_weights(self):
        shape = ("--set", "hidden_size=64", "--set", "intermediate_size=128", "--set", "num_hidden_layers=3")
        output = done("bench", "--variant", "tiny", *shape, "--batch", 1, "--length", 8, "--threads", 1,
                      "--seconds", 0, "--dtype", "bfloat16", "--json")  # fmt: skip
        found = json.loads(output)
        seconds = 1e-3 * found["milliseconds"]["p50"]
        weights = 3 * 2 * 64 * 128 + 64 * 64  # feed-forwards and the pooler
        projection = 64 * 64  # of the embeddings
        self.assertAlmostEqual(found["gigabytes_per_second"] * seconds * 1e9, 2 * (weights + projection), places=3)
        self.assertEqual(
            found["fraction_of_limit"],
            max(found["fraction_of_peak"], found["gigabytes_per_second"] / found["peak_gigabytes"]),
        )


@unittest.skipUnless(CAN_TRAIN, "this build has no fnet-train")
class Training(unittest.TestCase):
    SMALL = ("--variant", "tiny", "--set", "hidden_size=64", "--set", "intermediate_size=128",
             "--set", "num_hidden_layers=3", "--set", "vocab_size=500", "--batch", 2, "--length", 40,
             "--threads", 1, "--steps", 4, "--json")  # fmt: skip

    def test_a_step_counts_the_products_of_all_rows_and_of_the_masked_ones(self):
        for more in ([], ["--dtype", "bfloat16"]):
            found = json.loads(done("train-bench", *self.SMALL, *more))
            self.assertEqual(found["steps"], 4)
            seconds = 1e-3 * found["milliseconds"]["p50"]
            rows = 2 * 40 * (64 * 64 + 3 * 2 * 64 * 128) + 2 * 6 * (64 * 64 + 64 * 500)  # 6 of 40 are masked
            self.assertAlmostEqual(found["gflops"] * seconds * 1e9, 3 * 2 * rows, delta=1)
            self.assertAlmostEqual(found["tokens_per_second"] * seconds, 80, places=6)
            self.assertAlmostEqual(found["gflops"] / found["peak_gflops"], found["fraction_of_peak"])
            self.assertAlmostEqual(sum(found["parts"].values()), 1)
            self.assertGreater(found["peak_bytes"], 4 * 4 * 500 * 64)  # weights, gradients, two moments

    def test_what_makes_no_sense_is_refused(self):
        for words, named in ((("--set", "hidden_size=-1"), "hidden_size"), (("--dtype", "int8"), "--dtype")):
            result = fnet("train-bench", *words)
            self.assertEqual(result.returncode, 2)
            self.assertIn(named, result.stderr)

    def test_the_page_has_the_latest_of_each_contender_and_keeps_what_people_wrote(self):
        def timed(contender, work, seconds, **more):
            return {"contender": contender, "dtype": "float32", "work": work, "tokens": 2048, "seconds": seconds,
                    "peak_bytes": 3e9, **more}  # fmt: skip

        ours = dict(fractions_of_peak=[0.5, 0.7, 0.6])
        runs = [
            {"threads": 2, "date": "2026-01-02", "command": "./dev bench --training", "timings": timings}
            for timings in (
                [timed("fnet", "(4,512)", [9], **ours), timed("hf", "(4,512)", [99])],
                [timed("fnet", "(4,512)", [2, 1, 4], **ours), timed("hf", "(4,512)", [8, 6], peak_bytes=6e9)],
                [timed("fnet", "(1,4096)", [4], **ours)],
            )
        ]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "benchmarks.md"
            path.write_text("before\n<!-- training -->\nold\n<!-- end training -->\nafter\n")
            training.write(Results("a machine", runs), 2, path)
            text = path.read_text()
            self.assertTrue(text.startswith("before\n<!-- training -->\na machine"), text)
            self.assertTrue(text.endswith("<!-- end training -->\nafter\n"), text)
            self.assertIn("| (4,512) float32 | 1,024 (60%) | 293 (3.50×) | – | 3.0 | 6.0 (0.50) | – |", text)
            self.assertIn("4,096", path.with_name("training.svg").read_text())


class BenchTest(unittest.TestCase):
    def setUp(self):
        first = run(
            timing("fnet_float32", "(8,512)", 1, 2, 9, fractions_of_peak=[0.5, 0.6, 0.9]),
            timing("hf_float32", "(8,512)", 8),
            timing("onnx_float32", "(8,512)", 6),
        )
        second = run(
            timing("fnet_float32", "(8,512)", 0.5, fractions_of_peak=[0.75]), timing("hf_float32", "(8,512)", 4)
        )
        apart = run(timing("hf_float32", "(8,512)", 5), timing("hf_float32", "(1,4096)", 5))
        self.results = Results("a machine", [first, second, apart, run(timing("hf_float32", "(1,32)", 5), threads=1)])

    def cell(self, contender):
        return self.results.cell(contender, "(8,512)", 2)

    def test_a_cell_is_of_the_latest_run_with_ours(self):
        self.assertEqual(self.cell("fnet_float32").speed, 2000)
        self.assertEqual(self.cell("fnet_float32").fraction, 0.75)
        self.assertEqual((self.cell("hf_float32").speed, self.cell("hf_float32").ratio), (250, 8))
        self.assertEqual(self.cell("onnx_float32").ratio, 3)
        self.assertIsNone(self.cell("keras_jax_float32"))

    def test_a_thread_count_has_its_own_table(self):
        rows = report.table(self.results, 2).splitlines()
        self.assertEqual(rows[0], "| tokens a second | (1,4096) | (8,512) |")
        self.assertIn("| **fnet**, float32 | – | 2,000 (75%) |", rows)
        self.assertIn("| HF FNet eager, float32 | 200 | 250 (8.00×) |", rows)
        self.assertEqual(len(rows), 2 + 3)
        self.assertNotIn("(8,512)", report.table(self.results, 1))

    def test_another_machine_needs_another_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "results.json"
            self.results.save(path)
            self.assertEqual(Results.load(path, "a machine").runs[0]["commit"], "abc")
            with self.assertRaisesRegex(SystemExit, "is of a machine, this is another"):
                Results.load(path, "another")

    def test_the_document_keeps_what_people_wrote(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "benchmarks.md"
            path.write_text("before\n<!-- measured -->\nold\n<!-- end -->\nafter\n")
            report.write(self.results, path)
            text = path.read_text()
            self.assertTrue(text.startswith("before\n<!-- measured -->\na machine"), text)
            self.assertTrue(text.endswith("<!-- end -->\nafter\n"), text)
            self.assertNotIn("old", text)
            self.assertIn("2,000", path.with_suffix(".svg").read_text())


if __name__ == "__main__":
    unittest.main()

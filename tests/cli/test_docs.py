"""The documents say what the program does: generated parts, commands of the README, examples."""

import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

from support import BIN, CAN_EXPORT, CAN_TRAIN, FNET, SOURCE, CliTest, fnet

NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
# Of docs/seed-coverage.md: `file: test, test`, and how many tests and defects of each kind the seed has.
NAMED_TESTS = re.compile(r"`((?:unit|property|parity|tables|cli|live|long)/[\w/]+):\s+(\w+(?:,\s+\w+)*)`")
SEED_IDS = {"M": 20, "E": 3, "P": 4, "X": 2, "F": 23, "B": 42, "R": 14, "10.2.": 30}
BLOCK = re.compile(r"<!-- run -->\n```console\n(.*?)```", re.DOTALL)


def commands(block):
    """(command, expected output) pairs: `$ command`, continued after a backslash, then its output."""
    pairs = []
    for line in block.splitlines():
        if line.startswith("$ "):
            pairs.append([line[2:], []])
        elif pairs[-1][0].endswith("\\"):
            pairs[-1][0] += "\n" + line
        else:
            pairs[-1][1].append(line)
    return pairs


def same_line(expected, found, tolerance=0.2):
    """Equal words; numbers with a point, which depend on the machine's arithmetic, near each other."""
    if NUMBER.sub("#", expected) != NUMBER.sub("#", found):
        return False
    pairs = zip(NUMBER.findall(expected), NUMBER.findall(found))
    return all(abs(float(a) - float(b)) <= tolerance for a, b in pairs)


def same_output(expected, found):
    """A line `…` stands for any number of lines."""
    if not expected:
        return not found
    if expected[0] == "…":
        return any(same_output(expected[1:], found[i:]) for i in range(len(found) + 1))
    return bool(found) and same_line(expected[0], found[0]) and same_output(expected[1:], found[1:])


class Documents(CliTest):
    def test_generated_parts_are_fresh(self):
        for tool in ("make_docs.py", "make_completions.py"):
            check = subprocess.run([sys.executable, SOURCE / "tools" / tool, "--check", FNET],
                                   capture_output=True, text=True)  # fmt: skip
            self.assertEqual(check.returncode, 0, check.stdout + check.stderr)

    def test_links_lead_somewhere(self):
        for page in [*SOURCE.glob("*.md"), *SOURCE.glob("docs/**/*.md")]:
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
                self.assertTrue((page.parent / target).exists(), f"{page.name}: {target}")

    def test_the_seeds_tests_and_defects_have_a_row_and_tests_that_exist(self):
        page = (SOURCE / "docs" / "seed-coverage.md").read_text(encoding="utf-8")
        ids = [f"{kind}{i}" for kind, count in SEED_IDS.items() for i in range(1, count + 1)]
        rows = re.findall(r"^\| (\S+) \| .+ \| (.+) \|$", page, re.MULTILINE)
        self.assertEqual([row for row, _ in rows if re.fullmatch(r"[MEPXFBR]\d+|10\.2\.\d+", row)], ids)
        words = dict(re.findall(r"^\| \*\*(\w+)\*\* \| (.+) \|$", page, re.MULTILINE))
        for word, meaning in words.items():
            self.assertRegex(meaning, NAMED_TESTS, word)
        self.assertLessEqual(set(re.findall(r"\*\*(\w+)\*\*", page)), set(words))
        said = re.compile(NAMED_TESTS.pattern + r"|\*\*\w+\*\*|impossible|the same|program")
        for row, here in rows:
            if row in ids:
                self.assertRegex(here, said, row)
        for golden in re.findall(r"`(\w+\.json)`", page):
            self.assertTrue((SOURCE / "tests/golden/model" / golden).exists() or golden == "config.json", golden)
        named = [(file, test) for file, tests in NAMED_TESTS.findall(page) for test in re.split(r",\s+", tests)]
        self.assertGreater(len(set(named)), 100)
        sources = {}
        for file, test in named:
            if file not in sources:
                found = [path for path in SOURCE.glob(f"tests/{file}.*") if path.suffix in (".cpp", ".py")]
                self.assertEqual(len(found), 1, f"{file}: no such file of tests")
                sources[file] = found[0].read_text(encoding="utf-8")
            known = re.search(rf"(TEST(_F|_P)?\(\w+,\s*|    def ){test}\b", sources[file])
            self.assertTrue(known, f"{file} has no test {test}")

    def run_page(self, page):
        """Every console block of a page, as a newcomer has it: a clean home, in whose name is a space, and an installed
        fnet. `hf` is a stand-in: it makes a checkpoint of the shape of the one that it would fetch. The folder."""
        folder, home = self.folder / page.stem, self.folder / f"a home {page.stem}"
        shutil.copytree(SOURCE / "examples", folder / "examples")
        subprocess.run(["cmake", "--install", BIN.parent, "--prefix", home / "fnet"], check=True, capture_output=True)
        (home / "bin").mkdir()
        stand_in = home / "bin" / "hf"
        stand_in.write_text(
            "#!/bin/sh\n"
            f'fnet init --variant base --tokenizer "{self.spiece}" --set vocab_size=32000 --set length_policy=fixed:512 --out "$4"\n'
        )
        stand_in.chmod(0o755)
        kept = {key: value for key, value in os.environ.items() if not key.startswith("FNET_")}
        env = {**kept, "HOME": str(home), "FNET_THREADS": "2",
               "PATH": f"{home}/fnet/bin:{home}/bin:{os.environ['PATH']}"}  # fmt: skip
        blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
        self.assertGreater(len(blocks), 5)
        for block in blocks:
            for command, expected in commands(block):
                run = subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=folder, env=env,
                                     capture_output=True, text=True, timeout=500)  # fmt: skip
                self.assertEqual(run.returncode, 0, command + "\n" + run.stderr)
                found = run.stdout.splitlines()
                self.assertTrue(same_output(expected, found), f"$ {command}\n" + run.stdout)
        return folder

    @unittest.skipUnless(CAN_TRAIN and CAN_EXPORT, "the README trains a model and exports it; this build lacks one")
    def test_commands_of_the_readme_print_what_it_shows(self):
        self.run_page(SOURCE / "README.md")

    @unittest.skipUnless(CAN_TRAIN, "the page trains models; this build has no fnet-train")
    def test_commands_and_programs_of_the_page_for_other_libraries(self):
        """tests/live/convert_checkpoints.py runs its conversions."""
        page = SOURCE / "docs" / "coming-from.md"
        folder = self.run_page(page)
        expected = {
            "classify": "good\nbad\n",
            "features": "8 x 256\n3 x 256\n2 x 256\n",
            "tag": "B-LOC\nO\nO\n",
            "train": "loss ",
            "parts": "[2, 10, 256]\n[4, 64, 256]\nequal\n",
            "several_tasks": "mean ",
            "all_heads": "ner: 5 x 3\nsentiment: 1 x 2\n",
            "two_heads": "both learn\n",
        }
        self.assertEqual(set(expected), set(re.findall(r"<!-- program: (\w+) -->", page.read_text(encoding="utf-8"))))
        for name, beginning in expected.items():
            run = subprocess.run([BIN / f"example_page_{name}"], cwd=folder, capture_output=True, text=True, timeout=300)
            self.assertEqual(run.returncode, 0, name + run.stderr)
            self.assertTrue(run.stdout.startswith(beginning), f"{name}: {run.stdout}")


class Examples(CliTest):
    def example(self, name, *arguments):
        return subprocess.run([str(BIN / f"example_{name}"), *map(str, arguments)], capture_output=True, text=True)

    def test_classify(self):
        run = self.example("classify", self.classifier, "the cat", "a fine film")
        self.assertEqual(run.returncode, 0, run.stderr)
        lines = run.stdout.splitlines()
        self.assertEqual((lines[0], lines[3], len(lines)), ("the cat", "a fine film", 6))
        self.assertEqual(self.example("classify", self.folder / "nowhere").returncode, 2)

    def test_embed(self):
        run = self.example("embed", self.classifier, "the cat", "the cat", "a fine film")
        self.assertEqual(run.returncode, 0, run.stderr)
        rows = [[float(cell) for cell in line.split()[:3]] for line in run.stdout.splitlines()]
        self.assertEqual(rows[0], rows[1])
        self.assertEqual(rows[0][:2], [1, 1])
        self.assertLess(rows[0][2], 1)

    def test_the_program_of_the_api_page(self):
        folder = self.folder / "api_page"
        folder.mkdir()
        (folder / "reviews").symlink_to(self.classifier, target_is_directory=True)
        run = subprocess.run([str(BIN / "example_api_page")], cwd=folder, capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stderr)
        answer = fnet("predict", self.classifier, stdin="a warm and clever film\n").stdout
        self.assertIn(run.stdout.strip(), answer.split())

    @unittest.skipUnless(CAN_TRAIN, "this build has no libtorch")
    def test_build_from_blocks(self):
        run = self.example("build_from_blocks")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertGreater(float(run.stdout.split()[-1]), 0.9)

    def test_they_are_short(self):
        for path in Path(SOURCE / "examples").glob("*.cpp"):
            self.assertLessEqual(len(path.read_text().splitlines()), 40, path.name)


if __name__ == "__main__":
    unittest.main()

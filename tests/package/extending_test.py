"""docs/extending.md, applied to a copy of the sources: its files and lines make a norm that works."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE, WORK, SENTENCEPIECE = map(Path, sys.argv[1:4])
NEW_FILE = re.compile(r"<!-- file: (\S+) -->\n```cpp\n(.*?)```", re.DOTALL)
NEW_LINE = re.compile(r"<!-- after ([^\n]+) in (\S+) -->\n```cpp\n(.*?)```", re.DOTALL)


def apply(page: str, root: Path):
    for name, text in NEW_FILE.findall(page):
        (root / name).write_text(text, encoding="utf-8")
    for anchor, name, text in NEW_LINE.findall(page):
        lines = (root / name).read_text(encoding="utf-8").splitlines(keepends=True)
        at = next(i for i, line in enumerate(lines) if line.startswith(anchor))
        (root / name).write_text("".join(lines[: at + 1]) + text + "".join(lines[at + 1 :]), encoding="utf-8")


def run(*command):
    print("+", *command, flush=True)
    return subprocess.run([str(c) for c in command], check=True, stdout=subprocess.PIPE, text=True).stdout


def main():
    tree, build = WORK / "tree", WORK / "build"
    shutil.rmtree(WORK, ignore_errors=True)
    for name in ("cmake", "include", "src"):
        shutil.copytree(SOURCE / name, tree / name)
    shutil.copy(SOURCE / "CMakeLists.txt", tree)
    apply((SOURCE / "docs/extending.md").read_text(encoding="utf-8"), tree)
    launcher = [f"-DCMAKE_{x}_COMPILER_LAUNCHER=ccache" for x in ("C", "CXX")] if shutil.which("ccache") else []
    run("cmake", "-S", tree, "-B", build, "-G", "Ninja", "-DFNET_TRAIN=OFF", "-DFNET_TESTS=OFF", "-DFNET_WERROR=ON",
        f"-DFNET_SENTENCEPIECE_SOURCE={SENTENCEPIECE}", *launcher)  # fmt: skip
    os.environ.setdefault("CCACHE_NOHASHDIR", "1")
    run("cmake", "--build", build, "--target", "fnet_cli")
    fnet = build / "bin/fnet"
    assert "center_norm" in json.loads(run(fnet, "info", "--json"))["norm_type"]
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        corpus = Path(folder) / "texts.txt"
        corpus.write_text("the cat sat on the mat\na fine film with a warm heart\nthe quick brown fox jumps\n")
        spiece = Path(folder) / "spiece.model"
        run(fnet, "tokenizer", "train", "--input", corpus, "--vocab-size", "34", "--out", spiece)
        run(fnet, "init", "--variant", "tiny", "--tokenizer", spiece, "--set", "norm_type=center_norm", "--out", model)
        assert json.loads((model / "config.json").read_text())["norm_type"] == "center_norm"
        assert len(run(fnet, "embed", model, corpus).splitlines()) == 3


main()

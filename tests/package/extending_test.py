"""extending_test.py SOURCE WORK SETTINGS: docs/extending.md, applied to a copy of the sources, builds, passes the
tests of the tables and makes a model that runs. SETTINGS is a file of CMake settings for the copy's build."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE, WORK, SETTINGS = map(Path, sys.argv[1:4])
NEW_FILE = re.compile(r"<!-- file: (\S+) -->\n```cpp\n(.*?)```", re.DOTALL)
NEW_LINE = re.compile(r"<!-- after ([^\n]+) in (\S+) -->\n```cpp\n(.*?)```", re.DOTALL)


def apply(page: str, root: Path):
    for name, text in NEW_FILE.findall(page):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    for anchor, name, text in NEW_LINE.findall(page):
        lines = (root / name).read_text(encoding="utf-8").splitlines(keepends=True)
        at = next(i for i, line in enumerate(lines) if line.startswith(anchor))
        (root / name).write_text("".join(lines[: at + 1]) + text + "".join(lines[at + 1 :]), encoding="utf-8")


def run(*command):
    print("+", *command, flush=True)
    return subprocess.run([str(c) for c in command], check=True, stdout=subprocess.PIPE, text=True).stdout


def main():
    # The same folders from the root and the same flags as the project's own build: what the page leaves
    # alone, ccache has already.
    build = WORK / "build/copy"
    shutil.rmtree(WORK, ignore_errors=True)
    for name in ("cmake", "include", "src", "tests/tables"):
        shutil.copytree(SOURCE / name, WORK / name)
    for path in (SOURCE / "CMakeLists.txt", *SOURCE.glob("tests/*.*")):
        shutil.copy(path, WORK / path.relative_to(SOURCE))
    (WORK / ".deps").symlink_to(SOURCE / ".deps")
    settings = SETTINGS.read_text(encoding="utf-8").replace(f"{SOURCE}/.deps", f"{WORK}/.deps")
    (WORK / "settings.cmake").write_text(settings, encoding="utf-8")
    apply((SOURCE / "docs/extending.md").read_text(encoding="utf-8"), WORK)
    os.environ.update(CCACHE_BASEDIR=str(WORK), CCACHE_NOHASHDIR="1", CCACHE_SLOPPINESS="pch_defines,time_macros")
    run("cmake", "-C", WORK / "settings.cmake", "-S", WORK, "-B", build, "-G", "Ninja", "-Wno-dev", "-DFNET_TRAIN=OFF",
        "-DFNET_EXAMPLES=OFF")  # fmt: skip
    run("cmake", "--build", build, "--target", "fnet_cli", "test_tables")
    run("ctest", "--test-dir", build, "--output-on-failure", "--no-tests=error", "-R", "^tables")
    fnet = build / "bin/fnet"
    info = json.loads(run(fnet, "info", "--json"))
    added = {"norm_type": "center_norm", "ffn_type": "tanh_glu", "mixer": "scaled_fourier", "pooling": "mean_max",
             "hidden_act": "relu6", "task": "language-identification"}  # fmt: skip
    for key, name in added.items():
        assert name in info[key], (name, info[key])
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        corpus = Path(folder) / "texts.txt"
        corpus.write_text("the cat sat on the mat\na fine film with a warm heart\nthe quick brown fox jumps\n")
        spiece = Path(folder) / "spiece.model"
        run(fnet, "tokenizer", "train", "--input", corpus, "--vocab-size", "34", "--out", spiece)
        sets = ("norm_type=center_norm", "ffn_type=tanh_glu", "ffn_options.bias=false", "mixers=scaled_fourier",
                "pooling=mean_max")  # fmt: skip
        run(fnet, "init", "--variant", "tiny", "--tokenizer", spiece, *(f"--set={s}" for s in sets), "--out", model,
            "--task", "language-identification", "--labels", "en,de")  # fmt: skip
        assert json.loads((model / "config.json").read_text())["ffn_options"] == {"bias": False}
        assert len(run(fnet, "embed", model, corpus).splitlines()) == 3
        assert len(run(fnet, "predict", model, corpus).splitlines()) == 3


main()

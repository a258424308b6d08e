"""One encoder for sst2 and ewt_pos, against a model of each alone: what sharing costs on real data.

Usage: several_tasks.py FNET DATA_DIR [EPOCHS]. Exit code 77 where the data are missing. Prints the table; fails where a head
does not beat the majority of its labels, or loses more than 3 points to the model of its task alone.
"""

import collections
import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

FNET, DATA = sys.argv[1], Path(sys.argv[2])
EPOCHS = sys.argv[3] if len(sys.argv) > 3 else "3"
TASKS = {
    "sst2": ("text-classification", "tsv", "accuracy"),
    "ewt_pos": ("token-classification", "conll", "accuracy"),
}
LOST = 0.03


def run(*arguments):
    print("$ fnet", *arguments, flush=True)
    return subprocess.run([FNET, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True).stdout


def majority(path, kind):
    labels = collections.Counter()
    for line in gzip.open(path, "rt", encoding="utf-8").read().split("\n")[kind == "tsv" :]:
        if "\t" in line:
            labels[line.rsplit("\t", 1)[1]] += 1
    return max(labels.values()) / sum(labels.values())


def main():
    files = {name: {part: DATA / name / f"{part}.{kind}.gz" for part in ("train", "dev", "test")}
             for name, (_, kind, _) in TASKS.items()}  # fmt: skip
    if not all(path.exists() for parts in files.values() for path in parts.values()):
        print(f"skipped: {DATA} has no {' or '.join(TASKS)}")
        return 77
    recipe = ["--variant", "tiny", "--epochs", EPOCHS, "--set", "num_hidden_layers=2", "--max-length", "128"]
    bad = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tasks = {name: {"task": task, "train": str(files[name]["train"]), "dev": str(files[name]["dev"]), "wide": "off"}
                 for name, (task, _, _) in TASKS.items()}  # fmt: skip
        (folder / "tasks.json").write_text(json.dumps({"tasks": tasks}))
        run("finetune", "--task-config", folder / "tasks.json", "--out", folder / "both", *recipe)
        print(f"{'task':10} {'majority':>9} {'alone':>9} {'together':>9}")
        rows = []
        for name, (task, kind, metric) in TASKS.items():
            parts = files[name]
            run("finetune", "--task", task, "--train", parts["train"], "--dev", parts["dev"], "--wide", "off", "--out",
                folder / name, *recipe)  # fmt: skip
            alone = json.loads(run("evaluate", folder / name, parts["test"], "--json"))[metric]
            both = json.loads(run("evaluate", folder / "both", parts["test"], "--head", name, "--json"))[metric]
            rows.append((name, majority(parts["test"], kind), alone, both))
        for name, most, alone, both in rows:
            print(f"{name:10} {most:9.4f} {alone:9.4f} {both:9.4f}")
            bad += both < most + 0.1 or both < alone - LOST
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

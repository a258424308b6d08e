"""The file in which measurements are kept, and what it says of a contender.

A file is of one machine. Each call of infer_peers.py adds a run for each thread count, so that a
measurement can be done in pieces; what took turns within one run stays together. bars.py puts its own beside:

    {"machine": …, "runs": [{"date", "commit", "command", "threads",
        "timings": [{"contender", "work", "tokens", "seconds": […], "fractions_of_peak": […],
            "peak_gflops": …}]}],
     "bars": {name: {"wanted", "found", "met"}}}
"""

import dataclasses
import json
import pathlib
import re
import statistics

OURS = ("fnet_float32", "fnet_bfloat16", "fnet_int8")
# What readers know the contenders by, in the order of the tables: best peers first in each type.
LABELS = {
    "fnet_float32": "**fnet**, float32",
    "keras_jax_float32": "keras-hub on JAX, float32",
    "exported_float32": "ONNX Runtime on `fnet export onnx`, float32",
    "onnx_float32": "ONNX Runtime, float32",
    "compile_float32": "torch.compile, float32",
    "hf_fused_gelu_float32": "HF FNet eager, fused GELU, float32",
    "hf_float32": "HF FNet eager, float32",
    "bert_float32": "HF BERT-base, float32",
    "fnet_bfloat16": "**fnet**, bfloat16",
    "compile_bfloat16": "torch.compile, bfloat16",
    "hf_bfloat16": "HF FNet eager, bfloat16",
    "bert_bfloat16": "HF BERT-base, bfloat16",
    "fnet_int8": "**fnet**, int8",
    "onnx_int8": "ONNX Runtime, int8",
}


@dataclasses.dataclass
class Cell:
    """One contender at one work."""

    speed: float  # tokens a second
    ratio: float | None  # how many times as fast ours of the same type was in turns with it
    fraction: float | None  # of the machine's peak; ours only


class Results:
    def __init__(self, machine, runs=(), bars=()):
        self.machine, self.runs, self.bars = machine, list(runs), dict(bars)

    @classmethod
    def load(cls, path, machine=None):
        """What the file holds; nothing yet where there is none. Another machine's file is refused."""
        path = pathlib.Path(path)
        if not path.exists():
            return cls(machine)
        content = json.loads(path.read_text())
        if machine and content["machine"] != machine:
            raise SystemExit(f"{path}: is of {content['machine']}, this is {machine}: use another file")
        return cls(**content)

    def save(self, path):
        pathlib.Path(path).write_text(json.dumps(vars(self), indent=1) + "\n")

    def threads(self):
        return sorted({run["threads"] for run in self.runs})

    def works(self, threads):
        """Names, shapes by their numbers before files."""
        names = {t["work"] for run in self.runs if run["threads"] == threads for t in run["timings"]}
        return sorted(names, key=lambda name: (name[0] != "(", *map(int, re.findall(r"\d+", name))))

    def peak(self, contender, threads):
        """GFLOP/s that bare multiply-adds of its type reached beside it; the best of all runs."""
        runs = (run["timings"] for run in self.runs if run["threads"] == threads)
        found = (t.get("peak_gflops", 0) for timings in runs for t in timings if t["contender"] == contender)
        return max(found, default=0)

    def cell(self, contender, work, threads):
        """Of the latest run in which the contender took turns with ours of its type, else of its latest."""
        ours = f"fnet_{contender.rpartition('_')[2]}"
        found = None
        for run in self.runs:
            timed = {t["contender"]: t for t in run["timings"] if t["work"] == work and t["seconds"]}
            if run["threads"] != threads or contender not in timed:
                continue
            mine = timed[contender]
            speed = mine["tokens"] / statistics.median(mine["seconds"])
            ratio = None
            if contender not in OURS and ours in timed:
                ratio = statistics.median(mine["seconds"]) / statistics.median(timed[ours]["seconds"])
            fractions = mine.get("fractions_of_peak")
            if ratio or not (found and found.ratio):
                found = Cell(speed, ratio, statistics.median(fractions) if fractions else None)
        return found

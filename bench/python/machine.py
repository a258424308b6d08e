"""What the measurements share: the machine's name, its cores, and an environment without traps."""

import os
import pathlib
import platform
import re
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
BUILT = HERE.parent.parent / "build"


def describe(device="cpu"):
    """Family and model too: a name such as "AMD EPYC" stands for cores of very different peaks."""
    first = pathlib.Path("/proc/cpuinfo").read_text().partition("\n\n")[0]
    fields = dict(re.split(r"\s*:\s*", line, maxsplit=1) for line in first.splitlines() if ":" in line)
    processor = fields.get("model name") or platform.machine()
    if "cpu family" in fields:
        processor += f" (family {fields['cpu family']}, model {fields['model']})"
    if device != "cpu":
        import torch

        processor = f"{torch.cuda.get_device_name()}, torch {torch.__version__}; {processor}"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{processor}, {len(os.sched_getaffinity(0))} cores, {memory / 2**30:.0f} GiB"


def commit():
    """The last one that touched what is timed; unknown where only the tree is."""
    if not (BUILT.parent / ".git").exists():
        return "unknown"
    found, changes = (
        subprocess.run(["git", *words, "--", "src", "include"], cwd=BUILT.parent, capture_output=True, text=True)
        for words in (["log", "-1", "--format=%h"], ["status", "--porcelain"])
    )
    return (found.stdout.strip() or "unknown") + "-dirty" * bool(changes.stdout)


def environment(threads, device="cpu"):
    """Thread counts for every library; OPENBLAS_CORETYPE and _L2_SIZE slow OpenBLAS down where set."""
    env = dict(os.environ) | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        env.pop(name, None)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        env[name] = str(threads)
    return env | ({"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {})


def on_cores(threads):
    """JAX and ONNX Runtime start more threads than asked for: held to as many cores."""
    cores = sorted(os.sched_getaffinity(0))[:threads]
    return ["taskset", "-c", ",".join(map(str, cores))]


def output_of(command, threads, device="cpu"):
    """Standard output of a program that must succeed."""
    words = [*on_cores(threads), *map(str, command)]
    done = subprocess.run(words, env=environment(threads, device), capture_output=True)
    if done.returncode:
        raise RuntimeError(done.stderr.decode().strip())
    return done.stdout

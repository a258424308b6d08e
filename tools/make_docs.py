#!/usr/bin/env python3
"""Write the generated parts of docs/ from what the program says of itself.

    python3 tools/make_docs.py [--check] FNET

A part stands between `<!-- generated: NAME -->` and `<!-- end -->`. With --check nothing is written, and
the exit code is 1 where a file would change. A build without training or export keeps what is written of it.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"
PART = re.compile(r"(<!-- generated: (.+?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def table(head: list, rows) -> str:
    cells = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(str(c).replace("|", "\\|") for c in row) + " |\n" for row in cells)


class Program:
    def __init__(self, path: str):
        self.path = path
        self.info = json.loads(self.say("info", "--json"))

    def say(self, *arguments: str) -> str:
        return subprocess.run([self.path, *arguments], check=True, capture_output=True, text=True).stdout

    def kinds(self, name: str) -> str:
        return table([f"`{name}`", "what it is"], ([f"`{k}`", h] for k, h in self.info["help"][name].items()))

    def config(self) -> str:
        rows = ([f"`{f['name']}`", f"`{f['default']}`", f["allowed"], f["help"]] for f in self.info["config"])
        return table(["key", "default", "allowed", "meaning"], rows)

    def options(self) -> str:
        rows = ([f"`{o['part']}`", f"`{o['key']}.{o['name']}`", f"`{o['default']}`", o["allowed"], o["help"]]
                for o in self.info["options"])  # fmt: skip
        return table(["part", "option", "default", "allowed", "meaning"], rows)

    def presets(self) -> str:
        keys = ("hidden_size", "num_hidden_layers", "intermediate_size", "parameters")
        rows = ([f"`{n}`", *(p[k] for k in keys)] for n, p in self.info["presets"].items())
        return table(["variant", *(f"`{k}`" for k in keys[:3]), "parameters"], rows)

    def flags(self, command: str) -> str | None:
        """Arguments and flags of a command; None for one of a program that was not built."""
        try:
            detail = json.loads(self.say(*command.split(), "--help-json"))
        except subprocess.CalledProcessError:
            if self.info["exporter" if command.startswith("export") else "trainer"] is not None:
                raise
            return None
        rows = []
        for flag in detail["flags"]:
            default = "required" if flag["required"] else f"`{flag['default']}`" if flag["default"] else ""
            meaning = flag["help"] + (f" (or `{flag['environment']}`)" if flag["environment"] else "")
            names = ", ".join(f"`{n}`" for n in (flag["short"], flag["name"]) if n)
            rows.append([names, default, flag["allowed"], meaning])
        return table(["argument", "default", "allowed", "meaning"], rows) + f"\n    {detail['example']}\n"

    def part(self, name: str) -> str | None:
        kind, _, argument = name.partition(" ")
        makers = {"kinds": self.kinds, "flags": self.flags}
        return makers[kind](argument) if argument else {
            "config": self.config, "presets": self.presets, "options": self.options}[kind]()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fnet", metavar="FNET")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    program = Program(arguments.fnet)
    stale = False
    for path in sorted(DOCS.glob("*.md")):
        old = path.read_text(encoding="utf-8")
        new = PART.sub(lambda m: m[1] + (program.part(m[2]) or m[3]) + m[4], old)
        if new == old:
            continue
        stale = True
        print(f"{path.name}: {'stale: run ./dev docs' if arguments.check else 'written'}")
        if not arguments.check:
            path.write_text(new, encoding="utf-8")
    sys.exit(stale and arguments.check)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Make `debian20`: package descriptions, labelled with the section of the archive they are in.

    python3 tools/make_debian_data.py OUT_DIR

writes train.tsv.gz, dev.tsv.gz and test.tsv.gz with the columns text and label. The text is the short
description and the first paragraph of the long one, without the names of the package and its source.
Splits share no source package and no text.

Needs Python and apt on Debian or Ubuntu, and no root: apt fetches its lists (some 16 MB) into a folder
of our own, because containers often have lists without descriptions.
"""

import argparse
import gzip
import hashlib
import re
import subprocess
from collections import Counter
from pathlib import Path

SECTIONS = set(
    "admin devel fonts games gnu-r golang graphics haskell java javascript "
    "mail math net perl python ruby rust science sound text".split()
)
LEAST_WORDS = 12  # in a text
MOST_TEXTS = 1200  # in a section
NOT_DESCRIPTIVE = re.compile(r"-(dbg|dbgsym|doc|data|common|l10n|locale|locales)$")


class Apt:
    """apt with its own lists, so that neither root nor the machine's lists are needed."""

    def __init__(self, folder: Path):
        self.lists = folder / "lists"
        for part in (self.lists / "partial", folder / "cache/archives/partial"):
            part.mkdir(parents=True, exist_ok=True)
        self.options = [
            f"-oDir::State::lists={self.lists}",
            f"-oDir::Cache={folder / 'cache'}",
            "-oAcquire::Languages=en",
            "-oAPT::Sandbox::User=",
        ]

    def run(self, program: str, *arguments: str) -> str:
        command = [program, *self.options, *arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode("utf-8", "replace")

    def packages(self):
        """Every package known, as a dictionary of its fields."""
        return records(self.run("apt-cache", "dumpavail"))

    def long_descriptions(self) -> dict:
        """English descriptions by their MD5 sum, which a package names."""
        found = {}
        for path in sorted(self.lists.glob("*Translation-en*")):
            for record in records(self.run("/usr/lib/apt/apt-helper", "cat-file", str(path))):
                if "Description-md5" in record and "Description-en" in record:
                    found[record["Description-md5"]] = record["Description-en"]
        return found


def records(text: str):
    """Fields of Debian's control format: `Key: value`, continued on lines that begin with a space."""
    for paragraph in text.split("\n\n"):
        record, key = {}, None
        for line in paragraph.split("\n"):
            if line[:1] in (" ", "\t"):
                if key:
                    record[key] += "\n" + line
            elif ":" in line:
                key, _, value = line.partition(":")
                record[key] = value.strip()
        if record:
            yield record


def describe(description: str, names: set) -> str:
    """Short description and first paragraph on one line, without these names."""
    short, _, rest = description.partition("\n")
    paragraph = re.split(r"\n\s*\.\s*\n", rest)[0]
    text = " ".join(f"{short}. {paragraph}".split())
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", " ", text, flags=re.IGNORECASE)
    return " ".join(text.split())


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def split_of(source: str) -> str:
    """By the source package, so that no two splits share one: 70 % train, 10 % dev, 20 % test."""
    return ("test", "test", "dev", *["train"] * 7)[int(digest("split:" + source), 16) % 10]


def examples(apt: Apt):
    """(order, source, section, text) of every package that is described in a section of ours."""
    long_descriptions = apt.long_descriptions()
    if not long_descriptions:
        raise SystemExit("make_debian_data: expected English descriptions among apt's lists, found none")
    seen = set()
    for package in apt.packages():
        section = package.get("Section", "").split("/")[-1]  # Ubuntu writes universe/games
        description = long_descriptions.get(package.get("Description-md5"), package.get("Description"))
        if section not in SECTIONS or not description:
            continue
        name = package["Package"]
        source = package.get("Source", name).split(" ")[0]
        if NOT_DESCRIPTIVE.search(name) or "transitional" in description or "dummy package" in description:
            continue
        text = describe(description, {name, source})
        letters = re.sub(r"[^a-z]", "", text.lower())
        if len(text.split()) >= LEAST_WORDS and letters not in seen:
            seen.add(letters)
            yield digest(name), source, section, text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT_DIR")
    out = parser.parse_args().out.resolve()

    apt = Apt(out / "apt")
    apt.run("apt-get", "-q", "update")
    lines = {"train": [], "dev": [], "test": []}
    taken = Counter()
    for _, source, section, text in sorted(examples(apt)):  # by hash: an order that says nothing
        if taken[section] < MOST_TEXTS:
            taken[section] += 1
            lines[split_of(source)].append(f"{text}\t{section}\n")
    for split, rows in lines.items():
        with gzip.GzipFile(out / f"{split}.tsv.gz", "wb", mtime=0) as file:
            file.write(("text\tlabel\n" + "".join(rows)).encode())
        print(f"{split}: {len(rows)} texts in {len(taken)} sections")


if __name__ == "__main__":
    main()

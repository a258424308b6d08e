#!/usr/bin/env python3
"""Cut any folder of texts into the sentences that `fnet distill` learns from.

    python3 tools/distill_texts.py OUT CORPUS… [--add FILE.tsv.gz…] [--exclude FILE.tsv.gz…]

CORPUS are text files (.txt, .gz or .xz: paragraphs by line ends, documents parted by an empty line) or
folders of them. The result is OUT/texts-000.txt, OUT/texts-001.txt and so on, each of --piece texts,
one a line: whole sentences of 6 to 60 words, and every eighth time some sentences of one paragraph
together. All pieces are alike: each takes its texts from everywhere in the corpus. Texts of --add
(columns text and text_pair of tables: train splits) are spread over the pieces too; a text that equals
one of --exclude (test and dev splits) is left out wherever it came from.
"""

import argparse
import gzip
import hashlib
import lzma
import re
from pathlib import Path

SENTENCE_END = re.compile(r"""(?<=[.!?]["')\]])\s+(?=["'(\[]?[A-Z0-9])|(?<=[.!?])\s+(?=["'(\[]?[A-Z0-9])""")
ABBREVIATION = re.compile(r"(?:\b(?:[A-Z]|Mr|Mrs|Ms|Dr|St|Prof|Gen|Col|Capt|Sgt|No|vs|etc|cf|Inc|Ltd|Co|Jr|Sr|c|ca|vol|pp?)\.)$")
LEAST_WORDS, MOST_WORDS, PASSAGE_WORDS = 6, 60, 100
PASSAGE_EVERY = 8


def opened(path: Path):
    kind = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix, open)
    return kind(path, "rt", encoding="utf-8", errors="replace")


def files(paths):
    for path in map(Path, paths):
        yield from sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


def sentences(paragraph: str):
    """The sentences of a paragraph; an abbreviation's full stop ends none."""
    held = ""
    for part in SENTENCE_END.split(paragraph):
        held = f"{held} {part}" if held else part
        if not ABBREVIATION.search(held):
            yield held
            held = ""
    if held:
        yield held


def texts_of(paragraph: str):
    """Sentences of fit length; now and then a run of sentences instead."""
    run, words = [], 0
    for sentence in sentences(" ".join(paragraph.split())):
        count = len(sentence.split())
        if run:  # a passage is being gathered
            if words + count <= PASSAGE_WORDS:
                run.append(sentence)
                words += count
                continue
            yield " ".join(run)
            run = []
        if digest(sentence) % PASSAGE_EVERY == 0 and count <= MOST_WORDS:
            run, words = [sentence], count
        elif LEAST_WORDS <= count <= MOST_WORDS:
            yield sentence
    if run and words >= LEAST_WORDS:
        yield " ".join(run)


def digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def table_texts(path: str):
    with opened(Path(path)) as lines:
        names = next(lines).rstrip("\n").split("\t")
        wanted = [i for i, name in enumerate(names) if name in ("text", "text_pair")]
        if not wanted:
            raise SystemExit(f"{path}: expected a column text, found {', '.join(names)}")
        for line in lines:
            fields = line.rstrip("\n").split("\t")
            for i in wanted:
                yield fields[i]


def normal(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("corpus", nargs="+")
    parser.add_argument("--add", nargs="*", default=[], metavar="TABLE")
    parser.add_argument("--exclude", nargs="*", default=[], metavar="TABLE")
    parser.add_argument("--texts", type=int, default=1_000_000, help="how many to take; default 1,000,000")
    parser.add_argument("--piece", type=int, default=50_000, help="texts in a file; default 50,000")
    options = parser.parse_args()

    excluded = {digest(normal(text)) for path in options.exclude for text in table_texts(path)}
    taken, seen, dropped = [], set(), 0
    for text in (" ".join(t.split()[:PASSAGE_WORDS]) for path in options.add for t in table_texts(path)):
        taken.append(text)
    added = len(taken)
    found = []  # (order, text): the texts whose digests are least, which is a sample of all
    limit = 2**64
    for path in files(options.corpus):
        with opened(path) as lines:
            for line in lines:
                for text in texts_of(line):
                    order = digest("order " + text)
                    if order < limit:
                        found.append((order, text))
        if len(found) > 2 * options.texts:
            found.sort()
            del found[options.texts :]
            limit = found[-1][0]
    found.sort()
    taken += [text for _, text in found[: max(0, options.texts - added)]]
    kept = []
    for text in taken:
        key = digest(normal(text))
        if key in excluded or key in seen or not text.strip():
            dropped += 1
            continue
        seen.add(key)
        kept.append(text)
    kept.sort(key=lambda text: digest("piece " + text))
    options.out.mkdir(parents=True, exist_ok=True)
    for piece in range(0, len(kept), options.piece):
        name = options.out / f"texts-{piece // options.piece:03}.txt"
        name.write_text("".join(text + "\n" for text in kept[piece : piece + options.piece]), encoding="utf-8")
    print(f"{options.out}: {len(kept)} texts, {added} offered by tables, {dropped} left out (repeated or excluded)")


if __name__ == "__main__":
    main()

"""Compares the tokenizer's ids with those of the sentencepiece package on 100,000 lines of text.

    tokenizer_ids.py ENCODE_IDS GOLDEN_DIR [DATA_DIR]

ENCODE_IDS is the program of encode_ids.cpp. DATA_DIR holds */*.tsv.gz, */*.txt.gz and
tokenizers/*.model; where it or the package is missing, the test is skipped with a message (exit 77).
"""

import gzip
import itertools
import pathlib
import subprocess
import sys
import tempfile

LINES = 100_000


def skip(why):
    print("skipped:", why)
    sys.exit(77)


def texts(data):
    """LINES lines of moderate length, from each file in turn, so that every file has a share."""
    files = sorted(data.glob("*/*.tsv.gz")) + sorted(data.glob("*/*.txt.gz"))
    streams = [gzip.open(f, "rt", encoding="utf-8", newline="\n") for f in files]
    rows = (line.rstrip("\n") for group in itertools.zip_longest(*streams) for line in group if line is not None)
    return list(itertools.islice((r for r in rows if len(r) < 1_000), LINES))


def main():
    encode, golden = sys.argv[1], pathlib.Path(sys.argv[2])
    data = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 and sys.argv[3] else None
    if data is None or not data.is_dir():
        skip("no data directory; set FNET_DATA_DIR")
    try:
        import sentencepiece
    except ImportError:
        skip("no sentencepiece package")
    lines = texts(data)
    if len(lines) < LINES:
        skip(f"expected {LINES} lines, found {len(lines)}")
    models = sorted(golden.glob("*.model")) + sorted(data.glob("tokenizers/*.model"))
    with tempfile.TemporaryDirectory() as scratch:
        for kind in ("bpe", "unigram"):  # models as large as FNet's own
            sentencepiece.SentencePieceTrainer.Train(
                sentence_iterator=iter(lines[:20_000]), model_prefix=f"{scratch}/{kind}", model_type=kind,
                vocab_size=16_000, max_sentence_length=4096, minloglevel=2)
            models.append(pathlib.Path(f"{scratch}/{kind}.model"))
        for model in models:
            text = "".join(line + "\n" for line in lines)
            ours = subprocess.run([encode, model], input=text.encode(), stdout=subprocess.PIPE, check=True).stdout
            ours = [list(map(int, row.split())) for row in ours.decode().splitlines()]
            theirs = sentencepiece.SentencePieceProcessor(model_file=str(model)).encode(lines, num_threads=1)
            wrong = [i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b]
            print(f"{model.name}: {len(lines)} lines, {sum(map(len, theirs))} ids, {len(wrong)} lines differ")
            if wrong:
                i = wrong[0]
                sys.exit(f"line {i}: {lines[i][:200]!r}: expected {theirs[i][:50]}, found {ours[i][:50]}")


main()

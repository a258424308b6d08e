"""Writes the tables of characters: lower case, accent stripping, digits and words, from Python's unicodedata; and what
BERT's normalisation does beyond those, as the tokenizers package does it.

    python3 tools/make_unicode_tables.py > src/text/unicode_tables.inl
    python3 tools/make_unicode_tables.py words > src/text/word_table.inl
    python3 tools/make_unicode_tables.py bert > src/text/bert_tables.inl
"""

import re
import sys
import unicodedata

ALL = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def is_hangul(c):
    return 0xAC00 <= c <= 0xD7A3  # by arithmetic in normalize.cpp


def stripped(c):
    decomposed = unicodedata.normalize("NFKD", chr(c))
    return "".join(x for x in decomposed if not unicodedata.combining(x))


def runs(mapping):
    """(first, last, step, target, growth): the i-th of every step-th c becomes target + i * growth."""
    singles = {c: ord(t) for c, t in mapping.items() if len(t) == 1}
    out, used = [], set()
    for c in sorted(singles):
        if c in used:
            continue
        best = (1, c, 1, 0)
        for step in (1, 2):
            for growth in (0, 1, 2):
                n = 1
                while c + n * step not in used and singles.get(c + n * step) == singles[c] + n * growth:
                    n += 1
                best = max(best, (n, c + (n - 1) * step, step, growth), key=lambda x: x[0])
        _, last, step, growth = best
        used.update(range(c, last + 1, step))
        out.append((c, last, step, singles[c], growth))
    return out, {c: t for c, t in mapping.items() if len(t) != 1}


def ranges(values):
    out = []
    for c in values:
        if out and c == out[-1][1] + 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def write(rows):
    line = " "
    for row in rows:
        if len(line) + len(row) + 2 > 100:
            print(line)
            line = " "
        line += " " + row + ","
    print(line)


def table(name, mapping):
    found, strings = runs(mapping)
    print(f"constexpr Run k{name}[] = {{")
    write("{0x%X, 0x%X, %d, 0x%X, %d}" % r for r in found)
    print("};")
    if not strings:
        return
    text, rows = "", []
    for c in sorted(strings):
        t = strings[c]
        at = text.find(t)
        if at < 0:
            at = len(text)
            text += t
        rows.append("{0x%X, %d, %d}" % (c, at, len(t)))
    print(f"constexpr Expansion k{name}Expansions[] = {{")
    write(rows)
    print("};")
    print(f"constexpr char32_t k{name}Text[] = {{")
    write("0x%X" % ord(x) for x in text)
    print("};")


def words():
    print("constexpr Range kWords[] = {")
    write("{0x%X, 0x%X}" % tuple(r) for r in ranges(c for c in ALL if re.match(r"\w", chr(c))))
    print("};")


def bert():
    import tokenizers
    from tokenizers.normalizers import BertNormalizer, Lowercase
    from tokenizers.pre_tokenizers import BertPreTokenizer

    off = {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False}
    clean, chinese, strip = (BertNormalizer(**{**off, key: True}) for key in ("clean_text", "handle_chinese_chars", "strip_accents"))
    pre, lower = BertPreTokenizer(), Lowercase()
    base = {c: strip.normalize_str(chr(c)) for c in ALL}
    dropped = {c for c in ALL if base[c] == ""}
    punctuation = [c for c in ALL if len(pre.pre_tokenize_str(f"a{chr(c)}b")) == 3]
    spaces = {c for c in ALL if len(pre.pre_tokenize_str(f"a{chr(c)}b")) == 2}
    # What splits a text stands alone, and is a character of its own.
    assert all(len(b) <= 1 or not set(map(ord, b)) & (set(punctuation) | spaces) for b in base.values())
    assert all(ord(b) not in spaces or c in spaces for c, b in base.items() if len(b) == 1)

    print(f"// Written by tools/make_unicode_tables.py from tokenizers {tokenizers.__version__}.")
    print("// clang-format off")
    for name, which in (
        ("Removed", [c for c in ALL if clean.normalize_str(chr(c)) == ""]),
        ("Chinese", [c for c in ALL if chinese.normalize_str(chr(c)) != chr(c)]),
        ("Punctuation", punctuation),
    ):
        print(f"constexpr Range k{name}[] = {{")
        write("{0x%X, 0x%X}" % tuple(r) for r in ranges(which))
        print("};")
    # Marks: what goes, and what is put in order of its combining class, which a mark without one ends.
    rows = []
    for c in ALL:
        kind = (unicodedata.combining(chr(c)), c in dropped)
        if kind == (0, False):
            continue
        if rows and rows[-1][1] == c - 1 and rows[-1][2:] == kind:
            rows[-1] = (rows[-1][0], c, *kind)
        else:
            rows.append((c, c, *kind))
    print("constexpr MarkRange kMarkRanges[] = {")
    write("{0x%X, 0x%X, %d, %d}" % r for r in rows)
    print("};")
    # Beside the rows of kStripped: what it has not.
    have = {c: "".join(x for x in (stripped(c) if unicodedata.normalize("NFKC", chr(c)) == chr(c) else "") or chr(c) if ord(x) not in dropped)
            for c in ALL}
    other = {c: b for c, b in base.items() if b != have[c] and not is_hangul(c)}
    assert all(base[c] == unicodedata.normalize("NFD", chr(c)) for c in ALL if is_hangul(c))
    for name, first, last in (("CompatibleBmp", 0xF900, 0xFAFF), ("Compatible", 0x2F800, 0x2FA1F)):
        print(f"constexpr char32_t k{name}First = 0x{first:X};")
        print(f"constexpr char32_t k{name}[] = {{")
        write("0x%X" % ord(base[c]) for c in range(first, last + 1))
        print("};")
        other = {c: b for c, b in other.items() if not first <= c <= last}
    table("Canonical", other)
    table("NewLower", {c: low for c in ALL if (low := lower.normalize_str(chr(c))) != chr(c).lower()})


def main():
    if sys.argv[1:] == ["bert"]:
        return bert()
    print(f"// Written by tools/make_unicode_tables.py from Unicode {unicodedata.unidata_version}.")
    print("// clang-format off")
    if sys.argv[1:] == ["words"]:
        return words()
    table("Lower", {c: chr(c).lower() for c in ALL if chr(c).lower() != chr(c)})
    marks = [c for c in ALL if stripped(c) == ""]
    print("constexpr Range kMarks[] = {")
    write("{0x%X, 0x%X}" % tuple(r) for r in ranges(marks))
    print("};")
    # strip_accents works on NFKC text, so the compatibility characters need no row.
    table("Stripped", {c: stripped(c) for c in ALL if not is_hangul(c) and stripped(c) not in ("", chr(c))
                       and unicodedata.normalize("NFKC", chr(c)) == chr(c)})
    print("constexpr Range kDigits[] = {")
    write("{0x%X, 0x%X}" % tuple(r) for r in ranges(c for c in ALL if chr(c).isdigit()))
    print("};")


sys.exit(main())

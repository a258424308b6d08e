"""Writes src/text/unicode_tables.inl: lower case, accent stripping, digits and words, from Python's unicodedata.

    python3 tools/make_unicode_tables.py > src/text/unicode_tables.inl
    python3 tools/make_unicode_tables.py words > src/text/word_table.inl
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


def main():
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

"""symbols_test.py NM INCLUDE LIBRARY…: what a program that links our libraries gets to see.

A library gives names that the public headers mark with FNET_API, and no others: not those of the libraries inside
it, and no templates or inline functions of the standard library or of torch either.
"""

import re
import subprocess
import sys
from pathlib import Path

MARKED = re.compile(r"FNET_API\s+(?:(?!FNET_API)[^;{}()=])*?(\w+)(?:\s*\(|\s*(?:final)?\s*(?::[^:]|\{))")
ABOUT = re.compile(r"^((guard variable|typeinfo|typeinfo name|vtable|VTT|(non-)?virtual thunk|construction vtable)"
                   r" (for|to) )+")  # fmt: skip


def public_names(include: Path):
    text = "\n".join(re.sub(r"//.*", "", p.read_text(encoding="utf-8")) for p in sorted(include.glob("fnet/*.h")))
    return set(MARKED.findall(text))


def symbols(nm: str, library: Path):
    kind = ["--dynamic"] if ".so" in library.name else []
    lines = subprocess.run([nm, "-g", "-C", "--defined-only", *kind, library], check=True, stdout=subprocess.PIPE,
                           text=True).stdout.splitlines()  # fmt: skip
    for line in lines:
        found = re.match(r"^[0-9a-f]{8,} (\S) (.+)$", line)
        if found:
            yield found.groups()


def owner(symbol: str):
    """`fnet::Config` of "typeinfo for fnet::Config" or of "fnet::Config::load(…)"."""
    return ABOUT.sub("", symbol)


def check(nm: str, library: Path, names: set):
    ours, bad = 0, []
    api = re.compile(rf"^fnet::(nn::)?({'|'.join(sorted(names))})(\[abi:\w+\])?(::(?!Impl\b)|\(|$)")
    for kind, symbol in symbols(nm, library):
        if api.match(owner(symbol)):
            ours += 1
        else:
            bad.append(f"{library.name}: {kind} {symbol}")
    assert ours > 10, f"{library}: expected the names of include/fnet, found {ours} of them"
    print(f"{library.name}: {ours} public names, {len(bad)} others")
    return bad


def main():
    nm, include = sys.argv[1], Path(sys.argv[2])
    names = public_names(include)
    assert {"Engine", "Config", "Error", "exit_code", "train_tokenizer"} <= names, names
    bad = [line for library in filter(None, sys.argv[3:]) for line in check(nm, Path(library), names)]
    sys.exit("\n".join(bad[:40]) or 0)


main()

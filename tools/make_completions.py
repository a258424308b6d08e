#!/usr/bin/env python3
"""Write completions for bash, zsh and fish, and man pages, from what the program says of itself.

    python3 tools/make_completions.py [--check] FNET [FOLDER]

FOLDER (share/ of this project unless told) gets bash-completion/completions/fnet,
zsh/site-functions/_fnet, fish/vendor_completions.d/fnet.fish and man/man1/*.1; `cmake --install` takes
them along. With --check nothing is written, and the exit code is 1 where a file would change. A build
without training or export keeps what is written of it.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

SHARE = Path(__file__).resolve().parent.parent / "share"


def ask(program, *words):
    """The help of the program or of a command, as it tells programs; None where it can't run."""
    run = subprocess.run([program, *words, "--help-json"], capture_output=True, text=True)
    return json.loads(run.stdout) if run.returncode == 0 else None


def is_flag(flag):
    return flag["name"].startswith("-")


def takes_value(flag):
    return is_flag(flag) and flag["allowed"] != ""


def names(flag):
    return [n for n in (flag["short"], flag["name"]) if n]


class Program:
    def __init__(self, path):
        whole = ask(path)
        self.version, self.help, self.footer = whole["version"], whole["help"], whole["footer"]
        self.commands = [c for c in whole["commands"] if not c["group"]]
        self.groups = [c for c in whole["commands"] if c["group"]]
        self.details = {c["name"]: ask(path, *c["name"].split()) for c in self.commands}
        self.complete = all(self.details.values())

    def flags(self, command):
        return self.details[command]["flags"]


# ---- bash ----------------------------------------------------------------------------------------


def bash(p):
    first = sorted({c["name"].split()[0] for c in p.commands} | {"help"})
    cases, values = [], {}
    for c in p.commands:
        flags = [n for f in p.flags(c["name"]) if is_flag(f) for n in names(f)] + ["--help"]
        cases.append(f'    "{c["name"]}") flags="{" ".join(flags)}" ;;')
        for f in p.flags(c["name"]):
            if f["words"] and is_flag(f):
                values.setdefault((f["name"], " ".join(f["words"])), []).append(c["name"])
    words = [f'    "{command} {flag}") COMPREPLY=($(compgen -W "{choice}" -- "$word")); return ;;'
             for (flag, choice), commands in values.items() for command in commands]  # fmt: skip
    groups = "\n".join(
        f'    {g["name"]}) [ "$COMP_CWORD" -eq 2 ] && COMPREPLY=($(compgen -W "'
        + " ".join(c["name"].split()[1] for c in p.commands if c["name"].startswith(g["name"] + " "))
        + '" -- "$word")) && return ;;'
        for g in p.groups
    )
    return f"""# bash completion of fnet; written by tools/make_completions.py
_fnet() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} command=${{COMP_WORDS[1]}} flags=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{" ".join(first)} --help --version" -- "$word"))
    return
  fi
  case $command in
{groups}
  esac
  case $command in
    {"|".join(g["name"] for g in p.groups)}) command="$command ${{COMP_WORDS[2]}}" ;;
  esac
  case "$command $before" in
{chr(10).join(words)}
  esac
  case $command in
{chr(10).join(cases)}
  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$word"))
  else
    COMPREPLY=($(compgen -f -- "$word"))
  fi
}}
complete -o filenames -F _fnet fnet
"""


# ---- zsh -----------------------------------------------------------------------------------------


def quoted(text):
    """Inside single quotes of a description of _arguments."""
    for a, b in (("\\", "\\\\"), ("[", "\\["), ("]", "\\]"), (":", "\\:"), ("'", "'\\''")):
        text = text.replace(a, b)
    return text


def zsh_argument(flag):
    if flag["words"]:
        value = ":value:(" + " ".join(flag["words"]) + ")"
    else:
        value = ":file:_files" if flag["allowed"] == "a path" else ":" + quoted(flag["allowed"]) + ": "
    if not is_flag(flag):
        return f"'{'' if flag['required'] else ':'}:{flag['name'].lower()}:_files'"
    value = value if takes_value(flag) else ""
    about = f"[{quoted(flag['help'])}]{value}'"
    if flag["short"]:
        return "{" + f"{flag['short']},{flag['name']}" + "}'" + about
    return f"'{flag['name']}" + about


def zsh(p):
    def rows(commands, word):
        return "\n".join(f"    '{quoted(c['name'].split()[word])}:{quoted(c['help'])}'" for c in commands)

    top = [c for c in p.commands if " " not in c["name"]] + p.groups
    cases = []
    for c in p.commands:
        arguments = " \\\n      ".join(zsh_argument(f) for f in p.flags(c["name"]))
        cases.append(f"    '{c['name']}') _arguments -S \\\n      {arguments} ;;")
    groups = []
    for g in p.groups:
        under = rows([c for c in p.commands if c["name"].startswith(g["name"] + " ")], 1)
        groups.append(f"""    {g["name"]})
      if (( CURRENT == 3 )); then
        names=(
{under}
        )
        _describe command names
        return
      fi
      command="$words[2] $words[3]"; shift 2 words; (( CURRENT -= 2 )) ;;""")
    return f"""#compdef fnet
# zsh completion of fnet; written by tools/make_completions.py
_fnet() {{
  local command=$words[2] names
  if (( CURRENT == 2 )); then
    names=(
{rows(top, 0)}
    )
    _describe command names
    return
  fi
  case $words[2] in
{chr(10).join(groups)}
    *) shift words; (( CURRENT-- )) ;;
  esac
  case $command in
{chr(10).join(cases)}
  esac
}}
_fnet "$@"
"""


# ---- fish ----------------------------------------------------------------------------------------


def single(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def fish(p):
    lines = ["# fish completion of fnet; written by tools/make_completions.py"]
    for c in [*p.commands, *p.groups]:
        if " " not in c["name"]:
            lines.append(f"complete -c fnet -n __fish_use_subcommand -f -a {c['name']} -d {single(c['help'])}")
    for c in p.commands:
        words = c["name"].split()
        seen = " ; and ".join(f"__fish_seen_subcommand_from {w}" for w in words)
        if len(words) == 2:
            others = " ".join(d["name"].split()[1] for d in p.commands if d["name"].startswith(words[0] + " "))
            fresh = f"__fish_seen_subcommand_from {words[0]} ; and not __fish_seen_subcommand_from {others}"
            lines.append(f"complete -c fnet -n '{fresh}' -f -a {words[1]} -d {single(c['help'])}")
        for f in p.flags(c["name"]):
            if not is_flag(f):
                continue
            short = f" -s {f['short'][1:]}" if f["short"] else ""
            value = ""
            if f["words"]:
                value = f" -x -a {single(' '.join(f['words']))}"
            elif takes_value(f):
                value = " -r" if f["allowed"] == "a path" else " -x"
            lines.append(f"complete -c fnet -n '{seen}'{short} -l {f['name'][2:]}{value} -d {single(f['help'])}")
    return "\n".join(lines) + "\n"


# ---- man -----------------------------------------------------------------------------------------


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in text.splitlines())


def man_flag(f):
    name = ", ".join(f"\\fB{roff(n)}\\fR" for n in names(f)) if is_flag(f) else f"\\fI{f['name']}\\fR"
    value = f" \\fI{roff('|'.join(f['words']) or f['allowed'])}\\fR" if takes_value(f) else ""
    notes = f["help"][:1].upper() + f["help"][1:] + "."
    if f["default"] and is_flag(f):
        notes += f" Default: {f['default']}."
    if f["environment"]:
        notes += f" The variable {f['environment']} stands in for it."
    return f".TP\n{name}{value}\n{roff(notes)}\n"


def man(p, command):
    detail = p.details[command]
    page = "fnet-" + command.replace(" ", "-")
    place = " ".join(f["name"] if f["required"] else f"[{f['name']}]" for f in detail["flags"] if not is_flag(f))
    out = f'.TH {page.upper()} 1 "" "fnet {p.version}" "fnet manual"\n.SH NAME\n{roff(page)} \\- {roff(detail["help"])}\n'
    out += f".SH SYNOPSIS\n.B fnet {command}\n[\\fIflags\\fR] {roff(place)}\n"
    titles = {}  # in the order in which they come up, arguments first
    for f in sorted(detail["flags"], key=is_flag):
        titles.setdefault(f["group"] if is_flag(f) else "Arguments", []).append(f)
    group = None
    for title, f in ((title, f) for title, flags in titles.items() for f in flags):
        if title != group:
            group = title
            out += f".SH {title.upper()}\n"
        out += man_flag(f)
    out += f".SH EXAMPLE\n.EX\n{roff(detail['example'])}\n.EE\n.SH SEE ALSO\n\\fBfnet\\fR(1)\n"
    return out


def man_program(p):
    out = f'.TH FNET 1 "" "fnet {p.version}" "fnet manual"\n.SH NAME\nfnet \\- {roff(p.help)}\n'
    out += ".SH SYNOPSIS\n.B fnet\n\\fIcommand\\fR [\\fIflags\\fR]\n.SH COMMANDS\n"
    for c in p.commands:
        page = "fnet-" + c["name"].replace(" ", "-")
        out += f".TP\n\\fB{roff(page)}\\fR(1)\n{roff(c['help'][:1].upper() + c['help'][1:])}.\n"
    return out + f".SH NOTES\n{roff(p.footer)}\n"


def files(p):
    yield "bash-completion/completions/fnet", bash(p)
    yield "zsh/site-functions/_fnet", zsh(p)
    yield "fish/vendor_completions.d/fnet.fish", fish(p)
    yield "man/man1/fnet.1", man_program(p)
    for c in p.commands:
        yield f"man/man1/fnet-{c['name'].replace(' ', '-')}.1", man(p, c["name"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fnet", metavar="FNET")
    parser.add_argument("folder", metavar="FOLDER", nargs="?", type=Path, default=SHARE)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    program = Program(arguments.fnet)
    if not program.complete:
        print("this build lacks training or export: what is written stays")
        return
    stale = False
    for name, text in files(program):
        path = arguments.folder / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale = True
        print(f"{name}: {'stale: run ./dev docs' if arguments.check else 'written'}")
        if not arguments.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    sys.exit(stale and arguments.check)


if __name__ == "__main__":
    main()

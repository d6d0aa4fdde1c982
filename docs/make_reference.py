"""Write what the pages copy from the product: the command line, and the fields of the file.

Run by `make docs`, which also draws the pictures; `make test` checks that the pages are what
this script would write.
"""

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

import tokenergy as te
from tokenergy.cli.columns import PLAIN_WIDTH
from tokenergy.cli.exits import MEANINGS
from tokenergy.cli.main import app
from tokenergy.cli.verb import PROGRAM

FOLDER = Path(__file__).resolve().parent
REFERENCE = FOLDER / "reference.md"
COMPANY_FILE = FOLDER / "company-file.md"
HEAD = """# Command line

Made by `make docs` from the commands themselves; do not edit.

{verbs}

## For all of them

Every verb takes `--help` and prints examples there; `tokenergy help VERB` is the same. Times carry
their zone (`2026-03-02T18:00Z`). Results go to stdout; progress and errors to stderr.

With `--json` a verb prints one JSON object whose keys carry units, and nothing else on stdout; an
error is then `{{"error": ...}}` there, or `{{"errors_count": ..., "findings": [...]}}`. `serve` and
`observe` run until they are stopped, and print one object a line.

| exit status | means |
|---|---|
{exits}

| in the environment | does |
|---|---|
{environment}

In a pipe or a file there is no colour and no progress bar, and tables are {width} columns wide. On
a terminal a bar appears where something takes longer than two seconds.

Completion for bash, zsh and fish: `tokenergy --install-completion` writes it for the shell that it
is typed in, `tokenergy --show-completion` prints it. In a script or an image name the shell:
`_TOKENERGY_COMPLETE=source_bash tokenergy > /etc/bash_completion.d/tokenergy` (or `source_zsh`,
`source_fish`).
"""
ENVIRONMENT = {
    "NO_COLOR": "no colours, on a terminal too",
    "FORCE_COLOR": "colours in a pipe too; a bar still is for terminals",
    "TERM=dumb": "no colours, no progress bars",
    "COLUMNS": "how wide tables are, in a pipe too",
    "ENTSOE_API_KEY, GRIDSTATUS_API_KEY, ELECTRICITYMAPS_API_KEY": "keys of feeds that ask for one",
}
TABLE = re.compile(r"(<!-- fields: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
PLAIN_TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "bool"}


# ---- the command line ------------------------------------------------------------------


def reference_text() -> str:
    """Return docs/reference.md."""
    group: Any = typer.main.get_command(app)
    root = typer.Context(group, info_name=PROGRAM)
    verbs = {name: verb for name, verb in group.commands.items() if not verb.hidden}
    parts = [
        HEAD.format(
            verbs=_verbs(verbs),
            exits=_rows((f"{status:d}", _line(text)) for status, text in MEANINGS.items()),
            environment=_rows((_coded(name), text) for name, text in ENVIRONMENT.items()),
            width=PLAIN_WIDTH,
        )
    ]
    for name, verb in verbs.items():
        context = typer.Context(verb, parent=root, info_name=name)
        parts.append(f"## {name}\n\n{_line(verb.line)}\n")
        if verb.more:
            parts.append(f"{_line(verb.more)}\n")
        parts.append(f"```text\n{verb.usage(context)}\n```\n")
        rows = [(f"`{names}`", _line(text)) for part in verb.rows(context) for names, text in part]
        rows.pop()  # --help, which every verb has
        parts.append(f"| argument | what |\n|---|---|\n{_rows(rows)}\n")
        parts.append(_examples(verb))
    return "\n".join(parts)


def _verbs(verbs: dict[str, Any]) -> str:
    """Return the verbs as one table; what they are for stands beside the first of a group."""
    rows, before = [], ""
    for name, verb in verbs.items():
        group = verb.rich_help_panel
        rows.append(f"| {group if group != before else ''} | [`{name}`](#{name}) | {verb.line} |")
        before = group
    return "\n".join(["| | verb | does |", "|---|---|---|", *rows])


def _examples(verb: Any) -> str:
    """Return the examples of a verb, as its help prints them."""
    lines = [f"# {example.says}\n{example.command}" for example in verb.examples]
    return "```text\n" + "\n".join(lines) + "\n```\n"


def _rows(cells: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"| {first} | {second} |" for first, second in cells)


def _coded(names: str) -> str:
    return ", ".join(f"`{name}`" for name in names.split(", "))


def _line(text: str | None) -> str:
    """Return a text as one cell of a table."""
    return re.sub(r"\s+", " ", text or "").strip().replace("|", "\\|")


# ---- the fields of the company file ----------------------------------------------------


def with_tables(page: str) -> str:
    """Return a page with what stands between its `fields: Noun` and `end` comments made anew."""
    schema = te.schema()
    nouns = schema["$defs"] | {"Company": schema}
    return TABLE.sub(lambda found: found[1] + fields_table(nouns[found[2]]) + found[3], page)


def table_names(page: str) -> list[str]:
    """Return the nouns that a page has a table of."""
    return [found[2] for found in TABLE.finditer(page)]


def fields_table(noun: dict[str, Any]) -> str:
    """Return the table of the fields of one noun, from its part of the JSON Schema."""
    required = noun.get("required", ())
    rows = ["| field | holds | default | meaning |", "|---|---|---|---|"]
    for name, field in noun["properties"].items():
        default = "**needed**" if name in required else _default(field.get("default"))
        meaning = _line(field.get("description"))
        rows.append(f"| `{name}` | {_holds(field)} | {default} | {meaning} |")
    return "\n".join(rows) + "\n"


def _default(value: Any) -> str:
    if value is None or value in ([], ""):
        return ""
    return f"`{json.dumps(value).strip(chr(34))}`" if not isinstance(value, dict) else "see there"


def _holds(field: dict[str, Any]) -> str:
    """Say in a few words what a field holds, with its limits."""
    if "$ref" in field:
        return _noun(field["$ref"].rpartition("/")[2])
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return " or ".join(f"`{word}`" for word in field["enum"])
    for choice in ("anyOf", "oneOf"):
        if choice in field:
            kinds = [_holds(kind) for kind in field[choice] if kind.get("type") != "null"]
            if "series" in kinds:
                return "series"
            return " or ".join(dict.fromkeys(kinds))
    if field.get("type") == "array":
        return f"list of {_holds(field['items'])}"
    if field.get("type") == "object":
        return f"{_holds(field['additionalProperties'])} by name"
    if "format" in field:
        return {"date": "date", "date-time": "time with zone"}[field["format"]]
    return PLAIN_TYPES[field["type"]] + _limits(field)


def _noun(name: str) -> str:
    return "series" if name in ("FileSeries", "SyntheticSeries") else name


def _limits(field: dict[str, Any]) -> str:
    signs = (
        ("exclusiveMinimum", ">"), ("minimum", "≥"), ("exclusiveMaximum", "<"), ("maximum", "≤"),
    )  # fmt: skip
    said = [f"{sign} {field[key]:g}" for key, sign in signs if key in field]
    return f" {', '.join(said)}" if said else ""


def main() -> None:
    """Write both pages, then the pictures."""
    REFERENCE.write_text(reference_text(), encoding="utf-8")
    COMPANY_FILE.write_text(with_tables(COMPANY_FILE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"wrote {REFERENCE.name} and the tables of {COMPANY_FILE.name}\n")
    sys.path.insert(0, str(FOLDER))
    from make_pictures import main as draw

    draw()


if __name__ == "__main__":
    main()

"""Write what the pages copy from the product: the command line, and the fields of the file.

Run by `make docs`, which also draws the pictures; `make test` checks that the pages are what
this script would write.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import typer

import tokenergy as te
from tokenergy.cli.main import app

FOLDER = Path(__file__).resolve().parent
REFERENCE = FOLDER / "reference.md"
COMPANY_FILE = FOLDER / "company-file.md"
HEAD = """# Command line

Made by `make docs` from the commands themselves; do not edit.

| verb | does |
|---|---|
{verbs}

Every verb takes `--help`. Times carry their zone (`2026-03-02T18:00Z`). With `--json` a verb
prints one JSON object whose keys carry units, and nothing else. Exit status: 0 done, 1 a claim does
not hold (`thesis --strict`), 2 something in the input (all findings are printed), 3 a fault of
ours.
"""
TABLE = re.compile(r"(<!-- fields: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
PLAIN_TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "bool"}


# ---- the command line ------------------------------------------------------------------


def reference_text() -> str:
    """Return docs/reference.md."""
    known: dict[str, Any] = getattr(typer.main.get_command(app), "commands", {})
    commands = {name: command for name, command in known.items() if not command.hidden}
    verbs = "\n".join(
        f"| [`{name}`](#{name}) | {_line(command.help)} |" for name, command in commands.items()
    )
    parts = [HEAD.format(verbs=verbs)]
    for name, command in commands.items():
        context = typer.Context(command, info_name=f"tokenergy {name}")
        usage = " ".join(piece.strip("{}") for piece in command.collect_usage_pieces(context))
        parts.append(f"## {name}\n\n{_line(command.help)}\n")
        parts.append(f"```text\ntokenergy {name} {usage}\n```\n")
        rows = [_parameter(parameter.get_help_record(context)) for parameter in command.params]
        parts.append("| argument | what |\n|---|---|\n" + "\n".join(filter(None, rows)) + "\n")
    return "\n".join(parts)


def _parameter(record: tuple[str, str] | None) -> str:
    if record is None:
        return ""
    names, text = record
    return f"| `{names}` | {_line(text)} |"


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

"""The verbs `init`, `schema` and `check`: a company file, from the first line to the last fault."""

import json
from typing import Annotated

import typer

from tokenergy.cli.exits import Exit
from tokenergy.cli.options import Company, Json, Out
from tokenergy.cli.told import print_json, write

Seen = Annotated[
    list[str] | None,
    typer.Option(
        "--from",
        metavar="URL",
        help="Draft it from what an engine's /metrics shows. May be repeated.",
    ),
]


def init(out: Out = None, seen: Seen = None, as_json: Json = False) -> None:
    """Write a commented company file to start from.

    Examples:
        # a file to fill in, and what is wrong with it
        tokenergy init --out mine.yaml
        # one that names the models which a running engine serves
        tokenergy init --from http://127.0.0.1:8000/metrics --out mine.yaml
    """
    if seen:
        from tokenergy.api.drafting import draft

        text = draft(seen)
    else:
        from tokenergy.api import init_text

        text = init_text()
    if as_json and out is None:
        print_json({"company_file": text})
    else:
        write(text, out, as_json=as_json)


def schema(out: Out = None, as_json: Json = False) -> None:
    """Write the JSON Schema of the company file, for editors.

    Examples:
        # where a company file's first line looks for it
        tokenergy schema --out company.schema.json
    """
    from tokenergy.api import schema as make
    from tokenergy.api.output import SCHEMA

    write(json.dumps(make(), indent=2) + "\n", out, replaces=SCHEMA, as_json=as_json)


def check(company: Company, as_json: Json = False) -> None:
    """Print every finding of a company file at once.

    Exit status 2 if one is an error.

    Examples:
        # nothing to report
        tokenergy check examples/meridian.yaml
        # as many findings as a file can have, each with its line and what to change
        tokenergy check examples/broken/many_faults.yaml
    """
    from tokenergy.api import check as run
    from tokenergy.cli import show
    from tokenergy.cli.progress import progress

    with progress() as told:
        told(f"reading {company.name}", 0, 1)
        checked = run(company)
    if as_json:
        print_json(
            {
                "file": str(company),
                "errors_count": len(checked.errors),
                "findings": [finding.to_dict() for finding in checked.findings],
            }
        )
    else:
        show.findings(checked.findings, company)
    if checked.errors:
        raise typer.Exit(Exit.INPUT)

"""The verb `catalogue`."""

from typing import Annotated

import typer

from tokenergy.cli.told import print_json

Table = Annotated[
    str | None,
    typer.Argument(
        help="accelerators, models, media, coefficients or stacks. Default: how many of each.",
        metavar="[TABLE]",
    ),
]
Check = Annotated[
    bool,
    typer.Option(
        "--check",
        help="List what is verified and what is not; exit status 2 if a row is only recalled.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object; keys carry units.")]


def catalogue(table: Table = None, check: Check = False, as_json: Json = False) -> None:
    """Show the facts and fitted numbers that joules are predicted from, and their sources."""
    from tokenergy.api.catalogued import catalogue as run
    from tokenergy.cli import show_catalogue

    shown = run(table)
    if as_json:
        print_json(shown.to_dict(check=check))
    elif check:
        show_catalogue.checked(shown)
    elif table is None:
        show_catalogue.overview(shown)
    else:
        show_catalogue.rows(shown)
    if check and shown.errors:
        raise typer.Exit(2)

"""The verb `catalogue`."""

from typing import Annotated, Final

import typer

from tokenergy.cli.completing import one
from tokenergy.cli.exits import Exit
from tokenergy.cli.options import Json
from tokenergy.cli.told import print_json

TABLES: Final = ("accelerators", "models", "media", "coefficients", "stacks")

Table = Annotated[
    str | None,
    typer.Argument(
        help=f"{', '.join(TABLES[:-1])} or {TABLES[-1]}. Default: how many of each.",
        autocompletion=one(*TABLES),
        metavar="TABLE",
    ),
]
Check = Annotated[
    bool,
    typer.Option(
        "--check",
        help="List what is verified and what is not; exit status 2 if a row is only recalled.",
    ),
]


def catalogue(table: Table = None, check: Check = False, as_json: Json = False) -> None:
    """Show what joules are predicted from, and its sources.

    Examples:
        # how many rows there are of each kind, and how many are verified
        tokenergy catalogue
        # what is known of each accelerator
        tokenergy catalogue accelerators
        # what keeps a row from being relied on
        tokenergy catalogue --check
    """
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
        raise typer.Exit(Exit.INPUT)

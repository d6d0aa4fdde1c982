"""`tokenergy settle`: the bill of a month, line by line."""

from pathlib import Path
from typing import Annotated

import typer

from tokenergy.cli.told import print_json

Company = Annotated[Path, typer.Argument(help="The company file (YAML).", metavar="COMPANY")]
Month = Annotated[
    str | None,
    typer.Option("--month", help="Billing month, e.g. 2025-07. Default: the whole horizon."),
]
Policy = Annotated[
    str, typer.Option("--policy", help="Who decides what is metered; see simulate --policies.")
]
Ledger = Annotated[
    Path | None,
    typer.Option("--ledger", help="Read the policy's run from this SQLite file instead."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object; keys carry units.")]


def settle(
    company: Company,
    month: Month = None,
    policy: Policy = "mpc",
    ledger: Ledger = None,
    as_json: Json = False,
) -> None:
    """Print the bill of a month by contract and line; the lines sum to it."""
    from tokenergy.api import load
    from tokenergy.api import settle as run
    from tokenergy.cli import show_settle
    from tokenergy.cli.progress import progress

    opened = load(company)
    with progress(quiet=as_json) as told:
        settled = run(opened, month=month, policy=policy, ledger=ledger, on_progress=told)
    if as_json:
        print_json(settled.to_dict())
    else:
        show_settle.bill(settled)

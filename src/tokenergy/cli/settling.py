"""`tokenergy settle`: the bill of a month, line by line."""

from pathlib import Path
from typing import Annotated

import typer

from tokenergy.cli.completing import one
from tokenergy.cli.options import POLICIES, Company, Json
from tokenergy.cli.told import print_json

Month = Annotated[
    str | None,
    typer.Option(
        "--month", metavar="MONTH", help="Billing month, e.g. 2025-07. Default: the whole horizon."
    ),
]
Policy = Annotated[
    str,
    typer.Option(
        "--policy",
        metavar="NAME",
        autocompletion=one(*POLICIES),
        help="Who decides what is metered; see simulate --policies.",
    ),
]
Ledger = Annotated[
    Path | None,
    typer.Option(
        "--ledger", metavar="FILE", help="Read the policy's run from this SQLite file instead."
    ),
]


def settle(
    company: Company,
    month: Month = None,
    policy: Policy = "mpc",
    ledger: Ledger = None,
    as_json: Json = False,
) -> None:
    """Print the bill of a month by contract and line.

    The lines sum to it, to the nano-dollar.

    Examples:
        # the whole horizon
        tokenergy settle examples/startup.yaml --policy greedy
        # one month, out of a ledger
        tokenergy settle mine.yaml --month 2025-07 --ledger mine.sqlite
    """
    from tokenergy.api import settle as run
    from tokenergy.cli import show_settle
    from tokenergy.cli.opening import opened_company
    from tokenergy.cli.progress import progress

    with progress() as told:
        opened = opened_company(company, told)
        settled = run(opened, month=month, policy=policy, ledger=ledger, on_progress=told)
    if as_json:
        print_json(settled.to_dict())
    else:
        show_settle.bill(settled)

"""The verb `economics`: whether it pays."""

from typing import Annotated

import typer

from tokenergy.cli.given import moment, usage_of
from tokenergy.cli.options import Company, Days, From, Json, Split, UsageLedger
from tokenergy.cli.told import print_json

Unverified = Annotated[
    bool,
    typer.Option("--allow-unverified", help="Show presets whose source nobody has checked."),
]


def economics(
    company: Company,
    days: Days = None,
    start: From = None,
    split: Split = False,
    ledger: UsageLedger = None,
    allow_unverified: Unverified = False,
    as_json: Json = False,
) -> None:
    """Show whether it pays: margins, growth, savings, risk.

    Margins by tier and by user, and the levers; what the file does not state is named, never
    guessed.

    Examples:
        # one sentence, then the tables behind it
        tokenergy economics examples/meridian.yaml
        # how much of the saving is place, hour, waiting and storage
        tokenergy economics examples/meridian.yaml --days 3 --split
        # a free tier that loses money, and what cures it
        tokenergy economics examples/sora_like.yaml
    """
    from tokenergy.api import economics as run
    from tokenergy.cli import show_economics
    from tokenergy.cli.opening import opened_company
    from tokenergy.cli.progress import progress

    with progress() as told:
        opened = opened_company(
            company, told, start=moment(start), days=days, allow_unverified=allow_unverified
        )
        result = run(
            opened,
            split=split,
            usage_ledger=usage_of(company, ledger),
            on_progress=told,
        )
    if as_json:
        print_json(result.to_dict())
    else:
        show_economics.economics(result)

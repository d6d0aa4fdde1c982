"""The verb `thesis`: the essay's claims, and the duel of two company files."""

from pathlib import Path
from typing import Annotated

import typer

from tokenergy.cli.exits import Exit
from tokenergy.cli.given import some_names
from tokenergy.cli.options import Json
from tokenergy.cli.told import print_json
from tokenergy.errors import InputError

Only = Annotated[
    str | None,
    typer.Option(
        "--only", metavar="IDS", help="Comma-separated ids, e.g. T1,T4. Default: all fourteen."
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 if a claim does not hold.")]
Prices = Annotated[
    Path | None,
    typer.Option(
        "--prices",
        metavar="FILE",
        help="Hourly prices (CSV, CSV.gz, Parquet): a column utc and one by zone. "
        "Default: a synthetic year.",
    ),
]
Zones = Annotated[
    str | None,
    typer.Option(
        "--zones",
        metavar="NAMES",
        help="Comma-separated columns to take. Default: all named US-... or ...usd..., and "
        "those with a rate.",
    ),
]
UsdPer = Annotated[
    list[str] | None,
    typer.Option(
        "--usd-per",
        metavar="ZONE=RATE",
        help="USD per unit of a column's currency, e.g. DE-LU=1.08. May be repeated.",
    ),
]
Duel = Annotated[
    tuple[Path, Path] | None,
    typer.Option(
        "--duel",
        metavar="OWN RIVAL",
        help="Fight the duel of T13 between two company files that differ only in power, instead "
        "of running the claims.",
    ),
]


def thesis(
    only: Only = None,
    strict: Strict = False,
    prices: Prices = None,
    zones: Zones = None,
    usd_per: UsdPer = None,
    duel: Duel = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="SEED", help="Of synthetic prices and of draws.")
    ] = 1,
    as_json: Json = False,
) -> None:
    """Hold the essay's fourteen claims against their limits.

    A no is an answer; with --strict it is exit status 1.

    Examples:
        # two of them, on a synthetic year of prices
        tokenergy thesis --only T1,T4
        # on prices of your own, in a pipeline that stops at a no
        tokenergy thesis --prices prices.csv --zones US-TEX-ERCO --strict
        # two companies that differ only in power
        tokenergy thesis --duel mine.yaml rival.yaml
    """
    from tokenergy.api import thesis as run
    from tokenergy.cli import show_thesis
    from tokenergy.cli.progress import progress

    if duel is not None:
        if only is not None or strict or prices or zones is not None or usd_per:
            raise InputError(
                "--duel runs no claim and reads no prices but those of its two files: leave out "
                "--only, --strict, --prices, --zones and --usd-per"
            )
        _duel(*duel, as_json=as_json)
        return
    with progress() as told:
        found = run(
            prices=prices,
            zones=some_names(zones, "--zones") or (),
            usd_per_unit=show_thesis.rates(usd_per or ()),
            only=some_names(only, "--only") or (),
            seed=seed,
            on_progress=told,
        )
    if as_json:
        print_json(found.to_dict())
    else:
        show_thesis.thesis(found)
    if strict and found.fails_count:
        raise typer.Exit(Exit.NO)


def _duel(own: Path, rival: Path, *, as_json: bool) -> None:
    """Fight a duel between two company files."""
    from tokenergy.api import duel as run
    from tokenergy.api import load
    from tokenergy.cli import show_duel
    from tokenergy.cli.progress import progress

    with progress() as told:
        found = run(load(own), load(rival), on_progress=told)
    if as_json:
        print_json(found.to_dict())
    else:
        show_duel.duel(found)

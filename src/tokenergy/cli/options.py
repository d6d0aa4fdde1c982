"""Options and arguments that several verbs share, each said once."""

from pathlib import Path
from typing import Annotated, Final

import typer

from tokenergy.cli.completing import listed

POLICIES: Final = (
    "nearest", "round_robin", "static", "greedy", "greedy_battery", "reserve", "daily_duals", "mpc",
    "mpc_perfect_day_ahead", "clairvoyant",
)  # fmt: skip
"""Names of the policies, here for the help, which loads nothing else; a test holds them equal."""
POLICIES_HELP: Final = (
    f"Comma-separated, of {', '.join(POLICIES)}; or all. Default: "
    "nearest,static,greedy,greedy_battery,mpc,clairvoyant"
)

Company = Annotated[Path, typer.Argument(help="The company file (YAML).", metavar="COMPANY")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object; keys carry units.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write to this file.")]
At = Annotated[
    str | None,
    typer.Option(
        "--at", metavar="TIME", help="First moment, e.g. 2026-03-02T18:00Z. Default: the start."
    ),
]
Hours = Annotated[
    float, typer.Option("--hours", metavar="HOURS", help="Length of the window in hours.")
]
From = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="TIME", help="Another start of the horizon, e.g. 2026-03-09T00:00Z."
    ),
]
Days = Annotated[
    float | None, typer.Option("--days", metavar="DAYS", help="Another length of the horizon.")
]
Policies = Annotated[
    str | None,
    typer.Option(
        "--policies",
        metavar="NAMES",
        autocompletion=listed(*POLICIES, "all"),
        help=f"{POLICIES_HELP}.",
    ),
]
Split = Annotated[
    bool, typer.Option("--split", help="Split the saving: geography, hour, deferral, storage.")
]
Ledger = Annotated[
    Path | None,
    typer.Option(
        "--ledger", metavar="FILE", help="SQLite file; default .tokenergy/<company>.sqlite."
    ),
]
UsageLedger = Annotated[
    Path | None,
    typer.Option(
        "--ledger",
        metavar="FILE",
        help="A ledger whose requests tell tokens by user; default: that of the company, where "
        "there is one.",
    ),
]

"""`tokenergy ledger`: sums of what happened, of a ledger or of a company's own."""

from pathlib import Path
from typing import Annotated, Final

import typer

from tokenergy.cli.given import default_ledger, names
from tokenergy.cli.options import Json
from tokenergy.cli.told import print_json
from tokenergy.errors import InputError

SQLITE_BEGINS: Final = b"SQLite format 3\0"

Ledger = Annotated[
    Path,
    typer.Argument(help="The ledger (SQLite), or a company file: its own.", metavar="LEDGER"),
]
By = Annotated[
    str, typer.Option("--by", metavar="COLUMNS", help="Comma-separated columns to sum by.")
]
Run = Annotated[
    str | None,
    typer.Option("--run", metavar="RUN", help="Only the run of this run_id. Default: all runs."),
]


def ledger_of(named: Path) -> Path:
    """Return the ledger that is meant: the file itself, or that of the company file.

    Raises:
        InputError: if there is none.
    """
    if not named.is_file():
        raise InputError(f"there is no ledger {named}; `simulate` and `serve` write one")
    with named.open("rb") as held:
        if held.read(len(SQLITE_BEGINS)) == SQLITE_BEGINS or named.suffix not in (".yaml", ".yml"):
            return named
    own = default_ledger(named)
    if not own.is_file():
        raise InputError(
            f"{named} has no ledger {own} yet; `simulate` and `serve` write one, or name the file"
        )
    return own


def ledger_sums(
    ledger: Ledger, by: By = "policy,component", run: Run = None, as_json: Json = False
) -> None:
    """Sum a ledger's amounts, energy and tokens by any column.

    Examples:
        # what each policy of the company's own ledger would have cost, by component
        tokenergy ledger examples/meridian.yaml
        # what each tenant used where
        tokenergy ledger examples/serve.yaml --by tenant,model,site
    """
    from tokenergy.cli import show_ledger
    from tokenergy.cli.progress import progress
    from tokenergy.store.sqlite import SqliteLedger

    path = ledger_of(ledger)
    with progress() as told, SqliteLedger(path, read_only=True) as held:
        told(f"summing {path.name}", 0, 1)
        runs = held.runs()
        if run is not None and run not in runs:
            raise InputError(f"the ledger holds no run {run!r}; it holds: {', '.join(runs)}")
        rows = held.sums(names(by) or [], run_id=run)
    chosen = runs if run is None else (run,)
    if as_json:
        sums = [row.to_dict() for row in rows]
        print_json({"ledger": str(path), "runs": list(chosen), "sums": sums})
    else:
        show_ledger.sums(rows, runs=chosen)

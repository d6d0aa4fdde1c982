"""The verbs."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from tokenergy.errors import FindingsError, InfeasibleProgram, InputError, TokenergyError

INTERRUPTED = 130
"""Exit status after Ctrl-C."""

app = typer.Typer(
    name="tokenergy",
    help="What a token costs at each place and hour, in parts, and what to do about it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Company = Annotated[Path, typer.Argument(help="The company file (YAML).", metavar="COMPANY")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object; keys carry units.")]
Out = Annotated[Path | None, typer.Option("--out", help="Write to this file.")]
At = Annotated[
    str | None,
    typer.Option("--at", help="First moment, e.g. 2026-03-02T18:00Z. Default: the start."),
]
Hours = Annotated[float, typer.Option("--hours", help="Length of the window in hours.")]
From = Annotated[
    str | None, typer.Option("--from", help="Another start of the horizon, e.g. 2026-03-09T00:00Z.")
]
Days = Annotated[float | None, typer.Option("--days", help="Another length of the horizon.")]
Policies = Annotated[
    str | None,
    typer.Option(
        "--policies",
        help="Comma-separated, of nearest, round_robin, static, greedy, greedy_battery, mpc, "
        "clairvoyant. Default: all but round_robin.",
    ),
]
Ledger = Annotated[
    Path | None,
    typer.Option("--ledger", help="SQLite file; default .tokenergy/<company>.sqlite."),
]


@app.command()
def init(out: Out = None, as_json: Json = False) -> None:
    """Write a commented company file to start from."""
    from tokenergy.api import init_text

    text = init_text()
    if as_json and out is None:
        _print_json({"company_file": text})
    else:
        _write(text, out, as_json=as_json)


@app.command()
def schema(out: Out = None, as_json: Json = False) -> None:
    """Write the JSON Schema of the company file, for editors."""
    from tokenergy.api import schema as make
    from tokenergy.api.output import SCHEMA

    _write(json.dumps(make(), indent=2) + "\n", out, replaces=SCHEMA, as_json=as_json)


@app.command()
def check(company: Company, as_json: Json = False) -> None:
    """Print every finding at once; exit status 2 if one is an error."""
    from tokenergy.api import check as run
    from tokenergy.cli import show

    checked = run(company)
    if as_json:
        _print_json(
            {
                "file": str(company),
                "errors_count": len(checked.errors),
                "findings": [finding.to_dict() for finding in checked.findings],
            }
        )
    else:
        show.findings(checked.findings, company)
    if checked.errors:
        raise typer.Exit(2)


@app.command()
def price(company: Company, at: At = None, hours: Hours = 48.0, as_json: Json = False) -> None:
    """Show what one Mtok more costs at each site, in parts, low and high."""
    from tokenergy.api import load
    from tokenergy.api import price as run
    from tokenergy.cli import show
    from tokenergy.cli.progress import progress

    with progress(quiet=as_json) as told:
        board = run(load(company), at=moment(at), hours=hours, on_progress=told)
    if as_json:
        _print_json(board.to_dict())
    else:
        show.board(board)


@app.command()
def dispatch(company: Company, at: At = None, hours: Hours = 48.0, as_json: Json = False) -> None:
    """Show what to do in this window: run, store, wait, refuse."""
    from tokenergy.api import dispatch as run
    from tokenergy.api import load
    from tokenergy.cli import show

    plan = run(load(company), at=moment(at), hours=hours)
    if as_json:
        _print_json(plan.to_dict())
    else:
        show.plan(plan)


@app.command()
def simulate(
    company: Company,
    days: Days = None,
    start: From = None,
    policies: Policies = None,
    split: Annotated[
        bool, typer.Option("--split", help="Split the saving: geography, hour, deferral, storage.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Another seed of the synthetic series.")
    ] = None,
    ledger: Ledger = None,
    as_json: Json = False,
) -> None:
    """Show what would have happened under each policy; the scorecard."""
    from tokenergy.api import load
    from tokenergy.api import simulate as run
    from tokenergy.cli import show
    from tokenergy.cli.progress import progress

    opened = load(company, start=moment(start), days=days, seed=seed)
    with progress(quiet=as_json) as told:
        result = run(
            opened,
            policies=_names(policies),
            split=split,
            ledger=ledger or default_ledger(company),
            on_progress=told,
        )
    if as_json:
        _print_json(result.to_dict())
    else:
        show.scorecard(result)


@app.command()
def report(
    company: Company,
    days: Days = None,
    start: From = None,
    policies: Policies = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Write one self-contained HTML file: balance, prices, scorecard, supply curve."""
    from tokenergy.api import load
    from tokenergy.api import report as run
    from tokenergy.cli.progress import progress

    opened = load(company, start=moment(start), days=days)
    with _report_of(company, out) as target, progress(quiet=as_json) as told:
        written = run(opened, out=target, policies=_names(policies), on_progress=told)
    if as_json:
        _print_json({"report": str(written)})
    else:
        typer.echo(f"report: {written}")


@app.command()
def demo(
    company: Annotated[
        Path, typer.Argument(help="The company file (YAML).", metavar="COMPANY")
    ] = Path("examples/meridian.yaml"),
    out: Out = None,
    ledger: Ledger = None,
    as_json: Json = False,
) -> None:
    """Run check, price, simulate and report on one company, and say what matters."""
    from tokenergy.cli.demo import run

    with _report_of(company, out) as target:
        found = run(company, target, ledger or default_ledger(company), quiet=as_json)
    if as_json:
        _print_json(found)


@app.command(name="ledger")
def ledger_sums(
    ledger: Annotated[Path, typer.Argument(help="The ledger (SQLite).", metavar="LEDGER")],
    by: Annotated[
        str, typer.Option("--by", help="Comma-separated columns to sum by.")
    ] = "policy,component",
    run: Annotated[
        str | None, typer.Option("--run", help="Only the run of this run_id. Default: all runs.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Sum a ledger's amounts and energy by any of its columns."""
    from tokenergy.cli import show
    from tokenergy.store.sqlite import SqliteLedger

    if not ledger.is_file():
        raise InputError(f"there is no ledger {ledger}; `simulate` writes one")
    with SqliteLedger(ledger, read_only=True) as held:
        runs = held.runs()
        if run is not None and run not in runs:
            raise InputError(f"the ledger holds no run {run!r}; it holds: {', '.join(runs)}")
        rows = held.sums(_names(by) or [], run_id=run)
    chosen = runs if run is None else (run,)
    if as_json:
        sums = [row.to_dict() for row in rows]
        _print_json({"ledger": str(ledger), "runs": list(chosen), "sums": sums})
    else:
        show.sums(rows, runs=chosen)


def default_ledger(company: Path) -> Path:
    """Return where a company's ledger lives when nobody says otherwise."""
    return Path(".tokenergy") / f"{company.stem}.sqlite"


def moment(text: str | None) -> datetime | None:
    """Read a time stamp with a zone.

    Raises:
        InputError: if it is not ISO 8601, or has no zone.
    """
    if text is None:
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{text!r} is not a time: write e.g. 2026-03-02T18:00Z") from None
    if value.tzinfo is None:
        raise InputError(f"the time {text!r} has no zone: write e.g. {value.isoformat()}Z")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise InputError(f"the time {text!r} lies outside the calendar") from None


def _names(text: str | None) -> list[str] | None:
    """Return the names of a comma-separated list."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


@contextmanager
def _report_of(company: Path, out: Path | None) -> Iterator[Path]:
    """Give the file of a report; where nobody named it, its folder is made, and kept if used."""
    if out is not None:
        yield out
        return
    folder = Path("out")
    made = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    try:
        yield folder / f"{company.stem}.html"
    finally:
        if made and not any(folder.iterdir()):
            folder.rmdir()


def _write(
    text: str, out: Path | None, *, replaces: bytes | None = None, as_json: bool = False
) -> None:
    if out is None:
        typer.echo(text, nl=False)
        return
    from tokenergy.api.output import refuse_unwritable

    refuse_unwritable(out, replaces=replaces)
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror or error}") from error
    if as_json:
        _print_json({"wrote": str(out)})
    else:
        typer.echo(f"wrote {out}", err=True)


def _print_json(value: dict[str, Any]) -> None:
    json.dump(value, sys.stdout, indent=1, allow_nan=False)
    sys.stdout.write("\n")
    sys.stdout.flush()


def main() -> None:
    """Run the command line; anticipated errors are told without a traceback.

    Exit status: 0 done, 1 nobody reads the output, 2 something in the input, 3 a fault of ours,
    130 stopped by Ctrl-C.
    """
    try:
        app()
    except TokenergyError as error:
        sys.exit(_tell(error))
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            _leave_now(INTERRUPTED)
        raise


def _tell(error: TokenergyError) -> int:
    """Tell an error in the form that was asked for, and return the exit status."""
    ours = not isinstance(error, InputError | InfeasibleProgram)
    try:
        if "--json" in sys.argv:
            told: dict[str, Any] = {"error": str(error)}
            if isinstance(error, FindingsError):
                found = [finding.to_dict() for finding in error.findings]
                told = {"errors_count": len(found), "findings": found}
            _print_json(told)
        elif isinstance(error, FindingsError):
            typer.echo("\n".join(str(finding) for finding in error.findings), err=True)
        elif ours:
            typer.echo(f"unexpected: {error}\nThis is a fault of ours; please report it.", err=True)
        else:
            typer.echo(f"error: {error}", err=True)
    except BrokenPipeError:
        _leave_now(1)
    return 3 if ours else 2


def _leave_now(status: int) -> None:
    """Leave without waiting for policies that still run, nor for a reader that has gone."""
    sys.stderr.flush()
    os._exit(status)

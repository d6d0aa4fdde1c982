"""The verbs."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from tokenergy.cli.calibrate import calibrate
from tokenergy.cli.catalogue import catalogue
from tokenergy.cli.claims import thesis
from tokenergy.cli.energy import energy
from tokenergy.cli.explaining import explain
from tokenergy.cli.exporting import export
from tokenergy.cli.fetching import fetch
from tokenergy.cli.given import default_ledger, moment, names, report_of, usage_of
from tokenergy.cli.importing import import_
from tokenergy.cli.keys import keys
from tokenergy.cli.ledger import ledger_sums
from tokenergy.cli.observing import observe
from tokenergy.cli.operating import operating_points
from tokenergy.cli.planning import EXAMPLES, plan
from tokenergy.cli.serving import board_maker, serve
from tokenergy.cli.settling import settle
from tokenergy.cli.simulating import simulate
from tokenergy.cli.told import leave_now, print_json, tell, write
from tokenergy.errors import TokenergyError

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
        help="Comma-separated, of nearest, round_robin, static, greedy, greedy_battery, reserve, "
        "daily_duals, mpc, mpc_perfect_day_ahead, clairvoyant; or all. Default: "
        "nearest,static,greedy,greedy_battery,mpc,clairvoyant.",
    ),
]
Split = Annotated[
    bool, typer.Option("--split", help="Split the saving: geography, hour, deferral, storage.")
]
Ledger = Annotated[
    Path | None,
    typer.Option("--ledger", help="SQLite file; default .tokenergy/<company>.sqlite."),
]
UsageLedger = Annotated[
    Path | None,
    typer.Option(
        "--ledger",
        help="A ledger whose requests tell tokens by user; default: that of the company, where "
        "there is one.",
    ),
]


@app.command()
def init(
    out: Out = None,
    seen: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="URL",
            help="Draft it from what an engine's /metrics shows. May be repeated.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a commented company file to start from."""
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


@app.command()
def schema(out: Out = None, as_json: Json = False) -> None:
    """Write the JSON Schema of the company file, for editors."""
    from tokenergy.api import schema as make
    from tokenergy.api.output import SCHEMA

    write(json.dumps(make(), indent=2) + "\n", out, replaces=SCHEMA, as_json=as_json)


@app.command()
def check(company: Company, as_json: Json = False) -> None:
    """Print every finding at once; exit status 2 if one is an error."""
    from tokenergy.api import check as run
    from tokenergy.cli import show

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
        print_json(board.to_dict())
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
        print_json(plan.to_dict())
    else:
        show.plan(plan)


app.command()(simulate)
app.command(epilog=EXAMPLES)(plan)


@app.command()
def economics(
    company: Company,
    days: Days = None,
    start: From = None,
    split: Split = False,
    ledger: UsageLedger = None,
    allow_unverified: Annotated[
        bool,
        typer.Option("--allow-unverified", help="Show presets whose source nobody has checked."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Show whether it pays: margins by tier and user, growth, levers, savings, risk."""
    from tokenergy.api import economics as run
    from tokenergy.api import load
    from tokenergy.cli import show_economics
    from tokenergy.cli.progress import progress

    opened = load(company, start=moment(start), days=days, allow_unverified=allow_unverified)
    with progress(quiet=as_json) as told:
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


@app.command()
def report(
    company: Company,
    days: Days = None,
    start: From = None,
    policies: Policies = None,
    out: Out = None,
    ledger: UsageLedger = None,
    with_plan: Annotated[
        bool, typer.Option("--plan", help="Also plan, and show what to build and what to sign.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write one self-contained HTML file: whether it pays, prices, balance, scorecard, supply."""
    from tokenergy.api import load
    from tokenergy.api import plan as make_plan
    from tokenergy.api import report as run
    from tokenergy.cli.progress import progress

    opened = load(company, start=moment(start), days=days)
    with report_of(company, out) as target, progress(quiet=as_json) as told:
        written = run(
            opened,
            out=target,
            policies=names(policies),
            usage_ledger=usage_of(company, ledger),
            planned=make_plan(opened, on_progress=told) if with_plan else None,
            on_progress=told,
        )
    if as_json:
        print_json({"report": str(written)})
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
    """Run check, price, simulate, economics and report on one company; say what matters."""
    from tokenergy.cli.demo import run

    with report_of(company, out) as target:
        found = run(company, target, ledger or default_ledger(company), quiet=as_json)
    if as_json:
        print_json(found)


app.command()(catalogue)
app.command()(energy)
app.command("operating-points")(operating_points)
app.command()(calibrate)
app.command()(settle)
app.command()(observe)
app.command()(serve)
app.command()(keys)
app.command()(fetch)
app.command("import")(import_)
app.command()(export)
app.command("ledger")(ledger_sums)
app.command()(explain)
app.command()(thesis)
app.command("board-maker", hidden=True)(board_maker)


def main() -> None:
    """Run the command line; anticipated errors are told without a traceback.

    Exit status: 0 done, 1 nobody reads the output, or a claim does not hold and `--strict` was
    given, 2 something in the input, 3 a fault of ours, 130 stopped by Ctrl-C.
    """
    try:
        app()
    except TokenergyError as error:
        sys.exit(tell(error))
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            leave_now(INTERRUPTED)
        raise

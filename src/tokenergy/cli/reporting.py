"""The verbs `report` and `demo`: one file to forward, and everything at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tokenergy.cli.given import (
    default_ledger,
    moment,
    names,
    report_of,
    some_names,
    usage_of,
)
from tokenergy.cli.options import (
    Company,
    Days,
    From,
    Json,
    Ledger,
    Policies,
    UsageLedger,
)
from tokenergy.cli.told import print_json
from tokenergy.errors import InputError, TokenergyError

ReportFile = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write to this file. Default: out/<company>.html."),
]
WithPlan = Annotated[
    bool, typer.Option("--plan", help="Also plan, and show what to build and what to sign.")
]
WithThesis = Annotated[
    bool,
    typer.Option("--thesis", help="Also run the essay's fourteen claims; that takes minutes."),
]
Charts = Annotated[
    Path | None,
    typer.Option(
        "--charts",
        metavar="FOLDER",
        help="Also write every chart as a picture into this folder, and an index of them.",
    ),
]
Format = Annotated[
    str, typer.Option("--format", metavar="NAMES", help="Of the pictures: svg, png, or both.")
]
PICTURES = "svg,png"
DemoCompany = Annotated[Path, typer.Argument(help="The company file (YAML).", metavar="COMPANY")]


def report(
    company: Company,
    days: Days = None,
    start: From = None,
    policies: Policies = None,
    out: ReportFile = None,
    ledger: UsageLedger = None,
    with_plan: WithPlan = False,
    with_thesis: WithThesis = False,
    charts: Charts = None,
    format_: Format = PICTURES,
    as_json: Json = False,
) -> None:
    """Write a report to forward: one HTML file, and pictures.

    Where the run fails, the file says what failed, and the exit status is the failure's.

    Examples:
        # a file to open in a browser, or to forward
        tokenergy report examples/meridian.yaml --out meridian.html
        # with what to build and what to sign
        tokenergy report examples/startup.yaml --plan --out startup.html
        # and every chart as a picture for a slide
        tokenergy report examples/startup.yaml --charts pictures --format png
    """
    from tokenergy.api import report as run
    from tokenergy.cli.opening import opened_company
    from tokenergy.cli.progress import progress

    pictures = some_names(format_, "--format") or []
    if charts is None and format_ != PICTURES:
        raise InputError("--format is of the pictures of --charts: name their folder")
    with report_of(company, out) as target, _notes_told(as_json), progress() as told:
        opened = opened_company(company, told, start=moment(start), days=days)
        written = run(
            opened,
            out=target,
            policies=names(policies),
            usage_ledger=usage_of(company, ledger),
            with_plan=with_plan,
            with_thesis=with_thesis,
            charts=charts,
            formats=pictures,
            made_at=datetime.now(UTC),
            on_progress=told,
        )
    if as_json:
        folder = {} if charts is None else {"charts": str(charts)}
        print_json({"report": str(written)} | folder)
    else:
        typer.echo(f"report: {written}")
        if charts is not None:
            typer.echo(f"charts: {charts}")


@contextmanager
def _notes_told(as_json: bool) -> Iterator[None]:
    """Say where a report tells what failed: a run that fails leaves one."""
    try:
        yield
    except TokenergyError as error:
        for note in () if as_json else getattr(error, "__notes__", ()):
            typer.echo(note, err=True)
        raise


def demo(
    company: DemoCompany = Path("examples/meridian.yaml"),
    out: ReportFile = None,
    ledger: Ledger = None,
    as_json: Json = False,
) -> None:
    """Run the main job on one company, and say what matters.

    That is check, price, simulate, economics and report.

    Examples:
        # the first five minutes, on an invented company
        tokenergy demo
        # the same on yours
        tokenergy demo mine.yaml --out mine.html
    """
    from tokenergy.cli.demo import run

    with report_of(company, out) as target:
        found = run(company, target, ledger or default_ledger(company), quiet=as_json)
    if as_json:
        print_json(found)

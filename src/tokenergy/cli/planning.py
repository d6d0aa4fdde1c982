"""The verb `plan`: what to build and what to sign."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from tokenergy.cli.exits import Exit
from tokenergy.cli.options import Json
from tokenergy.cli.told import print_json

Company = Annotated[
    Path, typer.Argument(help="The company file (YAML), with its section plan.", metavar="COMPANY")
]
Hours = Annotated[
    float | None,
    typer.Option(
        "--hours",
        metavar="HOURS",
        help="Plan over so many hours of the horizon. Default: all of it.",
    ),
]
Scenarios = Annotated[
    bool,
    typer.Option(
        "--scenarios", help="Also hold the plan against the worlds that the file names: regret."
    ),
]
Gap = Annotated[
    float,
    typer.Option(
        "--gap",
        metavar="SHARE",
        help="Stop where the bounds are this close, as a share of the cost.",
    ),
]
Write = Annotated[
    Path | None,
    typer.Option(
        "--write",
        metavar="FILE",
        help="Write a company file with the planned sizes: simulate and serve run on it.",
    ),
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write the page of the plan (HTML).")
]
Dask = Annotated[
    str | None,
    typer.Option(
        "--dask",
        metavar="tcp://HOST:PORT",
        help="Run the scenarios on this Dask cluster (pip install 'tokenergy[dask]').",
    ),
]


def plan(
    company: Company,
    hours: Hours = None,
    scenarios: Scenarios = False,
    gap: Gap = 0.001,
    write: Write = None,
    out: Out = None,
    dask: Dask = None,
    as_json: Json = False,
) -> None:
    """Show what to build and what to sign, and what it is worth.

    Ctrl-C ends the search: the best plan so far is told and saved, with its gap.

    Examples:
        # four weeks of a year, and between which bounds its cost lies
        tokenergy plan examples/hyperscaler.yaml --hours 672
        # a first look at a small one
        tokenergy plan examples/startup.yaml --hours 48
        # a company file with the planned sizes, and a page about it
        tokenergy plan mine.yaml --write planned.yaml --out plan.html
        # what it would be like to run it
        tokenergy simulate planned.yaml --policies mpc,clairvoyant
        # held against the worlds that the file names, on a cluster
        tokenergy plan mine.yaml --scenarios --dask tcp://10.0.0.5:8786
    """
    from tokenergy.api.planning import plan as run
    from tokenergy.cli import show_plan
    from tokenergy.cli.opening import opened_company
    from tokenergy.cli.plan_progress import plan_progress

    with plan_progress() as told:
        opened = opened_company(company, told.step)
        with stopping() as stop:
            result = run(
                opened,
                hours=hours,
                scenarios=scenarios,
                gap_share=gap,
                write=write,
                out=out,
                dask=dask,
                stop=stop,
                on_progress=told.step,
                on_bounds=told.bounds,
            )
    if as_json:
        print_json(result.to_dict())
    else:
        show_plan.planned(result)
    if result.stopped:
        sys.stdout.flush()  # who leaves by Ctrl-C waits for nothing, not for what was printed
        raise typer.Exit(Exit.INTERRUPTED)


@contextmanager
def stopping() -> Iterator[Callable[[], bool]]:
    """Give what says whether Ctrl-C was pressed; pressed again, it ends the program as ever."""
    pressed = False

    def press(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True
        typer.echo("stopping: the best plan so far follows; Ctrl-C again leaves at once", err=True)

    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)

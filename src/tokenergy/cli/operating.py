"""The verb `operating-points`."""

from pathlib import Path
from typing import Annotated

import typer

from tokenergy.cli.given import some_names
from tokenergy.cli.told import print_json

Company = Annotated[Path, typer.Argument(help="The company file (YAML).", metavar="COMPANY")]
Workloads = Annotated[
    str | None,
    typer.Option("--workload", help="Comma-separated workloads. Default: all but media."),
]
Quick = Annotated[
    bool, typer.Option("--quick", help="4,000 requests and 1 seed, not 20,000 and 3: a first look.")
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Write a CSV that a company file can name as operating_points."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object; keys carry units.")]


def operating_points(
    company: Company,
    out: Out = None,
    workload: Workloads = None,
    quick: Quick = False,
    as_json: Json = False,
) -> None:
    """Show the load that keeps each tier's limits on one replica, from simulated requests."""
    from tokenergy.api import load
    from tokenergy.api.operating import operating_points as run
    from tokenergy.cli import show_operating
    from tokenergy.cli.progress import progress

    chosen = some_names(workload, "--workload")
    opened = load(company, operating_points=False)  # it may be the one that is to be written
    with progress(quiet=as_json) as told:
        result = run(opened, workloads=chosen, quick=quick, out=out, on_progress=told)
    if as_json:
        print_json(result.to_dict())
    else:
        show_operating.operating_points(result)

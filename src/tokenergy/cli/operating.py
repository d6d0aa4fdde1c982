"""The verb `operating-points`."""

from pathlib import Path
from typing import Annotated

import typer

from tokenergy.cli.given import some_names
from tokenergy.cli.options import Company, Json
from tokenergy.cli.told import print_json

Workloads = Annotated[
    str | None,
    typer.Option(
        "--workload", metavar="NAMES", help="Comma-separated workloads. Default: all but media."
    ),
]
Quick = Annotated[
    bool, typer.Option("--quick", help="4,000 requests and 1 seed, not 20,000 and 3: a first look.")
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="Write a CSV that a company file can name as operating_points.",
    ),
]


def operating_points(
    company: Company,
    out: Out = None,
    workload: Workloads = None,
    quick: Quick = False,
    as_json: Json = False,
) -> None:
    """Show the load that keeps each tier's limits on a replica.

    From simulated requests: how many can be in flight before the slowest miss the limit.

    Examples:
        # a first look
        tokenergy operating-points examples/requests.yaml --quick
        # the table that a company file names as operating_points
        tokenergy operating-points mine.yaml --out points.csv
    """
    from tokenergy.api.operating import operating_points as run
    from tokenergy.cli import show_operating
    from tokenergy.cli.opening import opened_company
    from tokenergy.cli.progress import progress

    chosen = some_names(workload, "--workload")
    with progress() as told:
        # without the table: it may be the one that is to be written
        opened = opened_company(company, told, operating_points=False)
        result = run(opened, workloads=chosen, quick=quick, out=out, on_progress=told)
    if as_json:
        print_json(result.to_dict())
    else:
        show_operating.operating_points(result)

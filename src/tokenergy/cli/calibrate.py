"""The verb `calibrate`."""

from pathlib import Path
from typing import Annotated

import typer

from tokenergy.cli.options import Json
from tokenergy.cli.told import print_json
from tokenergy.errors import InputError

Points = Annotated[
    Path,
    typer.Argument(
        help="Measured points: a CSV of model, accelerator, gpus_count, batch_count, j_per_token "
        "and boundary; an ML.ENERGY result table; or InferenceX rows.",
        metavar="POINTS",
    ),
]
Company = Annotated[
    Path | None,
    typer.Option(
        "--company",
        metavar="COMPANY",
        help="A company file: which of its models the points are of.",
    ),
]
Against = Annotated[
    Path | None,
    typer.Option(
        "--against",
        metavar="POINTS",
        help="Other measured points, to hold the calibration against.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="FILE", help="Write a CSV that a company file can name as calibration."
    ),
]
Name = Annotated[
    list[str] | None,
    typer.Option(
        "--name",
        metavar="THEIRS=OURS",
        help="What the points call a model or an accelerator, and what the catalogue does. May be "
        "repeated.",
    ),
]


def calibrate(
    points: Points,
    company: Company = None,
    against: Against = None,
    out: Out = None,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Correct predicted joules by what was measured.

    Shows the error before and after, on the points themselves and on others.

    Examples:
        # how far the prediction is off, before and after
        tokenergy calibrate points.csv --name dsr1=deepseek-r1
        # into a table that a company file can name as calibration
        tokenergy calibrate points.csv --out calibration.csv
    """
    from tokenergy.api.calibrating import calibrate as run
    from tokenergy.cli import show_calibrate

    made = run(points, company=company, against=against, out=out, names=_names(name or []))
    if as_json:
        print_json(made.to_dict())
    else:
        show_calibrate.calibration(made)


def _names(texts: list[str]) -> dict[str, str]:
    """Read what names stand for.

    Raises:
        InputError: for one that is not THEIRS=OURS.
    """
    names: dict[str, str] = {}
    for text in texts:
        theirs, _, ours = text.partition("=")
        if not theirs.strip() or not ours.strip():
            raise InputError(f"--name {text!r}: write THEIRS=OURS, e.g. dsr1=deepseek-r1")
        names[theirs.strip()] = ours.strip()
    return names

"""`tokenergy export`: a company's ledger, or its plan, in other people's forms."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from tokenergy.cli.completing import one
from tokenergy.cli.exits import Exit
from tokenergy.cli.given import default_ledger, one_of
from tokenergy.cli.options import Company, Json
from tokenergy.cli.told import print_json
from tokenergy.errors import InputError

STDOUT = Path("-")
KINDS: Final = ("focus", "focus-contracts", "cloudevents", "pypsa")

Kind = Annotated[
    str,
    typer.Argument(
        help=f"{', '.join(KINDS[:-1])} or {KINDS[-1]}.",
        metavar="KIND",
        autocompletion=one(*KINDS),
    ),
]
Ledger = Annotated[
    Path | None,
    typer.Option(
        "--ledger",
        metavar="FILE",
        help="SQLite file; default .tokenergy/<company>.sqlite; simulated if it is missing.",
    ),
]
Run = Annotated[
    str | None,
    typer.Option(
        "--run", metavar="RUN", help="run_id. Default: the only one, else this company's mpc."
    ),
]
Version = Annotated[
    str | None,
    typer.Option("--version", metavar="VERSION", help="Of FOCUS: 1.2 (default) or 1.4 (draft)."),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        autocompletion=one("csv", "parquet", "jsonl"),
        help="csv, parquet or jsonl. Default: what --out ends in, else csv.",
    ),
]
Basis = Annotated[
    str,
    typer.Option(
        "--basis",
        metavar="BASIS",
        autocompletion=one("allocation", "usage", "marginal"),
        help="Cost of a token row: allocation, usage or marginal.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="The file; - is stdout. Default: out/<company>.<kind>.<format>",
    ),
]
File = Annotated[Path | None, typer.Argument(help="The file, instead of --out.", metavar="FILE")]
Hours = Annotated[
    float | None,
    typer.Option(
        "--hours", metavar="HOURS", help="pypsa: how much of the horizon. Default: all of it."
    ),
]


def export(
    kind: Kind,
    company: Company,
    file: File = None,
    ledger: Ledger = None,
    run: Run = None,
    version: Version = None,
    format: Format = None,
    basis: Basis = "allocation",
    out: Out = None,
    hours: Hours = None,
    as_json: Json = False,
) -> None:
    """Write costs, events or the plan in other tools' forms.

    FOCUS costs, contract commitments, CloudEvents, or the plan as a PyPSA network. Exit status 1
    if our check of what was written fails.

    Examples:
        # what a FinOps tool reads
        tokenergy export focus examples/meridian.yaml --out meridian.csv
        # what is committed to whom, on the screen
        tokenergy export focus-contracts examples/contracts.yaml --out -
        # the same program for PyPSA
        tokenergy export pypsa examples/startup.yaml startup.nc --hours 168
    """
    from tokenergy.api.exporting import export as run_export
    from tokenergy.cli.opening import opened_company
    from tokenergy.cli.progress import progress

    one_of(kind, KINDS, "export")
    if file is not None and out is not None:
        raise InputError(f"{file} and --out {out}: name the file once")
    out = file or out
    if out == STDOUT and as_json:
        raise InputError("--out - prints the file and --json the result: choose one of them")
    if kind == "pypsa":
        _network(company, out, hours, as_json=as_json)
        return
    if hours is not None:
        raise InputError(f"--hours belongs to pypsa, not to {kind}")
    name = f"{company.stem}.{kind}.{format or ('jsonl' if kind == 'cloudevents' else 'csv')}"
    with progress() as told, _file(out, name) as target:
        result = run_export(
            kind, opened_company(company, told), ledger=ledger or default_ledger(company), run=run,
            version=version, format=format, basis=basis, out=target, on_progress=told,
        )  # fmt: skip
        if out == STDOUT:
            _copy_to_stdout(target)
    if as_json:
        print_json(result.to_dict())
    else:
        typer.echo(str(result), err=out == STDOUT)
    if result.conformance is not None and not result.conformance.passed:
        raise typer.Exit(Exit.NO)


def _copy_to_stdout(file: Path) -> None:
    sys.stdout.flush()
    with file.open("rb") as held:
        shutil.copyfileobj(held, sys.stdout.buffer)
    sys.stdout.flush()


def _network(company: Path, out: Path | None, hours: float | None, *, as_json: bool) -> None:
    """Write the company's plan as a PyPSA network, and say what stands in it."""
    from tokenergy.api.exporting_network import export_network
    from tokenergy.cli.opening import opened_company
    from tokenergy.cli.progress import progress

    if out == STDOUT:
        raise InputError("a network is no text: name a file, e.g. company.nc")
    with progress() as told, _file(out, f"{company.stem}.nc") as target:
        opened = opened_company(company, told)
        result = export_network(opened, out=target, hours=hours, on_progress=told)
    if as_json:
        print_json(result.to_dict())
    else:
        typer.echo(str(result))


@contextmanager
def _file(out: Path | None, name: str) -> Iterator[Path]:
    """Give the file to write: the one named, one that is thrown away, or one in `out/`."""
    if out == STDOUT:
        with tempfile.TemporaryDirectory(prefix="tokenergy-") as folder:
            yield Path(folder) / Path(name).name
        return
    if out is not None:
        yield out
        return
    folder_out = Path("out")
    made = not folder_out.exists()
    try:
        folder_out.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder out: {error.strerror or error}") from error
    try:
        yield folder_out / name
    finally:
        if made and not any(folder_out.iterdir()):
            folder_out.rmdir()

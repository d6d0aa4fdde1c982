"""`tokenergy import KIND FILE`: what a usage log, invoices or a benchmark say, as a clean table."""

from pathlib import Path
from typing import Annotated

import typer

from tokenergy.cli.told import print_json
from tokenergy.errors import InputError


def import_(
    kind: Annotated[
        str,
        typer.Argument(
            help="openai, litellm, usage, inferencex, mlenergy or invoices.", metavar="KIND"
        ),
    ],
    file: Annotated[
        Path, typer.Argument(help="CSV, JSON, JSONL or Parquet (.gz too).", metavar="FILE")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write the rows to this .csv or .parquet file."),
    ] = None,
    time_zone: Annotated[
        str | None,
        typer.Option("--time-zone", help="Zone of stamps that carry none, e.g. Europe/Paris."),
    ] = None,
    decimal: Annotated[
        str | None,
        typer.Option("--decimal", help="Decimal mark, . or , where the file does not show it."),
    ] = None,
    currency: Annotated[
        str, typer.Option("--currency", help="The company's currency (invoices).")
    ] = "USD",
    rate: Annotated[
        list[str] | None,
        typer.Option(
            "--rate",
            metavar="CURRENCY=RATE",
            help="What one unit is in the company's currency (invoices). May be repeated.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object; keys carry units.")
    ] = False,
) -> None:
    """Read a usage log, invoices or benchmark rows; list what is refused; hash every key."""
    from tokenergy.api.importing import import_file

    imported = import_file(
        kind,  # type: ignore[arg-type]  # held against the known kinds there
        file,
        out=out,
        time_zone=time_zone,
        mark=decimal,  # type: ignore[arg-type]  # so is this
        currency=currency,
        rates=_rates(rate or []),
    )
    if as_json:
        print_json(imported.to_dict())
    else:
        for line in imported.lines():
            typer.echo(line)


def _rates(texts: list[str]) -> dict[str, float]:
    """Read rates of exchange.

    Raises:
        InputError: for one that is not CURRENCY=RATE.
    """
    rates: dict[str, float] = {}
    for text in texts:
        name, _, rate = text.partition("=")
        try:
            rates[name.strip().upper()] = float(rate)
        except ValueError:
            raise InputError(f"--rate {text!r}: write CURRENCY=RATE, e.g. EUR=1.08") from None
    return rates

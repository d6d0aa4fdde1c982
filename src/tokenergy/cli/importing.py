"""`tokenergy import KIND FILE`: what a usage log, invoices or a benchmark say, as a clean table."""

from pathlib import Path
from typing import Annotated, Final

import typer

from tokenergy.cli.completing import one
from tokenergy.cli.given import one_of
from tokenergy.cli.options import Json
from tokenergy.cli.told import print_json
from tokenergy.errors import InputError

KINDS: Final = ("openai", "litellm", "usage", "inferencex", "mlenergy", "invoices")

Kind = Annotated[
    str,
    typer.Argument(
        help=f"{', '.join(KINDS[:-1])} or {KINDS[-1]}.",
        metavar="KIND",
        autocompletion=one(*KINDS),
    ),
]
File = Annotated[
    Path, typer.Argument(help="CSV, JSON, JSONL or Parquet (.gz too).", metavar="FILE")
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write the rows to this .csv or .parquet file."),
]
TimeZone = Annotated[
    str | None,
    typer.Option(
        "--time-zone", metavar="ZONE", help="Zone of stamps that carry none, e.g. Europe/Paris."
    ),
]
Decimal = Annotated[
    str | None,
    typer.Option(
        "--decimal", metavar="MARK", help="Decimal mark, . or , where the file does not show it."
    ),
]
Currency = Annotated[
    str, typer.Option("--currency", metavar="CODE", help="The company's currency (invoices).")
]
Rate = Annotated[
    list[str] | None,
    typer.Option(
        "--rate",
        metavar="CURRENCY=RATE",
        help="What one unit is in the company's currency (invoices). May be repeated.",
    ),
]


def import_(
    kind: Kind,
    file: File,
    out: Out = None,
    time_zone: TimeZone = None,
    decimal: Decimal = None,
    currency: Currency = "USD",
    rate: Rate = None,
    as_json: Json = False,
) -> None:
    """Read a usage log, invoices or benchmark rows.

    Into a clean table; what is refused is listed with its line, and every key is hashed.

    Examples:
        # what OpenAI's usage export says, by tenant and hour
        tokenergy import openai usage.csv --out usage.parquet
        # invoices in two currencies
        tokenergy import invoices invoices.csv --currency USD --rate EUR=1.08
    """
    from tokenergy.api.importing import import_file
    from tokenergy.cli.progress import progress

    one_of(kind, KINDS, "kind of file")
    with progress() as told:
        told(f"reading {file.name}", 0, 1)
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

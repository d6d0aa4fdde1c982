"""`fetch`: a live series into a Parquet file that a company file names."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer

from tokenergy.cli.completing import one
from tokenergy.cli.given import moment, one_of
from tokenergy.cli.options import Json
from tokenergy.cli.told import print_json
from tokenergy.errors import InputError

if TYPE_CHECKING:
    from tokenergy.api.fetching import Fetched
    from tokenergy.feeds.series import FeedQuantity
    from tokenergy.feeds.table_url import TableMapping

FEEDS: Final = (
    "energy-charts", "entsoe", "gridstatus", "aemo", "open-meteo", "electricity-maps", "table",
)  # fmt: skip
QUANTITIES: Final = (
    "day_ahead_price", "real_time_price", "carbon", "temperature", "wind", "solar", "load",
)  # fmt: skip
Feed = Annotated[
    str,
    typer.Argument(
        metavar="FEED",
        autocompletion=one(*FEEDS),
        help=f"{', '.join(FEEDS[:-1])} or {FEEDS[-1]}. "
        "Keys come from the environment: ENTSOE_API_KEY, GRIDSTATUS_API_KEY, "
        "ELECTRICITYMAPS_API_KEY.",
    ),
]
Zone = Annotated[
    str,
    typer.Option(
        "--zone", metavar="ZONE", help="The zone in the feed's words, e.g. DE-LU, ercot/HB_WEST."
    ),
]
Begin = Annotated[
    str, typer.Option("--from", metavar="TIME", help="First moment, e.g. 2026-03-01 (UTC).")
]
Until = Annotated[
    str, typer.Option("--to", metavar="TIME", help="First moment after the span, e.g. 2026-03-08.")
]
Quantity = Annotated[
    str | None,
    typer.Option(
        "--quantity",
        metavar="QUANTITY",
        autocompletion=one(*QUANTITIES),
        help=f"{', '.join(QUANTITIES[:-1])} or {QUANTITIES[-1]}. "
        "Default: what the feed is mostly asked for.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="FILE", help="Parquet file, extended if there. Default: by feed and zone."
    ),
]
BaseUrl = Annotated[
    str | None,
    typer.Option("--base-url", metavar="URL", help="Another address than the real service's."),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        "--cache", metavar="FOLDER", help="Folder of answers, to ask less and outlast faults."
    ),
]
Hourly = Annotated[
    bool, typer.Option("--hourly", help="Write the mean of each hour in place of finer steps.")
]
Url = Annotated[
    str | None,
    typer.Option(
        "--url", metavar="URL", help="table: address; {zone}, {start}, {end} are filled in."
    ),
]
Time = Annotated[
    str | None,
    typer.Option("--time", metavar="COLUMN", help="table: column of the stamps, or path in JSON."),
]
Value = Annotated[
    str | None,
    typer.Option("--value", metavar="COLUMN", help="table: column of the values, or path in JSON."),
]
Unit = Annotated[
    str | None, typer.Option("--unit", metavar="UNIT", help="table: unit, e.g. EUR/MWh.")
]
UnitAt = Annotated[
    str | None,
    typer.Option("--unit-at", metavar="PATH", help="table: where the answer says its own unit."),
]
Rows = Annotated[
    str, typer.Option("--rows", metavar="PATH", help="table: path of the list of rows in JSON.")
]
TimeZone = Annotated[
    str | None,
    typer.Option("--time-zone", metavar="ZONE", help="table: IANA zone of stamps that carry none."),
]
Stamp = Annotated[
    str,
    typer.Option("--stamp", metavar="start|end", help="table: a stamp is the start or the end."),
]
TimeFormat = Annotated[
    str | None,
    typer.Option("--time-format", metavar="PATTERN", help="table: pattern, e.g. '%d.%m.%Y %H:%M'."),
]
StepMin = Annotated[
    int | None,
    typer.Option("--step-min", metavar="MINUTES", min=1, help="table: minutes of an interval."),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        "--delimiter", metavar="MARK", help="table: between cells; default ; tab or comma."
    ),
]
Decimal = Annotated[
    str, typer.Option("--decimal", metavar="MARK", help="table: decimal mark, . or a comma.")
]
Published = Annotated[
    str | None,
    typer.Option(
        "--published", metavar="COLUMN", help="table: column or path of the publication time."
    ),
]


def fetch(
    feed: Feed,
    begin: Begin,
    until: Until,
    zone: Zone = "",
    quantity: Quantity = None,
    out: Out = None,
    base_url: BaseUrl = None,
    cache: Cache = None,
    hourly: Hourly = False,
    as_json: Json = False,
    url: Url = None,
    time: Time = None,
    value: Value = None,
    unit: Unit = None,
    unit_at: UnitAt = None,
    rows: Rows = "",
    time_zone: TimeZone = None,
    stamp: Stamp = "start",
    time_format: TimeFormat = None,
    step_min: StepMin = None,
    delimiter: Delimiter = None,
    decimal: Decimal = ".",
    published: Published = None,
) -> None:
    """Fetch prices, weather or carbon into a Parquet file.

    A company file names it; what is there already is extended.

    Examples:
        # a week of day-ahead prices of Germany
        tokenergy fetch energy-charts --zone DE-LU --from 2026-03-01 --to 2026-03-08
        # the same of New South Wales, in another currency
        tokenergy fetch aemo --zone NSW1 --from 2026-03-01 --to 2026-03-08
    """
    from tokenergy.api.fetching import fetch as run
    from tokenergy.cli.progress import progress

    one_of(feed, FEEDS, "feed")
    start, end = moment(_with_zone(begin)), moment(_with_zone(until))
    assert start is not None and end is not None
    mapping = None
    if feed == "table" or any(given is not None for given in (url, time, value, unit)):
        mapping = _mapping(
            {"url": url, "time": time, "value": value, "unit": unit},
            {"stamp": stamp, "decimal": decimal},
            unit_at=unit_at, rows=rows, time_zone=time_zone, time_format=time_format,
            step_min=step_min, delimiter=delimiter, published=published,
        )  # fmt: skip
    with progress() as told:
        told(f"asking {feed}", 0, 1)
        fetched = run(
            feed, zone, start, end, quantity=cast("FeedQuantity | None", quantity),
            out=out or Path(_file_name(feed, zone, quantity)), base_url=base_url, mapping=mapping,
            hourly=hourly, cache=cache,
        )  # fmt: skip
    _show(fetched, as_json=as_json)


def _show(fetched: "Fetched", *, as_json: bool) -> None:
    if as_json:
        print_json(fetched.to_dict())
        return
    typer.echo("\n".join(fetched.lines()))
    for finding in fetched.findings:
        typer.echo(str(finding), err=True)


def _mapping(
    needed: Mapping[str, str | None], chosen: Mapping[str, str], **more: Any
) -> "TableMapping":
    """Return the mapping of the feed `table`; all that is wrong is told at once."""
    from tokenergy.feeds.table_url import TableMapping

    missing = [f"--{name}" for name, given in needed.items() if not given]
    wrong = [f"{', '.join(missing)} must be stated for the feed table"] if missing else []
    for name, words in (("stamp", ("start", "end")), ("decimal", (".", ","))):
        if chosen[name] not in words:
            wrong.append(f"--{name} {chosen[name]!r} is neither {words[0]!r} nor {words[1]!r}")
    if wrong:
        raise InputError("; ".join(wrong))
    if more["delimiter"] in ("\\t", "tab"):
        more["delimiter"] = "\t"
    return TableMapping(**needed, **chosen, **more)  # type: ignore[arg-type]


def _with_zone(text: str) -> str:
    """Read a bare day as its first moment in UTC; a time of day must name its zone."""
    return f"{text}T00:00Z" if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else text


def _file_name(feed: str, zone: str, quantity: str | None) -> str:
    parts = [feed, zone, quantity or ""]
    return re.sub(r"[^A-Za-z0-9._-]+", "_", "-".join(part for part in parts if part)) + ".parquet"

"""The zones of the synthetic feed: their parameters, read from the package's own table."""

import csv
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, TypeVar

from tokenergy.errors import UnexpectedError
from tokenergy.synthetic.climate import ZoneClimate
from tokenergy.synthetic.prices import PriceClimate
from tokenergy.synthetic.weather import WeatherClimate

TABLE = "synthetic_zones.csv"
Row = Mapping[str, str]
Part = TypeVar("Part", WeatherClimate, PriceClimate)

_TRUTH = {"true": True, "false": False}


@cache
def load_zones() -> Mapping[str, ZoneClimate]:
    """Return the shipped zones by name, in the order of the table; read once per process."""
    text = (files("tokenergy") / "catalogue" / TABLE).read_text(encoding="utf-8")
    zones = [_zone(row) for row in csv.DictReader(text.splitlines())]
    return MappingProxyType({zone.name: zone for zone in zones})


def _zone(row: Row) -> ZoneClimate:
    if row["source_kind"] != "synthetic":
        raise UnexpectedError(f"{TABLE}: zone {row['name']!r} is not marked synthetic")
    return ZoneClimate(
        name=row["name"],
        market=row["market"],
        currency=row["currency"],
        day_ahead=_TRUTH[row["day_ahead"]],
        latitude_deg=float(row["latitude_deg"]),
        longitude_deg=float(row["longitude_deg"]),
        utc_offset_h=float(row["utc_offset_h"]),
        weather=_part(row, WeatherClimate),
        prices=_part(row, PriceClimate),
        source=row["source"],
        retrieved_on=row["retrieved_on"],
    )


def _part(row: Row, kind: type[Part]) -> Part:
    """Fill one part of a zone from the columns named after its fields: days are whole."""
    values: dict[str, Any] = {
        column.name: (int if column.name.endswith("_day") else float)(row[column.name])
        for column in fields(kind)
    }
    return kind(**values)

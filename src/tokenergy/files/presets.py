"""Published figures and the ranges of inputs that ship with the package, as values.

Both are dated and sourced. Nothing here is a default: `company/preset.select` loads a figure by
its name only.
"""

import csv
import math
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final, get_args

from tokenergy.company.preset import Preset, Range, Status
from tokenergy.errors import UnexpectedError

STATUSES: Final = frozenset(get_args(Status))


@cache
def load_presets() -> tuple[Preset, ...]:
    """Return every published figure that ships, in the order of the file; read once.

    Raises:
        UnexpectedError: if the shipped file is wrong: a fault of ours.
    """
    rows = _rows("presets")
    _once("presets.csv", [f"{row['preset']}.{row['fact']}" for row in rows])
    return tuple(
        Preset(
            preset=row["preset"],
            fact=row["fact"],
            quantity=_number(row["quantity"]),
            unit=row["unit"],
            as_of=date.fromisoformat(row["as_of"]),
            source=row["source"],
            status=_status(row["status"]),
            note=row["note"],
        )
        for row in rows
    )


@cache
def load_ranges() -> Mapping[str, Range]:
    """Return the range of every drawn input, by name; read once.

    Raises:
        UnexpectedError: if the shipped file is wrong: a fault of ours.
    """
    rows = _rows("ranges")
    _once("ranges.csv", [row["name"] for row in rows])
    return MappingProxyType({row["name"]: _range(row) for row in rows})


def _range(row: Mapping[str, str]) -> Range:
    low, base, high = (_number(row[end]) for end in ("low", "base", "high"))
    if not low <= base <= high:
        raise UnexpectedError(f"ranges.csv: {row['name']}: {low:g}, {base:g}, {high:g} must rise")
    return Range(
        name=row["name"],
        low_quantity=low,
        base_quantity=base,
        high_quantity=high,
        unit=row["unit"],
        source=row["source"],
        status=_status(row["status"]),
    )


def _rows(table: str) -> list[dict[str, str]]:
    text = (files("tokenergy") / "catalogue" / f"{table}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines(), strict=True))


def _once(table: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UnexpectedError(f"{table}: {', '.join(twice)} stands twice")


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise UnexpectedError(f"{text!r} is no finite number")
    return number


def _status(text: str) -> Status:
    if text not in STATUSES:
        raise UnexpectedError(f"{text!r} is no status: {', '.join(sorted(STATUSES))}")
    status: Status = text  # type: ignore[assignment]
    return status

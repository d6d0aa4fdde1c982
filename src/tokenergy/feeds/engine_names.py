"""What each engine calls its counters, by version: a table, and the row that fits an answer."""

import csv
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final, Literal, NoReturn, get_args

from tokenergy.company.noun import nearest_names
from tokenergy.company.refusal import refuse
from tokenergy.errors import UnexpectedError

Quantity = Literal[
    "prompt_tokens",
    "uncached_prompt_tokens",
    "cached_tokens",
    "output_tokens",
    "requests",
    "running",
    "waiting",
]
Kind = Literal["counter", "gauge"]

STARTED: Final = "process_start_time_seconds"
"""What Prometheus' own client libraries say of their process; llama.cpp does not."""
_TRUTH: Final = {"true": True, "false": False}
_SHOWN: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class NameRow:
    """One line of the table: what one version of an engine calls one quantity.

    Attributes:
        needed: whether the version is known by this name: it is not that version without it.
        model_label: the label that carries the model's name; "" where none does.
        copy_labels: labels over which series are copies of one figure, not parts of a sum.
        void_if_help: a word in the HELP line under which the figure is not what we ask for.
        note: what to know of the figure.
    """

    engine: str
    version: str
    quantity: Quantity
    name: str
    kind: Kind
    needed: bool
    model_label: str
    copy_labels: tuple[str, ...]
    void_if_help: str
    note: str
    source: str
    retrieved_on: date

    @property
    def spellings(self) -> tuple[str, ...]:
        """The name, without `_total`, and both with `_` for `:` as collectors rewrite it."""
        names = dict.fromkeys((self.name, self.name.removesuffix("_total")))
        return (*names, *(name.replace(":", "_") for name in names))


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineVersion:
    """The version whose needed names an answer has, and what each quantity is called there.

    Attributes:
        names: the row and the spelling for each quantity that the answer has.
    """

    engine: str
    version: str
    names: tuple[tuple[NameRow, str], ...]


@cache
def load_names() -> tuple[NameRow, ...]:
    """Return the table that ships with the package: newest version of each engine first.

    Raises:
        UnexpectedError: if the shipped file is wrong: a fault of ours.
    """
    text = (files("tokenergy") / "catalogue" / "engine_metrics.csv").read_text(encoding="utf-8")
    rows = tuple(_row(row) for row in csv.DictReader(text.splitlines(), strict=True))
    keys = [(row.engine, row.version, row.quantity) for row in rows]
    if len(set(keys)) != len(keys):
        raise UnexpectedError("engine_metrics.csv: a quantity of one version stands twice")
    return rows


@cache
def versions() -> Mapping[tuple[str, str], tuple[NameRow, ...]]:
    """Return the rows by engine and version, in the order of the table."""
    grouped: dict[tuple[str, str], list[NameRow]] = {}
    for row in load_names():
        grouped.setdefault((row.engine, row.version), []).append(row)
    return MappingProxyType({key: tuple(rows) for key, rows in grouped.items()})


@cache
def wanted_of(engine: str) -> frozenset[str]:
    """Return every spelling of an engine's names; of all engines for ""."""
    rows = (row for row in load_names() if engine in ("", row.engine))
    return frozenset(name for row in rows for name in row.spellings) | {STARTED}


def recognise(
    seen: Collection[str],
    *,
    path: str,
    others: Callable[[], tuple[str, ...]] = tuple,
    advice: str = "",
) -> EngineVersion:
    """Return the version that fits the names of an answer.

    Args:
        seen: names that it has, with a value or only declared.
        path: the address, for errors.
        others: tells every name on the page; asked only for an error.
        advice: what to do where the way of asking suggests more than the general remedy.

    Raises:
        FindingsError: ENGINE_NAMES_UNKNOWN, with what was looked for and what is there.
    """
    for (engine, version), rows in versions().items():
        named = tuple((row, spelt) for row in rows if (spelt := _spelt(row, seen)) is not None)
        has = {row.quantity for row, _ in named}
        if all(row.quantity in has for row in rows if row.needed):
            return EngineVersion(engine=engine, version=version, names=named)
    _refuse_unknown(seen, path, others(), advice)


def _spelt(row: NameRow, seen: Collection[str]) -> str | None:
    return next((name for name in row.spellings if name in seen), None)


def _refuse_unknown(
    seen: Collection[str], path: str, others: tuple[str, ...], advice: str
) -> NoReturn:
    lacking = []
    begun = {row.engine for row in load_names() if _spelt(row, seen) is not None}
    for (engine, version), rows in versions().items():
        if begun and engine not in begun:
            continue
        missing = [row.name for row in rows if row.needed and _spelt(row, seen) is None]
        lacking.append(f"{engine} {version}: {', '.join(missing)}")
    wanted = [row.name for row in load_names() if row.needed and _spelt(row, seen) is None]
    near = dict.fromkeys(
        hit for name in dict.fromkeys(wanted) for hit in nearest_names(name, others, count=1)
    )
    has = ", ".join([*near][:_SHOWN]) or ", ".join(others[:_SHOWN]) or "none at all"
    refuse(
        "ENGINE_NAMES_UNKNOWN",
        path=path,
        value=has,
        reason="no engine that we know counts under these names; missing of "
        + "; of ".join(lacking),
        remedy=advice
        or "Check that the address is the engine's own /metrics. A fresh engine prints some "
        "counters only after its first request: send one. If the engine has new names, add a "
        "version to catalogue/engine_metrics.csv",
    )


def _row(row: dict[str, str]) -> NameRow:
    if row["quantity"] not in get_args(Quantity) or row["kind"] not in get_args(Kind):
        raise UnexpectedError(f"engine_metrics.csv: {row['quantity']!r} {row['kind']!r} is unknown")
    return NameRow(
        engine=row["engine"],
        version=row["version"],
        quantity=row["quantity"],  # type: ignore[arg-type]
        name=row["name"],
        kind=row["kind"],  # type: ignore[arg-type]
        needed=_TRUTH[row["needed"]],
        model_label=row["model_label"],
        copy_labels=tuple(row["copy_labels"].split()),
        void_if_help=row["void_if_help"],
        note=row["note"],
        source=row["source"],
        retrieved_on=date.fromisoformat(row["retrieved_on"]),
    )

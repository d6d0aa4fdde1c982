"""Our own conformance check: a written FOCUS file, held to the table of columns and to sums.

It reads what stands in the file and shares nothing with the code that made the rows, so a fault
there is found here. Every rule has a name; a failure names it, the row and the cell.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tokenergy.files.focus_columns import (
    FocusColumn,
    FocusDataset,
    FocusVersion,
    focus_columns,
)
from tokenergy.files.focus_read import read_focus
from tokenergy.files.focus_rules import ROW_RULES, TOLERANCE, Cells, cell_fault, equal
from tokenergy.files.focus_write import FocusFormat

_SUMMED: Final = {
    "BilledCost", "EffectiveCost", "ChargePeriodStart", "ChargePeriodEnd", "x_CostBasis",
}  # fmt: skip
NAMED_COUNT: Final = 5
"""Failures of one rule that are named; the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One broken rule: its name, the first cells that break it, and how many do."""

    rule: str
    where: str
    reason: str
    count: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Return the failure as a JSON-ready mapping."""
        return {
            "rule": self.rule, "where": self.where, "reason": self.reason, "count": self.count,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformance:
    """What the check found in one file."""

    rows_count: int
    rules: tuple[str, ...]
    failures: tuple[Failure, ...]

    @property
    def passed(self) -> bool:
        """Whether no rule is broken."""
        return not self.failures

    def to_dict(self) -> dict[str, Any]:
        """Return the result as a JSON-ready mapping."""
        return {
            "passed": self.passed,
            "rows_count": self.rows_count,
            "rules_count": len(self.rules),
            "failures": [failure.to_dict() for failure in self.failures],
        }


def check_focus(
    path: Path,
    format: FocusFormat,
    *,
    version: FocusVersion,
    dataset: FocusDataset = "cost_and_usage",
    settled_usd: float | None = None,
) -> Conformance:
    """Return every rule that a file breaks.

    Args:
        settled_usd: what the ledger's settlements sum to; None: not held against it.

    Raises:
        InputError: if the file cannot be read at all.
    """
    columns = focus_columns(version, dataset)
    names, rows = read_focus(path, format)
    check = _Check(columns, names)
    check.header(dataset == "cost_and_usage")
    for number, record in enumerate(rows, start=2 if format == "csv" else 1):
        check.row(number, dict(zip(names, record, strict=False)), len(record))
    if dataset == "cost_and_usage":
        check.sums(settled_usd)
    return Conformance(rows_count=check.rows_count, rules=RULES, failures=check.failures())


class _Check:
    """Counts failures by rule while rows go by; holds sums, never rows."""

    def __init__(self, columns: Sequence[FocusColumn], names: Sequence[str]) -> None:
        self._columns = [column for column in columns if column.name in names]
        self._wanted, self._names = columns, names
        self._numbers = [c.name for c in self._columns if c.type == "Decimal"]
        self._found: dict[str, list[tuple[str, str]]] = {}
        self._counts: dict[str, int] = defaultdict(int)
        self._bills: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._shares: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._settled: list[float] = []
        self._shared = False
        self._summable = True
        self.rows_count = 0

    def fail(self, rule: str, where: str, reason: str) -> None:
        """Note one failure."""
        self._counts[rule] += 1
        if self._counts[rule] <= NAMED_COUNT:
            self._found.setdefault(rule, []).append((where, reason))

    def failures(self) -> tuple[Failure, ...]:
        """Return the failures by rule, in the order of the rules."""
        return tuple(
            Failure(
                rule=rule,
                where=", ".join(dict.fromkeys(where for where, _ in self._found[rule])),
                reason=self._found[rule][0][1],
                count=self._counts[rule],
            )
            for rule in RULES
            if rule in self._found
        )

    def header(self, ordered: bool) -> None:
        """Hold the names of the columns to the table."""
        for column in self._wanted:
            if column.name not in self._names:
                self.fail("column_present", column.name, f"there is no column {column.name}")
        known = {column.name for column in self._wanted}
        for name in self._names:
            if name not in known and not name.startswith("x_"):
                self.fail("column_known", name, f"{name} is no column of this version")
        custom = [name.startswith("x_") for name in self._names]
        if custom != sorted(custom):
            self.fail("custom_last", "header", "x_ columns stand before columns of FOCUS")
        if len(set(self._names)) != len(self._names):
            self.fail("column_once", "header", "a column stands twice")

    def row(self, number: int, cells: dict[str, Any], width: int) -> None:
        """Hold one row to the rules; a cell that breaks its type is left out of sums."""
        self.rows_count += 1
        if width != len(self._names):
            self.fail("row_width", f"row {number}", f"{width} cells for {len(self._names)} names")
            self._summable = False
            return
        sound = True
        for column in self._columns:
            broken = cell_fault(column, cells[column.name])
            if broken is not None:
                self.fail(broken[0], f"row {number}, {column.name}", broken[1])
                sound = False
        if not sound:
            self._summable = False
            return
        for name in self._numbers:
            if cells[name] is not None:
                cells[name] = float(cells[name])
        for rule, told in ROW_RULES.items():
            reason = told(cells)
            if reason is not None:
                self.fail(rule, f"row {number}", reason)
        self._add(cells)

    def _add(self, cells: Cells) -> None:
        """Keep what the sums need: bills and shares by region and hour."""
        if not cells.keys() >= _SUMMED:
            return
        start = str(cells["ChargePeriodStart"])
        hour = f"{start[:13]}/{cells['ChargePeriodEnd']}" if _long(cells) else start[:13]
        key = (str(cells.get("RegionId")), hour)
        if cells["x_CostBasis"] == "invoice":
            self._bills[key].append(cells["BilledCost"])
            if cells.get("ResourceType") == "Power contract":
                self._settled.append(cells["BilledCost"])
        elif cells["x_CostBasis"] == "imputed":
            self._bills[key].append(cells["EffectiveCost"])
        elif cells["x_CostBasis"] in ("usage", "allocation"):
            self._shared = True
            self._shares[key].append(cells["EffectiveCost"])

    def sums(self, settled_usd: float | None) -> None:
        """Hold the file's sums to the ledger's, and shares to the bills they share.

        A sum of which one row cannot be read says nothing: that row's own failure is told.
        """
        if not self._summable:
            return
        settled = math.fsum(self._settled)
        if settled_usd is not None and not equal(settled, settled_usd):
            self.fail(
                "energy_is_settled", "file", f"power is billed {settled}, settled {settled_usd}"
            )
        if not self._shared:
            return
        for key in sorted({*self._bills, *self._shares}):
            billed, shared = math.fsum(self._bills[key]), math.fsum(self._shares[key])
            size = max(1.0, math.fsum(map(abs, self._bills[key])))
            if abs(billed - shared) > TOLERANCE * size:
                reason = f"bills of {billed} are shared out as {shared}"
                self.fail("shares_sum_to_bills", " ".join(key), reason)


def _long(cells: Cells) -> bool:
    """Tell whether a charge is longer than the hour that it begins in."""
    start = datetime.fromisoformat(cells["ChargePeriodStart"])
    end = datetime.fromisoformat(cells["ChargePeriodEnd"])
    return (end - start).total_seconds() + 60.0 * start.minute + start.second > 3600.0


_FILE_RULES: Final = (
    "column_present", "column_known", "column_once", "custom_last", "row_width", "not_null",
    "decimal", "utc_stamp", "json_object", "string", "not_blank", "allowed_value",
)  # fmt: skip
_SUM_RULES: Final = ("energy_is_settled", "shares_sum_to_bills")
RULES: Final = (*_FILE_RULES, *ROW_RULES, *_SUM_RULES)
"""Names of all rules."""

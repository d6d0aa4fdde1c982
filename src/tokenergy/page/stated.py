"""What every chart states beside its numbers: unit, period, basis, synthetic or real."""

from dataclasses import dataclass, replace
from typing import Any

from tokenergy.company.basis import state_basis
from tokenergy.page.data import ReportData
from tokenergy.page.rows import moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """The currency, the period and the origin of a chart's numbers."""

    currency: str
    period: str
    synthetic: bool

    def subtitle(self, unit: str, basis: str) -> str:
        """Return the line under a chart's title.

        Raises:
            UnexpectedError: if the unit is money per Mtok and the basis names no cost: ours.
        """
        origin = "includes synthetic series" if self.synthetic else "real series"
        return f"{unit} · {self.period} · {state_basis(unit, basis)} · {origin}"

    def over(self, rows: Any, *, last: str | None = None) -> "Stated":
        """Return the same for the period from the first row's start to the last row's end."""
        starts = [row["start"] for row in rows]
        if not starts:
            return replace(self, period="no interval")
        return replace(self, period=span(min(starts), last or max(row["end"] for row in rows)))


def stated(data: ReportData) -> Stated:
    """Return what the charts of a report state, over its horizon."""
    horizon = data.heading.get("horizon") or {}
    known = horizon.get("start") and horizon.get("end")
    return Stated(
        currency=data.currency,
        period=span(horizon["start"], horizon["end"]) if known else "period not stated",
        synthetic=bool(data.synthetic),
    )


def day(text: str) -> str:
    """Write a moment for people, e.g. `2 Mar 2026 00:00`."""
    at = moment(text)
    return f"{at.day} {at:%b %Y %H:%M}"


def span(start: str, end: str) -> str:
    """Write a period for people, in UTC, its end excluded."""
    return f"{day(start)} to {day(end)} UTC"

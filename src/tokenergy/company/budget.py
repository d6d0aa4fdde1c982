"""A budget: money or energy that the requests of a tier, or of all, may use in a window."""

from datetime import datetime, timedelta
from typing import Literal, Self
from zoneinfo import ZoneInfo

from pydantic import model_validator

from tokenergy.company.budget_unit import BudgetUnit
from tokenergy.company.noun import Name, Noun, Positive
from tokenergy.company.site import ZoneName
from tokenergy.units import J_PER_MWH

BudgetWindow = Literal["hour", "day", "week", "month"]


class Budget(Noun):
    """What requests may use in one window; it is whole again when the next one begins.

    Pacing makes it last to the end of the window; a lease makes it impossible to exceed.
    """

    name: Name
    """What ledgers, decisions and metrics call it."""
    tier: Name | None = None
    """The tier whose requests it pays for; null: all of them."""
    tenant: Name | None = None
    """The tenant whose requests it pays for (`serve`); null: everybody's."""
    usd: Positive | None = None
    """Marginal cost that a window's requests may cause, in the company's currency; exactly one of
    usd, mwh and j is stated."""
    mwh: Positive | None = None
    """Energy that a window's requests may use, at the meter."""
    j: Positive | None = None
    """The same in joules."""
    window: BudgetWindow
    """How often it is whole again; a week begins on Monday."""
    time_zone: ZoneName
    """Zone (IANA) in whose hours, days, weeks or months the windows are."""

    @property
    def unit(self) -> BudgetUnit:
        """What it is counted in: company money, or joules."""
        return "j" if self.usd is None else "usd"

    @property
    def budget_quantity(self) -> float:
        """What one window holds, in `unit`."""
        if self.usd is not None:
            return self.usd
        return self.j if self.j is not None else (self.mwh or 0.0) * J_PER_MWH

    def window_at(self, moment: datetime) -> tuple[datetime, datetime]:
        """Return the window `[start, end)` that a moment lies in, both in the moment's zone.

        A day on which clocks change has 23 or 25 hours.

        Raises:
            ValueError: if the moment has no zone.
        """
        if moment.tzinfo is None:
            raise ValueError(f"the moment {moment.isoformat()} has no time zone")
        local = moment.astimezone(ZoneInfo(self.time_zone))
        if self.window == "hour":
            past = timedelta(
                minutes=local.minute, seconds=local.second, microseconds=local.microsecond
            )
            start = moment - past
            return start, start + timedelta(hours=1)
        first = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        if self.window == "week":
            first -= timedelta(days=first.weekday())
        if self.window == "month":
            first = first.replace(day=1)
        return first.astimezone(moment.tzinfo), _next(first, self.window).astimezone(moment.tzinfo)

    @model_validator(mode="after")
    def _one_amount(self) -> Self:
        stated = sum(amount is not None for amount in (self.usd, self.mwh, self.j))
        if stated != 1:
            raise ValueError(
                f"a budget states exactly one amount, this one states {stated}: usd, mwh or j"
            )
        return self


def _next(first: datetime, window: BudgetWindow) -> datetime:
    """Return the local midnight at which the window after this one begins."""
    if window == "month":
        return first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return first + timedelta(days=7 if window == "week" else 1)

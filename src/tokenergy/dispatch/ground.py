"""What contracts are laid on as they become arrays: series, terms and calendars of their sites."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo

import numpy as np

from tokenergy.company.company import Company
from tokenergy.company.contract import Contract
from tokenergy.company.inputs import Inputs
from tokenergy.dispatch.build_contracts import in_term
from tokenergy.dispatch.local_time import LocalTime
from tokenergy.dispatch.supply import BoolArray, FloatArray
from tokenergy.dispatch.terms.periods import Periods


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ground:
    """What every contract is laid on.

    Attributes:
        company, inputs: what the file says, and the series behind it.
        total: intervals of history and horizon, T.
        takes: index of each contract whose output may be taken, by id.
        clean_mw: what other contracts deliver, by id [T].
        calendars: local time of each site's market.
    """

    company: Company
    inputs: Inputs
    total: int
    takes: Mapping[str, int]
    clean_mw: Mapping[str, FloatArray]
    calendars: tuple[LocalTime, ...]

    def site(self, contract: Contract) -> int:
        """Return the index of a contract's site."""
        return [site.name for site in self.company.sites].index(contract.site)

    def zone(self, contract: Contract) -> tzinfo:
        """Return the market's own time zone."""
        return self.company.sites[self.site(contract)].market.tz

    def inside(self, contract: Contract) -> BoolArray:
        """Return whether each interval lies in a contract's term [T]."""
        return in_term(contract.start, contract.end, self.inputs, self.total, self.zone(contract))

    def series(self, contract: Contract, field: str) -> FloatArray:
        """Return one of a contract's own series [T]."""
        return self.inputs.series[f"{contract.id}.{field}"][: self.total]

    def months(self, contract: Contract) -> Periods:
        """Return the calendar months of a contract's term."""
        local, inside = self.calendars[self.site(contract)], self.inside(contract)
        labels = [local.month_names[month] for month in local.month.tolist()]
        return Periods.of_labels(
            [n if own else None for n, own in zip(labels, inside, strict=True)]
        )

    def years(self, contract: Contract) -> Periods:
        """Return the calendar years of a contract's term."""
        months = self.months(contract)
        names = [None if at < 0 else months.names[at][:4] for at in months.index.tolist()]
        return Periods.of_labels(names)

    def first_of_month(self, contract: Contract) -> list[int]:
        """Return the interval of the horizon in which each month of a term is first touched."""
        index, first = self.months(contract).index, self.inputs.history_count
        fresh = np.diff(index[first:], prepend=-1) > 0
        return [first + int(at) for at in fresh.nonzero()[0]]

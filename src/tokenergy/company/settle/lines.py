"""The lines of a bill, and what gathers them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from tokenergy.company.contract_state import ContractState


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementLine:
    """One line of a bill: `amount_usd = quantity x rate_usd`, the rate per `unit`."""

    contract_id: str
    component: str
    start: datetime
    end: datetime
    quantity: float
    unit: str
    rate_usd: float
    amount_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What one contract or tariff charges: its lines, and nothing beside them.

    Attributes:
        contract_id: the contract's or the tariff's id.
        lines: of the intervals that were settled; what belongs to a month stands in one line.
        state: what a contract leaves to the next interval.
        states: what each item of a tariff leaves, by its key (`initial_states`).
    """

    contract_id: str
    lines: tuple[SettlementLine, ...]
    state: ContractState = field(default_factory=ContractState)
    states: Mapping[str, ContractState] = field(default_factory=dict)

    @property
    def amount_usd(self) -> float:
        """The sum of the lines."""
        return math.fsum(line.amount_usd for line in self.lines)


class Charge(NamedTuple):
    """What one interval adds to a bill.

    Attributes:
        component: which line it belongs to.
        quantity: how much, in `unit`; below 0 where an earlier interval was charged too much.
        unit: of the quantity.
        rate_usd: what one unit costs.
        period: charges of one component, period and rate are one line; "": a line of its own.
    """

    component: str
    quantity: float
    unit: str
    rate_usd: float
    period: str = ""

    @property
    def amount_usd(self) -> float:
        """What it costs."""
        return self.quantity * self.rate_usd


class _Gathered:
    """Charges of one line: their span, and their quantities."""

    __slots__ = ("charge", "end", "quantities", "start")

    def __init__(self, charge: Charge, start: datetime, end: datetime) -> None:
        self.charge, self.start, self.end = charge, start, end
        self.quantities = [charge.quantity]


class Bill:
    """Gathers the charges of one contract into lines, in the order in which they began."""

    def __init__(self, contract_id: str) -> None:
        """Begin an empty bill."""
        self._contract_id = contract_id
        self._gathered: dict[tuple[str, str, float], _Gathered] = {}

    def add(self, start: datetime, end: datetime, charge: Charge) -> None:
        """Add what `[start, end)` is charged."""
        period = charge.period or f"{start:%Y-%m-%dT%H:%M:%S.%fZ}"
        key = (charge.component, period, charge.rate_usd)
        if (known := self._gathered.get(key)) is None:
            self._gathered[key] = _Gathered(charge, start, end)
        else:
            known.end = end
            known.quantities.append(charge.quantity)

    def lines(self) -> tuple[SettlementLine, ...]:
        """Return the lines; those of nothing are left out."""
        return tuple(
            SettlementLine(
                contract_id=self._contract_id,
                component=each.charge.component,
                start=each.start,
                end=each.end,
                quantity=quantity,
                unit=each.charge.unit,
                rate_usd=each.charge.rate_usd,
                amount_usd=quantity * each.charge.rate_usd,
            )
            for each in self._gathered.values()
            if (quantity := math.fsum(each.quantities))
        )

"""The bill: what a contract charges for a series of metered intervals.

Written from the contract's own words and raw series, with loops, and sharing nothing with the
program that decides: that both arrive at one amount is the test of each. An amount above 0 is
paid by the company, one below 0 is received.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from tokenergy.company.contract import Block, Contract, PpaAsProduced, Spot
from tokenergy.errors import InfeasiblePower, InputError

METER_TOLERANCE_SHARE = 1e-6
"""How far a metered quantity may lie outside what the contract allows before it is an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSeries:
    """What a contract is settled on: one value per interval, of its own site or of itself.

    Attributes:
        start: first moment, in UTC.
        step_h: length of an interval.
        time_zone: of the market: hours and weekdays of a block are counted in it.
        spot_usd_per_mwh: price of the site's market zone.
        bought_mwh, sold_mwh: the site's residual (spot only).
        taken_mwh: what was taken of the project's output (as-produced only).
        profile_share: the project's output over its nameplate (as-produced only).
    """

    start: datetime
    step_h: float
    time_zone: tzinfo
    spot_usd_per_mwh: Sequence[float]
    bought_mwh: Sequence[float] | None = None
    sold_mwh: Sequence[float] | None = None
    taken_mwh: Sequence[float] | None = None
    profile_share: Sequence[float] | None = None

    @property
    def intervals_count(self) -> int:
        """Number of intervals."""
        return len(self.spot_usd_per_mwh)

    def bounds(self) -> Iterator[tuple[datetime, datetime]]:
        """Yield start and end of each interval."""
        step = timedelta(hours=self.step_h)
        for at in range(self.intervals_count):
            yield self.start + at * step, self.start + (at + 1) * step

    def needed(self, name: str, contract_id: str) -> Sequence[float]:
        """Return the series of that name.

        Raises:
            InputError: if it was not given, or has another length than the prices.
        """
        values: Sequence[float] | None = getattr(self, name)
        if values is None:
            raise InputError(f"contract {contract_id!r} cannot be settled without {name}")
        if len(values) != self.intervals_count:
            raise InputError(
                f"contract {contract_id!r}: {name} has {len(values)} intervals, "
                f"the prices have {self.intervals_count}"
            )
        return values


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
    """What one contract charges: its lines, and nothing beside them."""

    contract_id: str
    lines: tuple[SettlementLine, ...]

    @property
    def amount_usd(self) -> float:
        """The sum of the lines."""
        return math.fsum(line.amount_usd for line in self.lines)


def settle(contract: Contract, series: MeterSeries) -> Settlement:
    """Return the bill of one contract over the intervals of `series`.

    Lines of nothing are left out. Terms begin and end at midnight UTC of their dates, as the
    program has it; an interval belongs to the day and hour that it starts in.

    Raises:
        InputError: if a series that the contract is settled on is missing or of another length.
        InfeasiblePower: if more (or, without the right to curtail, less) was taken than made.
    """
    match contract:
        case Spot():
            lines = tuple(_spot_lines(contract, series))
        case Block():
            lines = tuple(_block_lines(contract, series))
        case PpaAsProduced():
            lines = tuple(_as_produced_lines(contract, series))
    return Settlement(contract_id=contract.id, lines=lines)


def _spot_lines(spot: Spot, series: MeterSeries) -> Iterator[SettlementLine]:
    """Bill (1 + loss)(N + adder) on what was bought, pay N - spread for what was sold."""
    bought_mwh = series.needed("bought_mwh", spot.id)
    sold_mwh = series.needed("sold_mwh", spot.id)
    for at, span in enumerate(series.bounds()):
        node_usd_per_mwh = series.spot_usd_per_mwh[at]
        if bought_mwh[at]:
            rate = (1.0 + spot.loss_share) * (node_usd_per_mwh + spot.adder_usd_per_mwh)
            yield _line(spot.id, "purchase", span, bought_mwh[at], rate)
        if sold_mwh[at]:
            rate = node_usd_per_mwh - spot.resale_spread_usd_per_mwh
            yield _line(spot.id, "resale", span, sold_mwh[at], -rate)


def _block_lines(block: Block, series: MeterSeries) -> Iterator[SettlementLine]:
    """Bill the strike on the block's power in each of its hours, used or not."""
    years = _ContractYears(block.start)
    for span in series.bounds():
        if not (_in_term(block, span[0]) and _in_block_hours(block, span[0], series.time_zone)):
            continue
        growth = (1.0 + block.escalator_share_per_year) ** years.full_by(span[0].date())
        mwh = block.contract_mw * series.step_h
        yield _line(block.id, "delivery", span, mwh, block.strike_usd_per_mwh * growth)


def _as_produced_lines(ppa: PpaAsProduced, series: MeterSeries) -> Iterator[SettlementLine]:
    """Bill what was taken, and what was not taken where the contract has it paid anyway."""
    taken_mwh = series.needed("taken_mwh", ppa.id)
    profile_share = series.needed("profile_share", ppa.id)
    years = _ContractYears(ppa.start)
    for at, span in enumerate(series.bounds()):
        made_mwh = 0.0
        if _in_term(ppa, span[0]):
            made_mwh = ppa.share * ppa.project_mw * profile_share[at] * series.step_h
        below_zero = series.spot_usd_per_mwh[at] < 0.0
        stopped = below_zero and ppa.negative_price_clause != "none"
        running_mwh = 0.0 if stopped else made_mwh
        _may_take(ppa, taken_mwh[at], running_mwh, span[0])
        growth = (1.0 + ppa.escalator_share_per_year) ** years.full_by(span[0].date())
        rate = ppa.strike_usd_per_mwh * growth
        if taken_mwh[at] and running_mwh:
            yield _line(ppa.id, "delivery", span, taken_mwh[at], rate)
        unused_mwh = max(0.0, made_mwh - (0.0 if stopped else taken_mwh[at]))
        paid_anyway = ppa.negative_price_clause == "pay" if stopped else ppa.deemed_generation
        if paid_anyway and unused_mwh:
            yield _line(ppa.id, "deemed_generation", span, unused_mwh, rate)


def _may_take(ppa: PpaAsProduced, taken_mwh: float, running_mwh: float, moment: datetime) -> None:
    slack_mwh = METER_TOLERANCE_SHARE * max(1.0, running_mwh)
    when = f"contract {ppa.id!r} at {moment:%Y-%m-%dT%H:%MZ}: {taken_mwh:.6g} MWh taken"
    if not -slack_mwh <= taken_mwh <= running_mwh + slack_mwh:
        raise InfeasiblePower(f"{when}, its project delivers {running_mwh:.6g} MWh")
    if not ppa.may_curtail and taken_mwh < running_mwh - slack_mwh:
        raise InfeasiblePower(
            f"{when} of {running_mwh:.6g} MWh made: the contract gives no right to curtail"
        )


def _in_term(contract: Block | PpaAsProduced, moment: datetime) -> bool:
    """Tell whether an interval that starts then is delivered: `[start, end)` in dates of UTC."""
    day = moment.date()
    if contract.start is not None and day < contract.start:
        return False
    return contract.end is None or day < contract.end


def _in_block_hours(block: Block, moment: datetime, zone: tzinfo) -> bool:
    """Tell whether the market's own clock and calendar are within the block's hours."""
    local = moment.astimezone(zone)
    if block.weekdays_only and local.isoweekday() in (6, 7):
        return False
    return local.hour in range(block.from_hour, block.to_hour)


class _ContractYears:
    """Counts full contract years along rising dates; a contract without a start has none."""

    def __init__(self, start: date | None) -> None:
        self._start = start
        self._years = 0

    def full_by(self, day: date) -> int:
        """Return the full years by that day: each ends on an anniversary of the start."""
        while self._start is not None and _anniversary(self._start, self._years + 1) <= day:
            self._years += 1
        return self._years


def _anniversary(start: date, years: int) -> date:
    """Return the same day that many years later; of 29 February it is 1 March."""
    try:
        return start.replace(year=start.year + years)
    except ValueError:
        return date(start.year + years, 3, 1)


def _line(
    contract_id: str, component: str, span: tuple[datetime, datetime], mwh: float, rate_usd: float
) -> SettlementLine:
    return SettlementLine(
        contract_id=contract_id,
        component=component,
        start=span[0],
        end=span[1],
        quantity=mwh,
        unit="MWh",
        rate_usd=rate_usd,
        amount_usd=mwh * rate_usd,
    )

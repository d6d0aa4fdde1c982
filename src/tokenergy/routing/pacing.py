"""Pacing: the shadow price that makes a budget last to the end of its window.

Gateway sheet, section 3.5. Dual descent on every request: the price of a unit of budget rises
while more is spent than may be, and falls while less is. It is soft: what makes a budget
impossible to exceed is a `Lease`. The unit is the budget's own, USD or J, so that lambda is USD of
value per USD or per J.
"""

from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import isfinite, sqrt
from typing import Final, NamedTuple, Self

from tokenergy.company.budget_unit import BudgetUnit
from tokenergy.errors import InputError

FLAT_ARRIVALS: Final = (0.0, 1.0)
"""Share of a window's requests that has arrived by each of its equal parts: an even stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PacingRule:
    """How fast lambda moves, and how far the count of what is to come is trusted.

    The sheet's eta0 = 10 and reserve of 10 % were moved once, to 7 and 15 %, on seeds 1000 to 1003
    of `simulate/budget_world`, before the reported ones were run: a spike that nobody foresaw keeps
    one point more of its value (91.2 for 90.2 %), an ordinary day 0.3 points less (99.2).

    Attributes:
        step_ratio: eta0, the step in units of lambda0 over the root of the count.
        reserve_share: part of the budget held back, released with the root of the time left.
        prior_share: weight of the forecast count in the posterior, in parts of that count.
        floor_share: least requests to come that are reckoned with, in parts of the forecast.
    """

    step_ratio: float = 7.0
    reserve_share: float = 0.15
    prior_share: float = 0.02
    floor_share: float = 0.02


class PacingLaw(NamedTuple):
    """What `target_quantity` reads of a budget's plan: numbers only, so that it can be compiled.

    Attributes:
        start_s: begin of the window.
        per_s_ratio: one over its length.
        held_quantity: the reserve at its start.
        forecast_count: requests that are forecast for it.
        prior_count: weight of that forecast in the posterior.
        prior_share: the same in parts of the forecast.
        floor_count: least requests to come that are reckoned with.
        last_count: parts of the curve.
        arrived_share: F at the ends of those parts, from 0 to 1; an array if compiled.
    """

    start_s: float
    per_s_ratio: float
    held_quantity: float
    forecast_count: float
    prior_count: float
    prior_share: float
    floor_count: float
    last_count: int
    arrived_share: tuple[float, ...]


def target_quantity(law: PacingLaw, left_quantity: float, seen_count: float, now_s: float) -> float:
    """Return rho: what the next request may use on average, USD or J.

    What is left, less the reserve, over the requests still to come; of those rather too many than
    too few. The forecast less what was seen burns a budget early if it is too low; the posterior of
    the count, from the forecast and the arrivals so far, misses a late peak. So the larger. It
    takes numbers only, and no method of a noun, because the simulator compiles this very function.
    """
    start_s, per_s, held, forecast, prior, prior_share, floor, last, curve = law
    tau_share = (now_s - start_s) * per_s
    arrived_share = 1.0
    if tau_share < 1.0:
        if tau_share < 0.0:
            tau_share = 0.0
        place = tau_share * last
        at = int(place)
        arrived_share = curve[at] + (curve[at + 1] - curve[at]) * (place - at)
        left_quantity -= held * sqrt(1.0 - tau_share)
    if left_quantity <= 0.0:
        return 0.0
    to_come_count = (seen_count + prior) / (arrived_share + prior_share) * (1.0 - arrived_share)
    if forecast - seen_count > to_come_count:
        to_come_count = forecast - seen_count
    if floor > to_come_count:
        to_come_count = floor
    return left_quantity / to_come_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """One budget over one window `[start, end)`: all that stays the same while requests come.

    Attributes:
        budget: name of the budget.
        unit: what `quantity` and `unit` stand for in this noun, USD or J.
        start_s: begin of the window, seconds since the Unix epoch.
        end_s: its end; the budget is whole again then.
        budget_quantity: what may be spent in the window.
        requests_count: forecast of the requests of the window, refused ones counted.
        mean_use_quantity: mean use of a request that is served as it asks.
        dual_usd_per_unit: dual of the budget's row in the program; 0 where it is slack.
        worth_usd_per_unit: median of value x quality / use: scale of the step where the dual is 0.
        arrived_share: F, share of the requests that has arrived by each equal part of the window.
        rule: how fast and how careful.
        scale_usd_per_unit: lambda0 of the step (made here).
        step_usd_per_unit: what lambda moves for each unit used beside the target (made here).
        law: the numbers that the target is worked out from (made here).
    """

    budget: str
    unit: BudgetUnit
    start_s: float
    end_s: float
    budget_quantity: float
    requests_count: float
    mean_use_quantity: float
    dual_usd_per_unit: float
    worth_usd_per_unit: float
    arrived_share: tuple[float, ...] = FLAT_ARRIVALS
    rule: PacingRule = PacingRule()
    scale_usd_per_unit: float = field(init=False)
    step_usd_per_unit: float = field(init=False)
    law: PacingLaw = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse what no step can be made of; work out the step and the numbers of the target.

        Raises:
            InputError: with every fault at once.
        """
        faults = _faults(self)
        if faults:
            raise InputError(f"pacing of budget {self.budget!r}: " + "; ".join(faults))
        rule, count = self.rule, self.requests_count
        # A slack budget has dual 0: a step in proportion to it would stay 0 for ever.
        scale = self.dual_usd_per_unit or self.worth_usd_per_unit
        step = rule.step_ratio * scale / (sqrt(count) * self.mean_use_quantity)
        law = PacingLaw(
            start_s=self.start_s,
            per_s_ratio=1.0 / (self.end_s - self.start_s),
            held_quantity=rule.reserve_share * self.budget_quantity,
            forecast_count=count,
            prior_count=rule.prior_share * count,
            prior_share=rule.prior_share,
            floor_count=rule.floor_share * count,
            last_count=len(self.arrived_share) - 1,
            arrived_share=self.arrived_share,
        )
        object.__setattr__(self, "scale_usd_per_unit", scale)
        object.__setattr__(self, "step_usd_per_unit", step)
        object.__setattr__(self, "law", law)


@dataclass(frozen=True, slots=True)
class Pacer:
    """Where a budget stands, and what a unit of it is worth: one value after each request.

    Attributes:
        pacing: the budget, its window and its forecast.
        lambda_usd_per_unit: shadow price of the budget, USD of value per USD or per J; 0: slack.
        left_quantity: budget less what was settled and what is expected of requests under way.
        seen_count: requests seen, refused ones counted.
    """

    pacing: Pacing
    lambda_usd_per_unit: float
    left_quantity: float
    seen_count: float

    def target_quantity(self, now_s: float) -> float:
        """Return rho: what the next request may use on average, USD or J."""
        return target_quantity(self.pacing.law, self.left_quantity, self.seen_count, now_s)

    def admitted(self, use_quantity: float, now_s: float, requests_count: float = 1.0) -> "Pacer":
        """Return the pacer after a request; a refused one uses 0, and counts.

        Args:
            use_quantity: expected use at the decision, USD or J; the sum where there are several.
            now_s: the moment, seconds since the Unix epoch.
            requests_count: requests told at once, as by several workers each second.
        """
        pacing, left = self.pacing, self.left_quantity
        rho = target_quantity(pacing.law, left, self.seen_count, now_s)
        price = self.lambda_usd_per_unit + pacing.step_usd_per_unit * (
            use_quantity - requests_count * rho
        )
        return Pacer(
            pacing,
            price if price > 0.0 else 0.0,
            left - use_quantity,
            self.seen_count + requests_count,
        )

    def settled(self, *, expected_quantity: float, actual_quantity: float) -> "Pacer":
        """Return the pacer after a request has ended: what was left over or missing is booked."""
        return Pacer(
            self.pacing,
            self.lambda_usd_per_unit,
            self.left_quantity + expected_quantity - actual_quantity,
            self.seen_count,
        )


def opened(pacing: Pacing) -> Pacer:
    """Return the pacer at the start of a window, warm: lambda is the dual of the program."""
    return Pacer(pacing, pacing.dual_usd_per_unit, pacing.budget_quantity, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """What makes a budget impossible to exceed: the worst case is reserved before the work.

    Attributes:
        budget: name of the budget.
        limit_quantity: most that may ever be spent, USD or J.
        spent_quantity: what was settled.
        reserved_quantity: worst cases of the requests under way.
    """

    budget: str
    limit_quantity: float
    spent_quantity: float = 0.0
    reserved_quantity: float = 0.0

    @property
    def free_quantity(self) -> float:
        """What is neither spent nor reserved."""
        return self.limit_quantity - self.spent_quantity - self.reserved_quantity

    def holds(self, worst_quantity: float) -> bool:
        """Tell whether a request that uses this much at worst can be let in."""
        return worst_quantity <= self.free_quantity

    def reserved(self, worst_quantity: float) -> Self:
        """Return the lease with one more request under way.

        Raises:
            InputError: if it does not fit; ask `holds` first.
        """
        if not self.holds(worst_quantity):
            raise InputError(
                f"budget {self.budget!r}: a reservation of {worst_quantity:g} exceeds the "
                f"{self.free_quantity:g} that are free"
            )
        return replace(self, reserved_quantity=self.reserved_quantity + worst_quantity)

    def settled(self, *, worst_quantity: float, actual_quantity: float) -> Self:
        """Return the lease after a request has ended and was charged what it used."""
        return replace(
            self,
            spent_quantity=self.spent_quantity + actual_quantity,
            reserved_quantity=max(0.0, self.reserved_quantity - worst_quantity),
        )


def _faults(pacing: Pacing) -> list[str]:
    """Say all that is wrong with a budget's plan."""
    faults = []
    if not (isfinite(pacing.start_s) and isfinite(pacing.end_s) and pacing.end_s > pacing.start_s):
        faults.append(f"the window from {pacing.start_s} to {pacing.end_s} s does not last")
    for name in ("budget_quantity", "requests_count", "mean_use_quantity", "worth_usd_per_unit"):
        value = getattr(pacing, name)
        if not (isfinite(value) and value > 0.0):
            faults.append(f"{name} is {value:g}: a finite number above 0 is needed")
    if not (isfinite(pacing.dual_usd_per_unit) and pacing.dual_usd_per_unit >= 0.0):
        faults.append(f"dual_usd_per_unit is {pacing.dual_usd_per_unit:g}: 0 or more is needed")
    curve = pacing.arrived_share
    rises = all(low <= high for low, high in pairwise(curve))
    if len(curve) < 2 or not rises or abs(curve[0]) > 1e-9 or abs(curve[-1] - 1.0) > 1e-9:
        faults.append("arrived_share must rise from 0 to 1 without a fall")
    return faults

"""The five exposures of a buyer of power: volume, price, shape, covariance, basis.

Contracts sheet, section 8: exact by construction. Where nothing but the zone's price is known,
the price at the node is the zone's and the basis is 0.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from tokenergy.company.finding import Finding
from tokenergy.dispatch.world import World

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
LEAST_SAMPLES_COUNT: Final = 20
"""A cell of fewer samples is thin: with one, its covariance is 0 by construction."""


class Metered(Protocol):
    """What of a run is exposed: load at the meters [S, T], and takes [C, T]."""

    @property
    def load_mwh(self) -> FloatArray:
        """Load at the meter, MWh [S, T]."""
        ...

    @property
    def take_mwh(self) -> FloatArray:
        """Taken from as-produced contracts, MWh [C, T]."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposures:
    """What the cost of power is exposed to; the five sum to `total_usd`.

    Attributes:
        volume_usd: contracted volume at its strike and the rest at the budget price.
        price_usd: the open volume at what the mean price departs from the budget.
        shape_usd: open volume that stands where the usual price is high.
        covariance_usd: open volume that is large when the price is unusually high.
        basis_usd: load at what the price at the node departs from the zone's.
        total_usd: load at the node's price, and the contracts against the zone's.
        charges_usd: what the bill holds beside it: adders, losses, spreads, storage; 0 where no
            bill is told.
        budget_usd_per_mwh: the price that the departure is counted from.
        load_mwh, contracted_mwh: both sides of the hedge ratio.
        hedge_share: contracted over load; None without load.
        overhedged_mwh: contracted beyond the load of its hour.
        capture_usd_per_mwh: what contracted power was worth; None without contracts.
        strike_usd_per_mwh: what it cost; None without contracts.
        findings: a warning where shape and covariance rest on too few samples.
    """

    volume_usd: float
    price_usd: float
    shape_usd: float
    covariance_usd: float
    basis_usd: float
    total_usd: float
    charges_usd: float
    budget_usd_per_mwh: float
    load_mwh: float
    contracted_mwh: float
    hedge_share: float | None
    overhedged_mwh: float
    capture_usd_per_mwh: float | None
    strike_usd_per_mwh: float | None
    findings: tuple[Finding, ...] = ()

    def five(self) -> dict[str, float]:
        """Return the five exposures by name, USD."""
        names = ("volume", "price", "shape", "covariance", "basis")
        return {name: float(getattr(self, f"{name}_usd")) for name in names}

    def to_dict(self) -> dict[str, Any]:
        """Return the exposures as a JSON-ready mapping."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Position:
    """One meter and its contracts over T intervals.

    Attributes:
        load_mwh, contracted_mwh: [T].
        contract_usd: what the contracts cost by interval [T].
        zone_usd_per_mwh, node_usd_per_mwh: price at the contracts' point, and at the load [T].
        cells: (month, hour of day) of each interval as one number [T].
    """

    load_mwh: FloatArray
    contracted_mwh: FloatArray
    contract_usd: FloatArray
    zone_usd_per_mwh: FloatArray
    node_usd_per_mwh: FloatArray
    cells: IntArray


def exposures(
    positions: Iterable[Position], *, budget_usd_per_mwh: float, bill_usd: float | None = None
) -> Exposures:
    """Return the exposures of several meters, added up.

    Args:
        positions: meters with their contracts, all over the same intervals.
        budget_usd_per_mwh: the price that the plan was made with.
        bill_usd: the settled bill, where there is one: the rest of it is `charges_usd`.
    """
    held = tuple(positions)
    parts = np.zeros(5)
    load = contracted = over = cost = worth = total = 0.0
    for one in held:
        parts += _parts(one, budget_usd_per_mwh)
        load += float(one.load_mwh.sum())
        contracted += float(one.contracted_mwh.sum())
        over += float(np.maximum(0.0, one.contracted_mwh - one.load_mwh).sum())
        cost += float(one.contract_usd.sum())
        worth += float(one.contracted_mwh @ one.zone_usd_per_mwh)
        total += float(one.load_mwh @ one.node_usd_per_mwh)
    total += cost - worth
    some = contracted > 0.0
    return Exposures(
        volume_usd=float(parts[0]),
        price_usd=float(parts[1]),
        shape_usd=float(parts[2]),
        covariance_usd=float(parts[3]),
        basis_usd=float(parts[4]),
        total_usd=total,
        charges_usd=0.0 if bill_usd is None else bill_usd - total,
        budget_usd_per_mwh=budget_usd_per_mwh,
        load_mwh=load,
        contracted_mwh=contracted,
        hedge_share=contracted / load if load > 0.0 else None,
        overhedged_mwh=over,
        capture_usd_per_mwh=worth / contracted if some else None,
        strike_usd_per_mwh=cost / contracted if some else None,
        findings=tuple(_thin(held)),
    )


def _parts(one: Position, budget_usd_per_mwh: float) -> FloatArray:
    """Return volume, price, shape, covariance and basis of one meter [5]."""
    open_mwh = one.load_mwh - one.contracted_mwh
    open_hat, open_rest = _split(open_mwh, one.cells)
    price_hat, price_rest = _split(one.zone_usd_per_mwh, one.cells)
    volume = one.contract_usd.sum() - one.contracted_mwh.sum() * budget_usd_per_mwh
    volume += one.load_mwh.sum() * budget_usd_per_mwh
    price = open_mwh.sum() * (one.zone_usd_per_mwh.mean() - budget_usd_per_mwh)
    basis = one.load_mwh @ (one.node_usd_per_mwh - one.zone_usd_per_mwh)
    return np.array([volume, price, open_hat @ price_hat, open_rest @ price_rest, basis])


def _split(values: FloatArray, cells: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return each interval's cell mean less the overall mean, and what is left of it [T]."""
    names, at = np.unique(cells, return_inverse=True)
    count = np.bincount(at, minlength=names.size)
    mean: FloatArray = (np.bincount(at, weights=values, minlength=names.size) / count)[at]
    return mean - values.mean(), values - mean


def _thin(positions: tuple[Position, ...]) -> Iterable[Finding]:
    least = min(
        (int(np.unique(p.cells, return_counts=True)[1].min()) for p in positions), default=0
    )
    if least < LEAST_SAMPLES_COUNT:
        yield Finding(
            code="EXPOSURE_CELL_THIN",
            path="horizon.days",
            value=f"{least}",
            limit=f"{LEAST_SAMPLES_COUNT}",
            unit="samples",
            severity="warning",
            reason="a month and hour of day has too few samples to tell shape from covariance",
            remedy="Lengthen the horizon to three weeks or more in each month; the sum is exact",
        )


def positions_of(world: World, run: Metered) -> tuple[Position, ...]:
    """Return each site's meter and contracts in a run, in the order of the file.

    Months and hours are those of the market's own clock.
    """
    span = slice(world.first, world.last)
    made = []
    for site in range(world.sites_count):
        contracted = np.zeros(world.count)
        cost = np.zeros(world.count)
        for block in world.blocks:
            if block.site == site:
                mwh = block.delivery_mw[span] * world.step_h
                contracted = contracted + mwh
                cost = cost + mwh * block.strike_usd_per_mwh[span]
        for take, taken_mwh in zip(world.takes, run.take_mwh, strict=True):
            if take.site == site:
                contracted = contracted + taken_mwh
                cost = cost + take.take_usd_per_mwh[span] * taken_mwh
                cost = cost + take.sunk_usd_per_h[span] * world.step_h
        zone = world.company.sites[site].market.tz
        local = [world.moment(at).astimezone(zone) for at in world.horizon_indices()]
        made.append(
            Position(
                load_mwh=run.load_mwh[site],
                contracted_mwh=contracted,
                contract_usd=cost,
                zone_usd_per_mwh=world.spot_usd_per_mwh[site, span],
                node_usd_per_mwh=world.spot_usd_per_mwh[site, span],
                cells=np.array([24 * when.month + when.hour for when in local]),
            )
        )
    return tuple(made)


def mean_price_usd_per_mwh(positions: Iterable[Position]) -> float:
    """Return the load-weighted mean of the zones' time means: the budget where none is stated.

    Without any load every meter counts alike.

    Args:
        positions: of one meter or more.
    """
    pairs = [(float(p.load_mwh.sum()), float(p.zone_usd_per_mwh.mean())) for p in positions]
    load = sum(mwh for mwh, _ in pairs)
    if load <= 0.0:
        return sum(price for _, price in pairs) / len(pairs)
    return sum(mwh * price for mwh, price in pairs) / load

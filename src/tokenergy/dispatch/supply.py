"""What contracts bring to a site, as arrays over the world's intervals [T].

Deliveries (blocks, what is taken of a project), rates on the meter, charges that nothing moves,
plants on site, and events that take megawatts away.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Take:
    """An as-produced contract, after its clauses.

    Attributes:
        contract_id: name in the bill.
        site: index of the site.
        behind_the_meter: whether it is delivered behind the meter or over the grid.
        available_mw: most that can be taken [T].
        floor_mw: least that must be taken [T]: all of it unless the buyer may curtail.
        take_usd_per_mwh: cost of each MWh taken [T].
        sunk_usd_per_h: cost that no decision moves [T] (deemed generation).
    """

    contract_id: str
    site: int
    behind_the_meter: bool
    available_mw: FloatArray
    floor_mw: FloatArray
    take_usd_per_mwh: FloatArray
    sunk_usd_per_h: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FixedBlock:
    """A block contract: a delivery and a cost that no decision moves [T]."""

    contract_id: str
    site: int
    behind_the_meter: bool
    delivery_mw: FloatArray
    strike_usd_per_mwh: FloatArray


RateKind = Literal["energy", "demand_peak", "cfe"]
"""Under which part of a token's price a rate on the meter stands."""
RATE_KINDS: Final[tuple[RateKind, ...]] = ("energy", "demand_peak", "cfe")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeterRate:
    """A charge on each MWh imported at a site's meter, and one on each exported.

    Attributes:
        contract_id, component: line of the bill.
        site: index of the site.
        kind: part of a token's price that it belongs to.
        import_usd_per_mwh: what an imported MWh pays [T].
        export_usd_per_mwh: what an exported MWh pays, negative where it earns [T].
        believed_usd_per_mwh: the import rate as believed from interval `now` on, for rates that
            nobody knows before (coincident peaks): [T] by `now`; None: it is public.
    """

    contract_id: str
    component: str
    site: int
    kind: RateKind
    import_usd_per_mwh: FloatArray
    export_usd_per_mwh: FloatArray
    believed_usd_per_mwh: Callable[[int], FloatArray] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sunk:
    """A charge that no decision moves, in the interval that it is booked in [T], USD."""

    contract_id: str
    component: str
    usd: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Generator:
    """A power plant behind a site's meter.

    Attributes:
        contract_id: name in the bill.
        site: index of the site.
        capacity_mw: most that it gives [T]; 0 out of its term.
        usd_per_mwh: fuel and other running cost [T].
        min_load_share: least output while it runs, as a share of capacity.
        start_usd: cost of a start.
        permit_h: hours that it may run in a permit year; infinite without a limit.
        permit_year: index of the permit year of each interval [T].
        carbon_usd_per_mwh: the company's own price on what its fuel emits: it moves decisions,
            and no bill.
    """

    contract_id: str
    site: int
    capacity_mw: FloatArray
    usd_per_mwh: FloatArray
    min_load_share: float
    start_usd: float
    permit_h: float
    permit_year: IntArray
    carbon_usd_per_mwh: float = 0.0

    def decided_usd_per_mwh(self, at: int) -> float:
        """Return what a MWh weighs in a decision about interval `at`, carbon included."""
        return float(self.usd_per_mwh[at]) + self.carbon_usd_per_mwh

    @property
    def commits(self) -> bool:
        """Whether to run it is a yes or no: it has a least output or a cost of starting."""
        return self.min_load_share > 0.0 or self.start_usd > 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loss:
    """A site that is dark, or GPUs of a fleet that are gone, in `[begin, end)`.

    Attributes:
        name: what happened.
        site: index of the dark site; None where it is a fleet.
        fleet: index of the fleet; None where it is a site.
        begin, end: indices of intervals.
        announced: index of the interval from which on it is known.
        left_share: share of the fleet's GPUs that is left.
        export_mw, block_mw: what a dark site could export, and what block contracts delivered
            behind its meter, without it [end - begin].
        comes: whether nothing broke: it is not there yet, and comes for the first time at `end`.
    """

    name: str
    site: int | None
    fleet: int | None
    begin: int
    end: int
    announced: int
    left_share: float
    export_mw: FloatArray
    block_mw: FloatArray
    comes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cut:
    """Megawatts of a connection that an event takes away, in `[begin, end)`.

    Attributes:
        name: what happened, e.g. a non-firm curtailment or a tripped feed.
        site: index of the site.
        begin, end: indices of intervals.
        announced: index of the interval from which on it is known.
        lost_mw: what `import_limit_mw` would be higher by without it [end - begin].
    """

    name: str
    site: int
    begin: int
    end: int
    announced: int
    lost_mw: FloatArray

"""A company as arrays: everything that the program and the policies read.

Axes: S sites, F fleets, D deployments, W workloads, R routes (a workload on a deployment that
it can reach), C as-produced contracts, B batteries, T intervals from the start of the history
to the end of the horizon. Energies are per interval, powers are interval averages.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tokenergy.company.battery import Battery
from tokenergy.company.company import Company
from tokenergy.company.contract_state import ContractState
from tokenergy.company.inputs import Inputs

if TYPE_CHECKING:
    from tokenergy.dispatch.terms.term import Term

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
NOWHERE = -1
"""Site and fleet of a deployment that is somebody else's API."""


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
    """

    contract_id: str
    site: int
    capacity_mw: FloatArray
    usd_per_mwh: FloatArray
    min_load_share: float
    start_usd: float
    permit_h: float
    permit_year: IntArray


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


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSpec:
    """GPUs of one SKU at one site, as the program sees them."""

    name: str
    site: int
    accelerator: str
    gpus_count: float
    lease_usd_per_gpu_hour: float
    sleep_mw_per_gpu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A model on a fleet, or an external API (site and fleet are `NOWHERE`).

    `base_mw` is what one awake replica draws beside its tokens; a wake takes `wake_h`, costs
    `wake_mwh`, and serves nothing meanwhile.
    """

    name: str
    model: str
    accelerator: str
    fleet: int
    site: int
    gpus_count: int
    base_mw: float
    wake_h: float
    wake_mwh: float
    limit_mtok_per_h: float = float("inf")

    @property
    def external(self) -> bool:
        """Whether this is somebody else's model."""
        return self.fleet == NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A workload on a deployment within its latency.

    Energy is at the racks, before PUE. `kappa_ratio` is joules of an input token over joules of
    an output token. The band says between which multiples of the modelled energy measurements
    lie, 5th to 95th percentile; the notes say what was extrapolated.
    """

    workload: int
    deployment: int
    rate_mtok_per_h: float
    marginal_mwh_per_mtok: float
    quality_share: float
    network_usd_per_mtok: float
    api_usd_per_mtok: float
    rtt_ms: float
    distance_km: float
    kappa_ratio: float
    energy_tier: str = "modelled"
    energy_low_share: float = 1.0
    energy_high_share: float = 1.0
    energy_notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadSpec:
    """A workload as the program sees it; `defer_count` intervals are what it may wait."""

    name: str
    tier: str
    tier_index: int
    origin: str
    defer_count: int
    value_usd_per_mtok: float
    price_usd_per_mtok: float
    asked_quality_share: float
    must_serve: bool
    tokens_per_request_count: float
    tokens_per_item_count: float | None
    video_s_per_item: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """A company on its horizon with every series resolved.

    Attributes:
        company: what the file says.
        inputs: the series behind it.
        start: first moment of index 0 (the history).
        first: index of the first interval of the horizon.
        count: intervals of the horizon.
        step_h: length of one interval.
        site_names: the sites, in the order of the arrays.
        import_limit_mw, export_limit_mw, pue: [S, T].
        fixed_mw: IT load that no dispatch moves [S].
        spot_usd_per_mwh: [S, T].
        loss_share, adder_usd_per_mwh, resale_spread_usd_per_mwh: terms of each site's spot
            contract [S].
        published_until: index up to which, at each interval, a site's prices are public,
            exclusive [S, T]; in a market without day-ahead that is the interval itself.
        arrivals_mtok: [W, T].
        floor_share: quality floor by tier, in the order of the company's tiers.
        unreachable: why a workload cannot use a deployment: (workload, deployment, reason).
        rates: what contracts charge on each MWh at a meter.
        sunk: what contracts charge whatever is decided.
        terms: what contracts add to the program beside rates: peaks, tiers, targets, responses.
        generators: power plants on site.
        cuts: events that take megawatts away: `import_limit_mw` has them, and nobody knows of
            one before it is announced.
        before: what each contract's past left when the horizon began.
    """

    company: Company
    inputs: Inputs
    start: datetime
    first: int
    count: int
    step_h: float
    site_names: tuple[str, ...]
    import_limit_mw: FloatArray
    export_limit_mw: FloatArray
    pue: FloatArray
    fixed_mw: FloatArray
    spot_usd_per_mwh: FloatArray
    loss_share: FloatArray
    adder_usd_per_mwh: FloatArray
    resale_spread_usd_per_mwh: FloatArray
    published_until: IntArray
    arrivals_mtok: FloatArray
    floor_share: tuple[float, ...]
    takes: tuple[Take, ...]
    blocks: tuple[FixedBlock, ...]
    batteries: tuple[Battery, ...]
    battery_site: tuple[int, ...]
    fleets: tuple[FleetSpec, ...]
    deployments: tuple[Deployment, ...]
    routes: tuple[Route, ...]
    workloads: tuple[WorkloadSpec, ...]
    unreachable: tuple[tuple[str, str, str], ...] = ()
    rates: tuple[MeterRate, ...] = ()
    sunk: tuple[Sunk, ...] = ()
    terms: tuple["Term", ...] = ()
    generators: tuple[Generator, ...] = ()
    cuts: tuple[Cut, ...] = ()
    before: Mapping[str, ContractState] = field(default_factory=dict)

    @property
    def sites_count(self) -> int:
        """Number of sites."""
        return int(self.pue.shape[0])

    @property
    def last(self) -> int:
        """Index after the horizon's last interval."""
        return self.first + self.count

    def buy_usd_per_mwh(self, spot_usd_per_mwh: FloatArray) -> FloatArray:
        """Return what a MWh bought at the meter costs at these spot prices [S, n]."""
        raised = spot_usd_per_mwh + self.adder_usd_per_mwh[:, None]
        return (1.0 + self.loss_share[:, None]) * raised

    def sell_usd_per_mwh(self, spot_usd_per_mwh: FloatArray) -> FloatArray:
        """Return what a MWh sold at the meter earns at these spot prices [S, n]."""
        return spot_usd_per_mwh - self.resale_spread_usd_per_mwh[:, None]

    def moment(self, index: int) -> datetime:
        """Return the start of interval `index`."""
        return self.start + timedelta(hours=index * self.step_h)

    def index_at(self, moment: datetime) -> int:
        """Return the index of the interval that holds `moment`."""
        return int((moment - self.start) / timedelta(hours=self.step_h))

    def standing_mw(self) -> FloatArray:
        """Return fixed load and the sleep of every GPU, before PUE [S]."""
        standing = self.fixed_mw.copy()
        for fleet in self.fleets:
            standing[fleet.site] += fleet.sleep_mw_per_gpu * fleet.gpus_count
        return standing

    def block_delivery_mw(self, *, behind_the_meter: bool) -> FloatArray:
        """Return what block contracts deliver by site [S, T]."""
        total = np.zeros_like(self.pue)
        for block in self.blocks:
            if block.behind_the_meter == behind_the_meter:
                total[block.site] += block.delivery_mw
        return total

    def end_value_usd_per_mwh(self) -> FloatArray:
        """Return what a MWh of stored energy is worth at the end, before losses [B].

        The horizon's mean spot price at the battery's site x its discharge efficiency
        (dispatch sheet, section 5): the same for every policy.
        """
        mean = self.spot_usd_per_mwh[:, self.first : self.last].mean(axis=1)
        return np.array(
            [
                mean[site] * battery.discharge_eff_share
                for battery, site in zip(self.batteries, self.battery_site, strict=True)
            ]
        )

    def horizon_indices(self) -> Iterator[int]:
        """Iterate over the indices of the horizon."""
        return iter(range(self.first, self.last))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """What the past leaves to the next interval.

    Attributes:
        awake: awake replicas by deployment [D].
        energy_mwh: stored energy by battery [B].
        backlog_mtok: waiting work [W, Q]: column i is due by the end of the i-th interval ahead.
        contracts: what each contract's past leaves, by its id (an item of a tariff: see
            `company/settle`).
    """

    awake: FloatArray
    energy_mwh: FloatArray
    backlog_mtok: FloatArray
    contracts: Mapping[str, ContractState] = field(default_factory=dict)

    @classmethod
    def initial(cls, world: World) -> "State":
        """Return the state at the start: nobody awake, batteries as the file says, no backlog."""
        waits = max((load.defer_count for load in world.workloads), default=0)
        return cls(
            awake=np.zeros(len(world.deployments)),
            energy_mwh=np.array([b.initial_share * b.capacity_mwh for b in world.batteries]),
            backlog_mtok=np.zeros((len(world.workloads), max(1, waits))),
            contracts=world.before,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Action:
    """What to do in one interval, with whole quantities of that interval.

    Attributes:
        serve_mtok: work done by route [R].
        refused_mtok: work refused by workload [W].
        awake: awake replicas by deployment [D].
        take_mw: taken from as-produced contracts [C].
        charge_mw, discharge_mw: by battery [B].
        generate_mw: of generators on site [U]; None where none runs.
        source: the policy that decided (a fallback names itself).
        asked_usd_per_mtok: what one Mtok more of each workload costs, as the policy sees it [W];
            None where it prices nothing.
        mw_rent_usd_per_mwh: what one MWh more through each site's connection is worth beside its
            price [S]; None likewise.
    """

    serve_mtok: FloatArray
    refused_mtok: FloatArray
    awake: FloatArray
    take_mw: FloatArray
    charge_mw: FloatArray
    discharge_mw: FloatArray
    source: str
    asked_usd_per_mtok: FloatArray | None = None
    mw_rent_usd_per_mwh: FloatArray | None = None
    generate_mw: FloatArray | None = None

"""A company as arrays: everything that the program and the policies read.

Axes: S sites, F fleets, D deployments, W workloads, R routes (a workload on a deployment that
it can reach), C as-produced contracts, B batteries, T intervals from the start of the history
to the end of the horizon. Energies are per interval, powers are interval averages.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from tokenergy.company.battery import Battery
from tokenergy.company.company import Company
from tokenergy.company.contract_state import ContractState
from tokenergy.company.inputs import Inputs
from tokenergy.dispatch.supply import (
    RATE_KINDS,
    BoolArray,
    Cut,
    FixedBlock,
    FloatArray,
    Generator,
    IntArray,
    Loss,
    MeterRate,
    RateKind,
    Sunk,
    Take,
)

if TYPE_CHECKING:
    from tokenergy.dispatch.terms.term import Term

__all__ = [
    "NOWHERE",
    "RATE_KINDS",
    "Action",
    "BoolArray",
    "Cut",
    "Deployment",
    "FixedBlock",
    "FleetSpec",
    "FloatArray",
    "Generator",
    "IntArray",
    "Loss",
    "MeterRate",
    "RateKind",
    "Route",
    "State",
    "Sunk",
    "Take",
    "WorkloadSpec",
    "World",
]

NOWHERE = -1
"""Site and fleet of a deployment that is somebody else's API."""
ALL = slice(None)
"""Every interval of the world."""


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
    lie, 5th to 95th percentile; the notes say what was extrapolated. At its operating point a
    replica serves `batch_count` requests at once, a token of each every `tpot_s`; one request
    alone waits `ttft_s` for its first.
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
    batch_count: float = float("inf")
    tpot_s: float = 0.0
    ttft_s: float = 0.0


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
        losses: sites that are dark and GPUs that are gone for a while, likewise: the arrays have
            it, but for GPUs and standing load (`outages` tells both by interval).
        before: what each contract's past left when the horizon began.
        supply_buy_usd_per_mwh, supply_sell_usd_per_mwh: rates of tariffs that replace the spot
            contract, not a number where there is one [S, T]; None: every site has one.
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
    losses: tuple[Loss, ...] = ()
    before: Mapping[str, ContractState] = field(default_factory=dict)
    supply_buy_usd_per_mwh: FloatArray | None = None
    supply_sell_usd_per_mwh: FloatArray | None = None

    @property
    def sites_count(self) -> int:
        """Number of sites."""
        return int(self.pue.shape[0])

    @property
    def last(self) -> int:
        """Index after the horizon's last interval."""
        return self.first + self.count

    def buy_usd_per_mwh(
        self, spot_usd_per_mwh: FloatArray, span: slice | IntArray = ALL
    ) -> FloatArray:
        """Return what a MWh bought costs at these spot prices, of the intervals of `span` [S, n].

        Where a supply tariff replaces the spot contract, its rates stand whatever the spot is.
        """
        raised = spot_usd_per_mwh + self.adder_usd_per_mwh[:, None]
        bought: FloatArray = (1.0 + self.loss_share[:, None]) * raised
        return _replaced(bought, self.supply_buy_usd_per_mwh, span)

    def sell_usd_per_mwh(
        self, spot_usd_per_mwh: FloatArray, span: slice | IntArray = ALL
    ) -> FloatArray:
        """Return what a MWh sold earns at these spot prices, likewise [S, n]."""
        sold: FloatArray = spot_usd_per_mwh - self.resale_spread_usd_per_mwh[:, None]
        return _replaced(sold, self.supply_sell_usd_per_mwh, span)

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
        """Return what block contracts deliver by site [S, T]: none behind a dark site's meter."""
        total = np.zeros_like(self.pue)
        for block in self.blocks:
            if block.behind_the_meter == behind_the_meter:
                total[block.site] += block.delivery_mw
        for loss in self.losses if behind_the_meter else ():
            if loss.site is not None:
                total[loss.site, loss.begin : loss.end] = 0.0
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


def _replaced(
    spot_usd_per_mwh: FloatArray, supply_usd_per_mwh: FloatArray | None, span: slice | IntArray
) -> FloatArray:
    if supply_usd_per_mwh is None:
        return spot_usd_per_mwh
    supplied = supply_usd_per_mwh[:, span]
    return np.where(np.isnan(supplied), spot_usd_per_mwh, supplied)


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

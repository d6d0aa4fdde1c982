"""Which workload the cost of a run is for: the usage basis, spread part by part, to the cent.

Economics sheet, section 2. What nothing used (`unused_capacity_usd`), staff and what is fixed
for a tier belong to no workload; everything else does:

    sum over workloads of usage + unused capacity + staff + tiers' fixed = allocation

Beside it stands what the work's tokens were worth at the margin, hour by hour. Prices at the
margin pay more than the dispatch costs wherever something is scarce: that surplus is the rent
that pays for GPUs, megawatts, storage and contracts. With capital = GPU rents and powered
capacity, used or not,

    company margin = (revenue - marginal) + (marginal - dispatch) - capital - fixed
                   =    contribution      +       surplus         - capital - fixed
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from tokenergy.company.company import Company
from tokenergy.dispatch.world import NOWHERE, World
from tokenergy.economics.unit_cost import FullCost, capital_rent, gpu_rents_usd_per_h

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
SUREST_FIRST: Final = ("measured", "calibrated", "modelled")
"""How joules may be known; a sum is known as well as its least known part."""


class RunLike(Protocol):
    """What of a run its cost is spread by; axes as in `World`, T from the horizon's first."""

    @property
    def serve_mtok(self) -> FloatArray:
        """Work done by route [R, T]."""
        ...

    @property
    def refused_mtok(self) -> FloatArray:
        """Work refused by workload [W, T]."""
        ...

    @property
    def awake(self) -> FloatArray:
        """Awake replicas [D, T]."""
        ...

    @property
    def discharge_mwh(self) -> FloatArray:
        """Out of the batteries [B, T]."""
        ...

    @property
    def asked_usd_per_mtok(self) -> FloatArray | None:
        """What one Mtok more cost as the policy saw it [W, T]; None: it prices nothing."""
        ...

    def route_mwh(self, world: World) -> FloatArray:
        """Return the energy of work at the meter, its part of the replicas' included [R, T]."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadCost:
    """What one workload's tokens cost, on the usage basis and at the margin.

    Attributes:
        energy_mwh: of its tokens, at the meter, with its part of the replicas' own draw.
        power_usd: its part of its sites' bills; standing load and idle replicas go along.
        gpu_rent_usd: owned and reserved GPUs while they were awake.
        gpu_lease_usd: GPUs that are paid for only while awake.
        api_usd: list prices of external APIs.
        powered_capacity_usd: its part of the facilities, connections and batteries in use.
        network_usd, wear_usd: egress and affinity; wear of its sites' batteries.
        marginal_usd: its tokens at what one more cost when they came; None without prices.
        meter_tier: how its joules are known; None where it used none of ours.
        energy_low_share, energy_high_share: between which multiples of the modelled energy
            measurements lie, 5th to 95th percentile; None likewise.
    """

    workload: str
    tier: str
    served_mtok: float
    refused_mtok: float
    energy_mwh: float
    power_usd: float
    gpu_rent_usd: float
    gpu_lease_usd: float
    api_usd: float
    powered_capacity_usd: float
    network_usd: float
    wear_usd: float
    marginal_usd: float | None
    meter_tier: str | None
    energy_low_share: float | None
    energy_high_share: float | None

    @property
    def silicon_usd(self) -> float:
        """GPUs, owned or leased, and other people's models."""
        return self.gpu_rent_usd + self.gpu_lease_usd + self.api_usd

    @property
    def dispatch_usd(self) -> float:
        """What the dispatch pays for it: everything but capital."""
        paid = self.power_usd + self.gpu_lease_usd + self.api_usd
        return paid + self.network_usd + self.wear_usd

    @property
    def usage_usd(self) -> float:
        """The sum of the parts."""
        return self.dispatch_usd + self.gpu_rent_usd + self.powered_capacity_usd

    @property
    def surplus_usd(self) -> float | None:
        """What prices at the margin pay beyond the dispatch; value lost to lesser models is in."""
        return None if self.marginal_usd is None else self.marginal_usd - self.dispatch_usd

    def to_dict(self) -> dict[str, Any]:
        """Return the cost as a JSON-ready mapping."""
        sums = ("silicon_usd", "dispatch_usd", "usage_usd", "surplus_usd")
        return asdict(self) | {name: getattr(self, name) for name in sums}


def bill_by_site(company: Company, power_usd: Mapping[str, float]) -> FloatArray:
    """Return the settled bill of each site out of that of each contract and tariff [S], USD."""
    at = {site.name: index for index, site in enumerate(company.sites)}
    sites = {owner.id: at[owner.site] for owner in (*company.contracts, *company.tariffs)}
    bills = np.zeros(len(at))
    for name, usd in power_usd.items():
        bills[sites[name]] += usd
    return bills


def attribute(
    world: World, run: RunLike, full: FullCost, *, power_usd_by_site: FloatArray
) -> tuple[WorkloadCost, ...]:
    """Return what each workload's tokens cost, in the order of the world's workloads.

    - power: a site's bill by the MWh of the work done there; that of a site without work by
      everybody's MWh;
    - silicon: rent and lease of a fleet's awake GPU-hours by the GPU-hours of work on it, so
      that those awake for nobody go along; APIs by what was sent to them;
    - powered capacity in use by MWh, wear by the MWh at the battery's site, network by route.

    Where nothing was served, what was paid is for what was asked.

    By hand: a site pays 100 USD for 2 MWh, of which chat's tokens drew 1, batch's 0.6 and
    standing load 0.4: chat bears 100 x 1 / 1.6 = 62.50 USD, batch 37.50.

    Args:
        world: the company as arrays, with its file.
        run: what happened.
        full: the full cost of the same run.
        power_usd_by_site: the settled bill of each site [S] (`bill_by_site`); sums to
            `full.power_usd`.
    """
    shares = _Shares(world, run)
    served_usd = [run.serve_mtok.sum(axis=1) * price for price in _route_prices(world)]
    network, api = (shares.by_workload(usd) for usd in served_usd)
    power = sum(
        (shares.at_site(site, usd) for site, usd in enumerate(power_usd_by_site)), shares.none()
    )
    wear = shares.none()
    for battery, site, out in zip(
        world.batteries, world.battery_site, run.discharge_mwh, strict=True
    ):
        wear += shares.at_site(site, battery.cycle_usd_per_mwh_discharged * float(out.sum()))
    rent, lease = _gpus_usd(world, run, full, shares)
    powered = shares.of_energy(used_capacity_share(world.company, full) * full.powered_capacity_usd)
    marginal = marginal_usd(world, run)
    served = shares.served_mtok
    return tuple(
        WorkloadCost(
            workload=load.name,
            tier=load.tier,
            served_mtok=float(served[at]),
            refused_mtok=float(run.refused_mtok[at].sum()),
            energy_mwh=float(shares.energy_mwh[at]),
            power_usd=float(power[at]),
            gpu_rent_usd=float(rent[at]),
            gpu_lease_usd=float(lease[at]),
            api_usd=float(api[at]),
            powered_capacity_usd=float(powered[at]),
            network_usd=float(network[at]),
            wear_usd=float(wear[at]),
            marginal_usd=None if marginal is None else float(marginal[at]),
            meter_tier=shares.meter_tier(at),
            energy_low_share=shares.band_share(at, "energy_low_share"),
            energy_high_share=shares.band_share(at, "energy_high_share"),
        )
        for at, load in enumerate(world.workloads)
    )


def used_capacity_share(company: Company, full: FullCost) -> float:
    """Return the part of the standing capital that was in use, as `full` has it."""
    standing_usd = capital_rent(company).gpu_usd_per_h * full.hours_h + full.powered_capacity_usd
    return 1.0 - full.unused_capacity_usd / standing_usd if standing_usd > 0.0 else 1.0


def marginal_usd(world: World, run: RunLike) -> FloatArray | None:
    """Return each workload's served tokens at what one more cost when they came [W], USD.

    Work leaves its queue in the order it came in; of what leaves in an interval the served part
    is the same for all. So every served token is priced in the interval in which it arrived.
    None where the policy prices nothing.
    """
    if run.asked_usd_per_mtok is None:
        return None
    arrived = world.arrivals_mtok[:, world.first : world.last]
    served = np.zeros_like(arrived)
    np.add.at(served, [r.workload for r in world.routes], run.serve_mtok)
    paid = np.zeros(len(world.workloads))
    for at in range(paid.size):
        admitted = admitted_mtok(arrived[at], served[at], run.refused_mtok[at])
        if (total := float(admitted.sum())) > 0.0:
            scale = float(served[at].sum()) / total
            paid[at] = float(run.asked_usd_per_mtok[at] @ admitted) * scale
    return paid


def admitted_mtok(
    arrived_mtok: FloatArray, served_mtok: FloatArray, refused_mtok: FloatArray
) -> FloatArray:
    """Return what of each interval's arrivals was served, whenever that was [T].

    Args:
        arrived_mtok: by interval [T]; what leaves beyond it was waiting before, and counts as
            arrived in the first.
        served_mtok, refused_mtok: what left the queue by interval [T].
    """
    left = served_mtok + refused_mtok
    before = max(0.0, float(left.sum() - arrived_mtok.sum()))
    into, out = before + arrived_mtok.cumsum(), left.cumsum()
    marks = np.unique(np.concatenate([[0.0], into, out]))
    middle = (marks[:-1] + marks[1:]) / 2.0
    came = np.minimum(np.searchsorted(into, middle, side="right"), into.size - 1)
    went = np.minimum(np.searchsorted(out, middle, side="right"), out.size - 1)
    kept = np.divide(served_mtok, left, out=np.zeros_like(left), where=left > 0.0)
    served = np.bincount(came, weights=np.diff(marks) * kept[went], minlength=into.size)
    return served.astype(np.float64)


def least_known(meter_tiers: Iterable[str]) -> str | None:
    """Return the tier of a sum of joules that are known so: the least known; None of none."""
    return max(meter_tiers, key=SUREST_FIRST.index, default=None)


def _route_prices(world: World) -> tuple[FloatArray, FloatArray]:
    """Return network and list price of every route, USD/Mtok [R]."""
    network = np.array([r.network_usd_per_mtok for r in world.routes])
    return network, np.array([r.api_usd_per_mtok for r in world.routes])


def _gpus_usd(
    world: World, run: RunLike, full: FullCost, shares: "_Shares"
) -> tuple[FloatArray, FloatArray]:
    """Return rent of the GPUs in use, and leases paid while awake, by workload [W]."""
    awake_gpu_h = np.zeros(len(world.fleets))
    for deployment, awake in zip(world.deployments, run.awake, strict=True):
        if not deployment.external:
            gpu_h = float(awake.sum()) * deployment.gpus_count * world.step_h
            awake_gpu_h[deployment.fleet] += gpu_h
    used_usd = np.array(gpu_rents_usd_per_h(world.company)) * awake_gpu_h
    all_usd = capital_rent(world.company).gpu_usd_per_h * full.hours_h
    all_usd *= used_capacity_share(world.company, full)
    if (total := float(used_usd.sum())) > 0.0:  # the same sum, but for rounding
        used_usd *= all_usd / total
    rent, lease = shares.none(), shares.none()
    for at, fleet in enumerate(world.fleets):
        rent += shares.on_fleet(at, float(used_usd[at]))
        lease += shares.on_fleet(at, fleet.lease_usd_per_gpu_hour * float(awake_gpu_h[at]))
    return rent, lease


class _Shares:
    """By what costs are spread over workloads: energy at a site, time on a fleet, or tokens."""

    def __init__(self, world: World, run: RunLike) -> None:
        self._world = world
        self._loads = np.array([r.workload for r in world.routes], dtype=np.int64)
        at = [world.deployments[r.deployment] for r in world.routes]
        self._sites = np.array([d.site for d in at], dtype=np.int64)
        self._fleets = np.array([d.fleet for d in at], dtype=np.int64)
        self._mwh = run.route_mwh(world).sum(axis=1)
        rate = np.array([r.rate_mtok_per_h for r in world.routes])
        gpus = np.array([float(d.gpus_count) for d in at])
        served = run.serve_mtok.sum(axis=1)
        self._gpu_h = np.where(self._fleets == NOWHERE, 0.0, served / rate * gpus)
        self.energy_mwh = self.by_workload(self._mwh)
        self.served_mtok = self.by_workload(served)
        asked = world.arrivals_mtok[:, world.first : world.last].sum(axis=1)
        self._last = (self.energy_mwh, self.served_mtok, asked, np.ones_like(asked))

    def none(self) -> FloatArray:
        """Return nothing for every workload [W]."""
        return np.zeros(len(self._world.workloads))

    def by_workload(self, values: FloatArray) -> FloatArray:
        """Return the sum over each workload's routes [W]."""
        sums = np.bincount(self._loads, weights=values, minlength=self.none().size)
        return sums.astype(np.float64)

    def of_energy(self, usd: float) -> FloatArray:
        """Spread an amount by energy, wherever it was used [W]."""
        return _spread(usd, self._last)

    def at_site(self, site: int, usd: float) -> FloatArray:
        """Spread an amount by the energy of the work at a site [W]."""
        here = self.by_workload(np.where(self._sites == site, self._mwh, 0.0))
        return _spread(usd, (here, *self._last))

    def on_fleet(self, fleet: int, usd: float) -> FloatArray:
        """Spread an amount by the GPU-hours of the work on a fleet [W]."""
        here = self.by_workload(np.where(self._fleets == fleet, self._gpu_h, 0.0))
        return _spread(usd, (here, self.by_workload(self._gpu_h), *self._last))

    def meter_tier(self, workload: int) -> str | None:
        """Return how the least known of a workload's joules are known."""
        return least_known(self._world.routes[r].energy_tier for r in self._drawing(workload))

    def band_share(self, workload: int, end: str) -> float | None:
        """Return an end of the energy's band, by MWh."""
        at = self._drawing(workload)
        if not at.size:
            return None
        ends = np.array([getattr(self._world.routes[r], end) for r in at])
        return float(ends @ self._mwh[at] / self._mwh[at].sum())

    def _drawing(self, workload: int) -> IntArray:
        """Return the routes of a workload that drew energy."""
        at: IntArray = np.flatnonzero((self._loads == workload) & (self._mwh > 0.0))
        return at


def _spread(usd: float, weights: Sequence[FloatArray]) -> FloatArray:
    """Spread an amount by the first weights that are not all 0 [W]."""
    first = next(weight for weight in weights if weight.sum() > 0.0)
    spread: FloatArray = usd * (first / first.sum())
    return spread

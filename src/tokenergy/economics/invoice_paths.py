"""Where the money of each invoice goes: to a site, there to a model, and from it to a tier.

The rules are those of `attribute`, kept apart by invoice and by route, so that the sum over a
tier's paths is what its tokens used:

- power and wear go by the MWh of the work at their site, or everybody's where none was done;
- a fleet's awake GPU-hours by the GPU-hours of the work on it; those asleep are unused capacity;
- facilities and batteries, as far as they were in use, by everybody's MWh; the rest is unused;
- network and APIs by what was sent there; staff is nobody's, what is fixed for a tier is its own.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tokenergy.dispatch.world import NOWHERE, World
from tokenergy.economics.attribution import FloatArray, RunLike, used_capacity_share
from tokenergy.economics.reconcile import Invoice
from tokenergy.economics.unit_cost import FullCost, capital_rent, gpu_rents_usd_per_h
from tokenergy.errors import UnexpectedError


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoicePath:
    """Money of one kind of invoice, by the site, the model and the tier that it was spent on.

    Attributes:
        kind: of the invoice, as in `Invoice`.
        site: where it was spent; "": at nobody's site (APIs), or for the whole company.
        model: whose tokens it paid for; "": no model's (unused capacity, staff).
        tier: whose tokens they were; "": nobody's.
        usd: below 0 for what was earned, e.g. by selling power.
    """

    kind: str
    site: str
    model: str
    tier: str
    usd: float

    def to_dict(self) -> dict[str, Any]:
        """Return the path as a JSON-ready mapping; who pays is called `tenant`."""
        told = asdict(self)
        return told | {"tenant": told.pop("tier")}


Target = tuple[str, str, str]
"""Site, model and tier."""
UNUSED = ("", "")
"""Model and tier of what nothing used."""


def invoice_paths(
    world: World, run: RunLike, full: FullCost, invoices: Sequence[Invoice]
) -> tuple[InvoicePath, ...]:
    """Return where the money of the invoices went; it sums to them.

    By hand: a site pays 100 USD for 2 MWh, of which chat's tokens of model `large` drew 1 and
    batch's of `small` 0.6: 62.50 USD go (power, site, large, chat), 37.50 (power, site, small,
    batch).

    Args:
        world: the company as arrays, with its file.
        run: what happened.
        full: the full cost of the same run.
        invoices: everything that the run is invoiced for (`invoices_of`).

    Raises:
        UnexpectedError: if an invoice is for something that the company does not have: ours.
    """
    spread = _Spread(world, run, full)
    sums: dict[tuple[str, *Target], float] = defaultdict(float)
    for invoice in invoices:
        for target, usd in spread.parts(invoice):
            if usd:
                sums[(invoice.kind, *target)] += usd
    return tuple(
        InvoicePath(kind=kind, site=site, model=model, tier=tier, usd=usd)
        for (kind, site, model, tier), usd in sums.items()
    )


class _Spread:
    """Spreads invoices over routes, and over workloads where no route served anything."""

    def __init__(self, world: World, run: RunLike, full: FullCost) -> None:
        self._world, self._full = world, full
        company = world.company
        at = [world.deployments[r.deployment] for r in world.routes]
        self._site = np.array([d.site for d in at], dtype=np.int64)
        self._fleet = np.array([d.fleet for d in at], dtype=np.int64)
        self._mwh = run.route_mwh(world).sum(axis=1)
        self._served = run.serve_mtok.sum(axis=1)
        rate = np.array([r.rate_mtok_per_h for r in world.routes])
        gpus = np.array([float(d.gpus_count) for d in at])
        self._gpu_h = np.where(self._fleet == NOWHERE, 0.0, self._served / rate * gpus)
        self._asked = world.arrivals_mtok[:, world.first : world.last].sum(axis=1)
        self._names = [
            (d.model, world.workloads[r.workload].tier)
            for d, r in zip(at, world.routes, strict=True)
        ] + [("", load.tier) for load in world.workloads]
        self._used_share = used_capacity_share(company, full)
        self._rents = gpu_rents_usd_per_h(company)
        self._awake_gpu_h = _awake_gpu_h(world, run)
        self._place: Mapping[str, str] = {
            **{owner.id: owner.site for owner in (*company.contracts, *company.tariffs)},
            **{fleet.name: fleet.site for fleet in company.fleets},
        }
        self._batteries = {battery.name: battery.site for battery in company.batteries}

    def parts(self, invoice: Invoice) -> Iterator[tuple[Target, float]]:
        """Yield where the money of one invoice goes, and how much of it."""
        match invoice.kind:
            case "power":
                yield from self._at_site(self._place[invoice.of], invoice.usd)
            case "wear":
                yield from self._at_site(self._batteries[invoice.of], invoice.usd)
            case "gpu":
                yield from self._gpus(invoice)
            case "facility":
                yield from self._powered(invoice.of, invoice.usd)
            case "battery":
                yield from self._powered(self._batteries[invoice.of], invoice.usd)
            case "network":
                price = [r.network_usd_per_mtok for r in self._world.routes]
                yield from self._by_route(invoice.usd, self._served * np.array(price))
            case "api":
                yield from self._by_route(invoice.usd, self._api(invoice.of))
            case "staff":
                yield ("", *UNUSED), invoice.usd
            case "tier":
                yield ("", "", invoice.of), invoice.usd
            case _:
                raise UnexpectedError(f"nobody knows where an invoice of {invoice.kind!r} goes")

    def _at_site(self, site: str, usd: float) -> Iterator[tuple[Target, float]]:
        here = self._site == self._world.site_names.index(site)
        return self._spread(site, usd, (np.where(here, self._mwh, 0.0), self._mwh))

    def _gpus(self, invoice: Invoice) -> Iterator[tuple[Target, float]]:
        """Yield what a fleet's work used, by GPU-hours, and what of it was asleep."""
        names = [fleet.name for fleet in self._world.company.fleets]
        at = names.index(invoice.of)
        fleet = self._world.company.fleets[at]
        standing_usd = fleet.gpu_count * self._rents[at] * self._full.hours_h
        used_usd = self._rents[at] * float(self._awake_gpu_h[at]) * self._used_ratio()
        on_fleet = np.where(self._fleet == at, self._gpu_h, 0.0)
        yield from self._spread(
            fleet.site, invoice.usd - standing_usd + used_usd, (on_fleet, self._gpu_h, self._mwh)
        )
        yield (fleet.site, *UNUSED), standing_usd - used_usd

    def _used_ratio(self) -> float:
        """Return what the used rents add up to in the full cost over what they do here."""
        used_usd = float(np.array(self._rents) @ self._awake_gpu_h)
        all_usd = capital_rent(self._world.company).gpu_usd_per_h * self._full.hours_h
        return self._used_share * all_usd / used_usd if used_usd > 0.0 else 1.0

    def _powered(self, site: str, usd: float) -> Iterator[tuple[Target, float]]:
        yield from self._spread(site, self._used_share * usd, (self._mwh,))
        yield (site, *UNUSED), (1.0 - self._used_share) * usd

    def _api(self, deployment: str) -> FloatArray:
        names = [self._world.deployments[r.deployment].name for r in self._world.routes]
        price = np.array([r.api_usd_per_mtok for r in self._world.routes])
        paid: FloatArray = self._served * price * np.array([n == deployment for n in names])
        return paid

    def _by_route(self, usd: float, weights: FloatArray) -> Iterator[tuple[Target, float]]:
        for at in weights.nonzero()[0].tolist():
            site = int(self._site[at])
            name = "" if site == NOWHERE else self._world.site_names[site]
            yield (name, *self._names[at]), usd * float(weights[at] / weights.sum())

    def _spread(
        self, site: str, usd: float, weights: Sequence[FloatArray]
    ) -> Iterator[tuple[Target, float]]:
        """Yield an amount by the first weights of routes that are not all 0.

        Where nothing was served, what was paid is for what was asked; where nobody asked, it is
        every workload's.
        """
        routes = next((w for w in (*weights, self._served) if w.sum() > 0.0), None)
        none = np.zeros(len(self._world.routes))
        loads = self._asked if self._asked.sum() > 0.0 else np.ones_like(self._asked)
        every = (
            np.concatenate([none, loads])
            if routes is None
            else np.concatenate([routes, np.zeros_like(self._asked)])
        )
        total = float(every.sum())
        for at in every.nonzero()[0].tolist():
            yield (site, *self._names[at]), usd * (float(every[at]) / total)


def _awake_gpu_h(world: World, run: RunLike) -> FloatArray:
    """Return awake GPU-hours by fleet [F]."""
    awake = np.zeros(len(world.fleets))
    for deployment, count in zip(world.deployments, run.awake, strict=True):
        if not deployment.external:
            awake[deployment.fleet] += float(count.sum()) * deployment.gpus_count * world.step_h
    return awake

"""From windows to figures: each model's tokens, joules and costs, site by site."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokenergy.api.observed.company import ObservedCompany
from tokenergy.api.observed.joules import UNKNOWN_TIER, EngineJoules
from tokenergy.api.observed.now import Now
from tokenergy.api.observed.observation import ModelSeen, SeenJoules, SeenTokens, SiteSeen
from tokenergy.api.observed.saving import ObservedSaving
from tokenergy.api.observed.watching import Watched
from tokenergy.api.observed.world import Placed
from tokenergy.company.finding import Finding
from tokenergy.company.marginal import MarginalCost
from tokenergy.dispatch.world import World
from tokenergy.economics.observed_cost import full_parts, gpu_usd_per_h, unused_gpu_usd_per_h
from tokenergy.metering.reading import WORST_LAST
from tokenergy.metering.sample import EngineWindow
from tokenergy.units import J_PER_MWH, S_PER_H, TOKENS_PER_MTOK


@dataclass(frozen=True, slots=True, kw_only=True)
class One:
    """One engine with everything that is known of its window."""

    place: Placed
    watched: Watched
    joules: EngineJoules

    @property
    def answered(self) -> bool:
        """Whether its tokens are known."""
        done = self.watched.done
        return done is not None and done.output_tokens is not None and done.span_s > 0.0


def sites_seen(held: ObservedCompany, ones: Sequence[One], now: Now | None) -> tuple[SiteSeen, ...]:
    """Return the figures of every site that has an engine, in the order of the file."""
    world = held.structure.world if now is None else now.world
    company = held.company
    held_count = [0.0] * len(company.fleets)
    for one in ones:
        held_count[one.place.fleet] += one.place.gpus_count
    found = []
    for at, site in enumerate(company.sites):
        here = [one for one in ones if one.place.site == at]
        if not here:
            continue
        price, power = None, None
        if now is not None:
            price = float(world.spot_usd_per_mwh[at, world.first])
            power = now.power_usd_per_mwh[at]
        path = f"sites[{at}].market.price"
        sources: Mapping[str, Any] = {} if held.now is None else held.now.inputs.sources
        groups: dict[tuple[int, str, int], list[One]] = {}
        for one in here:  # two workloads of one model have two prices
            key = (one.place.fleet, one.place.engine.model, one.place.workload)
            groups.setdefault(key, []).append(one)
        found.append(
            SiteSeen(
                site=site.name,
                price_usd_per_mwh=price,
                price_source=str(sources.get(path, "none that reaches the present")),
                price_at=None if now is None else held.present,
                power_usd_per_mwh=power,
                unused_gpu_usd_per_h=unused_gpu_usd_per_h(company, held_count, site=site.name),
                models=tuple(_model(world, group, now, power) for group in groups.values()),
            )
        )
    return tuple(found)


def _model(
    world: World, ones: list[One], now: Now | None, power_usd_per_mwh: float | None
) -> ModelSeen:
    """Add up the engines of one model on one fleet that answer one workload."""
    first = ones[0].place
    answered = [one for one in ones if one.answered]
    done = [one.watched.done for one in answered if one.watched.done is not None]
    tokens = _tokens(done)
    joules = _joules([one.joules.seen for one in answered])
    span_s = max((each.span_s for each in done), default=0.0)
    row = None if now is None else now.marginal.get(first.engine.name)
    output = tokens.output or 0
    costs, full_usd_per_h = _full(world, answered, power_usd_per_mwh)
    full = None if costs is None or not output else _per_mtok(costs, output)
    used = _utilisation_share(world, answered)
    return ModelSeen(
        model=first.engine.model,
        fleet=world.company.fleets[first.fleet].name,
        accelerator=world.company.fleets[first.fleet].accelerator,
        workload=world.workloads[first.workload].name,
        engines=tuple(one.place.engine.name for one in ones),
        replicas_count=sum(one.place.engine.replicas_count for one in answered),
        gpus_count=sum(one.place.gpus_count for one in answered),
        span_s=span_s,
        tokens=tokens,
        joules=joules,
        j_per_token=joules.total_j / output if joules.total_j is not None and output else None,
        utilisation_share=used,
        running_count=_sum([each.running_count for each in done]),
        waiting_count=_sum([each.waiting_count for each in done]),
        idle_usd_per_h=_idle_usd_per_h(world, answered, used, power_usd_per_mwh, span_s),
        usd_per_mtok_full=None if full is None else full["total"],
        usd_per_mtok_marginal=None if row is None else row.total_usd_per_mtok,
        usd_per_mtok_low=row.low_usd_per_mtok if row is not None and row.in_use else None,
        usd_per_mtok_elsewhere=None if row is None else row.high_usd_per_mtok,
        usd_per_mtok_within_replica=_within(row),
        parts=None if row is None else row.parts(),
        full_parts=None
        if full is None
        else {name: usd for name, usd in full.items() if name != "total"},
        full_usd_per_h=full_usd_per_h,
        silent=tuple(one.place.engine.name for one in ones if not one.answered),
    )


def _within(row: MarginalCost | None) -> float | None:
    return None if row is None else row.within_replica_usd_per_mtok


def _tokens(done: list[EngineWindow]) -> SeenTokens:
    return SeenTokens(
        input=_whole([each.prompt_tokens for each in done]),
        cached_input=_whole([each.cached_tokens for each in done]),
        output=_whole([each.output_tokens for each in done]),
        requests=_whole([each.requests for each in done]),
    )


def _whole(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _joules(seen: list[SeenJoules]) -> SeenJoules:
    """Add joules up: None as soon as one is missing; the tier is the worst of them."""

    def added(name: str) -> float | None:
        return _sum([getattr(each, name) for each in seen])

    tiers = [each.tier for each in seen]
    worst = UNKNOWN_TIER if not tiers or UNKNOWN_TIER in tiers else max(tiers, key=WORST_LAST.index)
    return SeenJoules(
        gpu_j=added("gpu_j"),
        host_j=added("host_j"),
        idle_j=added("idle_j"),
        overhead_j=added("overhead_j"),
        total_j=added("total_j"),
        low_j=added("low_j"),
        high_j=added("high_j"),
        tier=worst,
        reason="; ".join(dict.fromkeys(each.reason for each in seen if each.reason)),
    )


def _full(
    world: World, answered: list[One], power_usd_per_mwh: float | None
) -> tuple[dict[str, float | None] | None, float | None]:
    """Return the full cost of the engines' windows by part, USD, and what it is an hour."""
    costs, usd_per_h = [], 0.0
    for one in answered:
        done, total_j = one.watched.done, one.joules.seen.total_j
        assert done is not None
        parts = full_parts(
            world.company,
            fleet=one.place.fleet,
            gpus_count=one.place.gpus_count,
            span_h=done.span_s / S_PER_H,
            energy_mwh=None if total_j is None else total_j / J_PER_MWH,
            usd_per_mwh=power_usd_per_mwh,
        )
        if parts.total_usd is None:
            return None, None
        costs.append(parts)
        usd_per_h += parts.total_usd / done.span_s * S_PER_H
    if not costs:
        return None, None
    return {
        "total": _sum([each.total_usd for each in costs]),
        "energy": _sum([each.energy_usd for each in costs]),
        "gpu": _sum([each.gpu_usd for each in costs]),
        "facility": _sum([each.facility_usd for each in costs]),
        "staff": _sum([each.staff_usd for each in costs]),
    }, usd_per_h


def _per_mtok(costs: Mapping[str, float | None], output: int) -> dict[str, float | None]:
    mtok = output / TOKENS_PER_MTOK
    return {name: None if usd is None else usd / mtok for name, usd in costs.items()}


def _utilisation_share(world: World, answered: list[One]) -> float | None:
    """Return tokens over what the replicas can make in the window within their limits."""
    made, most = 0.0, 0.0
    for one in answered:
        done = one.watched.done
        if one.place.route is None or done is None or done.output_tokens is None:
            return None
        rate = world.routes[one.place.route].rate_mtok_per_h * one.place.engine.replicas_count
        made += done.output_tokens / TOKENS_PER_MTOK
        most += rate * done.span_s / S_PER_H
    return made / most if most > 0.0 else None


def _idle_usd_per_h(
    world: World,
    answered: list[One],
    used_share: float | None,
    power_usd_per_mwh: float | None,
    span_s: float,
) -> float | None:
    """Return what the unused part of the replicas costs an hour: their rent and base power."""
    if used_share is None or power_usd_per_mwh is None or span_s <= 0.0:
        return None
    usd_per_h = 0.0
    for one in answered:
        if one.place.deployment is None:
            return None
        base_mw = world.deployments[one.place.deployment].base_mw * one.place.engine.replicas_count
        pue = float(world.pue[one.place.site, world.first])
        usd_per_h += gpu_usd_per_h(world.company, one.place.fleet) * one.place.gpus_count
        usd_per_h += base_mw * pue * power_usd_per_mwh
    return max(0.0, 1.0 - used_share) * usd_per_h


def missing_prices(held: ObservedCompany, ones: Sequence[One]) -> Iterator[Finding]:
    """Yield a finding for each site of an engine whose hall has no price."""
    for at in sorted({one.place.site for one in ones}):
        site = held.company.sites[at]
        if site.facility_usd_per_kw is None:
            yield Finding(
                code="FULL_COST_INCOMPLETE",
                path=f"sites[{at}].facility_usd_per_kw",
                severity="warning",
                reason=f"the file states no price of {site.name}'s hall, cooling and grid works: "
                "it is in no full cost, which is too low by as much",
                remedy="State facility_usd_per_kw; 0 if the site's rent is in the leases",
            )


def energy_ratios(ones: Sequence[One]) -> dict[str, float]:
    """Return metered over modelled joules by engine, where something was measured."""
    ratios = {one.place.engine.name: one.joules.energy_ratio for one in ones}
    return {name: ratio for name, ratio in ratios.items() if ratio is not None}


def of_full_share(saving: ObservedSaving, sites: Sequence[SiteSeen]) -> float | None:
    """Return a saving over the full cost of the engines, at the window's rate of spending.

    None where a full cost is not known: a share of something smaller would flatter.
    """
    usd_per_h = 0.0
    for site in sites:
        for model in site.models:
            if model.silent or model.full_usd_per_h is None:
                return None
            usd_per_h += model.full_usd_per_h
    hours = (saving.end - saving.start).total_seconds() / S_PER_H
    return saving.against[0].usd / (usd_per_h * hours) if usd_per_h > 0.0 else None

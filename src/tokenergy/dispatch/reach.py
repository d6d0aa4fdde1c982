"""Which workload can use which deployment, and what one replica does for it there."""

from dataclasses import dataclass

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.company import Company
from tokenergy.company.fleet import Fleet, Model
from tokenergy.company.inputs import Inputs
from tokenergy.company.network import distance_km, rtt_ms
from tokenergy.company.tier import Tier, Workload
from tokenergy.dispatch.points import operating_point
from tokenergy.dispatch.row_findings import lengths_of, row_of
from tokenergy.dispatch.world import (
    NOWHERE,
    Deployment,
    FleetSpec,
    Route,
    WorkloadSpec,
)
from tokenergy.energy.media import latent_tokens
from tokenergy.energy.operating_point import OperatingPoint
from tokenergy.errors import DoesNotFit, SloUnreachable
from tokenergy.units import BYTES_PER_GB, H_PER_MONTH, MS_PER_S, S_PER_H, TOKENS_PER_MTOK


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """What `build_world` needs to know about deployments and who reaches them."""

    fleets: tuple[FleetSpec, ...]
    deployments: tuple[Deployment, ...]
    routes: tuple[Route, ...]
    workloads: tuple[WorkloadSpec, ...]
    tokens_per_request_count: tuple[float, ...]
    unreachable: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """A (workload, deployment) pair with its operating point."""

    workload: int
    model: Model
    fleet: int
    point: OperatingPoint
    rtt_ms: float
    distance_km: float


def build_routes(company: Company, inputs: Inputs, catalogue: Catalogue) -> Routes:
    """Return every deployment in reach of each workload, with its operating point."""
    unreachable: list[tuple[str, str, str]] = []
    offers: list[_Offer] = []
    for at, workload in enumerate(company.workloads):
        for name in workload.ladder:
            model = _by_name(company.models, name)
            for fleet_at, fleet in enumerate(company.fleets):
                if model.fleets is not None and fleet.name not in model.fleets:
                    continue
                found = _offer(company, inputs, catalogue, at, model, fleet_at)
                if isinstance(found, str):
                    unreachable.append((workload.name, f"{model.name}@{fleet.name}", found))
                else:
                    offers.append(found)
    specs = tuple(_workload_spec(company, inputs, catalogue, w) for w in company.workloads)
    deployments, index = _deployments(company, offers)
    routes = [_route(company, offer, deployments, index, specs) for offer in offers]
    deployments = list(deployments)
    routes += _external_routes(company, deployments, unreachable)
    return Routes(
        fleets=_fleet_specs(company, catalogue),
        deployments=tuple(deployments),
        routes=tuple(sorted(routes, key=lambda r: (r.workload, r.deployment))),
        workloads=specs,
        tokens_per_request_count=tuple(spec.tokens_per_request_count for spec in specs),
        unreachable=tuple(unreachable),
    )


def _by_name(items: tuple[Model, ...], name: str) -> Model:
    return next(item for item in items if item.name == name)


def _tier(company: Company, workload: Workload) -> Tier:
    return next(tier for tier in company.tiers if tier.name == workload.tier)


def _offer(
    company: Company, inputs: Inputs, catalogue: Catalogue, at: int, model: Model, fleet_at: int
) -> _Offer | str:
    """Return the operating point of a workload on a deployment, or why there is none."""
    workload, fleet = company.workloads[at], company.fleets[fleet_at]
    site = next(site for site in company.sites if site.name == fleet.site)
    region = next(region for region in company.regions if region.name == workload.origin)
    tier = _tier(company, workload)
    lengths = None if model.shape is not None else lengths_of(workload, inputs)
    try:
        point = operating_point(
            catalogue,
            tier=tier,
            model=model,
            fleet=fleet,
            site=site,
            lengths=lengths,
            row=row_of(company, inputs, catalogue, workload=workload, model=model, fleet=fleet),
        )
    except DoesNotFit as fault:
        if model.fleets is not None:
            raise
        return str(fault)
    except SloUnreachable as fault:
        return str(fault)
    wait_ms = rtt_ms(company.network, region, site)
    slack_s = tier.ttft_limit_s - wait_ms / MS_PER_S - point.unloaded_ttft_s
    if slack_s < 0.0:
        return (
            f"first token after {point.unloaded_ttft_s:.2f} s and {wait_ms:.0f} ms of network "
            f"exceeds the tier's {tier.ttft_limit_s:g} s"
        )
    return _Offer(
        workload=at,
        model=model,
        fleet=fleet_at,
        point=point,
        rtt_ms=wait_ms,
        distance_km=distance_km(region, site),
    )


def _wakes_per_h(fleet: Fleet, point: OperatingPoint) -> float:
    """Return how often an interruptible replica is woken again: any of its GPUs ends it."""
    return fleet.lease.interruptions_per_h * point.gpus_count if fleet.lease else 0.0


def _wake_h(offer: _Offer) -> float:
    wake_s = offer.model.wake_s
    return offer.point.wake_h if wake_s is None else wake_s / S_PER_H


def _awake_mw(company: Company, offer: _Offer) -> float:
    """Return base power with the wakes of interruptions, spread over time."""
    wakes_per_h = _wakes_per_h(company.fleets[offer.fleet], offer.point)
    return offer.point.base_mw * (1.0 + wakes_per_h * _wake_h(offer))


def _deployments(
    company: Company, offers: list[_Offer]
) -> tuple[list[Deployment], dict[tuple[str, int], int]]:
    """Merge the offers of one (model, fleet): base power is the least of its workloads'."""
    names = [site.name for site in company.sites]
    found: dict[tuple[str, int], Deployment] = {}
    for offer in offers:
        fleet = company.fleets[offer.fleet]
        fresh = Deployment(
            name=f"{offer.model.name}@{fleet.name}",
            model=offer.model.name,
            accelerator=fleet.accelerator,
            fleet=offer.fleet,
            site=names.index(fleet.site),
            gpus_count=offer.point.gpus_count,
            base_mw=_awake_mw(company, offer),
            wake_h=_wake_h(offer),
            wake_mwh=offer.point.base_mw * _wake_h(offer),
        )
        key = (offer.model.name, offer.fleet)
        known = found.get(key)
        if known is None or fresh.base_mw < known.base_mw:
            found[key] = fresh
    return list(found.values()), {key: at for at, key in enumerate(found)}


def _route(
    company: Company,
    offer: _Offer,
    deployments: list[Deployment],
    index: dict[tuple[str, int], int],
    specs: tuple[WorkloadSpec, ...],
) -> Route:
    """Make a route whose line passes exactly through the operating point of its workload."""
    point, spec = offer.point, specs[offer.workload]
    at = index[offer.model.name, offer.fleet]
    lost_share = min(0.9, _wakes_per_h(company.fleets[offer.fleet], point) * _wake_h(offer))
    # Media of another shape answer the same item with another number of latent tokens.
    own = point.tokens_per_item_count
    scale = spec.tokens_per_item_count / own if spec.tokens_per_item_count and own else 1.0
    rate_mtok_per_h = point.rate_mtok_per_h * scale * (1.0 - lost_share)
    # The deployment's base is the least of its workloads': the rest of this one is marginal.
    extra_mw = _awake_mw(company, offer) - deployments[at].base_mw
    egress = company.network.egress_usd_per_gb * company.network.bytes_per_token / BYTES_PER_GB
    return Route(
        workload=offer.workload,
        deployment=at,
        rate_mtok_per_h=rate_mtok_per_h,
        marginal_mwh_per_mtok=point.marginal_mwh_per_mtok / scale + extra_mw / rate_mtok_per_h,
        quality_share=offer.model.quality_share,
        network_usd_per_mtok=egress * TOKENS_PER_MTOK,
        api_usd_per_mtok=0.0,
        rtt_ms=offer.rtt_ms,
        distance_km=offer.distance_km,
        kappa_ratio=point.input_output_cost_ratio_share,
        energy_tier=point.energy_tier,
        energy_low_share=point.low_share,
        energy_high_share=point.high_share,
        energy_notes=point.warnings,
        batch_count=point.batch_count,
        tpot_s=point.tpot_s,
        ttft_s=point.unloaded_ttft_s,
    )


def _external_routes(
    company: Company, deployments: list[Deployment], unreachable: list[tuple[str, str, str]]
) -> list[Route]:
    """Add external APIs as deployments without megawatts, for the ladders that name their model."""
    routes: list[Route] = []
    for api in company.external_apis:
        at = len(deployments)
        limit = float("inf") if api.limit_mtok_per_h is None else api.limit_mtok_per_h
        deployments.append(
            Deployment(
                name=api.name,
                model=api.model,
                accelerator="external",
                fleet=NOWHERE,
                site=NOWHERE,
                gpus_count=0,
                base_mw=0.0,
                wake_h=0.0,
                wake_mwh=0.0,
                limit_mtok_per_h=limit,
            )
        )
        for workload_at, workload in enumerate(company.workloads):
            tier = _tier(company, workload)
            if api.model not in workload.ladder:
                continue
            if api.ttft_s > tier.ttft_limit_s or api.tpot_s > tier.tpot_limit_s:
                reason = (
                    f"{api.ttft_s:g} s to the first token and {api.tpot_s:g} s per token miss "
                    f"the tier's {tier.ttft_limit_s:g} s and {tier.tpot_limit_s:g} s"
                )
                unreachable.append((workload.name, api.name, reason))
                continue
            routes.append(
                Route(
                    workload=workload_at,
                    deployment=at,
                    rate_mtok_per_h=1.0,
                    marginal_mwh_per_mtok=0.0,
                    quality_share=api.quality_share,
                    network_usd_per_mtok=0.0,
                    api_usd_per_mtok=api.usd_per_mtok,
                    rtt_ms=0.0,
                    distance_km=0.0,
                    kappa_ratio=0.0,
                    tpot_s=api.tpot_s,
                    ttft_s=api.ttft_s,
                )
            )
    return routes


def _fleet_specs(company: Company, catalogue: Catalogue) -> tuple[FleetSpec, ...]:
    names = [site.name for site in company.sites]
    specs = []
    for fleet in company.fleets:
        paid_awake = fleet.lease is not None and fleet.lease.kind != "reserved"
        lease_usd = fleet.lease.usd_per_gpu_hour if fleet.lease and paid_awake else 0.0
        specs.append(
            FleetSpec(
                name=fleet.name,
                site=names.index(fleet.site),
                accelerator=fleet.accelerator,
                gpus_count=fleet.gpu_count * fleet.available_share,
                lease_usd_per_gpu_hour=lease_usd,
                sleep_mw_per_gpu=catalogue.accelerator(fleet.accelerator).idle_w / 1e6,
            )
        )
    return tuple(specs)


def _workload_spec(
    company: Company, inputs: Inputs, catalogue: Catalogue, workload: Workload
) -> WorkloadSpec:
    """Resolve value and price of a workload's tier per Mtok (dispatch sheet, section 1)."""
    tier = _tier(company, workload)
    asked = _by_name(company.models, workload.ladder[0])
    shape = asked.shape
    video_s = shape.frames / shape.fps if shape is not None and shape.fps else None
    tokens_per_item = _tokens_per_item(asked, catalogue)
    tokens = _tokens_per_request(company, inputs, catalogue, workload)
    requests_per_mtok = TOKENS_PER_MTOK / tokens
    price = _price_usd_per_mtok(company, inputs, catalogue, tier, requests_per_mtok)
    return WorkloadSpec(
        name=workload.name,
        tier=tier.name,
        tier_index=[t.name for t in company.tiers].index(tier.name),
        origin=workload.origin,
        defer_count=int(tier.deadline_s / S_PER_H / inputs.step_h + 1e-9),
        value_usd_per_mtok=_value_usd_per_mtok(tier, requests_per_mtok, price),
        price_usd_per_mtok=price,
        asked_quality_share=asked.quality_share,
        must_serve=tier.must_serve,
        tokens_per_request_count=tokens,
        tokens_per_item_count=tokens_per_item,
        video_s_per_item=video_s,
    )


def _tokens_per_item(model: Model, catalogue: Catalogue) -> float | None:
    """Return the latent tokens of an item of a media model; None for a language model."""
    if model.shape is None:
        return None
    return latent_tokens(
        catalogue.media_model(model.catalogue),
        height=model.shape.height,
        width=model.shape.width,
        frames=model.shape.frames,
    )


def _tokens_per_request(
    company: Company, inputs: Inputs, catalogue: Catalogue, workload: Workload
) -> float:
    """Return the output tokens of a request: text, or the latent tokens of its items."""
    item = _tokens_per_item(_by_name(company.models, workload.ladder[0]), catalogue)
    if item is None:
        return lengths_of(workload, inputs).output_tokens
    return item * workload.items_per_request


def _price_usd_per_mtok(
    company: Company,
    inputs: Inputs,
    catalogue: Catalogue,
    tier: Tier,
    requests_per_mtok: float,
) -> float:
    """Return what a Mtok is paid; of a subscription its mean over all that its users ask for."""
    if tier.price_usd_per_mtok is not None:
        return tier.price_usd_per_mtok
    if tier.price_usd_per_request is not None:
        return tier.price_usd_per_request * requests_per_mtok
    if tier.users is None or not tier.price_usd_per_user_month:
        return 0.0
    asked_mtok_per_h = 0.0
    for workload in company.workloads:
        if workload.tier == tier.name:
            rate = inputs.requests_per_s[workload.name][inputs.history_count :].mean()
            tokens = _tokens_per_request(company, inputs, catalogue, workload)
            asked_mtok_per_h += float(rate) * S_PER_H * tokens / TOKENS_PER_MTOK
    paid_usd_per_h = tier.users.count * tier.price_usd_per_user_month / H_PER_MONTH
    return paid_usd_per_h / asked_mtok_per_h if asked_mtok_per_h > 0.0 else 0.0


def _value_usd_per_mtok(tier: Tier, requests_per_mtok: float, price_usd_per_mtok: float) -> float:
    if tier.value_usd_per_mtok is not None:
        return tier.value_usd_per_mtok
    if tier.value_usd_per_request is not None:
        return tier.value_usd_per_request * requests_per_mtok
    if tier.from_conversion is not None:
        brought = tier.from_conversion.uplift_share * tier.from_conversion.ltv_usd
        return brought * requests_per_mtok
    return price_usd_per_mtok

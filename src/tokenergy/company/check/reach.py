"""Promises: what a tier is worth, what quality it may hope for, and who is near enough."""

from collections.abc import Iterator

from tokenergy.company.finding import Finding
from tokenergy.company.network import rtt_ms
from tokenergy.company.parts import Parts
from tokenergy.company.site import Region
from tokenergy.company.tier import Tier, Workload
from tokenergy.units import MS_PER_S


def check_reach(parts: Parts) -> Iterator[Finding]:
    """Yield promises that no deployment of any model of the ladder could keep."""
    for path, tier in parts.placed("tiers"):
        yield from _worth(path, tier)
    for path, workload in parts.placed("workloads"):
        tier = parts.find("tiers", workload.tier)
        region = parts.find("regions", workload.origin)
        if tier is None or not all(parts.find("models", name) for name in workload.ladder):
            continue
        yield from _quality(path, workload, tier, parts)
        if region is not None:
            yield from _latency(path, workload, tier, region, parts)


def _worth(path: str, tier: Tier) -> Iterator[Finding]:
    nothing = (
        (tier.value == "from_price" and tier.is_free)
        or 0.0 in (tier.value_usd_per_mtok, tier.value_usd_per_request)
        or (
            tier.from_conversion is not None
            and tier.from_conversion.uplift_share * tier.from_conversion.ltv_usd == 0.0
        )
    )
    if nothing:
        yield Finding(
            code="TIER_WORTH_NOTHING",
            path=path,
            value="0",
            unit="USD",
            reason=f"tier {tier.name!r} is worth nothing: refusing it all is the best dispatch",
            remedy="State what serving it is worth, e.g. from_conversion for a free tier",
            severity="error" if tier.must_serve else "warning",
        )


def _quality(path: str, workload: Workload, tier: Tier, parts: Parts) -> Iterator[Finding]:
    offers = [model.quality_share for model in parts.models if model.name in workload.ladder]
    offers += [api.quality_share for api in parts.external_apis if api.model in workload.ladder]
    if offers and max(offers) < tier.quality_floor_share:
        yield Finding(
            code="QUALITY_FLOOR_UNREACHABLE",
            path=f"{path}.ladder",
            value=f"{max(offers):g}",
            limit=f"{tier.quality_floor_share:g}",
            unit="share",
            reason=f"tier {tier.name!r} promises more quality than the best model in the "
            f"ladder of {workload.name!r} has",
            remedy="Add a better model to the ladder, or lower quality_floor_share",
        )


def _latency(
    path: str, workload: Workload, tier: Tier, region: Region, parts: Parts
) -> Iterator[Finding]:
    """Compare the tier's limit with the network alone; the dispatch room adds the model."""
    if any(
        api.model in workload.ladder
        and api.ttft_s <= tier.ttft_limit_s
        and api.tpot_s <= tier.tpot_limit_s
        for api in parts.external_apis
    ):
        return
    waits_ms: dict[str, float] = {}
    for name in workload.ladder:
        model = parts.find("models", name)
        for fleet in parts.fleets:
            if model is None or (model.fleets is not None and fleet.name not in model.fleets):
                continue
            site = parts.find("sites", fleet.site)
            if site is not None:
                waits_ms[site.name] = rtt_ms(parts.network, region, site)
    lost = any(parts.lost(section) for section in ("sites", "fleets"))
    whole = not lost and parts.unread.isdisjoint(("sites", "fleets", "network"))
    if not whole or not waits_ms:
        return
    nearest = min(waits_ms, key=lambda site: waits_ms[site])
    if waits_ms[nearest] / MS_PER_S > tier.ttft_limit_s:
        yield Finding(
            code="UNREACHABLE_WORKLOAD",
            path=f"{path}.origin",
            value=f"{waits_ms[nearest]:.0f}",
            limit=f"{tier.ttft_limit_s * MS_PER_S:g}",
            unit="ms",
            reason=f"workload {workload.name!r} from {region.name!r} is out of reach: the "
            f"round trip to the nearest site that holds its models, {nearest!r}, exceeds the "
            f"ttft_limit_s of tier {tier.name!r}"
            + ("" if tier.must_serve else ", so all of it would be refused"),
            remedy="Put a model of its ladder nearer, add an external API, or relax the limit",
            severity="error" if tier.must_serve else "warning",
        )

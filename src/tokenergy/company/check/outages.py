"""What may break, and promises that have to survive it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from tokenergy.company.check.terms import moment_text, span_text
from tokenergy.company.finding import Finding
from tokenergy.company.horizon import Horizon
from tokenergy.company.outage import Outage
from tokenergy.company.parts import Parts
from tokenergy.company.tier import Tier

SITES_NEEDED_COUNT: Final = 2


def check_outages(parts: Parts) -> Iterator[Finding]:
    """Yield outages at no time of the horizon, and promises that one dark site breaks for sure."""
    if parts.horizon is not None:
        for path, outage in parts.placed("outages"):
            yield from _outside(path, outage, parts.horizon)
    for path, tier in parts.placed("tiers"):
        if tier.survives is not None:
            yield from _survives(path, tier, parts)


def _outside(path: str, outage: Outage, horizon: Horizon) -> Iterator[Finding]:
    end = outage.start + timedelta(hours=outage.length_h)
    if outage.start < horizon.end and end > horizon.start:
        return
    yield Finding(
        code="OUTAGE_OUTSIDE_HORIZON",
        path=f"{path}.start",
        value=moment_text(outage.start),
        limit=span_text(horizon),
        reason="nothing of it falls into the horizon",
        remedy="Correct its start or its length_h, or leave it out",
        severity="warning",
    )


def _survives(path: str, tier: Tier, parts: Parts) -> Iterator[Finding]:
    """A promise that has to hold with any one site dark needs a second place that can keep it."""
    if not all(parts.knows_all(section) for section in ("fleets", "models", "workloads")):
        return
    for workload in parts.workloads:
        if workload.tier != tier.name:
            continue
        if any(api.model in workload.ladder for api in parts.external_apis):
            continue
        models = [model for model in parts.models if model.name in workload.ladder]
        sites = {
            fleet.site
            for fleet in parts.fleets
            for model in models
            if model.fleets is None or fleet.name in model.fleets
        }
        if models and len(sites) < SITES_NEEDED_COUNT:
            yield Finding(
                code="SURVIVES_ONE_SITE",
                path=f"{path}.survives",
                value=", ".join(sorted(sites)) or "none",
                limit=f"{SITES_NEEDED_COUNT}",
                unit="sites",
                reason=f"tier {tier.name!r} has to be servable with any one site dark, and "
                f"workload {workload.name!r} has GPUs for its models at one site only",
                remedy="Add a fleet at another site or an external API, or leave survives out",
            )

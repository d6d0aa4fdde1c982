"""What may break, and promises that have to survive it."""

from collections.abc import Iterator
from typing import Final

from tokenergy.company.finding import Finding
from tokenergy.company.noun import nearest_names
from tokenergy.company.parts import Parts
from tokenergy.company.tier import Tier

SECTION_OF: Final = {"site": "sites", "feed": "sites", "fleet": "fleets"}
SITES_NEEDED_COUNT: Final = 2


def check_outages(parts: Parts) -> Iterator[Finding]:
    """Yield outages of nothing or at no time, and promises that one dark site breaks for sure."""
    for path, outage in parts.placed("outages"):
        section = SECTION_OF[outage.what]
        known = parts.names(section)
        if outage.name not in known and parts.knows_all(section):
            near = nearest_names(outage.name, known)
            yield Finding(
                code="UNKNOWN_NAME",
                path=f"{path}.name",
                value=outage.name,
                reason=f"there is no {section[:-1]} called {outage.name!r}",
                remedy="Did you mean " + ", ".join(map(repr, near)) + "?"
                if near
                else f"Known are {', '.join(sorted(known)) or 'none'}",
            )
        horizon = parts.horizon
        if horizon is not None and not outage.start < horizon.end:
            yield Finding(
                code="OUTAGE_OUTSIDE_HORIZON",
                path=f"{path}.start",
                value=f"{outage.start:%Y-%m-%dT%H:%MZ}",
                limit=f"{horizon.start:%Y-%m-%dT%H:%MZ} to {horizon.end:%Y-%m-%dT%H:%MZ}",
                reason="nothing of it falls into the horizon",
                remedy="Correct its start, or leave it out",
                severity="warning",
            )
    for path, tier in parts.placed("tiers"):
        if tier.survives is not None:
            yield from _survives(path, tier, parts)


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

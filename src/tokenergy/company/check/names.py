"""Names: each thing has its own, and every reference finds one."""

from collections.abc import Iterator

from tokenergy.company.check.serving import served_names
from tokenergy.company.check.unknown import unknown_name
from tokenergy.company.finding import Finding
from tokenergy.company.parts import NAMELESS, SECTIONS, Parts, name_word

NOUN = {
    "regions": "region", "sites": "site", "contracts": "contract", "tariffs": "tariff",
    "batteries": "battery", "fleets": "fleet", "external_apis": "external API",
    "models": "model", "tiers": "tier", "workloads": "workload", "budgets": "budget",
}  # fmt: skip

REFERENCES = {"site": "sites", "tier": "tiers", "origin": "regions", "model": "models"}
"""Keys of a dropped item that name something, and the section that it should stand in."""
OPEN_SECTIONS = ("sites", "fleets", "batteries", "contracts")
"""Sections whose things may have another size in a plan."""
BROKEN = {"site": "sites", "feed": "sites", "fleet": "fleets"}
"""What breaks in an outage, and the section that its name stands in."""


def check_names(parts: Parts) -> Iterator[Finding]:
    """Yield names that stand twice, and references to nothing."""
    yield from _repeated(parts)
    for path, section, name in _references(parts):
        if name not in parts.names(section) and parts.knows_all(section):
            yield unknown_name(path, NOUN[section], name, parts.names(section))


def _repeated(parts: Parts) -> Iterator[Finding]:
    for section in SECTIONS:
        first: dict[str, str] = {}
        for position, name in parts.named(section):
            path = f"{section}[{position}]"
            if name in first:
                yield Finding(
                    code="DUPLICATE_NAME",
                    path=f"{path}.{name_word(section)}",
                    value=name,
                    reason=f"{first[name]} is called {name!r} already, and the name of a "
                    f"{NOUN[section]} is its key in bills and ledgers",
                    remedy="Rename one of the two",
                )
            first.setdefault(name, path)
    contracts = {name: f"contracts[{at}]" for at, name in reversed(parts.named("contracts"))}
    for position, name in parts.named("tariffs"):
        if name in contracts:
            yield Finding(
                code="DUPLICATE_NAME",
                path=f"tariffs[{position}].id",
                value=name,
                reason=f"{contracts[name]} is called {name!r} already, and bills tell contracts "
                "and tariffs apart by that name alone",
                remedy="Rename one of the two",
            )
    pairs: set[tuple[str, str]] = set()
    for position, rtt in enumerate(parts.network.rtt):
        if (rtt.region, rtt.site) in pairs:
            yield Finding(
                code="DUPLICATE_NAME",
                path=f"network.rtt[{position}]",
                value=f"{rtt.region} to {rtt.site}",
                reason="this pair of region and site has a round trip already",
                remedy="Keep one of the two",
            )
        pairs.add((rtt.region, rtt.site))


def _references(parts: Parts) -> Iterator[tuple[str, str, str]]:
    """Yield where a name is used, the section that it should stand in, and the name."""
    for section in (*SECTIONS, *NAMELESS):
        for position, words in parts.lost(section).items():
            for word, known in REFERENCES.items():
                if word in words:
                    yield f"{section}[{position}].{word}", known, words[word]
    for section in ("contracts", "tariffs", "batteries", "fleets"):
        for path, item in parts.placed(section):
            yield f"{path}.site", "sites", item.site
    for path, contract in parts.placed("contracts"):
        if contract.successor is not None:
            yield f"{path}.successor", "contracts", contract.successor
        for field in ("sources", "bundled"):
            for position, name in enumerate(getattr(contract, field, ())):
                yield f"{path}.{field}[{position}]", "contracts", name
    for path, api in parts.placed("external_apis"):
        yield f"{path}.model", "models", api.model
    for path, model in parts.placed("models"):
        for position, name in enumerate(model.fleets or ()):
            yield f"{path}.fleets[{position}]", "fleets", name
        for position, measured in enumerate(model.measured):
            yield f"{path}.measured[{position}].fleet", "fleets", measured.fleet
    for path, workload in parts.placed("workloads"):
        yield f"{path}.tier", "tiers", workload.tier
        yield f"{path}.origin", "regions", workload.origin
        for position, name in enumerate(workload.ladder):
            yield f"{path}.ladder[{position}]", "models", name
    for path, restraint in parts.placed("restraint"):
        yield f"{path}.tier", "tiers", restraint.tier
        for position, name in enumerate(restraint.ladder or ()):
            yield f"{path}.ladder[{position}]", "models", name
    for path, step in parts.mix:
        yield f"{path}.workload", "workloads", step.workload
        for position, name in enumerate(step.ladder):
            yield f"{path}.ladder[{position}]", "models", name
    for path, budget in parts.placed("budgets"):
        if budget.tier is not None:
            yield f"{path}.tier", "tiers", budget.tier
    for path, outage in parts.placed("outages"):
        yield f"{path}.name", BROKEN[outage.what], outage.name
    yield from _watched(parts)
    yield from _planned(parts)
    yield from served_names(parts.serve)
    for position, rtt in enumerate(parts.network.rtt):
        yield f"network.rtt[{position}].region", "regions", rtt.region
        yield f"network.rtt[{position}].site", "sites", rtt.site


def _watched(parts: Parts) -> Iterator[tuple[str, str, str]]:
    """Yield the names that `observe` uses."""
    if parts.observe is None:
        return
    for position, engine in enumerate(parts.observe.engines):
        path = f"observe.engines[{position}]"
        yield f"{path}.fleet", "fleets", engine.fleet
        yield f"{path}.model", "models", engine.model
        if engine.workload is not None:
            yield f"{path}.workload", "workloads", engine.workload
    for position, feed in enumerate(parts.observe.price_feeds):
        yield f"observe.price_feeds[{position}].site", "sites", feed.site


def _planned(parts: Parts) -> Iterator[tuple[str, str, str]]:
    """Yield the names that `plan` uses."""
    for section in OPEN_SECTIONS:
        for path, size in parts.open_sizes(section):
            yield f"{path}.name", section, size.name
    for path, scenario in parts.open_sizes("scenarios"):
        for field in ("energised_on", "prices"):
            for name in getattr(scenario, field):
                yield f"{path}.{field}.{name}", "sites", name

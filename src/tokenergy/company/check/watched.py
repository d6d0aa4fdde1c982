"""What `observe` is to watch: engines that the rest of the company can tell apart."""

from collections.abc import Iterator

from tokenergy.company.finding import Finding
from tokenergy.company.observe import Engine, Observe
from tokenergy.company.parts import Parts


def check_watched(parts: Parts) -> Iterator[Finding]:
    """Yield engines that are counted twice, or whose tokens nobody could have asked for."""
    for position, model in enumerate(parts.models):
        yield from _measured(f"models[{parts.positions['models'][position]}]", model)
    observe = parts.observe
    if observe is None:
        return
    yield from _repeated(observe)
    for position, engine in enumerate(observe.engines):
        yield from _placed(f"observe.engines[{position}]", engine, parts)
        yield from _asked(f"observe.engines[{position}]", engine, parts)
    yield from _together(observe, parts)


def _together(observe: Observe, parts: Parts) -> Iterator[Finding]:
    """Refuse engines that each fit a fleet, and together do not."""
    held: dict[str, dict[int, int]] = {}
    for position, engine in enumerate(observe.engines):
        model = parts.find("models", engine.model)
        if model is not None:
            need_count = engine.replicas_count * model.gpus_per_replica
            held.setdefault(engine.fleet, {})[position] = need_count
    for name, needs in held.items():
        fleet = parts.find("fleets", name)
        if fleet is None or max(needs.values()) > fleet.gpu_count:
            continue  # the engine that is too large alone is told already
        if sum(needs.values()) > fleet.gpu_count:
            yield Finding(
                code="ENGINES_LARGER_THAN_FLEET",
                path=f"observe.engines[{max(needs)}].replicas_count",
                value=f"{sum(needs.values())}",
                limit=f"{fleet.gpu_count}",
                unit="GPUs",
                reason=f"the {len(needs)} engines on fleet {name!r} together need more than it has",
                remedy="State fewer replicas_count, or the GPUs that stand there",
            )


def _measured(path: str, model: object) -> Iterator[Finding]:
    """Refuse a replica that was measured twice on one fleet, or on a fleet that has no model."""
    measured = getattr(model, "measured", ())
    fleets = getattr(model, "fleets", None)
    seen: set[str] = set()
    for position, each in enumerate(measured):
        where = f"{path}.measured[{position}].fleet"
        if each.fleet in seen:
            yield Finding(
                code="MEASURED_TWICE",
                path=where,
                value=each.fleet,
                reason="this fleet has a measured replica of the model already",
                remedy="Keep the measurement that holds",
            )
        seen.add(each.fleet)
        if fleets is not None and each.fleet not in fleets:
            yield Finding(
                code="MEASURED_ELSEWHERE",
                path=where,
                value=each.fleet,
                limit=", ".join(fleets),
                reason="the model's fleets leave this one out, so nothing would read it",
                remedy="Add the fleet to the model's fleets, or remove the measurement",
            )
    if measured and getattr(model, "shape", None) is not None:
        yield Finding(
            code="MEASURED_ON_MEDIA",
            path=f"{path}.measured",
            reason="a measured replica states tokens per second, and this model makes items",
            remedy="Remove the measurement",
        )


def _repeated(observe: Observe) -> Iterator[Finding]:
    names: dict[str, int] = {}
    counters: dict[tuple[str, str | None, str], int] = {}
    for position, engine in enumerate(observe.engines):
        path = f"observe.engines[{position}]"
        if engine.name in names:
            yield Finding(
                code="DUPLICATE_NAME",
                path=f"{path}.name",
                value=engine.name,
                reason=f"observe.engines[{names[engine.name]}] is called {engine.name!r} already",
                remedy="Rename one of the two",
            )
        names.setdefault(engine.name, position)
        key = (engine.metrics_url, engine.selector, engine.model)
        if key in counters:
            yield Finding(
                code="ENGINE_TWICE",
                path=f"{path}.metrics_url",
                value=engine.metrics_url,
                reason=f"observe.engines[{counters[key]}] reads the same counters: every token "
                "would be counted twice",
                remedy="Remove one of the two, or tell them apart by selector",
            )
        counters.setdefault(key, position)
    sites: set[str] = set()
    for position, feed in enumerate(observe.price_feeds):
        if feed.site in sites:
            yield Finding(
                code="DUPLICATE_NAME",
                path=f"observe.price_feeds[{position}].site",
                value=feed.site,
                reason="this site has a live price already",
                remedy="Keep one feed for each site",
            )
        sites.add(feed.site)


def _placed(path: str, engine: Engine, parts: Parts) -> Iterator[Finding]:
    """Hold an engine against its model's fleets."""
    model = parts.find("models", engine.model)
    if model is not None and model.fleets is not None and engine.fleet not in model.fleets:
        yield Finding(
            code="ENGINE_WITHOUT_FLEET",
            path=f"{path}.fleet",
            value=engine.fleet,
            limit=", ".join(model.fleets),
            reason=f"the fleets of model {engine.model!r} leave {engine.fleet!r} out",
            remedy="Add the fleet to the model's fleets, or name the engine's own",
        )
    if model is not None and model.shape is not None:
        yield Finding(
            code="ENGINE_OF_MEDIA",
            path=f"{path}.model",
            value=engine.model,
            reason="engines count tokens of text, and this model makes items: nobody could say "
            "what one of them costs",
            remedy="Remove the engine",
        )
    fleet = parts.find("fleets", engine.fleet)
    if fleet is not None and model is not None:
        need_count = engine.replicas_count * model.gpus_per_replica
        if need_count > fleet.gpu_count:
            yield Finding(
                code="ENGINE_LARGER_THAN_FLEET",
                path=f"{path}.replicas_count",
                value=f"{need_count}",
                limit=f"{fleet.gpu_count}",
                unit="GPUs",
                reason=f"the replicas behind these counters need more than fleet "
                f"{engine.fleet!r} has",
                remedy="State fewer replicas_count, or the GPUs that stand there",
            )


def _asked(path: str, engine: Engine, parts: Parts) -> Iterator[Finding]:
    """Hold an engine against its workload's ladder."""
    asking = [w.name for w in parts.workloads if engine.model in w.ladder]
    if engine.workload is None and len(asking) > 1:
        yield Finding(
            code="ENGINE_WORKLOAD_UNSTATED",
            path=path,
            value=engine.name,
            limit=", ".join(asking),
            reason=f"{len(asking)} workloads may be answered by {engine.model!r}, and nothing "
            "says whose requests these are",
            remedy="State workload",
        )
    workload = parts.find("workloads", engine.workload) if engine.workload else None
    if workload is not None and engine.model not in workload.ladder:
        yield Finding(
            code="ENGINE_WORKLOAD_UNSERVED",
            path=f"{path}.workload",
            value=engine.workload or "",
            limit=", ".join(workload.ladder),
            reason=f"the ladder of {engine.workload!r} leaves model {engine.model!r} out",
            remedy="Add the model to the ladder, or name another workload",
        )
    if (
        not asking
        and parts.knows_all("workloads")
        and parts.find("models", engine.model) is not None
    ):
        yield Finding(
            code="ENGINE_WITHOUT_WORKLOAD",
            path=f"{path}.model",
            value=engine.model,
            reason=f"no workload's ladder has {engine.model!r}: its tokens would have no price",
            remedy="Add the model to a ladder",
        )

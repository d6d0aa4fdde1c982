"""Which meters of a company's engines show the joules of which servers of its gateway."""

from collections.abc import Iterator, Sequence
from typing import Final

from tokenergy.api.opened import OpenCompany
from tokenergy.company.finding import Finding
from tokenergy.company.observe import CpuSecondsMeter, Engine
from tokenergy.company.serve import Serve, Upstream
from tokenergy.company.serving.plan import MeterPlan

WHERE: Final = "observe.engines"


class _Group:
    """Engines whose meters are read together, and the servers whose requests take their joules."""

    def __init__(self, engines: list[Engine], upstreams: list[Upstream]) -> None:
        self.engines, self.upstreams = engines, upstreams

    @property
    def name(self) -> str:
        return "+".join(sorted(engine.name for engine in self.engines))

    @property
    def meters(self) -> list[Engine]:
        """One engine for each meter: two that name the same meter name it once."""
        return list({_key(engine): engine for engine in self.engines}.values())


def meter_plans(company: OpenCompany, serve: Serve) -> tuple[MeterPlan, ...]:
    """Return the meters of a gateway: those of engines that are servers of it too.

    An engine is the server with its `metrics_url`; engines that no address tells apart stand
    together for the servers of their model on their fleet. Engines with one meter, and servers
    with several, are one plan: readings are added up first, and divided among all that ran.
    """
    return tuple(_plan(company, serve, group) for group in _groups(company, serve))


def meter_findings(company: OpenCompany, serve: Serve) -> tuple[Finding, ...]:
    """Return what of the meters is of no use to the gateway, as warnings."""
    used = {engine.name for group in _groups(company, serve) for engine in group.engines}
    return tuple(
        _unused(engine, place, company, serve)
        for place, engine in enumerate(_engines(company))
        if engine.meter is not None and engine.name not in used
    )


def _engines(company: OpenCompany) -> tuple[Engine, ...]:
    observe = company.company.observe
    return () if observe is None else observe.engines


def _groups(company: OpenCompany, serve: Serve) -> Iterator[_Group]:
    """Yield engines with their servers, those that share a meter or a server together."""
    groups: list[_Group] = []
    for engine in _engines(company):
        upstreams = _upstreams_of(engine, company, serve)
        if not upstreams:
            continue
        made = _Group([engine], upstreams)
        for other in [each for each in groups if _meet(each, made)]:
            groups.remove(other)
            names = {upstream.name for upstream in other.upstreams}
            made = _Group(
                [*other.engines, *made.engines],
                [*other.upstreams, *(each for each in made.upstreams if each.name not in names)],
            )
        groups.append(made)
    for group in groups:
        if all(engine.meter is not None for engine in group.engines):
            yield group


def _upstreams_of(engine: Engine, company: OpenCompany, serve: Serve) -> list[Upstream]:
    """Return an engine's servers: that with its address, else those without an engine's."""
    mine = [
        upstream
        for upstream in serve.upstreams
        if upstream.kind == "openai"
        and (upstream.fleet, upstream.model) == (engine.fleet, engine.model)
    ]
    if same := [each for each in mine if each.metrics_url == engine.metrics_url]:
        return same
    addresses = {each.metrics_url for each in _engines(company)}
    return [each for each in mine if each.metrics_url not in addresses]


def _meet(one: _Group, other: _Group) -> bool:
    """Tell whether two groups have a server or a meter in common."""
    names = {upstream.name for upstream in one.upstreams}
    if any(upstream.name in names for upstream in other.upstreams):
        return True
    keys = {_key(engine) for engine in one.engines if engine.meter is not None}
    return any(engine.meter is not None and _key(engine) in keys for engine in other.engines)


def _key(engine: Engine) -> str:
    """Return what is the same for engines with one meter."""
    meter = engine.meter
    if meter is None or (isinstance(meter, CpuSecondsMeter) and meter.pid is None):
        return f"engine {engine.name}"  # found by the engine's own address
    return meter.model_dump_json()


def _plan(company: OpenCompany, serve: Serve, group: _Group) -> MeterPlan:
    models = {engine.model for engine in group.engines}
    fleet = next(each for each in company.company.fleets if each.name == group.engines[0].fleet)
    return MeterPlan(
        name=group.name,
        engines=tuple(engine.model_dump_json() for engine in group.meters),
        upstreams=tuple(sorted(upstream.name for upstream in group.upstreams)),
        site=fleet.site,
        model=models.pop() if len(models) == 1 else "",
        accelerator=fleet.accelerator,
        idle_w=_idle_w(company, group.engines),
        idle=serve.metering.idle,
        every_s=serve.metering.every_s,
    )


def _idle_w(company: OpenCompany, engines: Sequence[Engine]) -> float:
    """Return what engines draw without a request: as stated, else by the accelerator.

    Engines of one meter share its boards: the most that one of them states or has.
    """
    found: dict[str, float] = {}
    for engine in engines:
        watts = engine.idle_w
        if watts is None:
            fleet = next(each for each in company.company.fleets if each.name == engine.fleet)
            model = next(each for each in company.company.models if each.name == engine.model)
            board_w = company.catalogue.accelerator(fleet.accelerator).idle_w
            watts = board_w * model.gpus_per_replica * engine.replicas_count
        found[_key(engine)] = max(found.get(_key(engine), 0.0), watts)
    return sum(found.values())


def _unused(engine: Engine, place: int, company: OpenCompany, serve: Serve) -> Finding:
    if not _upstreams_of(engine, company, serve):
        reason = (
            f"no server of the gateway runs model {engine.model!r} on fleet {engine.fleet!r}: this "
            "meter is read by `observe` alone, and joules of requests stay modelled"
        )
        remedy = "Name the server in serve.upstreams, with the engine's metrics_url"
    else:
        reason = (
            "an engine beside it has no meter, and no metrics_url tells whose requests are whose: "
            "joules of their requests stay modelled"
        )
        remedy = "Give each server the metrics_url of its engine, or each engine a meter"
    return Finding(
        code="METER_UNUSED",
        path=f"{WHERE}[{place}].meter",
        value=engine.name,
        severity="warning",
        reason=reason,
        remedy=remedy,
    )

"""The engines to watch: those of the company file, and those that the command line names."""

from collections.abc import Sequence
from typing import Final

from pydantic import TypeAdapter, ValidationError

from tokenergy.company.company import Company
from tokenergy.company.finding import Finding
from tokenergy.company.fleet import Fleet, Model
from tokenergy.company.noun import nearest_names
from tokenergy.company.observe import Engine, Observe, Url
from tokenergy.errors import FindingsError
from tokenergy.feeds.engine_scrape import without_credentials

HOW: Final = "--metrics NAME=URL for an engine of the file, or --metrics FLEET/MODEL=URL"
_URL: Final[TypeAdapter[str]] = TypeAdapter(Url)


def named_engines(company: Company, metrics: Sequence[str]) -> tuple[Engine, ...]:
    """Return the engines of the file with the addresses of the command line.

    Args:
        company: the checked company.
        metrics: `NAME=URL` gives an engine of the file another address; `FLEET/MODEL=URL` adds
            one, as often as there are addresses; a URL alone belongs to the file's only engine,
            or to the only model on the only fleet. Once the command line names engines, only
            those that it names are watched.

    Raises:
        FindingsError: for every address that belongs nowhere, all at once; or if nothing at all
            is to be watched.
    """
    own = {engine.name: engine for engine in (company.observe or Observe()).engines}
    if not metrics:
        if not own:
            raise FindingsError([_nothing()])
        return tuple(own.values())
    found: dict[str, Engine] = {}
    findings: list[Finding] = []
    for at, text in enumerate(metrics):
        one = _engine(company, own, text, f"--metrics[{at}]")
        if isinstance(one, Finding):
            findings.append(one)
            continue
        if one.name not in own:
            one = _numbered(one, {*own, *found})
        if one.name in found:
            findings.append(_fault(f"--metrics[{at}]", one.name, "this engine has an address"))
        elif any(_same_counters(one, other) for other in found.values()):
            reason = "an address before it reads the same counters: every token would count twice"
            findings.append(_fault(f"--metrics[{at}]", _shown(one.metrics_url), reason))
        else:
            found[one.name] = one
    if findings:
        raise FindingsError(findings)
    return tuple(found.values())


def _numbered(engine: Engine, taken: set[str]) -> Engine:
    """Give an engine of the command line a name that no other engine has."""
    name, number = engine.name, 1
    while name in taken:
        number += 1
        name = f"{engine.name}-{number}"
    return engine if name == engine.name else engine.model_copy(update={"name": name})


def _same_counters(one: Engine, other: Engine) -> bool:
    return (one.metrics_url, one.selector, one.model) == (
        other.metrics_url,
        other.selector,
        other.model,
    )


def _engine(company: Company, own: dict[str, Engine], text: str, path: str) -> Engine | Finding:
    """Return the engine that one word of the command line means, or what is wrong with it."""
    name, url = _parted(text)
    try:
        _URL.validate_python(url)
    except ValidationError:
        shown = _shown(url)
        return _fault(path, shown, "this is no http or https address")
    if name in own:
        return own[name].model_copy(update={"metrics_url": url})
    if not name and len(own) == 1:
        (only,) = own.values()
        return only.model_copy(update={"metrics_url": url})
    if not name:
        return _unnamed(company, url, path)
    fleet, slash, model = name.partition("/")
    if not slash:
        near = nearest_names(name, own)
        return _fault(
            path,
            name,
            f"the file has no engine {name!r}" + (f" (nearest: {', '.join(near)})" if near else ""),
        )
    return _placed(company, fleet, model, url, path)


def _parted(text: str) -> tuple[str, str]:
    """Part the name from the address; an address alone may hold a `=` of its own."""
    if text.lower().startswith(("http://", "https://")):
        return "", text
    name, _, url = text.partition("=")
    return name.strip(), url.strip()


def _unnamed(company: Company, url: str, path: str) -> Engine | Finding:
    if len(company.fleets) == 1 and len(company.models) == 1:
        return _placed(company, company.fleets[0].name, company.models[0].name, url, path)
    return _fault(
        path,
        _shown(url),
        f"the company has {len(company.fleets)} fleets and {len(company.models)} models, and "
        "nothing says which of them this is",
    )


def _placed(company: Company, fleet: str, model: str, url: str, path: str) -> Engine | Finding:
    fleets = {each.name: each for each in company.fleets}
    models = {each.name: each for each in company.models}
    if fleet not in fleets:
        return _fault(path, fleet, f"there is no fleet {fleet!r}; there are {', '.join(fleets)}")
    if model not in models:
        return _fault(path, model, f"there is no model {model!r}; there are {', '.join(models)}")
    if (why := _unfit(fleets[fleet], models[model])) is not None:
        return _fault(path, f"{fleet}/{model}", why)
    asking = [load.name for load in company.workloads if model in load.ladder]
    if len(asking) != 1:
        return _fault(
            path,
            f"{fleet}/{model}",
            f"{len(asking)} workloads may be answered by {model!r}, so an engine of the file has "
            "to say whose requests these are",
        )
    return Engine(
        name=f"{fleet}-{model}", metrics_url=url, fleet=fleet, model=model, workload=asking[0]
    )


def _unfit(fleet: Fleet, model: Model) -> str | None:
    """Say why an engine of a model cannot stand on a fleet; the file's own are checked there."""
    if model.shape is not None:
        return f"model {model.name!r} makes items, and engines count tokens"
    if model.fleets is not None and fleet.name not in model.fleets:
        return f"the fleets of model {model.name!r} leave {fleet.name!r} out"
    if model.gpus_per_replica > fleet.gpu_count:
        return (
            f"a replica of {model.name!r} needs {model.gpus_per_replica} GPUs and {fleet.name!r} "
            f"has {fleet.gpu_count}"
        )
    return None


def _shown(url: str) -> str:
    """Return an address without a password in it."""
    return without_credentials(url)[2]


def _fault(path: str, value: str, reason: str) -> Finding:
    return Finding(code="METRICS_UNPLACED", path=path, value=value, reason=reason, remedy=HOW)


def _nothing() -> Finding:
    return Finding(
        code="NOTHING_TO_OBSERVE",
        path="observe.engines",
        reason="neither the company file nor the command line names an engine",
        remedy=f"Add observe.engines to the file, or say {HOW}",
    )

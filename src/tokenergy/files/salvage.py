"""What can still be read of a company file that is broken somewhere."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, get_args

from pydantic import TypeAdapter, ValidationError

from tokenergy.company.carbon import CarbonPrice
from tokenergy.company.company import Company
from tokenergy.company.growth import Growth, MixStep
from tokenergy.company.horizon import Horizon
from tokenergy.company.observe import Observe
from tokenergy.company.parts import NAMELESS, SECTIONS, Parts, mix_path, plan_path
from tokenergy.company.planning import PLANNED, Planning
from tokenergy.company.serve import Serve
from tokenergy.company.site import Network

WORDS = (
    "name", "id", "site", "kind", "tier", "origin", "model", "accelerator", "catalogue",
)  # fmt: skip
"""What is remembered of an item that cannot be read: its loss hides nothing, and adds nothing."""


def salvage(raw: Mapping[str, Any]) -> Parts:
    """Return the items that can be read by themselves, and the names of the others."""
    kept: dict[str, tuple[Any, ...]] = {}
    positions: dict[str, tuple[int, ...]] = {}
    broken: dict[str, dict[int, Mapping[str, str]]] = {}
    unread: set[str] = set()
    for section in (*SECTIONS, *NAMELESS):
        items = raw.get(section, [])
        if not isinstance(items, list) or (not items and _is_needed(section)):
            unread.add(section)
            items = []
        read = [(at, _item(section, item)) for at, item in enumerate(items)]
        kept[section] = tuple(item for _, item in read if item is not None)
        positions[section] = tuple(at for at, item in read if item is not None)
        broken[section] = {at: _words(items[at]) for at, item in read if item is None}
    serve = _read(TypeAdapter(Serve), raw.get("serve"))
    if serve is None and raw.get("serve") is not None:
        unread.add("serve")
    network = _read(TypeAdapter(Network), raw.get("network", {}))
    if network is None:
        unread.add("network")
    return Parts(
        currency=str(_field("currency", raw)),
        seed=int(_field("seed", raw)),
        history_days=float(_field("history_days", raw)),
        horizon=_read(TypeAdapter(Horizon), raw.get("horizon")),
        growth=_read(TypeAdapter(Growth), raw.get("growth")),
        grows=raw.get("growth") is not None,
        mix=_mix(raw.get("growth")),
        observe=_read(TypeAdapter(Observe), raw.get("observe")),
        serve=serve,
        carbon_price=_read(TypeAdapter(CarbonPrice), raw.get("carbon_price")),
        plan=_read(TypeAdapter(Planning), raw.get("plan")),
        planned=_planned(raw.get("plan")),
        operating_points=_field("operating_points", raw),
        calibration=_field("calibration", raw),
        network=network or Network(),
        positions=positions,
        broken=broken,
        unread=frozenset(unread),
        **kept,
    )


def _mix(growth: Any) -> tuple[tuple[str, MixStep], ...]:
    """Return the readable steps of a model mix, whatever else is wrong with growth."""
    steps = growth.get("model_mix") if isinstance(growth, dict) else None
    read = [
        (mix_path(at), _read(TypeAdapter(MixStep), step))
        for at, step in enumerate(steps if isinstance(steps, list) else ())
    ]
    return tuple((path, step) for path, step in read if step is not None)


def _planned(plan: Any) -> tuple[tuple[str, Any], ...]:
    """Return the readable sizes and scenarios of a plan, whatever else is wrong with it."""
    found = []
    for section in PLANNED if isinstance(plan, dict) else ():
        reader = TypeAdapter(get_args(Planning.model_fields[section].annotation)[0])
        items = plan.get(section)
        for at, item in enumerate(items if isinstance(items, list) else ()):
            found.append((plan_path(section, at), _read(reader, item)))
    return tuple((path, item) for path, item in found if item is not None)


def _is_needed(section: str) -> bool:
    return Company.model_fields[section].is_required()


@cache
def _reader(field: str, *, each: bool) -> TypeAdapter[Any]:
    """Return what reads one field of a company, or `each` item of it."""
    info = Company.model_fields[field]
    annotation: Any = info.annotation
    return TypeAdapter(get_args(annotation)[0] if each else Annotated[annotation, info])


def _item(section: str, item: Any) -> Any:
    return _read(_reader(section, each=True), item)


def _read(reader: TypeAdapter[Any], value: Any) -> Any:
    try:
        return reader.validate_python(value)
    except ValidationError:
        return None


def _field(name: str, raw: Mapping[str, Any]) -> Any:
    """Return a plain field, or its default where it cannot be read."""
    default = Company.model_fields[name].default
    value = _read(_reader(name, each=False), raw.get(name, default))
    return default if value is None else value


def _words(item: Any) -> Mapping[str, str]:
    if not isinstance(item, dict):
        return {}
    return {word: item[word] for word in WORDS if isinstance(item.get(word), str)}

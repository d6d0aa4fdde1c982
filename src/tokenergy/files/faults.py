"""What pydantic says of a company file, in our words: a finding for each error."""

from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Tag
from pydantic_core import ErrorDetails

from tokenergy.company.company import Company
from tokenergy.company.contract import LATER_KINDS
from tokenergy.company.finding import Finding
from tokenergy.company.noun import NAME_PATTERN, Noun, nearest_names
from tokenergy.company.zones import known_zones
from tokenergy.files.field_texts import field_texts
from tokenergy.files.later import later_key, later_kind
from tokenergy.files.yaml_text import Place, path_text
from tokenergy.units import SUFFIXES

EXACTLY_ONE: Final = {
    "tiers": (
        (
            "TIER",
            "VALUE",
            ("value_usd_per_mtok", "value_usd_per_request", "value", "from_conversion"),
            "State one of three: what serving is worth (value_usd_per_mtok or "
            "value_usd_per_request); for a tier that is paid, its price (value: from_price); for "
            "a free one, the subscriptions it brings (from_conversion: {uplift_share: ..., "
            "ltv_usd: ...})",
        ),
        (
            "TIER",
            "PRICE",
            ("price_usd_per_mtok", "price_usd_per_request", "price_usd_per_user_month"),
            "State price_usd_per_mtok, price_usd_per_request or price_usd_per_user_month, 0 for a "
            "free tier",
        ),
    ),
    "fleets": (
        (
            "FLEET",
            "OWNER",
            ("owned", "lease"),
            "State owned {usd_per_gpu} or lease {kind, ...}",
        ),
    ),
    "budgets": (
        (
            "BUDGET",
            "AMOUNT",
            ("usd", "mwh", "j"),
            "State usd (company money per window), or mwh or j (energy per window)",
        ),
    ),
    "growth": (
        (
            "GROWTH",
            "PATH",
            ("logistic", "users"),
            "State logistic: {limit_ratio: ..., rate_share_per_year: ...}, or users: [{month: "
            "..., users_ratio: ...}, ...]",
        ),
    ),
}
"""Keys of which an item states one: told from the raw file, so that no other fault hides it."""

UNIT_WORDS: Final = {
    "mw": "MW", "mwh": "MWh", "kw": "kW", "kwh": "kWh", "w": "W", "usd": "USD", "mtok": "Mtok",
    "gpu": "GPU", "deg": "degrees", "c": "°C", "gb": "GB", "hour": "hour",
}  # fmt: skip
FORMS: Final = {
    "day_ahead_at": ("a local time of day, hours and minutes", '"12:57", in quotes'),
    "currency": ("the ISO code of a currency, three capital letters", "USD"),
}
"""Form and example of the texts that have one, by field."""
CAPACITIES: Final = frozenset({"MW", "MWh"})
"""Units of what has a size and no sign."""
RANGES: Final = {
    "greater_than": ("gt", ">"),
    "greater_than_equal": ("ge", ">="),
    "less_than": ("lt", "<"),
    "less_than_equal": ("le", "<="),
}


def unit_of(field: str) -> str:
    """Return the unit that a field's name ends in: `usd_per_mwh` gives `USD/MWh`."""
    suffix = max(
        (s for s in SUFFIXES if field == s or field.endswith(f"_{s}")), key=len, default=""
    )
    if suffix in ("count", "ratio", "pue", "sign", "b"):
        return ""
    if suffix == "usd_per_gpu_hour":
        return "USD/GPU-hour"
    parts = [part.split("_") for part in suffix.split("_per_")]
    return "/".join(" ".join(UNIT_WORDS.get(word, word) for word in part) for part in parts)


def faults(errors: Sequence[ErrorDetails], raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield a finding for each error of `Company.model_validate(raw)`, and for each choice."""
    choices = list(_choices(raw))
    yield from choices
    chosen = {finding.path for finding in choices}
    for error in errors:
        where = _Where.of(error["loc"], raw)
        if not where.matters:
            continue
        if error["type"] == "value_error" and path_text(where.place) in chosen:
            continue
        if error["type"] == "too_short" and _at(raw, where.place):
            continue  # its items are wrong, and that is said of each
        yield _finding(error, where)


def _choices(raw: Mapping[str, Any]) -> Iterator[Finding]:
    for section, rules in EXACTLY_ONE.items():
        items = raw.get(section)
        listed = items if isinstance(items, list) else ()
        placed = [(f"{section}[{position}]", item) for position, item in enumerate(listed)]
        for path, item in [(section, items)] if isinstance(items, dict) else placed:
            if not isinstance(item, dict):
                continue
            for noun, what, keys, remedy in rules:
                stated = [key for key in keys if item.get(key) is not None]
                if len(stated) != 1:
                    how = "WITH_SEVERAL" if stated else "WITHOUT"
                    name = f" {item['name']!r}" if isinstance(item.get("name"), str) else ""
                    said = f"must state exactly one {what.lower()} and states "
                    yield Finding(
                        code=f"{noun}_{how}_{what}{'S' if stated else ''}",
                        path=path,
                        value=f"{len(stated)}",
                        limit="1",
                        reason=f"{noun.lower()}{name} {said}{' and '.join(stated) or 'none'}",
                        remedy=remedy,
                    )


class _Where:
    """Where an error is: its place in the file, the noun around it, and the field."""

    def __init__(self, place: Place, owner: Any, field: str, matters: bool) -> None:
        self.place, self.owner, self.field, self.matters = place, owner, field, matters

    @classmethod
    def of(cls, loc: Sequence[str | int], raw: Any) -> "_Where":
        """Follow pydantic's location through the nouns, leaving out the labels of unions."""
        annotation: Any = Company
        owner: Any = Company
        place: list[str | int] = []
        field, matters = "", True
        for step in loc:
            annotation = _bare(annotation)
            members = _members(annotation)
            if members:
                matters &= _is_meant(str(step), _at(raw, place))
                annotation = _branch(members, str(step))
                continue
            place.append(step)
            if isinstance(step, int):
                annotation = next(iter(get_args(annotation)), None)
            elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
                owner, field = annotation, step
                known = annotation.model_fields.get(step)
                annotation = known.annotation if known else None
        return cls(tuple(place), owner, field, matters)


def _bare(annotation: Any) -> Any:
    """Strip `Annotated` and `| None`."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
            continue
        members = [arg for arg in get_args(annotation) if arg is not type(None)]
        if get_origin(annotation) in (Union, UnionType) and len(members) == 1:
            annotation = members[0]
            continue
        return annotation


def _members(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) not in (Union, UnionType):
        return ()
    flat: list[Any] = []
    for arg in get_args(annotation):
        if arg is type(None):
            continue
        inner = _members(arg) or (_members(_bare(arg)) if _tag(arg) is None else ())
        flat.extend(inner or (arg,))
    return tuple(flat)


def _tag(annotation: Any) -> str | None:
    marks = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    return next((mark.tag for mark in marks if isinstance(mark, Tag)), None)


def _branch(members: tuple[Any, ...], label: str) -> Any:
    """Return the member of a union that pydantic calls `label`."""
    for member in members:
        bare = _bare(member)
        kind = getattr(bare, "model_fields", {}).get("kind")
        if _tag(member) == label or (kind and label in get_args(kind.annotation)):
            return bare
        if label.startswith("tuple") and get_origin(bare) is tuple:
            return bare
    return None


def _is_meant(label: str, value: Any) -> bool:
    """Tell whether a branch of an untagged union is the one that the author wrote."""
    return not label.startswith("tuple") if not isinstance(value, list) else "float" not in label


def _at(raw: Any, place: Sequence[str | int]) -> Any:
    for step in place:
        try:
            raw = raw[step]
        except (KeyError, IndexError, TypeError):
            return None
    return raw


def _finding(error: ErrorDetails, where: _Where) -> Finding:
    context = error.get("ctx", {})
    kind = error["type"]
    path = path_text(where.place) or "(file)"
    value = _said(error["input"])
    unit = unit_of(where.field)
    if kind == "missing":
        return _missing(path, where.field, where.owner)
    if kind == "extra_forbidden":
        return _unknown_key(path, where)
    if kind == "union_tag_not_found":
        return _missing(f"{path}.kind", "kind", None)
    if kind == "union_tag_invalid":
        return _unknown_kind(f"{path}.kind", str(context["tag"]), str(context["expected_tags"]))
    if kind in RANGES:
        key, sign = RANGES[kind]
        limit = f"{sign} {context[key]:g}"
        reason = f"{where.field} must be {limit}"
        remedy = f"State it in {unit}, within its limit" if unit else "Correct the figure"
        code = "OUT_OF_RANGE"
        if unit == "share":
            code, unit = "SHARE_OUT_OF_RANGE", ""
            remedy = "A share runs from 0 to 1: write 97 % as 0.97"
            if _lies_in_0_to_1(error["input"]):
                remedy = "State a share within its limit"
        elif unit in CAPACITIES and _is_below_0(error["input"]):
            code, remedy = "NEGATIVE_CAPACITY", "State its size: directions are in the names"
        return Finding(
            code=code,
            path=path,
            value=value,
            limit=limit,
            unit=unit,
            reason=reason,
            remedy=remedy,
        )
    code, reason, remedy = _in_words(error, where, unit)
    return Finding(code=code, path=path, value=value, reason=reason, remedy=remedy)


def _is_below_0(value: Any) -> bool:
    return isinstance(value, int | float) and value < 0


def _lies_in_0_to_1(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value <= 1


def _in_words(error: ErrorDetails, where: _Where, unit: str) -> tuple[str, str, str]:
    """Return code, reason and remedy of the errors that need no context of their own."""
    kind, field = error["type"], where.field
    if kind == "timezone_aware":
        reason = f"{field} has no time zone: it names 24 hours or more, not one moment"
        return "NAIVE_TIMESTAMP", reason, "Write it with its zone, e.g. 2026-03-02T00:00Z"
    if kind.startswith("datetime"):
        return "BAD_TIMESTAMP", f"{field} is no moment", "Write it like 2026-03-02T00:00Z"
    if kind.startswith("date"):
        return "BAD_DATE", f"{field} is no day", "Write it like 2026-03-02"
    if kind == "literal_error":
        expected = str(error.get("ctx", {})["expected"])
        near = nearest_names(str(error["input"]), _literals(where))
        remedy = f"Did you mean {near[0]!r}?" if near else "Choose one of them"
        return "UNKNOWN_CHOICE", f"{field} is one of {expected}", remedy
    if kind == "finite_number":
        return "NOT_FINITE", f"{field} is not a finite number", "State a number"
    if kind == "string_pattern_mismatch":
        if error.get("ctx", {})["pattern"] == NAME_PATTERN.pattern:
            reason = "a name is made of letters, digits, '.', '_' and '-'"
            return "BAD_NAME", reason, "Rename it: names appear in ledgers, metrics and files"
        form, example = FORMS.get(field, (error.get("ctx", {})["pattern"], ""))
        return "BAD_FORMAT", f"{field} must be {form}", f"Write it like {example or form}"
    if kind == "string_too_short":
        return "EMPTY_TEXT", f"{field} is empty", f"Write a text for {field}"
    if kind == "string_too_long":
        return "BAD_NAME", f"{field} is longer than a name may be", "Shorten it to 64 letters"
    if kind == "too_short":
        return "EMPTY_LIST", f"{field} needs at least one item", f"Add an item to {field}"
    if kind == "value_error":
        return _contradiction(error, field)
    if kind.startswith(("float", "int")):
        told = f": the unit ({unit}) is in the name" if unit else ""
        digits = "Write digits and a decimal point only"
        return "WRONG_TYPE", f"{field or 'this'} must be a number", f"{digits}{told}"
    if kind == "string_type":
        return "WRONG_TYPE", f"{field or 'this'} must be a text", _shape_remedy(kind)
    reason = error["msg"][:1].lower() + error["msg"][1:]
    return "WRONG_TYPE", f"{field or 'the file'}: {reason}", _shape_remedy(kind)


def _shape_remedy(kind: str) -> str:
    if kind.startswith(("model", "dict")):
        return "Write keys and values below it"
    if kind.startswith(("tuple", "list")):
        return "Write a list, each item after a dash"
    if kind.startswith("string"):
        return "Write a text; quote it if it looks like a number"
    return "Correct it"


def _contradiction(error: ErrorDetails, field: str) -> tuple[str, str, str]:
    said = error["msg"].removeprefix("Value error, ")
    if field == "time_zone":
        reason, _, near = said.partition(" (nearest: ")
        near = ", ".join(zones_of_city(str(error["input"]))) or near.rstrip(")")
        return "ZONE_UNKNOWN", reason, f"Did you mean {near}?"
    reason, _, remedy = said.partition(": ")
    return "CONTRADICTION", reason, remedy[:1].upper() + remedy[1:] or "Make the two agree"


def zones_of_city(name: str) -> list[str]:
    """Return the time zones that end in the same city: `Europe/Chicago` is another continent."""
    city = name.rpartition("/")[2].replace(" ", "_").lower()
    return sorted(zone for zone in known_zones() if zone.lower().endswith(f"/{city}"))


def _missing(path: str, field: str, owner: Any) -> Finding:
    known = isinstance(owner, type) and issubclass(owner, Noun)
    told = " ".join(field_texts(owner).get(field, "").split()) if known else ""
    remedy = f"Add {field}" + (f": {told[:1].lower()}{told[1:]}".rstrip(".") if told else "")
    return Finding(
        code="MISSING_FIELD",
        path=path,
        unit=unit_of(field),
        reason=f"{field} is missing, and nothing can stand in for it",
        remedy=remedy,
    )


def _unknown_key(path: str, where: _Where) -> Finding:
    if (later := later_key(path, where.field)) is not None:
        return later
    known = tuple(getattr(where.owner, "model_fields", {}))
    near = nearest_names(where.field, known)
    remedy = (
        "Did you mean " + ", ".join(repr(name) for name in near) + "?"
        if near
        else f"Known keys are {', '.join(known)}"
    )
    return Finding(
        code="UNKNOWN_KEY",
        path=path,
        value=where.field,
        reason=f"nobody reads the key {where.field!r} here",
        remedy=remedy,
    )


def _unknown_kind(path: str, kind: str, expected: str) -> Finding:
    if (later := later_kind(path, kind, expected)) is not None:
        return later
    near = nearest_names(kind, [*(word.strip(" '") for word in expected.split(",")), *LATER_KINDS])
    return Finding(
        code="UNKNOWN_KIND",
        path=path,
        value=kind,
        limit=expected,
        reason=f"there is no contract of kind {kind!r}",
        remedy="Did you mean " + ", ".join(map(repr, near)) + "?" if near else "Choose one",
    )


def _literals(where: _Where) -> tuple[str, ...]:
    known = getattr(where.owner, "model_fields", {}).get(where.field)
    annotation = _bare(known.annotation) if known else None
    return tuple(map(str, get_args(annotation))) if get_origin(annotation) is Literal else ()


def _said(value: Any) -> str:
    if isinstance(value, dict | list):
        return ""
    text = "null" if value is None else str(value)
    return text if len(text) <= 60 else text[:59] + "…"

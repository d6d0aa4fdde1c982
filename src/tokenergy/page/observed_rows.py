"""The rows that the page of an observation reads: models side by side, and windows over time."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from tokenergy.page.number import MISSING, known
from tokenergy.page.rows import Given, Row, moment
from tokenergy.page.stated import day
from tokenergy.units import J_PER_MWH

ROUNDING_SHARE: Final = 1e-9
"""A part below this share of the largest is what the solver's arithmetic leaves behind."""
POINTS_COUNT: Final = 240
"""A line has no more points than that: windows beside each other are joined into one."""
KWH_PER_MWH: Final = 1e3


def model_rows(observation: Given) -> list[Row]:
    """Return every model with its site, the tokens flat, and a name that is its own."""
    rows: list[Row] = []
    for site in observation.get("sites") or ():
        for model in site.get("models") or ():
            tokens = model.get("tokens") or {}
            output = tokens.get("output")
            joules = model.get("joules_parts") or {}
            rows.append(
                {
                    **model,
                    "site": site["site"],
                    "price_usd_per_mwh": site.get("price_usd_per_mwh"),
                    "on": _on(model),
                    "engines": ", ".join(str(name) for name in model.get("engines") or ()),
                    "engines_count": len(model.get("engines") or ()),
                    "tokens_per_s": _per(output, model.get("span_s")),
                    "j_per_token_low": _per(joules.get("low_j"), output),
                    "j_per_token_high": _per(joules.get("high_j"), output),
                    **{f"{name}_tokens": tokens.get(name) for name in ("input", "cached_input")},
                    "output_tokens": output,
                    "requests_count": tokens.get("requests"),
                    **{name: value for name, value in joules.items() if name != "tier"},
                }
            )
    return _named(rows)


def site_rows(observation: Given) -> list[Row]:
    """Return every site with the age of its price at the end of the window."""
    rows = []
    for site in observation.get("sites") or ():
        age_h = None
        if site.get("price_at"):
            age = moment(str(observation["end"])) - moment(str(site["price_at"]))
            age_h = age / timedelta(hours=1)
        rows.append({**site, "age_h": age_h, "price_at": _day(site.get("price_at"))})
    return rows


def tenant_rows(observation: Given) -> list[Row]:
    """Return every tenant's tokens, with their energy in kWh."""
    return [
        {
            **tenant,
            "energy_kwh": None
            if tenant.get("energy_j") is None
            else tenant["energy_j"] / J_PER_MWH * KWH_PER_MWH,
        }
        for tenant in observation.get("tenants") or ()
    ]


def history_rows(observation: Given) -> tuple[Row, ...]:
    """Return what a chart over the windows keeps of one of them: a small row for each model."""
    return tuple(
        {
            "start": observation["start"],
            "end": observation["end"],
            "name": row["name"],
            "usd_per_mtok_full": row.get("usd_per_mtok_full"),
            "usd_per_mtok_marginal": row.get("usd_per_mtok_marginal"),
            "output_tokens": row["output_tokens"],
            "span_s": row.get("span_s"),
            "tokens_per_s": row["tokens_per_s"],
        }
        for row in model_rows(observation)
    )


def joined(history: Sequence[Given], *, points_count: int = POINTS_COUNT) -> list[Row]:
    """Return at most so many rows for each name: windows beside each other become one.

    Tokens/s are those of all seconds, a full cost is weighted by its tokens, a marginal cost is
    the mean of its windows. A window without a figure counts in none of them; a joined row
    without any has None, so that a line breaks there.
    """
    if not history:
        return []
    first = min(moment(str(row["start"])) for row in history)
    last = max(moment(str(row["end"])) for row in history)
    width = (last - first) / points_count
    windows = len({row["end"] for row in history})
    if windows <= points_count or not width:
        return [dict(row) for row in history]
    groups: dict[tuple[str, int], list[Given]] = {}
    for row in history:
        at = min(points_count - 1, int((moment(str(row["end"])) - first) / width))
        groups.setdefault((str(row["name"]), at), []).append(row)
    return [_joined(rows) for rows in groups.values()]


def _joined(rows: Sequence[Given]) -> Row:
    told = [row for row in rows if known(row.get("output_tokens")) and known(row.get("span_s"))]
    output = sum(row["output_tokens"] for row in told) if told else None
    span_s = sum(row["span_s"] for row in told) if told else None
    paid = [row for row in told if known(row.get("usd_per_mtok_full"))]
    weights = sum(row["output_tokens"] for row in paid)
    full = sum(row["usd_per_mtok_full"] * row["output_tokens"] for row in paid)
    marginal = [
        row["usd_per_mtok_marginal"] for row in rows if known(row.get("usd_per_mtok_marginal"))
    ]
    return {
        "start": min(str(row["start"]) for row in rows),
        "end": max(str(row["end"]) for row in rows),
        "name": rows[0]["name"],
        "usd_per_mtok_full": full / weights if weights else None,
        "usd_per_mtok_marginal": sum(marginal) / len(marginal) if marginal else None,
        "output_tokens": output,
        "span_s": span_s,
        "tokens_per_s": _per(output, span_s),
    }


def busiest(history: Sequence[Given], *, most_count: int) -> list[str]:
    """Return the names with the most tokens, in order of appearance."""
    made: dict[str, float] = {}
    for row in history:
        tokens = row.get("output_tokens")
        made[str(row["name"])] = made.get(str(row["name"]), 0.0) + (tokens if known(tokens) else 0)
    kept = sorted(made, key=lambda name: -made[name])[:most_count]
    return [name for name in made if name in kept]


def lowest_and_highest(values: Iterable[Any]) -> tuple[float, float] | None:
    """Return the ends of what is known, or None."""
    found = [float(value) for value in values if known(value)]
    return (min(found), max(found)) if found else None


def total(values: Iterable[Any]) -> float | None:
    """Return a sum; None as soon as one is missing, or where there is nothing."""
    found = list(values)
    return sum(found) if found and all(known(value) for value in found) else None


def shown_parts(rows: Sequence[Given], field: str, order: Sequence[str] = ()) -> list[str]:
    """Return the parts that are anywhere more than rounding, those of `order` first."""
    names = dict.fromkeys(order) | {name: None for row in rows for name in (row.get(field) or {})}
    return [name for name in names if any(_counts(row.get(field) or {}, name) for row in rows)]


def _counts(parts: Given, name: str) -> bool:
    """Tell whether a part is more than the rounding of the largest."""
    sizes = {each: abs(usd) for each, usd in parts.items() if known(usd)}
    return sizes.get(name, 0.0) > ROUNDING_SHARE * max(sizes.values(), default=0.0)


def _day(at: Any) -> str:
    return day(str(at)).replace(" ", "\N{NO-BREAK SPACE}") if at else MISSING


def _named(rows: list[Row]) -> list[Row]:
    """Name every row by model and site, and by its fleet where that is not enough."""
    pairs = [(row["site"], row.get("model")) for row in rows]
    for row, pair in zip(rows, pairs, strict=True):
        more = f" on {row.get('fleet')}" if pairs.count(pair) > 1 else ""
        row["name"] = f"{row.get('model')} at {row['site']}{more}"
    return rows


def _on(model: Mapping[str, Any]) -> str:
    gpus = model.get("gpus_count")
    if not gpus:
        return f"{model.get('accelerator')}: no engine answered"
    return f"{gpus:,} × {model.get('accelerator')}"


def _per(amount: Any, of: Any) -> float | None:
    return float(amount) / float(of) if known(amount) and known(of) and of > 0.0 else None

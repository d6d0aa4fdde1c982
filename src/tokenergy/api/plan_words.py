"""A plan in sentences: what to build, between which bounds it costs, what a token costs in full."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from tokenergy.company.currency import in_currency
from tokenergy.plan.values import Worth

if TYPE_CHECKING:
    from tokenergy.api.planning import Planned

KINDS: Final = {
    "site": "sites",
    "fleet": "GPUs",
    "battery": "batteries",
    "contract": "contracts",
}
"""Kinds of candidates as a list of them is called."""
NAMED_COUNT: Final = 6
"""Most names that one sentence lists."""


def answer_lines(planned: "Planned") -> Iterator[str]:
    """Yield the answer in sentences, money in the company's currency."""
    currency = str(planned.heading["currency"])
    for line in (
        *_built(planned),
        _bounds(planned),
        *_tokens(planned),
        *(f"{_of_hours(planned)}{line}" for line in _worth(planned)),
    ):
        yield in_currency(line, currency)


def _of_hours(planned: "Planned") -> str:
    """Say of which hours worths are, where those are fewer than the plan's."""
    why, hours_h = planned.reasons, planned.found.program.hours_h
    if why is None or why.hours_h >= hours_h:
        return ""
    return f"(By the plan of the first {why.hours_h:,.0f} h.) "


def size_text(row: dict[str, Any]) -> str:
    """Write a size with its unit."""
    size = row["size"]
    if row["unit"] == "GPU":
        return f"{size:,.0f} GPUs"
    return f"{size:,.0f} MW" if abs(size) >= 100.0 else f"{size:,.3g} MW"


def _built(planned: "Planned") -> Iterator[str]:
    """Yield what is built and signed, and what is left out."""
    rows = planned.found.capacities()
    for kind, word in KINDS.items():
        held = [row for row in rows if row["kind"] == kind and row["built"]]
        left = [row["name"] for row in rows if row["kind"] == kind and not row["built"]]
        if not held and not left:
            continue
        said = ", ".join(f"{row['name']} {size_text(row)}" for row in held[:NAMED_COUNT])
        if len(held) > NAMED_COUNT:
            said += f" and {len(held) - NAMED_COUNT} more"
        without = f"; not {', '.join(left[:NAMED_COUNT])}" if left else ""
        if len(left) > NAMED_COUNT:
            without += f" and {len(left) - NAMED_COUNT} more"
        yield f"{word[0].upper()}{word[1:]}: {said or 'none'}{without}."


def _bounds(planned: "Planned") -> str:
    found = planned.found
    text = (
        f"That costs {found.cost_usd:,.0f} USD over {found.program.hours_h:,.0f} h, of which "
        f"{found.annuity_usd:,.0f} USD are capital; no sizes cost less than "
        f"{found.lower_usd:,.0f} USD (gap {found.gap_share:.3%}, proved by duality)."
    )
    return f"The search was stopped. {text}" if planned.stopped else text


def _tokens(planned: "Planned") -> Iterator[str]:
    """Yield what a token costs in full and at the margin, and how much of the former is energy."""
    built = planned.built
    if built is None:
        return
    full, marginal = planned.usd_per_mtok_full, planned.usd_per_mtok_marginal
    if full is None:
        yield "No tokens are served: there is no cost of a token."
        return
    share = built.full.kwh_share or 0.0
    text = (
        f"A Mtok costs {full:.3g} USD in full, all capital in it; kWh are {share:.1%} of that, "
        f"powered capacity {built.full.powered_capacity_share or 0.0:.1%}, silicon "
        f"{built.full.silicon_share or 0.0:.1%}."
    )
    if marginal is not None:
        text += f" One Mtok more costs {marginal:.3g} USD, which is the marginal cost."
    yield text


def _worth(planned: "Planned") -> Iterator[str]:
    """Yield the limit that is worth most, and the size that is nearest to being worth it."""
    stopped = [worth for worth in planned.worths if (worth.rent_usd_per_unit_year or 0.0) > 0.0]
    if stopped:
        best = max(stopped, key=lambda worth: (worth.rent_usd_per_unit_year or 0.0) * _room(worth))
        yield (
            f"What stops it most: one {best.unit} more of {best.name} is worth "
            f"{best.low_usd_per_unit_year:,.0f} USD a year and costs "
            f"{best.annuity_usd_per_unit_year or 0.0:,.0f} USD."
        )
    short = [worth for worth in planned.worths if worth.short_usd_per_unit_year is not None]
    near = [worth for worth in short if worth.annuity_usd_per_unit_year]
    if near:
        next_ = min(near, key=_lacks_share)
        yield (
            f"What comes next: {next_.name} enters when a {next_.unit} of it costs "
            f"{next_.low_usd_per_unit_year:,.0f} USD a year instead of "
            f"{next_.annuity_usd_per_unit_year:,.0f} USD."
        )


def _room(worth: Worth) -> float:
    return worth.size_quantity or 1.0


def _lacks_share(worth: Worth) -> float:
    return (worth.short_usd_per_unit_year or 0.0) / (worth.annuity_usd_per_unit_year or 1.0)

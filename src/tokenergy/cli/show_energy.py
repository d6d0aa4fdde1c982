"""Joules for people: the four numbers, the band, what is assumed, and what it is made of."""

import math
from typing import Final

from tokenergy.api.predicting import EnergyAnswer
from tokenergy.cli.columns import counted, figure, percent, put, say
from tokenergy.energy.estimate import EnergyEstimate
from tokenergy.energy.explain import ExplainRow
from tokenergy.units import J_PER_WH

PARTS: Final = (
    ("gpu", "boards at work"),
    ("host", "processors, memory, fans"),
    ("idle", "boards awake without work"),
    ("overhead", "cooling and losses"),
)
UNITS: Final = {"token": "token", "image": "image", "video_second": "video second"}
DIGITS_COUNT: Final = 3
"""That mean something in a figure; thousands are shown whole."""


def energy(answer: EnergyAnswer) -> None:
    """Print one estimate in its parts, or a sweep as a line each, then what has to be said."""
    one = answer.estimate
    if len(answer.estimates) == 1:
        _parts(answer)
        _replica(answer)
    else:
        _sweep(answer)
    for at, rows in enumerate(answer.rows):
        _rows(answer.estimates[at], rows)
    say(
        f"Tier {one.tier}, boundary {one.boundary}, stack {one.stack}"
        + ("" if one.stack_known else " (not known)")
        + f", {one.data_version}."
    )
    for note in dict.fromkeys(told for each in answer.estimates for told in each.notes):
        say(f"{note[:1].upper()}{note[1:]}.")
    if one.assumed:
        say("Assumed:")
    for told in one.assumed:
        say(told, indent=2)
    _warnings(answer)


def _warnings(answer: EnergyAnswer) -> None:
    """Say each warning once, with what it is about where that is not everything."""
    for warning in dict.fromkeys(told for each in answer.estimates for told in each.warnings):
        about = [_point(each) for each in answer.estimates if warning in each.warnings]
        where = f" ({', '.join(about)})" if len(about) < len(answer.estimates) else ""
        say(f"warning{where}: {warning}", style="yellow")


def _point(one: EnergyEstimate) -> str:
    if one.unit == "video_second":
        return f"{one.units_count:,.4g} s"
    return f"batch {one.batch_count:g}"


def _parts(answer: EnergyAnswer) -> None:
    one = answer.estimate
    unit = UNITS[one.unit]
    within = {"gpu": 1, "it": 3, "facility": 4}[one.boundary]
    rows = [_cells(name, what, getattr(one, f"{name}_j"), one) for name, what in PARTS[:within]]
    rows += [[name, f"{what}: outside", "-", "-", "-", "-"] for name, what in PARTS[within:]]
    rows.append(_cells("total", f"at the boundary {one.boundary}", one.total_j, one))
    put(
        _title(one),
        rows,
        left=("joules", "of"),
        right=("J", "Wh", f"J/{unit}", "share"),
    )
    low, high = one.low_j / one.total_j, one.high_j / one.total_j
    say(
        f"9 in 10 of such figures lie within {number(one.low_j)} and {number(one.high_j)} J "
        f"(x {low:.2f} to {high:.2f})."
    )


def _cells(name: str, what: str, energy_j: float, one: EnergyEstimate) -> list[str]:
    return [
        name,
        what,
        number(energy_j),
        number(energy_j / J_PER_WH),
        number(energy_j / one.units_count),
        percent(energy_j / one.total_j, 1),
    ]


def _title(one: EnergyEstimate) -> str:
    where = f"{one.model} on {one.gpus_count} x {one.accelerator}"
    match one.unit:
        case "token":
            return f"{where}, batch {one.batch_count:g}: {_request(one)}"
        case "image":
            return f"{where}: {counted(int(one.units_count), 'image')}"
        case "video_second":
            return f"{where}: {one.units_count:,.4g} s of video"


def _request(one: EnergyEstimate) -> str:
    """Say what a request asks for, in tokens."""
    cached_count = one.cached_input_tokens_count or 0.0
    cached = f", {cached_count:,.0f} of them cached" if cached_count else ""
    return (
        f"a request of {one.units_count:,.0f} tokens out, "
        f"{one.input_tokens_count or 0.0:,.0f} in{cached}"
    )


def _replica(answer: EnergyAnswer) -> None:
    for line in answer.lines:
        say(
            f"One awake replica at this batch, boards alone: {figure(line.base_w, 0)} W + "
            f"{number(line.marginal_j_per_token)} J a token, up to "
            f"{figure(line.rate_tokens_per_s, 0)} tokens/s."
        )


def _sweep(answer: EnergyAnswer) -> None:
    one = answer.estimate
    unit = UNITS[one.unit]
    tokens = one.unit == "token"
    beyond = one.boundary != "gpu"
    rows = []
    for at, each in enumerate(answer.estimates):
        own = [
            f"{each.batch_count:g}",
            *([number(each.gpu_j / each.units_count)] if beyond else []),
            number(each.unit_j),
            number(each.low_j / each.units_count),
            number(each.high_j / each.units_count),
            number(each.total_j / J_PER_WH),
        ]
        if tokens:
            line = answer.lines[at]
            own += [
                number(answer.steps_j[at]),
                number(line.marginal_j_per_token),
                figure(line.rate_tokens_per_s, 0),
            ]
        else:
            own.insert(0, f"{each.units_count:,.4g}")
        rows.append(own)
    first = ["batch"] if tokens else [f"{unit}s", "batch"]
    last = ["step J/token", "awake J/token", "tokens/s"] if tokens else []
    where = f"{one.model} on {one.gpus_count} x {one.accelerator}"
    what = _request(one) if tokens else f"by {unit}"
    put(
        f"{where}: joules at the boundary {one.boundary} with their band, {what}",
        rows,
        left=(),
        right=(
            *first,
            *([f"gpu J/{unit}"] if beyond else []),
            f"J/{unit}",
            "low",
            "high",
            "Wh in all",
            *last,
        ),
    )
    if tokens:
        say(
            "step: what one sequence more adds to a step; awake: what one token more costs a "
            "replica that stays awake; tokens/s at the usual power of its boards"
        )


def _rows(one: EnergyEstimate, rows: tuple[ExplainRow, ...]) -> None:
    shown = [
        [row.part, row.name, row.how, number(row.energy_j), percent(row.energy_j / one.total_j, 1)]
        for row in rows
        if row.energy_j
    ]
    total_j = sum(row.energy_j for row in rows)
    shown.append(["", "sum", "", number(total_j), percent(total_j / one.total_j, 1)])
    put(
        "Made of (terms of a fit, not measured causes; those of 0 J are left out)",
        shown,
        left=("part", "term", "how"),
        right=("J", "share"),
    )


def number(value: float) -> str:
    """Return a number with the digits that mean something, and thousands apart."""
    size = abs(value)
    if size < 1e-9:
        return "0"
    leading = math.floor(math.log10(size))
    return f"{value:,.{max(0, DIGITS_COUNT - 1 - leading)}f}"

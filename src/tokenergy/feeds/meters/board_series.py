"""Series of an exporter of boards (DCGM, Kepler, a PDU) to counts, one for each board."""

import math
from collections.abc import Iterable, Mapping
from typing import Final

from tokenergy.company.observe import Gives
from tokenergy.feeds.engine_text import Labels, Series
from tokenergy.metering.meter import DeviceCount
from tokenergy.units import MICROJOULES_PER_J

MICROJOULES_PER: Final[Mapping[str, float]] = {"j": MICROJOULES_PER_J, "mj": 1000.0, "uj": 1.0}
BOARD_LABELS: Final = ("UUID", "gpu_uuid", "uuid")
"""Labels that name a board whatever pod or host it is seen from: DCGM's, and others'."""
INSTANCE_LABELS: Final = ("GPU_I_ID", "GPU_I_PROFILE")
"""Labels of an instance of MIG in DCGM's exporter: each instance's series repeats the counter of
the whole board."""


def series_counts(
    series: Iterable[Series],
    *,
    gives: Gives,
    source: str,
    renewed: Mapping[Labels, float] | None = None,
    updates_s: float | None = None,
) -> tuple[DeviceCount, ...]:
    """Return what each board's series says; each is held against its own past, never their sum.

    A board that stands there several times (one series for each pod that it is lent to) is
    counted once and marked as shared.

    Args:
        series: of one name or one query.
        gives: a counter's unit, or `w` for a power.
        source: what to call the series in reasons.
        renewed: when each series was last read from its source, by its labels, s.
        updates_s: seconds between two looks of the source at its boards; None: unknown.
    """
    found: dict[str, list[Series]] = {}
    for each in series:
        found.setdefault(_name(source, each.labels), []).append(each)
    return tuple(
        _count(name, found[name], gives, renewed or {}, updates_s) for name in sorted(found)
    )


def _name(source: str, labels: Labels) -> str:
    told = dict(labels)
    board = next((told[label] for label in BOARD_LABELS if told.get(label)), "")
    if board:
        return f"{source} {board}"
    shown = ", ".join(f'{key}="{value}"' for key, value in labels)
    return f"{source}{{{shown}}}" if shown else source


def _count(
    name: str,
    copies: list[Series],
    gives: Gives,
    renewed: Mapping[Labels, float],
    updates_s: float | None,
) -> DeviceCount:
    told = _unfit(copies, gives)
    if told:
        return DeviceCount(device=name, reason=f"{name}: {told}")
    value = copies[0].value or 0.0
    seen = [renewed[each.labels] for each in copies if each.labels in renewed]
    shared = ""
    if len(copies) > 1:
        shared = f"it is lent to {len(copies)} at once, and its counter is of all of them"
    if gives == "w":
        return DeviceCount(
            device=name, power_w=value, renewed_s=min(seen, default=None), shared_by=shared
        )
    return DeviceCount(
        device=name,
        energy_microjoules=round(value * MICROJOULES_PER[gives]),
        renewed_s=min(seen, default=None),
        still_s=math.inf if updates_s is None else 2.0 * updates_s,
        shared_by=shared,
    )


def _unfit(copies: list[Series], gives: Gives) -> str:
    """Say why a board's series are no figure; "" if they are one."""
    for each in copies:
        if any(dict(each.labels).get(label) for label in INSTANCE_LABELS):
            return "the counter is of the whole board, and MIG divides it"
        if each.value is None:
            return "it says NaN or Inf"
        if each.value < 0.0:
            return f"{each.value:g} is below 0, which neither joules nor watts can be"
        if gives == "w" and each.value == 0.0:
            return "0 W is no power of a board that is on"
    if len({each.value for each in copies}) > 1:
        return f"it stands there {len(copies)} times with different figures"
    return ""

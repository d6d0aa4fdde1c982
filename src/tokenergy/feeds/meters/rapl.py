"""Processor packages: the kernel's tree of power zones (powercap, RAPL)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tokenergy.company.refusal import refuse
from tokenergy.metering.counter import STILL_S
from tokenergy.metering.meter import DeviceCount, MeterRule
from tokenergy.units import MICROJOULES_PER_J

UNSTATED_LIMIT_W: Final = 1000.0
"""Most power of a zone whose folder states no limit (AMD's do not): above any package sold, an
assumption. It only bounds how long a span may be before the counter could go round twice."""
LIMITS: Final = ("constraint_1_power_limit_uw", "constraint_0_max_power_uw")
"""The limit of short spans, and the package's greatest: what of them is larger."""
PLATFORM: Final = "psys"
MAY_STAND_STILL: Final = frozenset({"core", "uncore"})
"""Parts of a package that it may switch off: of them alone 0 J over a window is a figure."""
NOTE: Final = "whole zones: every process of the machine is in them"
OUTSIDE_THE_PACKAGE: Final = frozenset({"dram"})
"""Memory stands below its package in the tree and has a counter of its own: a package's joules
do not include it, so the two may be added (Intel SDM vol. 3, RAPL domains)."""
REMEDY_OF_PERMISSION: Final = (
    "the kernel lets only root read it: run as root, or let a udev rule or a service make "
    "energy_uj readable for the user of Tokenergy"
)


@dataclass(frozen=True, slots=True)
class _Zone:
    """One folder of the tree: its id such as `intel-rapl:0:1`, and its name such as `core`."""

    zone_id: str
    name: str
    folder: Path
    wraps_at_microjoules: int | None
    limit_w: float

    def is_in(self, other: "_Zone") -> bool:
        """Whether the other's joules include this one's."""
        if other.name == PLATFORM:
            return self is not other
        below = self.zone_id.startswith(f"{other.zone_id}:")
        return below and self.name not in OUTSIDE_THE_PACKAGE


class RaplZones:
    """Zones by name or id, each read on its own.

    A name such as `dram` means that zone of every package. A package is never added to a part
    of itself, nor anything to `psys`, which has the whole platform.
    """

    def __init__(
        self, zones: tuple[str, ...], *, root: str, path: str, every_s: float | None = None
    ) -> None:
        """Find every zone.

        Args:
            zones: names or ids.
            root: folder of the kernel's zones.
            path: of the meter in the company file.
            every_s: seconds between readings.

        Raises:
            FindingsError: METER_UNAVAILABLE, METER_DEVICE_UNKNOWN, METER_DOUBLE_COUNT.
        """
        self.rule = MeterRule(tier="measured", boundary="gpu", note=NOTE, every_s=every_s)
        every = _zones_of(Path(root))
        if not every:
            refuse(
                "METER_UNAVAILABLE",
                path=f"{path}.root",
                value=root,
                reason="the kernel has no RAPL zones there, as in most virtual machines",
                remedy="Read the meter on the bare machine, or use cpu_seconds with stated watts",
            )
        self._zones = _chosen(every, zones, path)
        self.claims = frozenset(
            f"rapl:{inner.zone_id}"
            for outer in self._zones
            for inner in every
            if inner is outer or inner.is_in(outer)
        )

    def counts(self) -> tuple[DeviceCount, ...]:
        """Return every zone's counter."""
        return tuple(_count(zone) for zone in self._zones)

    def close(self) -> None:
        """Nothing is held open."""


def _zones_of(root: Path) -> tuple[_Zone, ...]:
    """Return the zones below a folder, each once: the kernel links the inner ones beside it too.

    `intel-rapl-mmio` is the same package by another way, and is left out.
    """
    found: dict[str, _Zone] = {}
    for file in (*root.glob("*/name"), *root.glob("*/*/name"), *root.glob("*/*/*/name")):
        zone_id = file.parent.name
        control, _, place = zone_id.partition(":")
        if not place or zone_id in found or not control.endswith("-rapl"):
            continue
        name = _text(file)
        if name is None:
            continue
        limits = [_number(file.parent / limit) for limit in LIMITS]
        limit_w = max((each or 0 for each in limits), default=0) / MICROJOULES_PER_J
        found[zone_id] = _Zone(
            zone_id=zone_id,
            name=name,
            folder=file.parent,
            wraps_at_microjoules=_number(file.parent / "max_energy_range_uj"),
            limit_w=limit_w or UNSTATED_LIMIT_W,
        )
    return tuple(found[zone_id] for zone_id in sorted(found))


def _chosen(every: tuple[_Zone, ...], wanted: tuple[str, ...], path: str) -> tuple[_Zone, ...]:
    chosen: dict[str, _Zone] = {}
    for name in wanted:
        hits = [zone for zone in every if name in (zone.name, zone.zone_id)]
        if not hits:
            refuse(
                "METER_DEVICE_UNKNOWN",
                path=f"{path}.zones",
                value=name,
                limit=", ".join(f"{zone.name} ({zone.zone_id})" for zone in every),
                reason="the kernel has no such zone here",
                remedy="Name one of those that it has",
            )
        for zone in hits:
            if zone.zone_id in chosen:
                _refuse_double(path, zone, zone)
            chosen[zone.zone_id] = zone
    zones = tuple(chosen.values())
    for inner in zones:
        for outer in zones:
            if inner.is_in(outer):
                _refuse_double(path, inner, outer)
    return zones


def _refuse_double(path: str, inner: _Zone, outer: _Zone) -> None:
    refuse(
        "METER_DOUBLE_COUNT",
        path=f"{path}.zones",
        value=f"{inner.name} ({inner.zone_id})",
        reason=f"its joules are in those of {outer.name} ({outer.zone_id}) already",
        remedy="Name the package alone, or its parts without it",
    )


def _count(zone: _Zone) -> DeviceCount:
    device = f"{zone.name} ({zone.zone_id})"
    try:
        microjoules = int((zone.folder / "energy_uj").read_text(encoding="ascii"))
    except PermissionError:
        return DeviceCount(device=device, reason=f"{device}: no permission; {REMEDY_OF_PERMISSION}")
    except FileNotFoundError:
        return DeviceCount(device=device, reason=f"{device}: the kernel has no such zone any more")
    except (OSError, ValueError) as error:
        return DeviceCount(
            device=device, reason=f"{device}: energy_uj cannot be read ({type(error).__name__})"
        )
    return DeviceCount(
        device=device,
        # after a reload of the kernel's module the same id may be another zone's
        identity=f"{zone.zone_id} {_text(zone.folder / 'name') or 'unnamed'}",
        energy_microjoules=microjoules,
        wraps_at_microjoules=zone.wraps_at_microjoules,
        limit_w=zone.limit_w if zone.wraps_at_microjoules else None,
        still_s=None if zone.name in MAY_STAND_STILL else STILL_S,
    )


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None


def _number(file: Path) -> int | None:
    """Return a whole number, or None where there is none or where it is 0: nothing is stated."""
    text = _text(file)
    return int(text) or None if text is not None and text.isdecimal() else None

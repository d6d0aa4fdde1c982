"""From the joules of boards to those of the facility: four numbers, always apart."""

import math
from dataclasses import dataclass

from tokenergy.company.energy_words import Boundary, EnergyTier
from tokenergy.energy.facility import HOST_SHARE, Host, HostByPower, HostByShare
from tokenergy.errors import InputError
from tokenergy.metering.reading import Reading

__all__ = ["HOST_SHARE", "FacilityEnergy", "Host", "HostByPower", "HostByShare", "at_facility"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FacilityEnergy:
    """Joules at the facility's meter, in four parts.

    Attributes:
        gpu_j: boards at work; with the host in it, where the reading was of the whole rack.
        host_j: processors, memory, fans; None where the reading has them in it already.
        idle_j: boards that were awake and had nothing to do.
        overhead_j: cooling and losses: (PUE - 1) times the rest.
        tier: of the reading; host and overhead are always modelled, and `reason` says so.
    """

    gpu_j: float | None
    host_j: float | None
    idle_j: float | None
    overhead_j: float | None
    tier: EnergyTier
    boundary: Boundary
    reason: str

    @property
    def total_j(self) -> float | None:
        """Return the sum; None where the boards are unknown."""
        if self.gpu_j is None or self.idle_j is None or self.overhead_j is None:
            return None
        return self.gpu_j + (self.host_j or 0.0) + self.idle_j + self.overhead_j


def at_facility(
    reading: Reading, *, idle_j: float, pue_ratio: float, host: Host | None
) -> FacilityEnergy:
    """Return the four parts of a reading (energy sheet, section 7).

        E = PUE x (E_gpu (1 + host_share) + E_idle),   E_gpu the reading without its idle part

    With watts the host draws them over the whole span, whatever the boards do.

    Args:
        reading: of boards (`gpu`) or of the rack (`it`).
        idle_j: the part of it that was drawn without work.
        pue_ratio: facility over rack, at least 1.
        host: for a reading of boards; None for one of the rack, which has it.

    Raises:
        InputError: if PUE is below 1, a figure is negative, idle exceeds the reading, the
            reading is the facility's own, or the host is counted twice or not at all.
    """
    _check(reading, idle_j, pue_ratio, host)
    said = [reading.reason] if reading.reason else []
    if reading.energy_j is None:
        return FacilityEnergy(
            gpu_j=None, host_j=None, idle_j=None, overhead_j=None,
            tier=reading.tier, boundary="facility", reason=reading.reason,
        )  # fmt: skip
    gpu_j = reading.energy_j - idle_j
    match host:
        case HostByShare():
            host_j: float | None = host.host_share * gpu_j
            said.append(f"host modelled: {host.host_share:.2f} of the boards' work")
        case HostByPower():
            host_j = host.host_w * reading.span_s
            said.append(f"host modelled: {host.host_w:g} W")
        case None:
            host_j = None
            said.append("the host is in the reading")
    said.append(f"overhead modelled: PUE {pue_ratio:g}")
    return FacilityEnergy(
        gpu_j=gpu_j,
        host_j=host_j,
        idle_j=idle_j,
        overhead_j=(pue_ratio - 1.0) * (gpu_j + (host_j or 0.0) + idle_j),
        tier=reading.tier,
        boundary="facility",
        reason="; ".join(said),
    )


def _check(reading: Reading, idle_j: float, pue_ratio: float, host: Host | None) -> None:
    if not 1.0 <= pue_ratio < math.inf:
        raise InputError(f"a PUE of {pue_ratio:g}: it is at least 1, by definition")
    if reading.boundary == "facility":
        raise InputError("the reading is the facility's own: host and overhead are in it")
    if (host is None) != (reading.boundary == "it"):
        raise InputError(
            f"a reading of boundary {reading.boundary!r} "
            + ("has the host in it: state no host" if host else "has no host in it: state one")
        )
    match host:
        case HostByShare(host_share=figure) | HostByPower(host_w=figure):
            if not 0.0 <= figure < math.inf:
                raise InputError(f"a host of {figure}: it cannot be negative")
    if not idle_j >= 0.0 or (reading.energy_j is not None and idle_j > reading.energy_j):
        raise InputError(
            f"an idle part of {idle_j:g} J: it is between 0 and the reading's "
            f"{reading.energy_j or 0.0:g} J"
        )

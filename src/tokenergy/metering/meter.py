"""What a meter's counters said at one moment, and how they are to be read."""

from dataclasses import dataclass
from datetime import datetime

from tokenergy.metering.reading import Boundary, EnergyTier


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCount:
    """One board, zone, process or query: a counter, or a power; None where it tells nothing.

    Attributes:
        device: its name.
        identity: what makes it the same counter as before: another one has another history.
        energy_microjoules: joules since some moment in the past, in whole microjoules.
        power_w: power now, for a device without a counter.
        wraps_at_microjoules: where the counter begins at 0 again; None: it does not.
        limit_w: the most power that the device can draw, for the time that one wrap takes.
        renewed_s: when its source made this figure, by the source's own clock; None: as it was
            read. A source that is asked more often than it looks says the same thing twice.
        still_s: so long its counter may stand still while it is on, for it draws power then: one
            that stands longer, or over a whole window, counts nothing, and its 0 is no figure.
            None: 0 is a figure, as of a process that does nothing.
        shared_by: who else draws on it, so far as anybody can see; "" for nobody.
        reason: why it tells nothing, or what is to be known of what it tells.
    """

    device: str
    identity: str = ""
    energy_microjoules: int | None = None
    power_w: float | None = None
    wraps_at_microjoules: int | None = None
    limit_w: float | None = None
    renewed_s: float | None = None
    still_s: float | None = None
    shared_by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSample:
    """Every device of a meter at one moment.

    Attributes:
        at: when it was read, by our clock.
        ticks_s: our monotonic clock at that moment: spans are measured with it.
        devices: always the same ones, in the same order.
    """

    at: datetime
    ticks_s: float
    devices: tuple[DeviceCount, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterRule:
    """How a meter's samples become a reading.

    Attributes:
        tier, boundary: of every reading; a device that others share makes it `modelled`.
        note: what every reading rests on; "" where nothing is to be said.
        least_span_s: below this the counter's own steps are too coarse.
        every_s: how often samples are asked for; None: nobody says, and no gap is told.
    """

    tier: EnergyTier
    boundary: Boundary
    note: str = ""
    least_span_s: float = 0.0
    every_s: float | None = None

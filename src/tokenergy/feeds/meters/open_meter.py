"""The meter that a company file names, opened."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from tokenergy.company.observe import (
    AmdMeter,
    CpuSecondsMeter,
    Engine,
    Meter,
    NvmlMeter,
    PrometheusMeter,
    RaplMeter,
)
from tokenergy.feeds.http import Http, utc_now
from tokenergy.feeds.meters.amd import AmdBoards
from tokenergy.feeds.meters.cpu_seconds import ProcessSeconds
from tokenergy.feeds.meters.nvml import NvidiaBoards
from tokenergy.feeds.meters.prometheus import PrometheusEnergy
from tokenergy.feeds.meters.rapl import RaplZones
from tokenergy.metering.meter import DeviceCount, MeterRule, MeterSample
from tokenergy.metering.metered import metered
from tokenergy.metering.reading import Reading


class Counts(Protocol):
    """The devices of one meter: what each kind of meter must do."""

    rule: MeterRule

    def counts(self) -> tuple[DeviceCount, ...]:
        """Return every device now; a fault is a reason, never an error."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


class OpenMeter:
    """A meter that is read on a beat; reading never fails, it says why nothing is known."""

    def __init__(
        self, counts: Counts, clock: Callable[[], datetime], ticks: Callable[[], float]
    ) -> None:
        """Read nothing yet."""
        self._counts = counts
        self._clock = clock
        self._ticks = ticks

    @property
    def rule(self) -> MeterRule:
        """How its samples become a reading."""
        return self._counts.rule

    def read(self) -> MeterSample:
        """Return what every device says now; the moment is the middle of the reading."""
        began_at, began_s = self._clock(), self._ticks()
        devices = self._counts.counts()
        half_s = max(self._ticks() - began_s, 0.0) / 2.0
        at = began_at + (self._clock() - began_at) / 2
        return MeterSample(at=at, ticks_s=began_s + half_s, devices=devices)

    def reading(self, samples: Sequence[MeterSample]) -> Reading:
        """Return the joules between the first and the last of some samples (pure)."""
        return metered(samples, self._counts.rule)

    def close(self) -> None:
        """Give back what the meter holds."""
        self._counts.close()


def meter_of(
    meter: Meter,
    engine: Engine,
    *,
    http: Http,
    clock: Callable[[], datetime] = utc_now,
    ticks: Callable[[], float] = time.monotonic,
    every_s: float | None = None,
) -> OpenMeter:
    """Open a meter.

    Args:
        meter: as the company file names it.
        engine: whose joules it reads.
        http: for a Prometheus server.
        clock, ticks: our clock, and our monotonic one.
        every_s: seconds between two readings as they will be asked for; None: no gap is told.

    Raises:
        FindingsError: METER_LIBRARY_MISSING, METER_UNAVAILABLE, METER_DEVICE_UNKNOWN,
            METER_DOUBLE_COUNT, METER_PROCESS_UNKNOWN: what the file must say otherwise. What may
            pass (no permission, a process that is not there yet) is a reason in each reading.
    """
    path = f"observe.engines.{engine.name}.meter"
    return OpenMeter(_counts_of(meter, engine, http, path, every_s), clock, ticks)


def _counts_of(
    meter: Meter, engine: Engine, http: Http, path: str, every_s: float | None
) -> Counts:
    match meter:
        case NvmlMeter():
            return NvidiaBoards(meter.devices, path=path, every_s=every_s)
        case AmdMeter():
            return AmdBoards(meter.devices, path=path, every_s=every_s)
        case RaplMeter():
            return RaplZones(meter.zones, root=meter.root, path=path, every_s=every_s)
        case CpuSecondsMeter():
            return ProcessSeconds(meter, engine, path=path, every_s=every_s)
        case PrometheusMeter():
            return PrometheusEnergy(meter, http, every_s=every_s)

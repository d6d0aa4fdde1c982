"""The meter that a company file names, opened."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from tokenergy.company.observe import (
    AmdMeter,
    CpuSecondsMeter,
    Engine,
    ExporterMeter,
    Meter,
    NvmlMeter,
    PrometheusMeter,
    RaplMeter,
    TrtllmMeter,
)
from tokenergy.feeds.http import Http, utc_now
from tokenergy.feeds.meters.amd import AmdBoards
from tokenergy.feeds.meters.cpu_seconds import ProcessSeconds
from tokenergy.feeds.meters.exporter import ExporterPage
from tokenergy.feeds.meters.nvml import NvidiaBoards
from tokenergy.feeds.meters.opened import Counts, OpenMeter
from tokenergy.feeds.meters.overlaps import overlaps, refuse_overlaps
from tokenergy.feeds.meters.prometheus import PrometheusEnergy
from tokenergy.feeds.meters.rapl import RaplZones
from tokenergy.feeds.meters.trtllm import TrtllmEnergy
from tokenergy.feeds.meters.window_meter import WindowMeter

__all__ = [
    "Counts",
    "OpenMeter",
    "WindowMeter",
    "meter_of",
    "open_meter",
    "overlaps",
    "refuse_overlaps",
]

TIMEOUT_S: Final = 5.0
"""Longest that a meter over HTTP may keep whoever reads it waiting."""


def open_meter(
    engine: Engine,
    *,
    http: Http | None = None,
    clock: Callable[[], datetime] = utc_now,
    ticks: Callable[[], float] = time.monotonic,
    every_s: float | None = None,
) -> WindowMeter:
    """Open an engine's meter, to be read in windows.

    Args:
        engine: with a meter.
        http: for meters over HTTP; None: one try of at most `TIMEOUT_S`.
        clock, ticks: our clock, and our monotonic one.
        every_s: seconds between two readings as they will be asked for; None: no gap is told.

    Raises:
        ValueError: if the engine has no meter.
        FindingsError: as `meter_of`.
    """
    if engine.meter is None:
        raise ValueError(f"engine {engine.name!r} has no meter")
    port = http if http is not None else Http(timeout_s=TIMEOUT_S, tries_count=1)
    on_close = None if http is not None else port.close
    try:
        opened = meter_of(
            engine.meter, engine, http=port, clock=clock, ticks=ticks, every_s=every_s
        )
    except BaseException:
        if on_close is not None:
            on_close()
        raise
    return WindowMeter(opened, on_close)


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
        http: for meters over HTTP.
        clock, ticks: our clock, and our monotonic one.
        every_s: seconds between two readings as they will be asked for; None: no gap is told.

    Raises:
        FindingsError: METER_LIBRARY_MISSING, METER_UNAVAILABLE, METER_DEVICE_UNKNOWN,
            METER_DOUBLE_COUNT, METER_DIVIDED, METER_PROCESS_UNKNOWN: what the file must say
            otherwise. What may pass (no permission, a process that is not there yet) is a
            reason in each reading.
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
        case ExporterMeter():
            return ExporterPage(meter, http, every_s=every_s)
        case TrtllmMeter():
            return TrtllmEnergy(meter, engine, http, every_s=every_s)

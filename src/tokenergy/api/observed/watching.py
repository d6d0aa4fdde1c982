"""Engines and their meters, read on one beat, and cut into windows."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from types import TracebackType
from typing import Final, Self

from tokenergy.company.finding import Finding
from tokenergy.company.observe import Engine
from tokenergy.errors import FindingsError, InputError
from tokenergy.feeds.http import Http, utc_now
from tokenergy.feeds.meters.open_meter import OpenMeter, meter_of, overlaps
from tokenergy.feeds.watch import THREADS_COUNT, Sampler, Watch, sampler_of
from tokenergy.metering.meter import MeterSample
from tokenergy.metering.reading import Reading
from tokenergy.metering.sample import EngineSample, EngineWindow
from tokenergy.metering.window import window

NOT_SAID: Final = ("requests:", "waiting_count:")
"""Beginnings of reasons that are nobody's fault: some engines never tell these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What one engine did in a window, and the joules of its meter.

    Attributes:
        done: differences of counters; None where it did not answer twice.
        reading: of its meter; None where it has none.
        model_names: what the engine calls its models.
        findings: why something is missing.
    """

    engine: Engine
    done: EngineWindow | None
    reading: Reading | None
    model_names: tuple[str, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Read:
    """A sample with the meter that was read beside it."""

    sample: EngineSample
    meter: MeterSample | None


class Watcher:
    """Reads engines and meters until it is closed; every window begins where the last ended."""

    def __init__(
        self,
        engines: Iterable[Engine],
        *,
        http: Http,
        every_s: float,
        clock: Callable[[], datetime] = utc_now,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open every meter; read nothing yet.

        Raises:
            FindingsError: for meters that this machine cannot open, all at once.
        """
        self.engines = tuple(engines)
        self._samplers: Mapping[str, Sampler] = {
            each.name: sampler_of(
                http, each, clock=clock, ticks=ticks, served_model=each.served_model
            )
            for each in self.engines
        }
        self._meters = _opened(self.engines, http, clock, ticks, every_s)
        self._reads: dict[str, list[_Read]] = {each.name: [] for each in self.engines}
        self._faults: dict[str, InputError] = {}
        self._lock = threading.Lock()
        self._watch = Watch(
            self._samplers, every_s=every_s, on_sample=self._keep, on_error=self._fail
        )
        self._started = False

    def __enter__(self) -> Self:
        """Read every engine once, all at the same time, then begin to watch."""
        self.read_all()
        self._watch.start()
        self._started = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop reading and close the meters."""
        try:
            if self._started:
                self._watch.stop()
        finally:
            for meter in self._meters.values():
                meter.close()

    def read_all(self) -> None:
        """Read every engine now."""
        if not self.engines:
            return
        with ThreadPoolExecutor(min(THREADS_COUNT, len(self.engines))) as pool:
            list(pool.map(self._read, [each.name for each in self.engines]))

    def cut(self) -> tuple[Watched, ...]:
        """End the window: return what every engine did since the last cut."""
        with self._lock:
            cut = tuple(self._cut(engine) for engine in self.engines)
            self._faults.clear()
        return cut

    def _read(self, name: str) -> None:
        try:
            sample = self._samplers[name].sample()
        except InputError as error:
            with self._lock:
                self._faults[name] = error
            return
        self._keep(name, sample)

    def _keep(self, name: str, sample: EngineSample) -> None:
        meter = self._meters.get(name)
        read = _Read(sample, None if meter is None else meter.read())
        with self._lock:
            self._reads[name].append(read)

    def _fail(self, name: str, error: InputError) -> None:
        with self._lock:
            self._faults[name] = error

    def _cut(self, engine: Engine) -> Watched:
        reads = sorted(self._reads[engine.name], key=lambda read: read.sample.ticks_s)
        self._reads[engine.name] = reads[-1:]
        findings = list(_told(engine, self._faults.get(engine.name)))
        if len(reads) < 2:
            if not findings:
                findings.append(_read_once(engine, len(reads)))
            return Watched(
                engine=engine,
                done=None,
                reading=None,
                model_names=reads[0].sample.model_names if reads else (),
                findings=tuple(findings),
            )
        first, last = reads[0], reads[-1]
        done = window(first.sample, last.sample, [read.sample for read in reads[1:-1]])
        findings += _of_window(engine, done)
        reading = None
        if first.meter is not None and last.meter is not None:
            meters = [read.meter for read in reads if read.meter is not None]
            reading = self._meters[engine.name].reading(meters)
            if reading.energy_j is None:
                findings.append(_no_joules(engine, reading.reason))
        return Watched(
            engine=engine,
            done=done,
            reading=reading,
            model_names=last.sample.model_names,
            findings=tuple(findings),
        )


def _opened(
    engines: tuple[Engine, ...],
    http: Http,
    clock: Callable[[], datetime],
    ticks: Callable[[], float],
    every_s: float,
) -> dict[str, OpenMeter]:
    """Open the meters, or refuse all that cannot be at once."""
    found: dict[str, OpenMeter] = {}
    findings: list[Finding] = []
    for each in engines:
        if each.meter is None:
            continue
        try:
            found[each.name] = meter_of(
                each.meter, each, http=http, clock=clock, ticks=ticks, every_s=every_s
            )
        except FindingsError as error:
            findings += error.findings
    findings += overlaps(found)
    if findings:
        for meter in found.values():
            meter.close()
        raise FindingsError(findings)
    return found


def _told(engine: Engine, fault: InputError | None) -> Iterable[Finding]:
    """Yield the findings of the last fault of an engine, as warnings: the others go on."""
    if isinstance(fault, FindingsError):
        for finding in fault.findings:
            path = f"observe.engines.{engine.name}: {finding.path}"
            yield replace(finding, path=path, severity="warning")
    elif fault is not None:
        yield Finding(
            code="METRICS_UNREADABLE",
            path=f"observe.engines.{engine.name}",
            severity="warning",
            reason=str(fault),
            remedy="Open the address in a browser: it should show counters as text",
        )


def _of_window(engine: Engine, done: EngineWindow) -> Iterable[Finding]:
    if done.reset:
        yield Finding(
            code="COUNTER_RESET",
            path=f"observe.engines.{engine.name}",
            severity="warning",
            reason=f"its counters began anew within the window, so nothing of it is counted: "
            f"{done.reason}",
            remedy="Nothing: the next window counts again",
        )
    # An engine that never counts requests is no fault of its window: the figure is empty anyhow.
    told = [text for text in done.reason.split("; ") if text and not text.startswith(NOT_SAID)]
    clocks = [text for text in told if "clock" in text]
    told = [text for text in told if text not in clocks]
    if clocks:
        yield Finding(
            code="CLOCKS_DIFFER",
            path=f"observe.engines.{engine.name}",
            severity="warning",
            reason=f"{'; '.join(clocks)}: windows are measured by our monotonic clock, so their "
            "figures hold; their stamps are those of our clock",
            remedy="Set both clocks by the same server of time",
        )
    if told and not done.reset:
        yield Finding(
            code="COUNTERS_INCOMPLETE",
            path=f"observe.engines.{engine.name}",
            severity="warning",
            reason="; ".join(told),
            remedy="See docs/observe.md for what each engine tells",
        )


def _read_once(engine: Engine, count: int) -> Finding:
    times = "once" if count else "not at all"
    return Finding(
        code="ENGINE_READ_ONCE",
        path=f"observe.engines.{engine.name}",
        severity="warning",
        reason=f"it was read {times} in the window, and a window needs two readings",
        remedy="Wait for the next window, or make window_s longer",
    )


def _no_joules(engine: Engine, reason: str) -> Finding:
    return Finding(
        code="METER_MISSING",
        path=f"observe.engines.{engine.name}.meter",
        severity="warning",
        reason=f"the meter told no joules of this window: {reason}; they are modelled, where the "
        "model's line is known",
        remedy="Mend the meter, or leave it out",
    )

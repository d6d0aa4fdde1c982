"""Observe: engines, meters, prices and a usage file, read only, to a priced token."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tokenergy.api.observed.company import ObservedCompany, open_observed, present_of
from tokenergy.api.observed.engines import named_engines
from tokenergy.api.observed.invoices import allocated
from tokenergy.api.observed.joules import engine_joules, mtok_per_interval
from tokenergy.api.observed.ledger import keep
from tokenergy.api.observed.now import Now, priced_now
from tokenergy.api.observed.observation import Observation
from tokenergy.api.observed.past import HISTORY_MOST_DAYS, past_saving
from tokenergy.api.observed.prices import live_prices
from tokenergy.api.observed.saving import ObservedSaving
from tokenergy.api.observed.seen import (
    One,
    energy_ratios,
    missing_prices,
    of_full_share,
    sites_seen,
)
from tokenergy.api.observed.usage import own_models, tenants_seen, unwatched_models
from tokenergy.api.observed.watching import Watched, Watcher
from tokenergy.api.observed.world import Placed, placed
from tokenergy.api.opened import Progress
from tokenergy.company.finding import Finding, errors_of
from tokenergy.company.observe import Observe
from tokenergy.company.usage import UsageRow
from tokenergy.errors import FindingsError, InputError
from tokenergy.feeds.http import Http, utc_now
from tokenergy.files.company_file import read_company
from tokenergy.files.usage_files import read_usage

RATE_HELD_DAYS: Final = 7
"""Without history, the present rate is held over the prices of this many days."""
SCRAPE_TIMEOUT_S: Final = 5.0
WINDOW_MOST_S: Final = 3600.0


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What is observed.

    Attributes:
        company: the company file.
        metrics: addresses beside those of the file: `NAME=URL` for an engine of the file,
            `FLEET/MODEL=URL` for another one, or a URL alone where there is no doubt.
        usage: a usage file of the last weeks.
        invoices: invoices to reconcile with that usage.
        time_zone: zone of stamps in both that carry none.
        window_s: length of a window; None: what the file says.
        ledger: the file that keeps the windows; None: none.
        saving: whether to tell what dispatch would have saved.
    """

    company: Path
    metrics: tuple[str, ...] = ()
    usage: Path | None = None
    invoices: Path | None = None
    time_zone: str | None = None
    window_s: float | None = None
    ledger: Path | None = None
    saving: bool = True


class Observer:
    """Watches a company's engines; each `observe` ends a window and tells what it held.

    Use it as a context manager. It reads only: GET requests to the addresses of the file and of
    the command line, counters of this machine, and feeds of prices.
    """

    def __init__(
        self,
        ask: Ask,
        *,
        http: Http | None = None,
        clock: Callable[[], datetime] = utc_now,
        ticks: Callable[[], float] = time.monotonic,
        on_progress: Progress | None = None,
    ) -> None:
        """Read the company and the usage file, and open the meters.

        Raises:
            FindingsError: with everything wrong with the file, the addresses and the meters.
        """
        if ask.window_s is not None and not 0.0 < ask.window_s <= WINDOW_MOST_S:
            raise InputError(
                f"a window of {ask.window_s:g} s: it is above 0 and at most {WINDOW_MOST_S:g} s"
            )
        self.ask = ask
        self._clock, self._told = clock, on_progress
        self._usage: tuple[UsageRow, ...] = ()
        self._usage_findings: tuple[Finding, ...] = ()
        self._saved: tuple[datetime, ObservedSaving, tuple[Finding, ...]] | None = None
        self._kept_findings: frozenset[tuple[str, str]] = frozenset()
        self._usage_kept = False
        self._held: dict[int, tuple[tuple[int, int], ObservedCompany]] = {}
        with ExitStack() as opened:
            feeds = Http(cache_dir=Path(".tokenergy") / "feeds", cache_s=900.0)
            self._feeds = opened.enter_context(feeds) if http is None else http
            scrapes = Http(timeout_s=SCRAPE_TIMEOUT_S, tries_count=1)
            self._scrapes = opened.enter_context(scrapes)
            if ask.usage is not None:
                read = read_usage(ask.usage, time_zone=ask.time_zone, now=clock())
                self._usage, self._usage_findings = read.rows, read.findings
            held = self._open(RATE_HELD_DAYS)
            self.engines = named_engines(held.company, ask.metrics)
            observe = held.observe
            self.window_s = observe.window_s if ask.window_s is None else ask.window_s
            self._watcher = Watcher(
                self.engines,
                http=self._scrapes,
                every_s=min(observe.every_s, self.window_s),
                clock=clock,
                ticks=ticks,
            )
            opened.push(self._watcher)
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        try:
            self._watcher.__enter__()
        except BaseException:
            self._opened.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened.__exit__(kind, fault, trace)

    def observe(self) -> Observation:
        """End the window and return what it held; the next one begins at once."""
        self._watcher.read_all()
        watched = self._watcher.cut()
        past = self._past_days()
        held = self._open(past)
        places, findings = placed(held.structure.world, [each.engine for each in watched])
        ones = [self._one(held, place, each) for place, each in zip(places, watched, strict=True)]
        now = self._priced(held, ones)
        sites = sites_seen(held, ones, now)
        own = own_models(held.company, self._usage, _served_names(ones))
        saving, why = self._saving(held, ones, own.rows)
        saving = saving and replace(saving, of_full_share=of_full_share(saving, sites))
        paid, told = (
            (None, ())
            if self.ask.invoices is None
            else allocated(
                self.ask.invoices, held, places, sites, own.rows, time_zone=self.ask.time_zone
            )
        )
        span = _span(watched, self._clock())
        observation = Observation(
            heading={
                "company": held.company.company,
                "file": held.path.name,
                "currency": held.company.currency,
            },
            start=span[0],
            end=span[1],
            sites=sites,
            tenants=tenants_seen(own.rows, sites, kappa_ratio=_kappa_ratios(held, ones)),
            saving=saving,
            allocated=paid,
            findings=_once(
                held.findings,
                findings,
                [finding for each in watched for finding in each.findings],
                [] if now is None else now.findings,
                self._usage_findings,
                own.findings,
                unwatched_models(own.rows, places),
                missing_prices(held, ones),
                why,
                told,
            ),
            ledger=None if self.ask.ledger is None else str(self.ask.ledger),
        )
        if self.ask.ledger is not None:
            self._keep(self.ask.ledger, held, ones, observation, own.rows)
        return observation

    def _saving(
        self, held: ObservedCompany, ones: Sequence[One], usage: Sequence[UsageRow]
    ) -> tuple[ObservedSaving | None, tuple[Finding, ...]]:
        """Tell the saving once an interval: weeks of it change little within one."""
        if not self.ask.saving:
            return None, ()
        if self._saved is not None and self._saved[0] == held.present:
            return self._saved[1:]
        saving, why = past_saving(held, ones, usage, http=self._scrapes, on_progress=self._told)
        self._saved = None if saving is None else (held.present, saving, why)
        return saving, why

    def _keep(
        self,
        ledger: Path,
        held: ObservedCompany,
        ones: Sequence[One],
        observation: Observation,
        usage: Sequence[UsageRow],
    ) -> None:
        """Keep the window; of usage and of findings that go on, only once."""
        told = {(each.code, each.path): each for each in observation.findings}
        fresh = [each for key, each in told.items() if key not in self._kept_findings]
        rows = () if self._usage_kept else usage
        keep(ledger, held, ones, observation, usage=rows, findings=fresh)
        self._kept_findings, self._usage_kept = frozenset(told), True

    def _open(self, days: int) -> ObservedCompany:
        """Open the file for this interval: once an interval, and again where it was edited."""
        at, written = self._clock(), _written(self.ask.company)
        held = self._held.get(days)
        if held is not None and held[0] == written and _holds(held[1], at):
            return held[1]
        opened = self._opened_at(at, days)
        self._held[days] = (written, opened)
        return opened

    def _opened_at(self, at: datetime, days: int) -> ObservedCompany:
        company, findings = read_company(self.ask.company)
        if company is None:
            raise FindingsError(errors_of(findings))
        count = max(1, round(days * 24.0 / company.horizon.step_h))
        return open_observed(
            self.ask.company,
            at=at,
            past_count=count,
            prices=lambda known, start, end: live_prices(
                known.observe or Observe(),
                self._feeds,
                start=start,
                end=end,
                currency=known.currency,
            ),
        )

    def _past_days(self) -> int:
        """Return how many days before the present the saving is told about."""
        if any(engine.selector is not None for engine in self.engines):
            return HISTORY_MOST_DAYS
        if not self._usage:
            return RATE_HELD_DAYS
        first = min(row.start for row in self._usage)
        days = (self._clock() - first) // timedelta(days=1)
        return max(RATE_HELD_DAYS, min(HISTORY_MOST_DAYS, days))

    def _one(self, held: ObservedCompany, place: Placed, watched: Watched) -> One:
        """Join an engine's window with its place and its joules."""
        world = held.structure.world if held.now is None else held.now.world
        pue = float(world.pue[place.site, world.first])
        return One(
            place=place,
            watched=watched,
            joules=engine_joules(held.structure.world, place, watched, pue=pue),
        )

    def _priced(self, held: ObservedCompany, ones: Sequence[One]) -> Now | None:
        if held.now is None:
            return None
        world = held.now.world
        mtok = {one.place.engine.name: mtok_per_interval(world, one.watched) for one in ones}
        known = {name: amount for name, amount in mtok.items() if amount is not None}
        places, _ = placed(world, [one.place.engine for one in ones])
        return priced_now(held.now, places, known, energy_ratio=energy_ratios(ones))


def watch_once(
    ask: Ask,
    *,
    http: Http | None = None,
    clock: Callable[[], datetime] = utc_now,
    ticks: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    on_progress: Progress | None = None,
) -> Observation:
    """Watch for one window and tell what it held.

    Args:
        ask: what to observe.
        http: how to ask feeds, closed by whoever made it; None: with a cache in
            `.tokenergy/feeds`.
        clock, ticks: this moment, and a clock that only goes forward.
        sleep: waits for seconds.
        on_progress: told of the seconds that have passed, then of the saving.

    Raises:
        FindingsError: with everything wrong with the file, the addresses and the meters.
    """
    with Observer(ask, http=http, clock=clock, ticks=ticks, on_progress=on_progress) as observer:
        seconds = max(1, round(observer.window_s))
        for done in range(seconds):
            if on_progress is not None:
                on_progress("watching", done, seconds)
            sleep(observer.window_s / seconds)
        return observer.observe()


def observe(
    company: str | Path,
    *,
    metrics: Sequence[str] = (),
    usage: str | Path | None = None,
    invoices: str | Path | None = None,
    time_zone: str | None = None,
    window_s: float | None = None,
    ledger: str | Path | None = None,
    saving: bool = True,
    on_progress: Progress | None = None,
) -> Observation:
    """Watch a company's engines for one window and tell what their tokens cost; it only reads.

    Args:
        company: the company file.
        metrics: `NAME=URL` for an engine of the file, `FLEET/MODEL=URL` for another one, or a URL
            alone where there is no doubt; none: every engine of the file.
        usage: a usage file of the last weeks, for tenants and for the saving.
        invoices: invoices to reconcile with that usage.
        time_zone: zone of stamps in both that carry none.
        window_s: length of the window; None: what the file says.
        ledger: the SQLite file that keeps the window; None: none.
        saving: whether to tell what dispatch would have saved.
        on_progress: told of the seconds that have passed, then of the saving.

    Raises:
        FindingsError: with everything wrong with the files, the addresses and the meters.
    """
    ask = Ask(
        company=Path(company),
        metrics=tuple(metrics),
        usage=None if usage is None else Path(usage),
        invoices=None if invoices is None else Path(invoices),
        time_zone=time_zone,
        window_s=window_s,
        ledger=None if ledger is None else Path(ledger),
        saving=saving,
    )
    return watch_once(ask, on_progress=on_progress)


def _span(watched: Sequence[Watched], now: datetime) -> tuple[datetime, datetime]:
    """Return from when to when the engines were watched."""
    done = [each.done for each in watched if each.done is not None]
    if not done:
        return now, now
    return min(each.start for each in done), max(each.end for each in done)


def _once(*groups: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(dict.fromkeys(finding for group in groups for finding in group))


def _served_names(ones: Sequence[One]) -> dict[str, tuple[str, ...]]:
    """Return what the engines of each model call it."""
    names: dict[str, tuple[str, ...]] = {}
    for one in ones:
        model = one.place.engine.model
        names[model] = (*names.get(model, ()), *one.watched.model_names)
    return names


def _kappa_ratios(held: ObservedCompany, ones: Sequence[One]) -> dict[str, float]:
    """Return joules of an input token over joules of an output token, by model."""
    routes = held.structure.world.routes
    return {
        one.place.engine.model: routes[one.place.route].kappa_ratio
        for one in ones
        if one.place.route is not None
    }


def _written(path: Path) -> tuple[int, int]:
    """Return what changes with a file that is edited; a missing one is told when it is read."""
    try:
        told = path.stat()
    except OSError:
        return 0, 0
    return told.st_mtime_ns, told.st_size


def _holds(held: ObservedCompany, at: datetime) -> bool:
    """Tell whether a company that was opened before is still the one of this moment."""
    return held.now is not None and present_of(held.company, at) == held.present

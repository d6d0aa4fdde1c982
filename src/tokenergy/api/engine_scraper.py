"""What runs and waits at each deployment's engines, as their own `/metrics` tell it."""

import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Self

from tokenergy.company.finding import Finding
from tokenergy.company.observe import Engine
from tokenergy.company.serving.plan import WorkerPlan
from tokenergy.errors import FindingsError
from tokenergy.feeds import engine_scrape
from tokenergy.feeds.http import Http, utc_now

TIMEOUT_S: Final = 1.0
"""Longest wait for an engine: what it says is to be no older than about a second."""
THREADS_COUNT: Final = 16


class EngineScraper:
    """Reads the engines of a plan, all at once; an engine that does not answer tells nothing.

    Attributes:
        findings: why engines told nothing at the last reading, by name of their upstream.
    """

    def __init__(self, plan: WorkerPlan, *, timeout_s: float = TIMEOUT_S) -> None:
        """Ask nothing yet.

        Args:
            plan: whose upstreams have `metrics_url`.
            timeout_s: longest wait for an engine.
        """
        self.findings: Mapping[str, tuple[Finding, ...]] = {}
        self._http = Http(timeout_s=timeout_s, tries_count=1)
        self._threads: ThreadPoolExecutor | None = None
        self._readers: list[tuple[str, str, engine_scrape.EngineScraper]] = []
        faults: dict[str, tuple[Finding, ...]] = {}
        urls = Counter(one.metrics_url for one in plan.upstreams if one.metrics_url is not None)
        known: set[tuple[str, str]] = set()
        for upstream in plan.upstreams:
            url = upstream.metrics_url
            # two upstreams with one page are told of once: both are in its counts
            if url is None or (upstream.deployment, url) in known:
                continue
            known.add((upstream.deployment, url))
            try:
                # its name, fleet and model are not asked: only the page is read
                engine = Engine(name="engine", metrics_url=url, fleet="fleet", model="model")
            except ValueError:
                faults[upstream.name] = (_bad_url(upstream.name),)
                continue
            reader = engine_scrape.EngineScraper(
                self._http,
                engine,
                utc_now,
                time.monotonic,
                served_model=upstream.served_model if urls[url] > 1 else None,
            )
            self._readers.append((upstream.name, upstream.deployment, reader))
        self._unreadable = faults
        if self._readers:
            workers_count = min(THREADS_COUNT, len(self._readers))
            self._threads = ThreadPoolExecutor(workers_count, thread_name_prefix="tokenergy-scrape")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """End the threads and every connection."""
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
        self._http.close()

    def requests_by_deployment(self) -> dict[str, int]:
        """Return requests running and waiting, summed over a deployment's engines that answered.

        A deployment none of whose engines answered is not in it; `findings` says why.
        """
        told: dict[str, int] = {}
        findings = dict(self._unreadable)
        if self._threads is not None:
            for (name, deployment, _), seen in zip(
                self._readers,
                self._threads.map(_read, [reader for _, _, reader in self._readers]),
                strict=True,
            ):
                if isinstance(seen, int):
                    told[deployment] = told.get(deployment, 0) + seen
                elif seen:
                    findings[name] = seen
        self.findings = findings
        return told


def _read(reader: engine_scrape.EngineScraper) -> int | tuple[Finding, ...]:
    """Return what runs and waits at an engine, or why not; () without such a gauge."""
    try:
        sample = reader.sample()
    except FindingsError as error:
        return error.findings
    if sample.running_count is None and sample.waiting_count is None:
        return ()
    return round((sample.running_count or 0.0) + (sample.waiting_count or 0.0))


def _bad_url(name: str) -> Finding:
    # an address may hold a password: it is not shown
    return Finding(
        code="METRICS_BAD_URL",
        path=f"serve.upstreams.{name}.metrics_url",
        reason="this is no http or https address",
        remedy="Write http://host:port/metrics",
    )

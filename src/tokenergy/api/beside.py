"""Threads of control: journals into the ledger, meters, and what runs and waits in the engines."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tokenergy.company.serving.plan import WorkerPlan
from tokenergy.company.serving.ports import StoreFault
from tokenergy.serve.counts import SharedCounts

if TYPE_CHECKING:
    from tokenergy.api.metering import Metering
    from tokenergy.store.projector import Projector

PROJECT_S: Final = 0.2
RETRY_S: Final = 2.0
ENDS_WITHIN_S: Final = 10.0
LAST_STEPS_COUNT: Final = 10_000


class Beside:
    """What control does beside looking after processes."""

    def __init__(
        self,
        data: Path,
        ledger: Path,
        plan: WorkerPlan,
        counts: SharedCounts,
        tell: Callable[[str], None],
    ) -> None:
        """Know the folders; nothing runs yet."""
        self._data, self._ledger, self._plan = data, ledger, plan
        self._counts, self._tell = counts, tell
        self._ends = threading.Event()
        self._threads: list[threading.Thread] = []
        self._metering: Metering | None = None
        self._projected = threading.Event()

    def start(self) -> None:
        """Start the threads."""
        names = [("projector", self._project)]
        if any(upstream.metrics_url is not None for upstream in self._plan.upstreams):
            names.append(("scraper", self._scrape))
        if self._plan.meters:
            from tokenergy.api.metering import Metering

            self._metering = Metering(self._data, self._ledger, self._plan, self._tell)
            names.append(("meters", self._meter))
        for name, work in names:
            thread = threading.Thread(target=work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def end(self) -> None:
        """End them; what the journals still hold is projected first."""
        self._ends.set()
        for thread in self._threads:
            thread.join(ENDS_WITHIN_S)
        self._threads = []

    def _project(self) -> None:
        """Project until the end, and then all that is left; a store that cannot is told once."""
        from tokenergy.store.projector import Projector

        metering = self._metering
        hear = None if metering is None else metering.hear
        projector = Projector(self._data, self._ledger, hear=hear)
        fault, findings = "", frozenset[str]()
        try:
            while not self._ends.is_set():
                began_s = time.time()
                told = self._step(projector)
                if metering is not None and not isinstance(told, str) and not projector.behind:
                    metering.known_until(began_s)
                if isinstance(told, str):
                    if told != fault:
                        self._tell(f"the ledger takes nothing now, the journals keep it: {told}")
                    fault = told
                    self._ends.wait(RETRY_S)
                    continue
                fault = ""
                fresh = [str(each) for each in projector.findings]
                for line in fresh:
                    if line not in findings:
                        self._tell(line)
                findings = frozenset(fresh)
                if not told:
                    self._ends.wait(PROJECT_S)
            self._finish(projector)
        finally:
            projector.close()

    def _step(self, projector: "Projector") -> int | str:
        """Return how much was projected, or why nothing can be."""
        try:
            return projector.step()
        except StoreFault as error:
            return str(error) or type(error).__name__

    def _finish(self, projector: "Projector") -> None:
        """Project what workers wrote at their end, and settle what they left open."""
        try:
            for _ in range(LAST_STEPS_COUNT):
                if not projector.step():
                    break
            projector.settle_dead()
            projector.step()
            if self._metering is not None:
                self._projected.set()
                self._metering.ended.wait(ENDS_WITHIN_S)
                projector.settle_dead()
                projector.step()
        except StoreFault as error:
            self._tell(f"what is left of the journals is projected at the next start: {error}")

    def _meter(self) -> None:
        """Read meters and divide what they say, until the end."""
        if self._metering is not None:
            self._metering.run(self._ends, self._projected)

    def _scrape(self) -> None:
        """Write what the engines say into the shared counts, until the end."""
        from tokenergy.api.engine_scraper import EngineScraper

        with EngineScraper(self._plan) as scraper:
            while not self._ends.is_set():
                told = scraper.requests_by_deployment()
                self._counts.scrape([told.get(name, 0) for name in self._plan.deployments])
                self._ends.wait(1.0)

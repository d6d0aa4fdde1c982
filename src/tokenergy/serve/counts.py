"""Counts that the workers of one gateway share: what runs where, and what budgets were used for.

One file in memory that all processes map. Each worker writes a row of its own, control writes the
first one, and everybody reads them all: no locks, no messages, and a sum is as old as the last
write. A number is eight aligned bytes, written at once. Rows of workers that were not heard of for
`SILENT_S` drop out of what runs; what they used of budgets stays.

    row 0      control: running and waiting at each place as the engines tell; lambda, left and
               seen of each budget; what workers that ended have used
    row 1..N   worker: its heartbeat, its requests in flight by place, (seen, used) by budget
"""

import mmap
import os
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple, Self

from tokenergy.company.serving.plan import BUDGET, WorkerPlan
from tokenergy.errors import InputError

MAGIC: Final = int.from_bytes(b"tkncnt01", "little")
SILENT_S: Final = 3.0
"""A worker whose last beat is older than this counts as ended; it beats several times a second."""
WORD_BYTES: Final = 8
_HEAD_WORDS: Final = 5  # magic, workers, places, budgets, names
_BEAT, _NOW, _FIRST = 0, 1, 2


def budget_names(plan: WorkerPlan) -> tuple[str, ...]:
    """Return the names of the company's budgets, in the order of their numbers in the file."""
    names = (account.name for account in plan.accounts)
    return tuple(name.removeprefix(BUDGET) for name in names if name.startswith(BUDGET))


class BudgetTotal(NamedTuple):
    """What all workers together saw and used of a budget since the file was made.

    Attributes:
        seen_count: requests that it pays for, refused ones counted.
        used_quantity: expected use at the decisions, corrected at their settlement, USD or J.
    """

    seen_count: float
    used_quantity: float


class BudgetPrice(NamedTuple):
    """Where the one owner of a budget's pacing stands.

    Attributes:
        start_s: begin of the window that it is about; 0: nothing was told yet.
        lambda_usd_per_unit: shadow price, USD of value per USD or per J.
        left_quantity: what is left of the window, USD or J.
        seen_count: requests seen in it.
    """

    start_s: float
    lambda_usd_per_unit: float
    left_quantity: float
    seen_count: float


class SharedCounts:
    """The file, mapped: of control (worker 0) or of one worker (1..N).

    Whoever opened it closes it; it lives as long as the file is mapped by anybody.
    """

    def __init__(
        self,
        path: Path,
        worker: int,
        *,
        ticks: Callable[[], float] = time.monotonic,
        claims: bool = True,
    ) -> None:
        """Map the file that `create` made.

        Args:
            path: the file.
            worker: whose row is written: 0 is control.
            ticks: a clock that only goes forward, the same for all processes of the machine.
            claims: whether the row is begun anew, as a worker that starts does.

        Raises:
            InputError: if it is no such file, or has no such row.
        """
        self._ticks = ticks
        self._file = os.open(path, os.O_RDWR)
        try:
            self._map = mmap.mmap(self._file, 0)
        except (ValueError, OSError) as error:
            os.close(self._file)
            raise InputError(f"{path} holds no shared counts: {error}") from error
        self._whole = memoryview(self._map)
        self._words = self._whole.cast("q")
        self._reals = self._whole.cast("d")
        head = self._words[:_HEAD_WORDS].tolist() if len(self._words) >= _HEAD_WORDS else [0] * 5
        self.workers_count, self.places_count, self.budgets_count = head[1:4]
        if head[0] != MAGIC or not 0 <= worker <= self.workers_count:
            self.close()
            raise InputError(f"{path} holds no shared counts with a row for worker {worker}")
        self.worker = worker
        self._row_words = _row_words(self.places_count, self.budgets_count)
        self._mine = self._row(worker)
        self._others = tuple(
            self._row(each) for each in range(1, self.workers_count + 1) if each != worker
        )
        self._workers = tuple(self._row(each) for each in range(1, self.workers_count + 1))
        if worker and claims:
            self.retire(worker)
            self.beat(0.0)

    @classmethod
    def create(
        cls,
        path: Path,
        workers_count: int,
        places: Sequence[str],
        budgets: Sequence[str] = (),
        *,
        ticks: Callable[[], float] = time.monotonic,
    ) -> Self:
        """Make the file anew, all zero, and return it as control has it.

        Args:
            path: the file; one that is there is replaced, workers of it keep the old one.
            workers_count: rows for workers.
            places: names of all deployments, sorted, as boards count.
            budgets: names of the budgets, in the order of their numbers.
            ticks: see the constructor.
        """
        rows = workers_count + 1
        size = (_HEAD_WORDS + rows * _row_words(len(places), len(budgets))) * WORD_BYTES
        names = "\n".join((*places, "", *budgets)).encode()
        digest = int.from_bytes(sha256(names).digest()[:7], "little")
        head = (MAGIC, workers_count, len(places), len(budgets), digest)
        body = b"".join(word.to_bytes(WORD_BYTES, "little", signed=True) for word in head)
        fresh = path.with_name(f"{path.name}.new")
        file = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(file, body.ljust(size, b"\0"))
        finally:
            os.close(file)
        fresh.replace(path)
        return cls(path, 0, ticks=ticks)

    @classmethod
    def opened(
        cls, path: Path, worker: int, *, ticks: Callable[[], float] = time.monotonic
    ) -> Self:
        """Return the file as worker 1..N has it; what an earlier one of that number held is gone.

        Raises:
            InputError: if it is no such file, or has no such row.
        """
        return cls(path, worker, ticks=ticks)

    def close(self) -> None:
        """Unmap the file; the row stays until it is silent."""
        if self._file < 0:
            return
        for view in (self._words, self._reals, self._whole):
            view.release()
        self._map.close()
        os.close(self._file)
        self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def beat(self, now_s: float) -> None:
        """Say that this process is alive; `now_s` is its company time, for others to compare."""
        self._reals[self._mine + _NOW] = now_s
        self._reals[self._mine + _BEAT] = self._ticks()

    def add(self, place: int, delta: int) -> None:
        """Count so many more requests in flight at a place; never below 0."""
        at = self._mine + _FIRST + place
        count = self._words[at] + delta
        self._words[at] = count if count > 0 else 0

    def used(self, budget_index: int, seen_count: float, use: float) -> None:
        """Count what was seen and used of a budget, USD or J; settlement corrects with seen 0."""
        at = self._mine + _FIRST + self.places_count + 2 * budget_index
        self._reals[at] += seen_count
        self._reals[at + 1] += use

    def totals(self) -> tuple[int, ...]:
        """Return the requests in flight at each place, over all workers that are alive."""
        return self._in_flight(self._workers)

    def others(self) -> tuple[int, ...]:
        """Return the same without this worker's own."""
        return self._in_flight(self._others)

    def scrape(self, requests_count: Sequence[int]) -> None:
        """Write what the engines say runs and waits at each place (control)."""
        first = self._row(0) + _FIRST
        for place, count in enumerate(requests_count):
            self._words[first + place] = count

    def scraped(self) -> tuple[int, ...]:
        """Return what the engines said runs and waits at each place; 0 where nobody told.

        Control stands for it: where its heartbeat is silent, nothing is known.
        """
        first = self._row(0) + _FIRST
        if not self._alive(self._row(0)):
            return (0,) * self.places_count
        return tuple(self._words[first : first + self.places_count].tolist())

    def budget_totals(self) -> tuple[BudgetTotal, ...]:
        """Return what all workers saw and used of each budget, those that ended included."""
        found = []
        for budget in range(self.budgets_count):
            at = _FIRST + self.places_count + 2 * budget
            rows = (self._row(0), *self._workers)
            found.append(
                BudgetTotal(
                    sum(self._reals[row + at] for row in rows),
                    sum(self._reals[row + at + 1] for row in rows),
                )
            )
        return tuple(found)

    def price(self, budget_index: int, told: BudgetPrice) -> None:
        """Write where a budget's pacing stands (control)."""
        at = self._row(0) + _FIRST + self.places_count + 2 * self.budgets_count + 4 * budget_index
        self._reals[at + 1], self._reals[at + 2], self._reals[at + 3] = told[1:]
        self._reals[at] = told.start_s

    def prices(self) -> tuple[BudgetPrice, ...]:
        """Return where each budget's pacing stands, as its owner told it."""
        first = self._row(0) + _FIRST + self.places_count + 2 * self.budgets_count
        return tuple(
            BudgetPrice(*self._reals[at : at + 4].tolist())
            for at in range(first, first + 4 * self.budgets_count, 4)
        )

    def retire(self, worker: int) -> None:
        """End a worker's row: nothing of it is in flight, and what it used of budgets is kept.

        Control calls it when a worker has ended, and a worker when it begins.
        """
        row, kept = self._row(worker), self._row(0)
        self._reals[row + _BEAT] = self._reals[row + _NOW] = 0.0
        for place in range(self.places_count):
            self._words[row + _FIRST + place] = 0
        first = _FIRST + self.places_count
        for at in range(first, first + 2 * self.budgets_count):
            used = self._reals[row + at]
            self._reals[row + at] = 0.0
            self._reals[kept + at] += used

    def alive(self) -> tuple[int, ...]:
        """Return the numbers of the workers that are heard of."""
        return tuple(at for at, row in enumerate(self._workers, start=1) if self._alive(row))

    def served(self, worker: int) -> bool:
        """Tell whether a worker came so far as to serve since its row was begun."""
        return self._reals[self._row(worker) + _NOW] > 0.0

    def _row(self, worker: int) -> int:
        return _HEAD_WORDS + worker * _row_words(self.places_count, self.budgets_count)

    def _alive(self, row: int) -> bool:
        beat_s = self._reals[row + _BEAT]
        return beat_s > 0.0 and self._ticks() - beat_s <= SILENT_S

    def _in_flight(self, rows: Sequence[int]) -> tuple[int, ...]:
        words, count = self._words, self.places_count
        alive = [row + _FIRST for row in rows if self._alive(row)]
        if len(alive) == 1:
            return tuple(words[alive[0] : alive[0] + count].tolist())
        columns = [words[first : first + count].tolist() for first in alive]
        return tuple(map(sum, zip(*columns, strict=True))) if columns else (0,) * count


def _row_words(places_count: int, budgets_count: int) -> int:
    """Return how many numbers a row has: beat, time, places, (seen, used), prices of budgets."""
    return _FIRST + places_count + 2 * budgets_count + 4 * budgets_count

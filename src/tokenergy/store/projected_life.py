"""One life of a worker on its way into the ledger: its segments, read from where they were left."""

import sqlite3
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from tokenergy.company.finding import Finding
from tokenergy.store.projected_batch import Hear, ProjectedBatch
from tokenergy.store.segment_form import segment_numbers, segment_path
from tokenergy.store.segment_read import (
    REMEDY,
    SegmentRead,
    has_more,
    read_head,
    read_segment,
    written_bytes,
)
from tokenergy.store.served_tables import KEEP_LIFE, KEEP_PROJECTED
from tokenergy.store.served_terms import ServedTerms

STEP_BYTES: Final = 1024 * 1024
"""About how much of a segment one transaction takes."""


class Journal:
    """The folder of one worker's segments, as the projector sees it.

    Attributes:
        folder: where they are.
        wrong: files that are no segments of ours, and when they were written; they stay where
            they are.
    """

    def __init__(self, folder: Path) -> None:
        """Look at nothing yet."""
        self.folder = folder
        self.wrong: tuple[tuple[Finding, float], ...] = ()
        self._epochs: dict[int, int] = {}
        self._passed: set[int] = set()
        self._upto: dict[int, int] = {}
        self._stopped: set[int] = set()

    def by_epoch(self) -> dict[int, list[int]]:
        """Return the numbers of the segments that are there, by the life that wrote them.

        What has no head and is not the last one was begun by a worker that died: it is removed.
        """
        numbers = segment_numbers(self.folder)
        found: dict[int, list[int]] = {}
        for number in numbers:
            if number in self._passed:
                continue
            epoch = self._epochs.get(number)
            if epoch is None:
                epoch = self._looked(number, is_last=number == numbers[-1])
            if epoch is not None:
                found.setdefault(epoch, []).append(number)
        return found

    def _looked(self, number: int, *, is_last: bool) -> int | None:
        path = segment_path(self.folder, number)
        try:
            head, wrong = read_head(path)
        except FileNotFoundError:
            return None
        if head is not None:
            self._epochs[number] = head.epoch
            return head.epoch
        if wrong is not None:
            self._passed.add(number)
            self.wrong = (*self.wrong, (wrong, path.stat().st_mtime))
        elif not is_last:
            path.unlink(missing_ok=True)
        return None

    def has_grown(self) -> bool:
        """Tell whether there is more than was read."""
        for number in self._epochs:
            upto = self._upto.get(number)
            if upto is None:
                return True
            try:
                if number not in self._stopped and has_more(
                    segment_path(self.folder, number), upto
                ):
                    return True
            except FileNotFoundError:
                continue
        return bool(self.wrong)

    def read_upto(self, ends: Mapping[int, int], stopped: Collection[int]) -> None:
        """Note up to where segments were read, and which are not read on, once that is kept."""
        self._upto |= ends
        self._stopped |= set(stopped)
        self.wrong = ()

    def lag_bytes(self, ends: Mapping[int, int]) -> int:
        """Return how many bytes were written after these ends of what was read."""
        lag = 0
        for number in segment_numbers(self.folder):
            end = ends.get(number, 0)
            with suppress(FileNotFoundError):
                lag += max(0, written_bytes(segment_path(self.folder, number), end) - end)
        return lag

    def has(self, number: int) -> bool:
        """Tell whether a segment is there."""
        return segment_path(self.folder, number).exists()

    def remove(self, number: int) -> None:
        """Remove a segment, all of which is in the ledger."""
        segment_path(self.folder, number).unlink(missing_ok=True)
        self._epochs.pop(number, None)
        self._upto.pop(number, None)
        self._stopped.discard(number)


class ProjectedLife:
    """Reads on in the segments of one life, within a transaction of the caller's.

    Attributes:
        batch: takes the records.
        done: segments that may be removed once the transaction is kept.
        ends: up to where segments were read.
        stopped: those that are not read on, as a finding says.
        findings: what is wrong with them.
        behind: whether there are whole records that were not read.
    """

    def __init__(
        self,
        held: sqlite3.Connection,
        terms: ServedTerms,
        journal: Journal,
        *,
        worker: int,
        epoch: int,
        at_s: float,
        hear: Hear | None = None,
    ) -> None:
        """Look up how far this life is read.

        Args:
            held: the ledger's database.
            terms: prices and units.
            journal: its segments.
            worker, epoch: whose life.
            at_s: moment of the latest record so far, for findings.
            hear: told records beside.
        """
        self._held, self._journal, self._key = held, journal, (worker, epoch)
        self.batch = ProjectedBatch(held, terms, worker=worker, epoch=epoch, at_s=at_s, hear=hear)
        self.behind = False
        self.done: list[int] = []
        self.ends: dict[int, int] = {}
        self.stopped: set[int] = set()
        self.findings: list[Finding] = []
        row = held.execute(
            "SELECT next_number, state FROM life WHERE worker = ? AND epoch = ?", self._key
        ).fetchone()
        self._next_number: int = 1 if row is None else row[0]
        self._state: str = "lives" if row is None else row[1]

    def read(self, numbers: list[int], *, over: bool) -> int:
        """Read on and return how many records it was; settle a life that is over and read whole.

        Args:
            numbers: its segments in order.
            over: whether nothing more is written to them.
        """
        count = 0
        for number in numbers:
            try:
                read = self._read(number, ended=over or number != numbers[-1])
            except FileNotFoundError:
                continue  # another projector has it in the ledger, and removed it
            self.batch.take(read.entries)
            count += len(read.entries)
            if read.more:
                self.behind = True
                return count
            self.ends[number] = read.end_bytes
            if number in self.stopped:
                continue
            if over or number != numbers[-1]:
                self.done.append(number)
        if over and self._state == "lives":
            self.batch.settle_open()
            self._state = "settled"
        return count

    def keep(self) -> None:
        """Write all that came of it."""
        self.batch.keep()
        self._held.execute(KEEP_LIFE, (*self._key, self._next_number, self._state))

    def _read(self, number: int, *, ended: bool) -> SegmentRead:
        """Read on in a segment and note how far.

        Args:
            number: the segment.
            ended: whether nothing more is written to it.
        """
        worker, epoch = self._key
        row = self._held.execute(
            "SELECT end_bytes, next_number, stopped FROM projected "
            "WHERE worker = ? AND segment = ? AND epoch = ?",
            (worker, number, epoch),
        ).fetchone()
        from_bytes, due, stopped = row or (0, None, 0)
        path = segment_path(self._journal.folder, number)
        if stopped:
            self.stopped.add(number)
            return SegmentRead(None, (), from_bytes, 0, more=False, finding=None)
        read = read_segment(
            path, from_bytes=from_bytes, next_number=due, chunk_bytes=STEP_BYTES, ended=ended
        )
        if due is None:
            due = self._next_number if read.head is None else read.head.first_number
            if due > self._next_number:
                self._tell(_gap(path, self._next_number, due - 1))
        if read.finding is not None:
            self.stopped.add(number)
            self._tell(read.finding)
        self._next_number = max(self._next_number, due + len(read.entries))
        self._held.execute(
            KEEP_PROJECTED,
            (
                worker, number, epoch, read.end_bytes, due + len(read.entries),
                read.finding is not None,
            ),
        )  # fmt: skip
        return read

    def _tell(self, finding: Finding) -> None:
        self.batch.tell(finding)
        self.findings.append(finding)


def _gap(path: Path, first: int, last: int) -> Finding:
    return Finding(
        code="SEGMENT_GAP",
        path=f"journal/{path.parent.name}/{path.name}",
        value=f"{first}-{last}",
        unit="record",
        reason=f"records {first} to {last} before this segment are not in the journal",
        remedy=REMEDY,
    )

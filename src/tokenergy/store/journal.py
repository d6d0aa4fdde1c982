"""A run's notes in the ledger: what it goes on from after a stop."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Any

from tokenergy.dispatch.world import World
from tokenergy.store.sqlite import SqliteLedger


@dataclass(frozen=True, slots=True)
class Pen:
    """What runs side by side take notes with: one at a time, and none once it is put down."""

    held: Lock = field(default_factory=Lock)
    down: Event = field(default_factory=Event)

    def put_down(self) -> None:
        """Let nobody write any more; one who is writing comes to an end before."""
        with self.held:
            self.down.set()


class LedgerJournal:
    """The notes of one run in one ledger.

    Runs that go on side by side each open a connection of their own for each note: a connection
    belongs to the thread that made it, and a day of a run is long beside it.
    """

    def __init__(self, ledger: Path, world: World, run_id: str, pen: Pen) -> None:
        """Open nothing yet."""
        self._ledger, self._world, self._run_id, self._pen = ledger, world, run_id, pen

    def kept(self) -> tuple[dict[str, Any], ...]:
        """Return the notes of this run, the oldest first."""
        if not self._ledger.is_file():
            return ()
        with SqliteLedger(self._ledger) as held:
            return held.checkpoints(self._run_id)

    def keep(self, at: int, words: Mapping[str, Any]) -> None:
        """Keep a note about the moment before interval `at`; none once the pen is put down.

        Raises:
            InputError: if the ledger cannot be written.
        """
        with self._pen.held:
            if self._pen.down.is_set():
                return
            with SqliteLedger(self._ledger) as held:
                held.save_checkpoint(self._run_id, self._world.moment(at), words)

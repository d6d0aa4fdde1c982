"""Windows of meters on their way into the journal: read, divided, told; a file of their own.

    read       a counter's difference is here before anything is made of it
    divided    the records of its requests are here, all of them or none
    told       they are in the journal

Whoever is killed in between goes on from there. Records that may not have reached the journal are
told again, the same ones: the ledger takes no row twice.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from tokenergy.company.serving.ports import StoreFault
from tokenergy.company.serving.record import Metered
from tokenergy.metering.reading import Reading
from tokenergy.metering.shared_window import MeteredWindow

FILE: Final = "meters.sqlite"
WAIT_S: Final = 5.0
KEEP_S: Final = 3_600.0
"""How long windows that were told are kept, should the machine have lost its journal."""
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS window (number INTEGER PRIMARY KEY AUTOINCREMENT, "
    "meter TEXT NOT NULL, start_s REAL NOT NULL, end_s REAL NOT NULL, microjoules INTEGER, "
    "tier TEXT NOT NULL, boundary TEXT NOT NULL, reason TEXT NOT NULL, state TEXT NOT NULL, "
    "body BLOB)"
)
_FIELDS: Final = "number, meter, start_s, end_s, microjoules, tier, boundary, reason"
_WRITER: Final = msgspec.msgpack.Encoder()
_READER: Final = msgspec.msgpack.Decoder(tuple[Metered, ...])


class DividedWindow(NamedTuple):
    """The records of a window."""

    number: int
    records: tuple[Metered, ...]


class MeterWindows:
    """One gateway's windows; one thread uses it. `close` it."""

    def __init__(self, folder: Path) -> None:
        """Open the file, and make it where there is none; what was told is to be told again.

        Raises:
            StoreFault: if it cannot be used.
        """
        self._path = folder / FILE
        try:
            self._held = sqlite3.connect(
                self._path, timeout=WAIT_S, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise StoreFault(f"meters {self._path}: {error}") from error
        try:
            with self._words_for_faults():
                self._held.execute("PRAGMA journal_mode = WAL")
                self._held.execute("PRAGMA synchronous = FULL")
                self._held.execute(_TABLE)
                self._held.execute("UPDATE window SET state = 'divided' WHERE state = 'told'")
        except StoreFault:
            self._held.close()
            raise

    def add(self, meter: str, reading: Reading, *, offset_s: float = 0.0) -> MeteredWindow:
        """Keep a reading and return it as the window that it is.

        Args:
            meter: name of its plan.
            reading: what was counted, or why nothing was.
            offset_s: company time less this machine's.

        Raises:
            StoreFault: if it cannot be kept.
        """
        values = (
            meter, reading.start.timestamp() + offset_s, reading.end.timestamp() + offset_s,
            reading.energy_microjoules, reading.tier, reading.boundary, reading.reason,
        )  # fmt: skip
        with self._words_for_faults():
            number = self._held.execute(
                "INSERT INTO window (meter, start_s, end_s, microjoules, tier, boundary, reason, "
                "state) VALUES (?, ?, ?, ?, ?, ?, ?, 'read')",
                values,
            ).lastrowid
        return _window((number, *values))

    def undivided(self) -> tuple[MeteredWindow, ...]:
        """Return the windows that are not divided yet, in their order.

        Raises:
            StoreFault: if they cannot be read.
        """
        query = f"SELECT {_FIELDS} FROM window WHERE state = 'read' ORDER BY number"
        with self._words_for_faults():
            return tuple(_window(row) for row in self._held.execute(query))

    def divide(self, number: int, records: Sequence[Metered]) -> None:
        """Keep what came of a window, for good.

        Raises:
            StoreFault: if it cannot be kept.
        """
        statement = (
            "UPDATE window SET state = 'divided', body = ? WHERE number = ? AND body IS NULL"
        )
        with self._words_for_faults():
            self._held.execute(statement, (_WRITER.encode(tuple(records)), number))

    def untold(self) -> Iterator[DividedWindow]:
        """Yield windows that are divided and not told, in their order.

        Raises:
            StoreFault: if they cannot be read.
        """
        query = "SELECT number, body FROM window WHERE state = 'divided' ORDER BY number"
        with self._words_for_faults():
            rows = self._held.execute(query).fetchall()
        for number, body in rows:
            yield DividedWindow(number, _READER.decode(body))

    def tell(self, number: int) -> None:
        """Note that the journal has a window's records; let go of old ones.

        Raises:
            StoreFault: if it cannot be noted.
        """
        with self._words_for_faults():
            self._held.execute("UPDATE window SET state = 'told' WHERE number = ?", (number,))
            self._held.execute(
                "DELETE FROM window WHERE state = 'told' AND number <> ? AND end_s < "
                "(SELECT end_s FROM window WHERE number = ?) - ? AND number NOT IN "
                "(SELECT max(number) FROM window GROUP BY meter)",
                (number, number, KEEP_S),
            )

    def last_end_s(self, meter: str) -> float | None:
        """Return the end of a meter's last window; None: it had none.

        Raises:
            StoreFault: if it cannot be read.
        """
        query = "SELECT max(end_s) FROM window WHERE meter = ?"
        with self._words_for_faults():
            found: float | None = self._held.execute(query, (meter,)).fetchone()[0]
        return found

    def close(self) -> None:
        """Close the file."""
        self._held.close()

    @contextmanager
    def _words_for_faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreFault(f"meters {self._path}: {error}") from error


def _window(row: Sequence[Any]) -> MeteredWindow:
    number, meter, start_s, end_s, microjoules, tier, boundary, reason = row
    return MeteredWindow(
        number=number, meter=meter, start_s=start_s, end_s=end_s, microjoules=microjoules,
        tier=tier, boundary=boundary, reason=reason,
    )  # fmt: skip

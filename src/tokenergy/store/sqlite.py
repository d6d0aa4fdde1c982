"""The ledger in one SQLite file: append-only rows, states, boards, and runs under way."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import islice
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tokenergy.company.ledger import COLUMNS, UNIQUE_KEY, LedgerEntry
from tokenergy.errors import InputError
from tokenergy.store.decision_sums import DECISIONS_QUERY, DecisionSum, as_decision
from tokenergy.store.served_sums import COLUMNS as SERVED_COLUMNS
from tokenergy.store.served_sums import ServedSum, as_served
from tokenergy.store.transaction import Transaction, WordsForFaults
from tokenergy.store.usage import USAGE_GROUPS, USAGE_QUERY, Usage, as_usage
from tokenergy.units import J_PER_MWH, MICROJOULES_PER_J, NANO_USD_PER_USD

VERSION: Final = 1
"""`user_version` of the schema: a file of another version is refused, not guessed at."""
BATCH_COUNT: Final = 5_000
CACHE_KIB: Final = 65_536
"""Pages of the index kept in memory while a run is appended."""
WAIT_S: Final = 30.0
"""How long a writer waits for another one to finish."""
_INTEGERS: Final = ("rate_nano_usd", "amount_nano_usd", "energy_microjoules")
_TIMES: Final = ("start", "end")
_SPLIT: Final = 1_000_000
"""Sums are taken in two halves around this: one sum of microjoules would overflow at 2.6 GWh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSum:
    """The rows of one group, added up.

    Attributes:
        group: the columns that were asked for, and their value.
        entries_count: rows.
        amount_usd: what the company pays.
        energy_mwh: energy of the rows; of a gateway's requests that which is modelled.
        measured_mwh: what a gateway's meters counted, beside it: of requests and of waiting.
        served_mtok: tokens of the rows that tell of service.
        quantity: sum of quantities, only where `unit` is one of the columns asked for.
        served: whole tokens and requests, and what tenants were charged.
    """

    group: dict[str, str]
    entries_count: int
    amount_usd: float
    energy_mwh: float
    measured_mwh: float
    served_mtok: float
    quantity: float | None
    served: ServedSum

    def to_dict(self) -> dict[str, Any]:
        """Return the sum as a JSON-ready mapping, the group's columns first."""
        return {
            **self.group,
            "entries_count": self.entries_count,
            "amount_usd": self.amount_usd,
            "energy_mwh": self.energy_mwh,
            "measured_mwh": self.measured_mwh,
            "served_mtok": self.served_mtok,
            "quantity": self.quantity,
            **self.served.to_dict(),
        }


class SqliteLedger:
    """One ledger file; use it as a context manager, or `close` it.

    Readers and one writer work at the same time (write-ahead log).
    """

    def __init__(self, path: Path | str, *, read_only: bool = False) -> None:
        """Open the file, and make it and its folder where they are missing.

        Raises:
            InputError: if the file cannot be opened, made, or is no ledger.
        """
        self.path = Path(path)
        self.read_only = read_only
        if not read_only:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as fault:
                raise InputError(
                    f"ledger {self.path}: its folder cannot be made: {fault}"
                ) from fault
        with self._words_for_faults("cannot be opened"):
            self._file = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?{self._mode()}",
                uri=True,
                timeout=WAIT_S,
                isolation_level=None,
            )
        try:
            with self._words_for_faults("cannot be opened"):
                self._prepare()
        except InputError:
            self._file.close()
            raise
        self._as_row = attrgetter(*COLUMNS)

    def _mode(self) -> str:
        """Return how to open the file: a reader alone leaves no files of its own beside it."""
        if not self.read_only:
            return "mode=rwc"
        written = self.path.with_name(self.path.name + "-wal").exists()
        return "mode=ro" if written else "mode=ro&immutable=1"

    def _prepare(self) -> None:
        # In this order: another process may make the ledger in between, tables and version at once.
        tables = self._file.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        version = self._file.execute("PRAGMA user_version").fetchone()[0]
        if version != VERSION and (version or tables or self.read_only):
            raise InputError(
                f"{self.path} is no ledger of version {VERSION} (it says {version}, with "
                f"{tables} tables): name another file"
            )
        if self.read_only:
            return
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = NORMAL")
        self._file.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        if version != VERSION:
            with self._transaction():
                for statement in _schema():
                    self._file.execute(statement)
        elif not self._file.execute(_HAS_CHECKPOINTS).fetchone():
            self._file.execute(_CHECKPOINT)  # a ledger of an earlier release has none yet

    def append(self, entries: Iterable[LedgerEntry]) -> int:
        """Write rows in one transaction and return how many were new.

        A row whose key is there already is left as it is: appending a run twice changes nothing.

        Raises:
            InputError: if the file cannot be written; then none of the rows are in it.
        """
        marks = ", ".join("?" * len(COLUMNS))
        insert = f"INSERT OR IGNORE INTO ledger ({_listed(COLUMNS)}) VALUES ({marks})"
        rows = map(self._as_tuple, entries)
        with self._words_for_faults("cannot be written"), self._transaction():
            before = self._file.total_changes
            while batch := list(islice(rows, BATCH_COUNT)):
                self._file.executemany(insert, batch)
            return self._file.total_changes - before

    def _as_tuple(self, entry: LedgerEntry) -> tuple[Any, ...]:
        row = self._as_row(entry)
        return (*row[:_START], stamp(row[_START]), stamp(row[_END]), *row[_END + 1 :])

    def entries(self, *, run_id: str | None = None, by_time: bool = False) -> Iterator[LedgerEntry]:
        """Yield rows of one run or of all, as they were written or in order of their start."""
        query = f"SELECT {_listed(COLUMNS)} FROM ledger"
        query += "" if run_id is None else " WHERE run_id = ?"
        query += ' ORDER BY "start", rowid' if by_time else ""
        with self._words_for_faults("cannot be read"):
            found = self._file.execute(query, () if run_id is None else (run_id,))
            for row in found:
                columns = dict(zip(COLUMNS, row, strict=True))
                for name in _TIMES:
                    columns[name] = datetime.fromisoformat(columns[name])
                yield LedgerEntry(**columns)

    def runs(self) -> tuple[str, ...]:
        """Return the ids of the runs in the file, in the order of their first row."""
        with self._words_for_faults("cannot be read"):
            found = self._file.execute(
                "SELECT run_id FROM ledger GROUP BY run_id ORDER BY min(rowid)"
            )
            return tuple(row[0] for row in found)

    def sums(self, by: Sequence[str] = (), *, run_id: str | None = None) -> tuple[LedgerSum, ...]:
        """Return rows added up by some of the columns, in their order.

        Amounts and energies are added as integers: the sum is exact to the nano-dollar.

        Raises:
            InputError: if a name is no column to group by.
        """
        groups = [name for name in COLUMNS if name not in (*_INTEGERS, "quantity")]
        if unknown := [name for name in by if name not in groups]:
            raise InputError(
                f"the ledger cannot be summed by {', '.join(unknown)}: its columns are "
                f"{', '.join(groups)}"
            )
        served = "sum(CASE WHEN component = 'serve' THEN quantity ELSE 0.0 END)"
        halves = [
            f"sum({amount} / {_SPLIT}), sum({amount} % {_SPLIT})"
            for amount in ("amount_nano_usd", _modelled("0"), _modelled("1"))
        ]
        wanted = [*by, "count(*)", *halves, served, "sum(quantity)", *SERVED_COLUMNS]
        query = f"SELECT {', '.join(wanted)} FROM ledger"
        query += "" if run_id is None else " WHERE run_id = ?"
        query += f" GROUP BY {_listed(by)} ORDER BY {_listed(by)}" if by else ""
        with self._words_for_faults("cannot be read"):
            found = self._file.execute(query, () if run_id is None else (run_id,)).fetchall()
        return tuple(_as_sum(by, row) for row in found if row[len(by)])

    def usage(
        self,
        *,
        run_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Usage:
        """Return the tokens that requests were served, by tier and user.

        Only rows that tell of a tenant count: requests of `serve` and `observe`. What was
        simulated has no users, and leaves an empty answer.

        Args:
            run_id: of one run; None: of all.
            since, until: only rows that start in `[since, until)`; None: no such limit.
        """
        limits = {
            "run_id = ?": run_id,
            '"start" >= ?': None if since is None else stamp(since),
            '"start" < ?': None if until is None else stamp(until),
        }
        given = {text: value for text, value in limits.items() if value is not None}
        query = " AND ".join((USAGE_QUERY, *given)) + USAGE_GROUPS
        with self._words_for_faults("cannot be read"):
            return as_usage(self._file.execute(query, tuple(given.values())).fetchall())

    def decisions(self) -> tuple[DecisionSum, ...]:
        """Return what was decided about the requests in the file, and why; () without requests."""
        with self._words_for_faults("cannot be read"):
            return tuple(map(as_decision, self._file.execute(DECISIONS_QUERY)))

    def save_state(self, run_id: str, moment: datetime, state: dict[str, Any]) -> None:
        """Keep a snapshot of a state; one of the same run and moment is replaced."""
        self._put("state", "run_id, start, body", (run_id, stamp(moment), json.dumps(state)))

    def last_state(self, run_id: str) -> tuple[datetime, dict[str, Any]] | None:
        """Return the latest snapshot of a run and its moment, or None."""
        query = "SELECT start, body FROM state WHERE run_id = ? ORDER BY start DESC LIMIT 1"
        with self._words_for_faults("cannot be read"):
            row = self._file.execute(query, (run_id,)).fetchone()
        return None if row is None else (datetime.fromisoformat(row[0]), json.loads(row[1]))

    def save_checkpoint(self, run_id: str, moment: datetime, words: Mapping[str, Any]) -> None:
        """Keep how far a run has come; a note of the same run and moment is replaced."""
        row = (run_id, stamp(moment), json.dumps(words))
        self._put("checkpoint", "run_id, start, body", row)

    def checkpoints(self, run_id: str) -> tuple[dict[str, Any], ...]:
        """Return the notes of a run that was not finished, the oldest first."""
        query = "SELECT body FROM checkpoint WHERE run_id = ? ORDER BY start"
        with self._words_for_faults("cannot be read"):
            found = self._file.execute(query, (run_id,)).fetchall()
        return tuple(json.loads(row[0]) for row in found)

    def unfinished(self) -> dict[str, datetime]:
        """Return the runs that were stopped, and how far each of them had come."""
        query = "SELECT run_id, max(start) FROM checkpoint GROUP BY run_id ORDER BY run_id"
        with self._words_for_faults("cannot be read"):
            return {run: datetime.fromisoformat(at) for run, at in self._file.execute(query)}

    def forget(self, run_ids: Sequence[str]) -> None:
        """Drop the notes of runs that begin anew, or that have failed."""
        with self._words_for_faults("cannot be written"), self._transaction():
            self._drop_checkpoints(run_ids)

    def finish(self, ended: Mapping[str, tuple[datetime, dict[str, Any]]]) -> None:
        """Keep the state in which each run ended, and drop the notes on the way to it."""
        rows = [(run, stamp(at), json.dumps(state)) for run, (at, state) in ended.items()]
        insert = "INSERT OR REPLACE INTO state (run_id, start, body) VALUES (?, ?, ?)"
        with self._words_for_faults("cannot be written"), self._transaction():
            self._file.executemany(insert, rows)
            self._drop_checkpoints(tuple(ended))

    def _drop_checkpoints(self, run_ids: Sequence[str]) -> None:
        each = [(run_id,) for run_id in run_ids]
        self._file.executemany("DELETE FROM checkpoint WHERE run_id = ?", each)

    def save_board(self, board_id: str, moment: datetime, board: Any) -> None:
        """Keep a board of prices under its id."""
        self._put("board", "board_id, start, body", (board_id, stamp(moment), json.dumps(board)))

    def board(self, board_id: str) -> tuple[datetime, Any] | None:
        """Return a board and its moment, or None."""
        query = "SELECT start, body FROM board WHERE board_id = ?"
        with self._words_for_faults("cannot be read"):
            row = self._file.execute(query, (board_id,)).fetchone()
        return None if row is None else (datetime.fromisoformat(row[0]), json.loads(row[1]))

    def _put(self, table: str, columns: str, row: tuple[str, str, str]) -> None:
        with self._words_for_faults("cannot be written"):
            self._file.execute(f"INSERT OR REPLACE INTO {table} ({columns}) VALUES (?, ?, ?)", row)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _words_for_faults(self, what: str) -> "WordsForFaults":
        return WordsForFaults(f"ledger {self.path} {what}")

    def _transaction(self) -> "Transaction":
        return Transaction(self._file)


@lru_cache(maxsize=4096)
def stamp(moment: datetime) -> str:
    """Return a moment in UTC as text that sorts in the order of time.

    Raises:
        InputError: if the moment has no zone.
    """
    offset = moment.utcoffset()
    if offset is None:
        raise InputError(f"the ledger takes no naive time stamp: {moment.isoformat()}")
    return (moment - offset).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


_CHECKPOINT: Final = (
    "CREATE TABLE IF NOT EXISTS checkpoint "
    "(run_id TEXT, start TEXT, body TEXT NOT NULL, PRIMARY KEY (run_id, start))"
)
"""Notes of runs that are under way or were stopped; a finished run leaves none."""
_HAS_CHECKPOINTS: Final = "SELECT 1 FROM sqlite_schema WHERE name = 'checkpoint'"
_START: Final = COLUMNS.index("start")
_END: Final = COLUMNS.index("end")


def _listed(names: Sequence[str]) -> str:
    """Return names of columns as SQL takes them: `end` is a word of its own there."""
    return ", ".join(f'"{name}"' for name in names)


def _schema() -> Iterator[str]:
    """Yield the statements that make an empty ledger."""
    kinds = {"quantity": "REAL", **dict.fromkeys(_INTEGERS, "INTEGER")}
    columns = ", ".join(f'"{name}" {kinds.get(name, "TEXT")} NOT NULL' for name in COLUMNS)
    yield f"CREATE TABLE IF NOT EXISTS ledger ({columns})"
    yield f"CREATE UNIQUE INDEX IF NOT EXISTS ledger_key ON ledger ({_listed(UNIQUE_KEY)})"
    tables = {
        "state": "run_id TEXT, start TEXT, body TEXT NOT NULL, PRIMARY KEY (run_id, start)",
        "board": "board_id TEXT PRIMARY KEY, start TEXT NOT NULL, body TEXT NOT NULL",
    }
    yield from (f"CREATE TABLE IF NOT EXISTS {name} ({what})" for name, what in tables.items())
    yield _CHECKPOINT
    yield f"PRAGMA user_version = {VERSION}"


def _modelled(beside: str) -> str:
    """Return what to add up of energy: without what a gateway's meters counted, or that alone."""
    metered = "source = 'serve' AND kind = 'meter'"
    return f"(CASE WHEN ({metered}) = {beside} THEN energy_microjoules ELSE 0 END)"


def _as_sum(by: Sequence[str], row: Sequence[Any]) -> LedgerSum:
    width = len(by)
    count, nano_high, nano_low, *energy, served, quantity = row[width : width + 9]
    microjoules, measured = (high * _SPLIT + low for high, low in (energy[:2], energy[2:]))
    return LedgerSum(
        group=dict(zip(by, row[:width], strict=True)),
        entries_count=count,
        amount_usd=(nano_high * _SPLIT + nano_low) / NANO_USD_PER_USD,
        energy_mwh=microjoules / (J_PER_MWH * MICROJOULES_PER_J),
        measured_mwh=measured / (J_PER_MWH * MICROJOULES_PER_J),
        served_mtok=served,
        quantity=quantity if "unit" in by else None,
        served=as_served(row[width + 9 :]),
    )

"""What surrounds a statement of SQL: its faults in words, and all of it or nothing."""

import sqlite3
from types import TracebackType

from tokenergy.errors import InputError


class WordsForFaults:
    """Turns what SQLite says into an error of the caller's, with the file in it."""

    def __init__(self, words: str) -> None:
        self._words = words

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(fault, sqlite3.Error):
            raise InputError(f"{self._words}: {fault}") from fault


class Transaction:
    """All or nothing, also when the rows themselves fail while they are made."""

    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file

    def __enter__(self) -> None:
        self._file.execute("BEGIN IMMEDIATE")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if fault is None:
                self._file.execute("COMMIT")
        finally:
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")

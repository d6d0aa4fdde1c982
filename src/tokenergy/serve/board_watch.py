"""A worker's eye on the board: reads the file when it changes, and keeps the old one if it must.

Two files lie in the gateway's folder. `board.json` is in force. `board.next.json` is that of the
coming interval, made ahead, so that no request has to wait at the edge: it takes its place at the
moment at which its interval begins, in every worker at once.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Final

import msgspec

from tokenergy.company.board import Board
from tokenergy.company.board_findings import arrived, board_findings
from tokenergy.company.finding import Finding, errors_of
from tokenergy.routing.pacing import Pacing
from tokenergy.serve.board_file import BoardTold, decoded_board

BOARD: Final = "board.json"
NEXT_BOARD: Final = "board.next.json"
FINDINGS: Final = "findings.json"
BOARDS: Final = (BOARD, NEXT_BOARD)
EVERY_S: Final = 0.25
"""How often a worker looks whether a file has changed."""


class MakerFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding as the maker writes it down."""

    code: str
    path: str
    reason: str
    remedy: str
    value: str = ""
    limit: str = ""
    unit: str = ""
    severity: str = "error"


class MakerTold(msgspec.Struct, frozen=True, kw_only=True):
    """What the process that makes boards says of itself.

    Attributes:
        at_s: when, in company time.
        board_id, policy: of the last board; "" before the first.
        took_s: how long that one took.
        findings: what stands in its way; errors: there is no new board.
    """

    at_s: float
    board_id: str = ""
    policy: str = ""
    took_s: float = 0.0
    findings: tuple[MakerFinding, ...] = ()


_Read = tuple[BoardTold, tuple[Finding, ...]]
"""A board file as it was read, and what is wrong with its board."""
_TOLD: Final = msgspec.json.Decoder(MakerTold)


class BoardWatch:
    """Watches the two files, and the maker's findings.

    Attributes:
        board: in force; None: none came since the start.
        pacings: the budgets told with it.
        findings: why the newest file was not taken, or what it warns of.
        maker: what the maker said last; None: nothing yet.
    """

    def __init__(self, folder: Path, *, deployments: Collection[str]) -> None:
        """Watch a folder; nothing is read yet.

        Args:
            folder: of the gateway.
            deployments: all that the company has: a board that names another one is refused.
        """
        self._folder, self._deployments = folder, frozenset(deployments)
        self._marks: dict[str, tuple[int, int, int]] = {}
        self._next: BoardTold | None = None
        self._ahead: dict[str, _Read] = {}
        self.board: Board | None = None
        self.pacings: tuple[Pacing, ...] = ()
        self.findings: tuple[Finding, ...] = ()
        self.maker: MakerTold | None = None

    def poll(self, now_s: float) -> bool:
        """Look whether something has changed; return whether another board is in force now.

        It asks the file system three times and is done, unless a file has changed: then it is
        read, made and checked, which takes milliseconds.

        Args:
            now_s: company time.
        """
        before = self.board
        if (read := self._read(BOARD)) is not None:
            self._take(*read)
        if (read := self._read(NEXT_BOARD)) is not None:
            self._expect(*read)
        if (coming := self._next) is not None and coming.board is not None:
            early = self.board is None
            if early or now_s >= coming.board.start_s:
                self._next = None
                self._take(coming, ())
        if (text := self._changed(FINDINGS)) is not None:
            self._note(text)
        return self.board is not before

    def has_news(self) -> bool:
        """Tell whether a board file is another than before: then `read_ahead` is worth a thread."""
        return any(self._mark(name) not in (None, self._marks.get(name)) for name in BOARDS)

    def read_ahead(self) -> None:
        """Read, make and check the boards that have changed, for the next `poll` to take.

        A large board takes tens of milliseconds: in a thread the loop goes on meanwhile. Nobody
        may poll until it returns.
        """
        for name in BOARDS:
            if (read := self._read(name)) is not None:
                self._ahead[name] = read

    def price_missing(self, deployments: Collection[str]) -> tuple[str, ...]:
        """Return those of some deployments that the board has no price of, sorted.

        Without a board that is all of them. A price that is missing is never 0.
        """
        priced = set[str]()
        for load in () if self.board is None else self.board.workloads:
            for rung in load.rungs:
                priced.update(rung.at_name)
        return tuple(sorted(set(deployments) - priced))

    def _read(self, name: str) -> "_Read | None":
        """Return a board file that has changed, made and checked; else None."""
        if (ahead := self._ahead.pop(name, None)) is not None:
            return ahead
        if (text := self._changed(name)) is None:
            return None
        told = decoded_board(text)
        if told.board is None:
            return told, ()
        return told, board_findings(told.board, deployments=self._deployments)

    def _mark(self, name: str) -> tuple[int, int, int] | None:
        try:
            told = (self._folder / name).stat()
        except OSError:
            return None
        return told.st_mtime_ns, told.st_size, told.st_ino

    def _changed(self, name: str) -> bytes | None:
        """Return what a file holds if it is another than before, else None."""
        path = self._folder / name
        try:
            told = path.stat()
            mark = (told.st_mtime_ns, told.st_size, told.st_ino)
            if self._marks.get(name) == mark:
                return None
            text = path.read_bytes()
        except OSError:  # not written yet, or just renamed away: the next look finds it
            return None
        self._marks[name] = mark
        return text

    def _take(self, told: BoardTold, found: tuple[Finding, ...]) -> None:
        """Put a board in force, or say why the old one stays."""
        if told.board is None:
            self.findings = told.findings
            return
        held, findings = arrived(
            self.board, told.board, deployments=self._deployments, findings=found
        )
        self.findings = (*told.findings, *findings)
        if held is told.board:
            if self.board is None or self.board.board_id != told.board.board_id:
                self.board = told.board
            self.pacings = told.pacings

    def _expect(self, told: BoardTold, found: tuple[Finding, ...]) -> None:
        """Keep a board for its interval; one with errors is told now and never taken."""
        board = told.board
        wrong = (*told.findings, *found)
        if board is None or errors_of(wrong):
            self._next = None
            self.findings = wrong
        elif self.board is None or board.board_id != self.board.board_id:
            self._next = told

    def _note(self, text: bytes) -> None:
        try:
            self.maker = _TOLD.decode(text)
        except msgspec.MsgspecError as error:
            self.findings = (
                Finding(
                    code="MAKER_UNREADABLE",
                    path=FINDINGS,
                    reason=f"what the board maker says of itself cannot be read: {error}",
                    remedy="Start control and its workers from one release.",
                    severity="warning",
                ),
            )

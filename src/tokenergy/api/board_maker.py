"""The process that makes boards: dispatch every few minutes, and a file for the workers.

It runs beside the workers, because a program of fifty sites takes longer than a request may wait.
A board is written beside its place and renamed into it. That of the coming interval is made ahead
and waits in a file of its own. Whatever goes wrong is written down where readiness reads it; the
last board stays, and grows stale: then decisions say `reserve`, and nobody is refused by a price.
"""

import contextlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from tokenergy.api.board_intervals import BoardIntervals
from tokenergy.api.children import end_with, ended_by
from tokenergy.api.face import Faces
from tokenergy.api.live_company import LiveCompany, live_company, recorded_company
from tokenergy.api.live_page import PageFile
from tokenergy.api.serving_plan import MEMORY, PLAN, files_of, marks_of, write_whole
from tokenergy.company.board import Board
from tokenergy.company.finding import Finding
from tokenergy.company.serving.plan import WorkerPlan, decoded_plan
from tokenergy.errors import FindingsError, TokenergyError
from tokenergy.feeds.http import Http
from tokenergy.serve.board_file import encoded_board
from tokenergy.serve.board_watch import BOARD, FINDINGS, NEXT_BOARD, MakerFinding, MakerTold
from tokenergy.units import S_PER_H

LOOK_S: Final = 5.0
"""How often the company file and its series are looked at."""
LEAD_S: Final = 30.0
"""How long before an interval's edge its board is made, at most a quarter of an interval."""
RETRY_S: Final = 60.0
"""After a failure it is tried again so much later, or as soon as a file is edited."""
NICE: Final = 5
"""How far it stands back behind workers where cores are short."""
FEED_CACHE_S: Final = 240.0
"""How long an answer of a feed counts as fresh."""
FACE_LOOK_S: Final = 0.25
"""How often it is looked whether somebody wants to see a board."""


class BoardMaker:
    """Makes boards as they fall due, in the company's time."""

    def __init__(
        self,
        company: Path,
        folder: Path,
        *,
        recorded: bool = False,
        clock: Callable[[], float] = time.time,
        http: Http | None = None,
        faces: Faces | None = None,
    ) -> None:
        """Read the gateway's plan; the company is opened at the first step.

        Args:
            company: the company file.
            folder: of the gateway, with its `plan.json`.
            recorded: whether the file's own horizon is played, and not the present.
            clock: this machine's time, seconds since the Unix epoch.
            http: asks feeds of prices; None: nobody is asked.
            faces: draws boards for the page; None: nobody does.
        """
        self._company, self._folder, self._recorded = company, folder, recorded
        self._clock, self._http, self._faces = clock, http, faces
        self.plan: WorkerPlan = decoded_plan((folder / PLAN).read_bytes())
        self._held: BoardIntervals | None = None
        self._made: Board | None = None
        self._next: Board | None = None
        self._made_by: dict[str, tuple[BoardIntervals, int]] = {}
        self._told: tuple[Finding, ...] = ()
        self._took_s = 0.0
        self._opened_at_s = self._looked_at_s = -1e18
        self._failed_at_s: float | None = None
        self._marks: Mapping[str, tuple[int, int]] = {}
        self._failed_marks: Mapping[str, tuple[int, int]] = {}
        self._unread: tuple[Finding, ...] = ()

    def now_s(self) -> float:
        """Return the company's time."""
        return self._clock() + self.plan.clock_offset_s

    def run(self, stop: threading.Event) -> None:
        """Make boards until `stop` is set, and faces of them while somebody looks."""
        while not stop.is_set():
            due_s = time.monotonic() + self.step()
            while not stop.is_set() and (left_s := due_s - time.monotonic()) > 0.0:
                self.show()
                stop.wait(min(left_s, FACE_LOOK_S))

    def show(self) -> None:
        """Draw the face of the board in force, where somebody looks and it has none yet."""
        made, faces = self._made, self._faces
        if faces is None:
            return
        changed = faces.look()
        if made is not None and made.board_id in self._made_by and faces.is_due(made.board_id):
            by, at = self._made_by[made.board_id]
            outlook = by.outlook(at, made, findings=self._told)
            if outlook is not None:
                faces.show(outlook)
                changed = True
        if changed:
            self._tell(self.now_s(), self._told)

    def step(self) -> float:
        """Do what is due, and return how many seconds later something is; nothing is raised."""
        now_s = self.now_s()
        if self._waits_s(now_s) > 0.0:
            return min(LOOK_S, self._waits_s(now_s))
        try:
            self._do(now_s)
            self._failed_at_s = None
        except TokenergyError as error:
            self._fail(now_s, _told(error))
        except Exception as error:  # ours: told with all we know, and tried again
            traceback.print_exc(file=sys.stderr)
            self._fail(now_s, [_unexpected(error)])
        return max(0.05, self._due_s() - self.now_s())

    def _do(self, now_s: float) -> None:
        held = self._opened(now_s)
        at = held.live.index_at(now_s)
        start_s = held.start_s(at)
        if self._next is not None and self._next.start_s == start_s:
            # Workers that expected it have taken it already: the names only follow.
            (self._folder / NEXT_BOARD).replace(self._folder / BOARD)
            self._made, self._next = self._next, None
        made = self._made
        if (
            made is None
            or made.start_s != start_s
            or now_s - made.made_at_s >= self.plan.board_every_s
        ):
            self._made = self._write(held, at, now_s, BOARD)
            self._next = None  # made before the one in force: workers would drop it
        edge_s = held.start_s(at + 1)
        last = at + 1 >= held.world.last
        if self._next is None and not last and now_s >= edge_s - self._lead_s(held):
            self._next = self._write(held, at + 1, self.now_s(), NEXT_BOARD)
        self._tell(now_s, (*self._unread, *held.live.findings))

    def _opened(self, now_s: float) -> BoardIntervals:
        """Return the company around the present, opened again where that may have changed."""
        held = self._held
        marks = self._marks
        if held is None or now_s - self._looked_at_s >= LOOK_S:
            marks = marks_of(self._files())
            self._looked_at_s = now_s
        edited = marks != self._marks
        if held is not None and not edited and not self._is_old(held, now_s):
            return held
        try:
            live = self._open(now_s)
            if live.lacks_price:
                raise FindingsError(live.findings)
            fresh = BoardIntervals(live, self.plan)
            self._fits(fresh)
        except FindingsError as error:
            if held is None or not edited:
                raise
            # Somebody is at work on the file: what was read before stands until it can be read.
            self._marks, self._unread = marks, error.findings
            return held
        self._opened_at_s, self._unread = now_s, ()
        if held is None:
            self._recall(fresh)
            self._marks = marks_of(self._files_of(fresh))
        else:
            at = live.index_at(now_s)
            fresh.go_on_from(held)
            self._marks = marks
            if edited or fresh.prices_moved(held, at):
                self._made = None
        self._held = fresh
        return fresh

    def _open(self, now_s: float) -> LiveCompany:
        if self._recorded:
            return recorded_company(self._company)
        now = datetime.fromtimestamp(now_s, tz=UTC)
        return live_company(self._company, now=now, http=self._http, folder=self._folder / "prices")

    def _is_old(self, held: BoardIntervals, now_s: float) -> bool:
        """Tell whether feeds may have news, or the horizon no longer lies around the present."""
        if self._recorded:
            return False
        world = held.world
        ahead_s = world.moment(world.last).timestamp() - now_s
        if ahead_s < 2.5 * 24.0 * S_PER_H:
            return True
        observe = world.company.observe
        fed = observe is not None and bool(observe.price_feeds)
        return fed and now_s - self._opened_at_s >= self.plan.board_every_s

    def _files(self) -> Iterable[Path]:
        return [self._company] if self._held is None else self._files_of(self._held)

    def _files_of(self, held: BoardIntervals) -> Iterable[Path]:
        """Return what somebody may edit: not what this process writes itself."""
        named = files_of(held.world.company, self._company)
        own = (self._folder / "prices").resolve()
        return [path for path in named if not path.is_relative_to(own)]

    def _fits(self, fresh: BoardIntervals) -> None:
        """Refuse a company that is no longer the one that the workers know.

        Raises:
            FindingsError: SERVE_RESTART_NEEDED.
        """
        names = tuple(sorted(each.name for each in fresh.world.deployments))
        loads = {each.name for each in self.plan.workloads}
        if names == self.plan.deployments and loads == {w.name for w in fresh.world.workloads}:
            return
        raise FindingsError(
            [
                Finding(
                    code="SERVE_RESTART_NEEDED",
                    path="fleets",
                    reason="the company file has other deployments or workloads than the gateway "
                    "was started with: its workers do not know them",
                    remedy="Restart `tokenergy serve`; until then the last board grows stale",
                )
            ]
        )

    def _write(self, held: BoardIntervals, at: int, now_s: float, name: str) -> Board:
        """Make a board and move it into its place."""
        begun_s = time.monotonic()
        board, pacings = held.board(at, made_at_s=now_s)
        write_whole(self._folder / name, encoded_board(board, pacings))
        words = json.dumps(held.words(), separators=(",", ":")).encode()
        write_whole(self._folder / MEMORY, words)
        self._took_s = time.monotonic() - begun_s
        keep = {each.board_id for each in (self._made, self._next) if each is not None}
        self._made_by = {name: by for name, by in self._made_by.items() if name in keep}
        self._made_by[board.board_id] = (held, at)
        return board

    def _recall(self, fresh: BoardIntervals) -> None:
        """Go on with the state of an earlier process; what cannot be read is begun anew."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            words: dict[str, Any] = json.loads((self._folder / MEMORY).read_bytes())
            fresh.recall(words)

    def _lead_s(self, held: BoardIntervals) -> float:
        return min(LEAD_S, held.world.step_h * S_PER_H / 4.0) + 2.0 * self._took_s

    def _waits_s(self, now_s: float) -> float:
        """Return how long it waits after a failure, unless somebody edits a file meanwhile."""
        if self._failed_at_s is None or marks_of(self._files()) != self._failed_marks:
            return 0.0
        return self._failed_at_s + min(RETRY_S, self.plan.board_every_s) - now_s

    def _due_s(self) -> float:
        """Return when something is due next, in company time."""
        if self._failed_at_s is not None:
            return self._failed_at_s + LOOK_S
        made, held = self._made, self._held
        if made is None or held is None:
            return self.now_s()
        edge_s = made.start_s + made.interval_s
        ends = edge_s >= held.world.moment(held.world.last).timestamp()
        waits = self._next is not None or ends
        return min(
            edge_s if waits else edge_s - self._lead_s(held),
            made.made_at_s + self.plan.board_every_s,
            self._looked_at_s + LOOK_S,
        )

    def _fail(self, now_s: float, findings: Iterable[Finding]) -> None:
        self._failed_at_s, self._failed_marks = now_s, marks_of(self._files())
        self._tell(now_s, findings)

    def _tell(self, now_s: float, findings: Iterable[Finding]) -> None:
        """Write down what there is to say, for readiness and for people."""
        made, self._told = self._made, tuple(findings)
        beside = () if self._faces is None else self._faces.findings
        told = MakerTold(
            at_s=now_s,
            board_id="" if made is None else made.board_id,
            policy="" if made is None else made.policy,
            took_s=self._took_s,
            findings=tuple(_finding_words(each) for each in (*self._told, *beside)),
        )
        write_whole(self._folder / FINDINGS, msgspec.json.encode(told))


def make_boards(
    company: Path, folder: Path, *, recorded: bool, lifeline: int | None, begins: int | None
) -> None:
    """Make boards until SIGTERM, Ctrl-C, or the end of whoever holds the lifeline's other end.

    Args:
        company: the company file.
        folder: of the gateway.
        recorded: whether the file's own horizon is played.
        lifeline: a pipe that closes when control ends; None: there is none.
        begins: a pipe that closes once the plan is there; None: it is.
    """
    os.nice(NICE)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if lifeline is not None:
        end_with(lifeline, stop.set)
    if begins is not None:
        ended_by(begins)
    faces = Faces(folder, page=PageFile(folder))
    with Http(cache_dir=Path(".tokenergy") / "feeds", cache_s=FEED_CACHE_S) as http:
        maker = BoardMaker(company, folder, recorded=recorded, http=http, faces=faces)
        faces.begin()  # another process makes the shell, and stands back behind the first board
        try:
            maker.run(stop)
        finally:
            faces.close()


def _told(error: TokenergyError) -> list[Finding]:
    if isinstance(error, FindingsError):
        return list(error.findings)
    return [
        Finding(
            code="BOARD_NOT_MADE",
            path="board",
            reason=str(error),
            remedy="Correct what is named; until then the last board stays, and grows stale",
        )
    ]


def _unexpected(error: Exception) -> Finding:
    return Finding(
        code="BOARD_NOT_MADE",
        path="board",
        reason=f"{type(error).__name__}: {error}",
        remedy="This is a fault of ours: the log of the board maker has all of it; the last board "
        "stays, and grows stale",
    )


def _finding_words(finding: Finding) -> MakerFinding:
    return MakerFinding(
        code=finding.code,
        path=finding.path,
        reason=finding.reason,
        remedy=finding.remedy,
        value=finding.value,
        limit=finding.limit,
        unit=finding.unit,
        severity=finding.severity,
    )

"""The plan that a gateway starts with: made from the company file, or the one it had before.

Opening a company takes seconds: reading its series, laying out its routes. A gateway that starts
again with the same files need not wait for that, and answers within a second by its last board.
"""

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tokenergy import __version__
from tokenergy.company.serving.plan import WorkerPlan, decoded_plan, encoded_plan
from tokenergy.errors import InputError
from tokenergy.serve.board_watch import BOARD, FINDINGS, NEXT_BOARD
from tokenergy.serve.live_face import FACE

if TYPE_CHECKING:
    from tokenergy.company.company import Company

PLAN: Final = "plan.json"
FILES: Final = ("file", "operating_points", "calibration")
"""Keys of the company file that name another file."""
ORIGIN: Final = "plan.from.json"
MEMORY: Final = "maker.json"
"""Where the board maker keeps the state of batteries, queues and contracts over a restart."""
PACERS: Final = "pacers.json"
"""Where control keeps the shadow prices of budgets over a restart."""
FORGOTTEN: Final = (BOARD, NEXT_BOARD, FINDINGS, MEMORY, PACERS, FACE)
"""What belongs to the plan: another one begins without them."""


class _Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan was made of.

    Attributes:
        release: of this package.
        opens: whether the file lets requests in without a key, on this machine alone.
        files: the company file and all series that it names, with time and size of each.
    """

    release: str
    opens: bool
    files: dict[str, tuple[int, int]]


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A plan to start with.

    Attributes:
        plan: what workers know.
        known: whether it is that of an earlier start, and nothing was opened.
        findings: warnings, one a line.
    """

    plan: WorkerPlan
    known: bool
    findings: tuple[str, ...] = ()


def prepared(
    company: Path,
    folder: Path,
    *,
    workers_count: int,
    at: datetime | None,
    loopback: bool,
    keys_count: int,
) -> Prepared:
    """Return the plan of a company's gateway, written where workers read it.

    Args:
        company: the company file.
        folder: of the gateway.
        workers_count: each needs a part of every budget.
        at: moment of the recorded horizon that is played from; None: the present.
        loopback: whether it listens on this machine alone.
        keys_count: keys that were ever made.

    Raises:
        FindingsError: with every error of the file, and of its gateway.
    """
    lets = loopback and not keys_count
    if at is None and (held := _held(company, folder)) is not None:
        plan, opens = held
        plan = msgspec.structs.replace(plan, open_door=opens and lets)
        write_plan(folder, plan)
        return Prepared(plan=plan, known=True)
    return _made(company, folder, workers_count=workers_count, at=at, lets=lets)


def write_plan(folder: Path, plan: WorkerPlan) -> None:
    """Write the plan where workers read it; those that run keep the one that they read.

    Raises:
        InputError: if it cannot be written.
    """
    write_whole(folder / PLAN, encoded_plan(plan))


def write_whole(path: Path, text: bytes) -> None:
    """Write a file that others read: whole or not at all.

    Raises:
        InputError: if it cannot be written.
    """
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_bytes(text)
        beside.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error


def _made(
    company: Path, folder: Path, *, workers_count: int, at: datetime | None, lets: bool
) -> Prepared:
    """Open the company and make the plan."""
    from tokenergy.api.opened import begin_of, load
    from tokenergy.api.serving_findings import workers_findings
    from tokenergy.api.upstream_models import upstream_findings
    from tokenergy.api.worker_plan import plan_findings, worker_plan
    from tokenergy.company.finding import errors_of
    from tokenergy.errors import FindingsError

    opened = load(company)
    marks = marks_of(files_of(opened.company, company.resolve()))
    now_s = time.time()
    offset_s = 0.0
    if at is not None:
        begin_of(opened, at)  # it lies in the horizon, or the caller is told
        offset_s = at.timestamp() - now_s
    plan = worker_plan(opened, now_s=now_s + offset_s, clock_offset_s=offset_s)
    opens = plan.open_door
    plan = msgspec.structs.replace(plan, open_door=opens and lets)
    findings = (
        *opened.warnings,
        *plan_findings(opened),
        *workers_findings(plan, workers_count=workers_count, board=None),
        *upstream_findings(plan),
    )
    if wrong := errors_of(tuple(findings)):
        raise FindingsError(wrong)
    _forget(folder, plan)
    write_plan(folder, plan)
    origin = _Origin(release=__version__, opens=opens, files=marks)
    write_whole(folder / ORIGIN, msgspec.json.encode(origin))
    lines = tuple(dict.fromkeys(str(finding) for finding in findings))
    return Prepared(plan=plan, known=False, findings=lines)


def _held(company: Path, folder: Path) -> tuple[WorkerPlan, bool] | None:
    """Return the plan of an earlier start where nothing that it was made of has changed.

    Beside it, whether the file lets requests in without a key.
    """
    try:
        origin = msgspec.json.decode((folder / ORIGIN).read_bytes(), type=_Origin)
        plan = decoded_plan((folder / PLAN).read_bytes())
    except (OSError, msgspec.MsgspecError):
        return None
    same = origin.release == __version__ and str(company.resolve()) in origin.files
    if not same or plan.clock_offset_s != 0.0 or marks_of(map(Path, origin.files)) != origin.files:
        return None
    return plan, origin.opens


def _forget(folder: Path, plan: WorkerPlan) -> None:
    """Leave nothing of another plan: its boards would be of other places, or of another time."""
    old: WorkerPlan | None = None
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        old = decoded_plan((folder / PLAN).read_bytes())
    if old is not None and _is_like(old, plan):
        return
    for name in FORGOTTEN:
        with contextlib.suppress(OSError):
            os.unlink(folder / name)


def _is_like(old: WorkerPlan, plan: WorkerPlan) -> bool:
    names = [each.name for each in old.workloads] == [each.name for each in plan.workloads]
    return (
        names
        and old.company == plan.company
        and old.deployments == plan.deployments
        and old.clock_offset_s == plan.clock_offset_s
    )


def files_of(company: "Company", path: Path) -> list[Path]:
    """Return the company file and every series beside it that it names."""
    words = company.model_dump(mode="json", exclude={"observe"})
    return [path, *(path.parent / name for name in sorted(set(_named(words))))]


def _named(words: Any) -> Iterator[str]:
    if isinstance(words, dict):
        for key, value in words.items():
            if key in FILES and isinstance(value, str):
                yield value
            else:
                yield from _named(value)
    elif isinstance(words, list):
        for value in words:
            yield from _named(value)


def marks_of(files: Iterable[Path]) -> dict[str, tuple[int, int]]:
    """Return what changes with each file that is edited; a missing one is told when it is read."""
    found = {}
    for file in files:
        try:
            told = file.stat()
        except OSError:
            found[str(file)] = (0, 0)
        else:
            found[str(file)] = (told.st_mtime_ns, told.st_size)
    return found

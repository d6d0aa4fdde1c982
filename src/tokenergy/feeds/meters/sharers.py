"""Who works on a board: its processes, and whether they are of one family."""

from collections.abc import Iterable
from contextlib import suppress

import psutil


def shared_by(pids: Iterable[int]) -> str:
    """Say who shares a board; "" if at most one family of processes works on it.

    An engine of several processes is one family: up to the nearest process above both, or to
    the one that is above the other, all run the same program. A shell, a supervisor or a
    container's first process is another program, and what it starts are families of their own
    (not so a supervisor in Python that starts engines in the same Python: that is not seen). A
    process that we may not see, as one of another container, may be anybody's.

    Args:
        pids: of the processes that compute on the board, as the driver tells them.
    """
    told = sorted(set(pids))
    if len(told) < 2:
        return ""
    families: list[int] = []
    for pid in told:
        if not any(_are_kin(pid, elder) for elder in families):
            families.append(pid)
    if len(families) < 2:
        return ""
    shown = ", ".join(str(pid) for pid in families)
    return (
        f"{len(families)} programs work on it (pid {shown}), and its counter is of all of them: "
        "what one of them drew is not measured"
    )


def _are_kin(one: int, other: int) -> bool:
    with suppress(psutil.Error, OSError):
        first, second = _line(one), _line(other)
        common = next((pid for pid in first if pid in second), None)
        if common is None:
            return False
        between = {*first[: first.index(common) + 1], *second[: second.index(common) + 1]}
        programs = {psutil.Process(pid).exe() for pid in between}
        return len(programs) == 1 and "" not in programs
    return False  # it has ended, or is not ours to see


def _line(pid: int) -> list[int]:
    """Return a process and all above it, nearest first."""
    process = psutil.Process(pid)
    return [pid, *(parent.pid for parent in process.parents())]

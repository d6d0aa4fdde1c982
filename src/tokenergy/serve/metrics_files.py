"""The files that the processes of a gateway write their counts to, and their sum at a scrape.

One file a process, named by its number: a process that is started again goes on counting where the
one before it stopped, or the sum over all would fall and be read as the start of all of them. What
a file says of *now* counts only while its process writes it: a worker that is gone has no requests
in flight.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from tokenergy.serve.gateway_metrics import Tally, Told, merged

SILENT_S: Final = 10.0
"""Five writings: a file that is older belongs to nobody any more."""


def write_counts(path: Path, tally: Tally) -> None:
    """Write all counts of a process whole.

    Raises:
        OSError: if the disk refuses them.
    """
    fresh = path.with_suffix(".new")
    fresh.write_bytes(tally.encoded())
    os.replace(fresh, path)


def take_over(path: Path, tally: Tally) -> bool:
    """Go on from the counts that the process before wrote; return whether there were any.

    Counts that cannot be read, e.g. of another release, are begun anew.
    """
    try:
        tally.go_on_from(path.read_bytes())
    except FileNotFoundError:
        return False
    except (OSError, msgspec.MsgspecError):
        tally.add("tokenergy_errors", ("500", "counts_unreadable"))
        return False
    return True


def read_counts(folder: Path, clock: Callable[[], float] = time.time) -> Told:
    """Return the counts of all processes as one.

    Args:
        folder: with their files.
        clock: seconds since the Unix epoch, as the file system has it.

    Raises:
        OSError: if a file cannot be read.
        msgspec.MsgspecError: if one holds something else.
    """
    now_s = clock()
    running: list[bytes] = []
    gone: list[bytes] = []
    for path in sorted(folder.iterdir()):
        if not path.suffix:
            silent = now_s - path.stat().st_mtime > SILENT_S
            (gone if silent else running).append(path.read_bytes())
    return merged(running, gone)

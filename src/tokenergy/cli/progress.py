"""A progress bar on stderr for whatever takes longer than two seconds."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tokenergy.api.opened import Progress

PATIENCE_S = 2.0


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Progress]:
    """Give a callback `(what, done, of)`; a bar appears once two seconds have passed."""
    if quiet:
        yield lambda what, done, of: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),  # one long solve reports nothing on the way: the clock shows life
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    tasks: dict[str, TaskID] = {}
    # A clock of its own: one long solve reports once, at its start, and would never be shown.
    patience = threading.Timer(PATIENCE_S, bar.start)
    patience.daemon = True
    if console.is_terminal:
        patience.start()

    def told(what: str, done: int, of: int) -> None:
        if what not in tasks:
            tasks[what] = bar.add_task(what, total=of)
        bar.update(tasks[what], completed=done, total=of)

    try:
        yield told
    finally:
        patience.cancel()
        if patience.is_alive():
            patience.join()
        if bar.live.is_started:  # else it would print an empty line into a log
            bar.stop()

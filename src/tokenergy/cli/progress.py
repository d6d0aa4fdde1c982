"""A progress bar on stderr for whatever takes longer than two seconds, where somebody watches."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar

    from tokenergy.api.opened import Progress

PATIENCE_S: Final = 2.0


@contextmanager
def progress(*, quiet: bool = False) -> Iterator["Progress"]:
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

    def told(what: str, done: int, of: int) -> None:
        if what not in tasks:
            tasks[what] = bar.add_task(what, total=of)
        bar.update(tasks[what], completed=done, total=of)

    with shown_late(bar, console):
        yield told


@contextmanager
def shown_late(bar: "Bar", console: "Console") -> Iterator[None]:
    """Show a bar once two seconds have passed, where it is watched; take it away at the end.

    A clock of its own: one long solve reports once, at its start, and would never be shown.
    """
    patience = threading.Timer(PATIENCE_S, bar.start)
    patience.daemon = True
    if is_watched(console):
        patience.start()
    try:
        yield
    finally:
        patience.cancel()
        if patience.is_alive():
            patience.join()
        if bar.live.is_started:  # else it would print an empty line into a log
            bar.stop()


def is_watched(console: "Console") -> bool:
    """Tell whether a bar can move there: on a real terminal that is not a dumb one.

    FORCE_COLOR keeps colours in a pipe; it does not make the pipe a place for bars.
    """
    return console.file.isatty() and console.is_terminal and not console.is_dumb_terminal

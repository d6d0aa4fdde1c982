"""A progress bar on stderr for whatever takes longer than two seconds."""

import time
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
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    begun = time.monotonic()
    tasks: dict[str, int] = {}
    started = False

    def told(what: str, done: int, of: int) -> None:
        nonlocal started
        if not started and time.monotonic() - begun > PATIENCE_S and console.is_terminal:
            bar.start()
            started = True
        if what not in tasks:
            tasks[what] = bar.add_task(what, total=of)
        bar.update(tasks[what], completed=done, total=of)  # type: ignore[arg-type]

    try:
        yield told
    finally:
        if started:
            bar.stop()

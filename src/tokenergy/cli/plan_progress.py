"""How a plan comes along, on a terminal: both bounds of its cost, and what is done beside."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from tokenergy.cli.progress import shown_late


class Told(Protocol):
    """Who is told how far a plan is."""

    def step(self, what: str, done: int, of: int) -> None:
        """Hear how much of something is done."""

    def bounds(self, lower_usd: float, upper_usd: float) -> None:
        """Hear between which bounds the plan's cost lies, USD over the horizon."""


class _Silent:
    """Hears and says nothing."""

    def step(self, what: str, done: int, of: int) -> None:
        """Say nothing."""

    def bounds(self, lower_usd: float, upper_usd: float) -> None:
        """Say nothing."""


def bounds_text(lower_usd: float, upper_usd: float) -> str:
    """Say between which bounds a cost lies, and how far they are apart."""
    if not upper_usd < float("inf"):
        return f"at least {lower_usd:,.0f}; no plan found yet"
    gap_share = (upper_usd - lower_usd) / max(1.0, abs(upper_usd))
    return f"between {lower_usd:,.0f} and {upper_usd:,.0f}, gap {gap_share:.2%}"


@contextmanager
def plan_progress(*, quiet: bool = False) -> Iterator[Told]:
    """Give somebody to tell; lines appear once two seconds have passed, on a terminal only."""
    if quiet:
        yield _Silent()
        return
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    bar = Bar(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    tasks: dict[str, TaskID] = {}

    class Lines:
        """One line for each thing that is told of."""

        def step(self, what: str, done: int, of: int) -> None:
            """Show how much of something is done."""
            self._line(what, f"{what} {done:,} of {of:,}")

        def bounds(self, lower_usd: float, upper_usd: float) -> None:
            """Show both bounds."""
            self._line("cost", f"cost {bounds_text(lower_usd, upper_usd)}")

        def _line(self, name: str, text: str) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(text, total=None)
            bar.update(tasks[name], description=text)

    with shown_late(bar, console):
        yield Lines()

"""The bar of a long run: there after two seconds, silent in a log."""

import io
import time
from functools import partial
from typing import Any

import pytest
import rich.console

from tokenergy.cli import progress as of


class Screen(io.StringIO):
    """What is written on a terminal."""

    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> str:
    """Return what a run prints that reports once and then takes long."""
    written = Screen() if terminal else io.StringIO()

    def console(**options: Any) -> rich.console.Console:
        return made(**options | {"file": written, "force_terminal": terminal, "width": 80})

    made = partial(rich.console.Console)
    monkeypatch.setattr(rich.console, "Console", console)
    monkeypatch.setattr(of, "PATIENCE_S", 0.01)
    with of.progress() as told:
        told("clairvoyant", 0, 4800)
        until = time.monotonic() + 5.0
        while terminal and "clairvoyant" not in written.getvalue() and time.monotonic() < until:
            time.sleep(0.01)
    return written.getvalue()


def test_one_long_solve_that_reports_once_has_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "clairvoyant" in shown(monkeypatch, terminal=True)


def test_a_log_gets_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, terminal=False) == ""


@pytest.mark.parametrize(
    ("file", "environment", "watched"),
    [
        (Screen(), {"TERM": "xterm-256color"}, True),
        (Screen(), {"TERM": "xterm-256color", "NO_COLOR": "1"}, True),
        (Screen(), {"TERM": "dumb"}, False),
        (io.StringIO(), {"TERM": "xterm-256color"}, False),
        (io.StringIO(), {"TERM": "xterm-256color", "FORCE_COLOR": "1"}, False),
    ],
    ids=["terminal", "no colour", "dumb", "pipe", "pipe with colour"],
)
def test_a_bar_moves_on_a_terminal_only(file, environment: dict[str, str], watched: bool) -> None:
    console = rich.console.Console(file=file, _environ=environment)
    assert of.is_watched(console) is watched

"""What reaches a terminal, a pipe, and a reader that leaves."""

import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from commands import ROOT, environment

from tokenergy.cli import columns

COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7])(?:;\d+)*m")
BROKEN = ("check", "examples/broken/many_faults.yaml")


def on_a_terminal(**more: str) -> str:
    """Return what the command writes on a terminal of its own."""
    screen, theirs = pty.openpty()
    try:
        running = subprocess.Popen(
            [sys.executable, "-m", "tokenergy", *BROKEN],
            cwd=ROOT,
            env={**environment(80), "TERM": "xterm-256color", **more},
            stdout=theirs,
            stderr=theirs,
            stdin=subprocess.DEVNULL,
        )
        os.close(theirs)
        pieces = []
        with suppress(OSError):  # how Linux says that the other end is closed
            while piece := os.read(screen, 65536):
                pieces.append(piece)
        assert running.wait(60) == 2
    finally:
        os.close(screen)
    return b"".join(pieces).decode()


@pytest.mark.slow  # a process for each kind of terminal
def test_colours_are_for_a_terminal_that_wants_them(inside, tmp_path: Path) -> None:
    """Words are the same; NO_COLOR (no-color.org) takes colours away, a pipe every escape."""
    coloured, plain = on_a_terminal(), on_a_terminal(NO_COLOR="1")
    assert COLOUR.search(coloured)
    assert not COLOUR.search(plain)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    piped = inside(*BROKEN).out
    assert "\x1b" not in piped
    words = [re.sub(r"\x1b\[[\d;]*m", "", text).split() for text in (coloured, plain, piped)]
    assert words[0] == words[1] == words[2]


def test_colours_kept_in_a_pipe_leave_it_as_wide_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For `less -R`."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("COLUMNS", raising=False)
    assert columns.Printed(width=columns.width_to_fill()).is_terminal
    assert columns.width_to_fill() == columns.PLAIN_WIDTH
    monkeypatch.setenv("COLUMNS", "90")
    assert columns.Printed(width=columns.width_to_fill()).width == 90


def test_a_text_longer_than_a_pipe_into_head(tmp_path: Path) -> None:
    """The reader takes a little and leaves: quiet, with the status of every other tool."""
    words = [sys.executable, "-W", "error", "-m", "tokenergy", "catalogue", "--json"]
    with subprocess.Popen(
        words, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        bufsize=0,
    ) as first:  # fmt: skip
        assert first.stdout is not None and first.stderr is not None
        first.stdout.read(1)
        first.stdout.close()
        assert first.stderr.read() == b""
        assert first.wait(60) == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is full")
@pytest.mark.parametrize("words", [("init",), ("prise", "--json")])
def test_a_disk_that_is_full_is_told_in_a_sentence(words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tokenergy", *words], stdout=full, stderr=subprocess.PIPE,
            env=environment(), text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "error: cannot write the output: No space left on device\n"


def test_an_output_that_is_closed_is_no_fault(tmp_path: Path) -> None:
    """As `tokenergy init >&-` leaves it."""
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m tokenergy init >&-"],
        cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")

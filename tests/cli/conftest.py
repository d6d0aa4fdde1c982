"""A folder to work in, and the command line run inside this process."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import Ended

import tokenergy as te
from tokenergy.cli import show_economics
from tokenergy.cli.columns import money_in
from tokenergy.cli.main import main

Inside = Callable[..., Ended]


@pytest.fixture
def inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Inside:
    """Return a function that runs a verb in `tmp_path`, faster than a process of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["tokenergy", *map(str, words)])
        capsys.readouterr()
        money_in("USD")  # a process of its own would not know the money of the verb before
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Ended(status=int(ended.value.code or 0), out=said.out, err=said.err)

    return run


@pytest.fixture
def sora_shown(sora: te.Economics, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what `economics` prints of the example with a free tier, which was run once."""
    capsys.readouterr()
    show_economics.economics(sora)
    return capsys.readouterr().out

"""Completion, asked of real shells where they are: bash, fish and zsh."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import ROOT, environment

from tokenergy.cli import completing, exporting, fetching, options

HERE = {**environment(), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
ASKED = {
    "pr": ["price"],
    "price --a": ["--at"],
    "price --hours 3 --j": ["--json"],
    "simulate mine.yaml --policies nearest,gr": ["nearest,greedy", "nearest,greedy_battery"],
    "export focus-": ["focus-contracts"],
    "keys mine.yaml rot": ["rotate"],
    "energy qwen3-32b --accelerator H1": ["H100"],
    "energy qwen3-32b --boundary f": ["facility"],
    "price pyproj": [],  # a file: the shell completes it by itself
}
"""What stands there, and what it may become."""
FEW = ("pr", "simulate mine.yaml --policies nearest,gr")
"""Those that real shells are asked, each in a process or two of its own."""
BASH = """
source <(_TOKENERGY_COMPLETE=source_bash tokenergy)
complete -p tokenergy
while read -r line; do
  read -ra COMP_WORDS <<< "tokenergy $line"; COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 )); COMPREPLY=()
  _tokenergy_completion tokenergy
  echo "$line=> ${COMPREPLY[*]}"
done
"""
FISH = """
_TOKENERGY_COMPLETE=source_fish tokenergy | source
while read -l line
  echo "$line=> "(complete -C "tokenergy $line" | string split -f1 \\t | string join ' ')
end
"""
ZSH = """
compdef() { :; }
_arguments() { print -r -- "$2"; }
eval "$(_TOKENERGY_COMPLETE=source_zsh tokenergy)"
while read -r line; do
  words=(tokenergy ${=line}); CURRENT=${#words}
  print -r -- "$line=> $(_arguments() { print -r -- "$1" }; _files() { :; }; _tokenergy_completion)"
done
"""


def answers(shell: str, script: str, asked: list[str]) -> dict[str, str]:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    bare = {"bash": ["--norc"], "fish": ["--no-config"], "zsh": ["-f"]}[shell]
    done = subprocess.run(
        [shell, *bare, "-c", script],
        cwd=ROOT,
        env=HERE,
        input="".join(f"{line}\n" for line in asked),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    told = dict(line.split("=> ", 1) for line in done.stdout.splitlines() if "=> " in line)
    assert list(told) == asked, done.stdout
    return told


@pytest.mark.parametrize("line", ASKED)
def test_what_stands_there_and_what_it_may_become(
    line: str, monkeypatch: pytest.MonkeyPatch, inside
) -> None:
    """As bash asks, without bash: each of its questions is a process."""
    monkeypatch.setenv("_TOKENERGY_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"tokenergy {line}")
    monkeypatch.setenv("COMP_CWORD", str(len(line.split())))
    assert inside().out.split() == ASKED[line]


@pytest.mark.parametrize(("shell", "script"), [("bash", BASH), ("fish", FISH)])
def test_a_shell_that_has_read_the_script(shell: str, script: str) -> None:
    told = answers(shell, script, list(FEW))
    assert {line: told[line].split() for line in FEW} == {line: ASKED[line] for line in FEW}


def test_zsh() -> None:
    """With what stands beside a word: quotes of the help must not break its list."""
    told = answers("zsh", ZSH, ["observe --m"])["observe --m"]
    assert told.startswith('*: :(("--metrics":"An engine')
    assert told.endswith("))")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_no_shell_is_told_a_line_that_is_half_a_help(
    shell: str, monkeypatch: pytest.MonkeyPatch, inside
) -> None:
    """Every option of the verb with most of them: one line each, in every shell's own form."""
    monkeypatch.setenv("_TOKENERGY_COMPLETE", f"complete_{shell}")
    monkeypatch.setenv("COMP_WORDS", "tokenergy fetch --")
    monkeypatch.setenv("COMP_CWORD", "2")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "tokenergy fetch --")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    lines = inside("fetch").out.removeprefix("_arguments '*: :((").splitlines()
    assert len(lines) > 20
    assert [line for line in lines if not line.lstrip('"').startswith("-")] == []


def test_words_are_completed_from_what_there_is() -> None:
    assert completing.one("csv", "parquet")("p") == ["parquet"]
    assert completing.listed("a", "ab", "b")("a,") == ["a,ab", "a,b"]
    assert completing.listed("a", "ab", "b")("") == ["a", "ab", "b"]
    assert "flux.1-dev" in completing.models("flux")
    assert "Qwen/Qwen3-32B" in completing.models("Qwen/")
    assert completing.accelerators("H1") == ["H100"]


def test_words_that_help_lists_are_those_that_there_are() -> None:
    """They stand a second time in the command line, which loads nothing to complete them."""
    from typing import get_args

    from tokenergy.api.exporting import KINDS
    from tokenergy.api.importing import ImportKind
    from tokenergy.cli import catalogue, importing
    from tokenergy.company.provenance import TABLES
    from tokenergy.dispatch.policies import POLICIES
    from tokenergy.feeds.known import KNOWN
    from tokenergy.feeds.series import FeedQuantity

    assert (*KINDS, "pypsa") == exporting.KINDS
    assert get_args(ImportKind) == importing.KINDS
    assert sorted(catalogue.TABLES) == sorted(TABLES)
    assert sorted(options.POLICIES) == sorted(POLICIES)
    assert sorted(fetching.FEEDS) == sorted(KNOWN)
    assert get_args(FeedQuantity) == fetching.QUANTITIES

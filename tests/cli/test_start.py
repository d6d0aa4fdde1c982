"""How the command starts, helps, and stops."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import MERIDIAN, SMALL, TRACE, environment, listing, tokenergy

from tokenergy.cli.main import VERBS

NAMES = [name for verbs in VERBS.values() for name in verbs]
MOST_MODULES_COUNT = 220
"""Modules that `tokenergy --help` loads, those of Python itself included; 198 as of 2026-11."""
HEAVY = {"numba", "polars", "altair", "vl_convert", "scipy"}
NOT_FOR_HELP = HEAVY | {"numpy", "highspy", "rich", "yaml", "pydantic", "msgspec", "asyncio"}
IMPORTED = """
import contextlib, io, sys
import tokenergy.cli.main as command
sys.argv = ["tokenergy", *{words!r}]
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    {call}
print(*sorted({{name.split(".")[0] for name in sys.modules}}))
"""


def imported(words: list[str], call: str = "command.main()") -> set[str]:
    script = IMPORTED.format(words=words, call=call)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=SMALL.parent
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "call", "absent"),
    [
        ([], "pass", NOT_FOR_HELP),
        (["--help"], "command.main()", NOT_FOR_HELP),
        (["simulate", "--help"], "command.main()", NOT_FOR_HELP),
        (["init"], "command.main()", HEAVY),
        (["schema"], "command.main()", HEAVY),
        (["check", str(SMALL)], "command.main()", HEAVY),
        (["price", str(SMALL), "--hours", "1"], "command.main()", HEAVY),
    ],
    ids=["import", "help", "help of a verb", "init", "schema", "check", "price"],
)
def test_nothing_heavy_is_imported_to_start(words: list[str], call: str, absent: set[str]) -> None:
    """Held by the modules that are there, not by a clock."""
    assert imported(words, call) & absent == set()


def test_help_loads_few_modules() -> None:
    """A count, not a clock: what nobody asked for is loaded where it is used."""
    script = IMPORTED.format(words=["--help"], call="command.main()") + "print(len(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert int(done.stdout.split()[-1]) <= MOST_MODULES_COUNT


def test_help_names_every_verb(tmp_path: Path) -> None:
    done = tokenergy("--help", cwd=tmp_path)
    assert done.status == 0
    assert done.err == ""
    for verb in NAMES:
        assert f"\n  {verb} " in done.out


@pytest.mark.parametrize("verb", NAMES)
def test_every_verb_helps(inside, verb: str) -> None:
    done = inside(verb, "--help")
    assert done.status == 0
    assert f"tokenergy {verb}" in done.out
    assert "--json" in done.out
    for line in done.out.splitlines():
        assert len(line) <= 80


def test_the_help_lists_the_policies_that_there_are(inside) -> None:
    from tokenergy.api.simulating import DEFAULT_POLICIES
    from tokenergy.dispatch.policies import POLICIES

    text = inside("simulate", "--help").out
    for name in POLICIES:
        assert name in text
    told = "".join(line.strip(" |│") for line in text.splitlines()).replace(" ", "")
    assert ",".join(DEFAULT_POLICIES) in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nonsense"], "no such command 'nonsense'"),
        (["check"], "COMPANY must be given"),
        (["price", str(SMALL), "--hours", "many"], "--hours"),
        (["price", str(SMALL), "--nothing"], "--nothing"),
        (["simulate", str(SMALL), "--seed", "1.5"], "--seed"),
    ],
)
def test_words_that_nobody_knows(inside, words: list[str], said: str) -> None:
    done = inside(*words)
    assert done.status == 2
    assert said in done.err
    assert done.out == ""


def simulating(folder: Path) -> "subprocess.Popen[str]":
    words = ["simulate", str(MERIDIAN), "--ledger", "runs.sqlite"]
    return subprocess.Popen(
        [sys.executable, "-m", "tokenergy", *words],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until_loaded(running: "subprocess.Popen[str]", library: str) -> None:
    """Wait until a process has loaded a library: how far it has come, without a clock."""
    maps = Path(f"/proc/{running.pid}/maps")
    while running.poll() is None and library not in maps.read_text():
        time.sleep(0.01)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="reads what a process loaded")
@pytest.mark.parametrize(
    ("library", "then_s"), [("pydantic_core", 0.0), ("highspy", 0.0), ("highspy", 2.0)]
)
def test_ctrl_c_stops_quietly_and_leaves_what_a_run_can_go_on_from(
    tmp_path: Path, library: str, then_s: float
) -> None:
    """While it starts, while the file is read, and while several policies run."""
    running = simulating(tmp_path)
    wait_until_loaded(running, library)
    time.sleep(then_s)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=20)  # a run takes half a minute
    assert running.returncode == 130
    assert TRACE not in err
    assert out == ""
    left = set(listing(tmp_path))
    assert left <= {"runs.sqlite"}
    assert len(err.splitlines()) <= 1 + len(left)
    assert ("--resume" in err) == bool(left)


@pytest.mark.parametrize(
    "words",
    [
        "init",
        f"price {SMALL} --hours 6",
        f"price {SMALL} --hours 6 --json",
        f"simulate {SMALL} --policies greedy,static",
        f"check {MERIDIAN.parent}/broken/many_faults.yaml",
        f"price {SMALL} --hours 0 --json",
    ],
)
def test_a_reader_that_leaves_is_no_fault(tmp_path: Path, words: str) -> None:
    """The pipe is closed before the command has said anything."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "tokenergy", *words.split()],
        cwd=tmp_path,
        env=environment(),
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode in (2, 141)  # 2: an error in words goes elsewhere


def test_ctrl_c_in_an_import_is_not_mistaken_for_a_broken_module(tmp_path: Path) -> None:
    """A module that swallows whatever hits it while it loads, and would go on."""
    (tmp_path / "greedy.py").write_text(
        "import signal\n"
        "try:\n    signal.raise_signal(signal.SIGINT)\n"
        "except BaseException:\n    raise ImportError('broken') from None\n"
    )
    text = (
        "import tokenergy.__main__ as start, tokenergy.cli.main as cli\n"
        "def run():\n    import greedy\n"
        "cli.main = run\nstart.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", text],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")

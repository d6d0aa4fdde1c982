"""The examples in each verb's help: every one is read by the verb itself, the cheap ones run."""

import json
import shlex
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import typer
import yaml
from commands import ROOT, TRACE

from tokenergy.cli.main import VERBS, app
from tokenergy.cli.verb import Example, Verb, told_and_examples

GROUP = typer.main.get_command(app)
COMMANDS: dict[str, Verb] = {
    name: command
    for name, command in GROUP.commands.items()  # type: ignore[attr-defined]
    if not command.hidden
}
EXAMPLES = [example for verb in COMMANDS.values() for example in verb.examples]
WIDEST = 76
"""Columns of a command: two stand before it, and a terminal of 80 shows it in one line."""
ENDS_WITH = {"tokenergy check examples/broken/many_faults.yaml": 2}
"""Exit statuses that are not 0."""
DEAR = {
    "tokenergy demo": "everything at once; tests/cli/test_verbs.py runs it on a small company",
    "tokenergy dispatch examples/meridian.yaml --hours 24": "as the shorter one below it",
    "tokenergy economics examples/meridian.yaml": "a page of docs runs it",
    "tokenergy economics examples/meridian.yaml --days 3 --split": "six policies of three days",
    "tokenergy economics examples/sora_like.yaml": "a page of docs runs it",
    "tokenergy export focus examples/meridian.yaml --out meridian.csv": "simulates a week",
    "tokenergy export pypsa examples/startup.yaml startup.nc --hours 168": "a page of docs runs it",
    "tokenergy operating-points examples/requests.yaml --quick": "compiles the simulator",
    "tokenergy plan examples/hyperscaler.yaml --hours 672": "a page of docs runs it",
    "tokenergy plan examples/startup.yaml --hours 48": "tests/cli/test_plan.py plans a smaller one",
    "tokenergy price examples/meridian.yaml": "README.md runs it",
    "tokenergy price examples/meridian.yaml --at 2026-03-02T18:00Z --hours 6": "as the one below",
    "tokenergy report examples/meridian.yaml --out meridian.html": "simulates a week",
    "tokenergy report examples/startup.yaml --charts pictures --format png": "draws every chart",
    "tokenergy report examples/startup.yaml --plan --out startup.html": "plans four weeks",
    "tokenergy settle examples/startup.yaml --policy greedy": "simulates four weeks",
    "tokenergy simulate examples/meridian.yaml": "README.md runs it",
    "tokenergy simulate examples/requests.yaml --requests generated --hours 1": "compiles",
    "tokenergy simulate examples/startup.yaml --days 1 --policies greedy,mpc": "a day of windows",
    "tokenergy thesis --only T1,T4": "a page of docs runs it",
}
"""Examples that take more than about a second, with what shows them instead."""
WORLD = ("http:", "fetch", " serve ", "observe", "explain", "ledger", "mine.", "rival.", "planned.",
         "points.csv", "prices.csv", "usage.csv", "invoices.csv", "tcp:")  # fmt: skip
"""Words of examples that want something which is not in examples/: read, not run."""
RUN = [e for e in EXAMPLES if e.command not in DEAR and not any(w in e.command for w in WORLD)]


def words_of(example: Example) -> list[str]:
    return shlex.split(example.command)[1:]


def holds(company: Path, moment: datetime) -> bool:
    """Tell whether a moment lies in the horizon that a company file states."""
    horizon = yaml.safe_load(company.read_text(encoding="utf-8"))["horizon"]
    return timedelta(0) <= moment - horizon["start"] < timedelta(days=horizon["days"])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_verb_has_examples_that_it_can_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words are turned into values and held against limits, as when the verb is run."""
    examples = COMMANDS[name].examples
    assert examples
    for example in examples:
        assert len(example.command) <= WIDEST
        assert len(example.says) <= WIDEST - 2
        verb, *rest = words_of(example)
        COMMANDS[verb].make_context(verb, rest)
        for word in rest:
            if word.startswith("examples/"):
                assert (ROOT / word).is_file()
        if "--at" in rest and rest[0].startswith("examples/"):
            assert holds(ROOT / rest[0], datetime.fromisoformat(rest[rest.index("--at") + 1]))


def test_the_lists_of_this_test_name_examples_that_there_are() -> None:
    known = {example.command for example in EXAMPLES}
    assert set(DEAR) | set(ENDS_WITH) <= known
    assert len(known) == len(EXAMPLES)
    assert len(RUN) >= 10


@pytest.mark.parametrize("example", RUN, ids=lambda example: example.command)
def test_an_example_does_what_it_says(inside, tmp_path: Path, example: Example) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    done = inside(*words_of(example))
    assert done.status == ENDS_WITH.get(example.command, 0), done.err
    assert TRACE not in done.err
    if "--json" in example.command:
        json.loads(done.out)
    out = words_of(example)[-1] if "--out" in example.command else None
    if out not in (None, "-"):
        assert (tmp_path / out).stat().st_size > 0


def test_help_shows_the_examples_of_the_docstring(inside) -> None:
    text = inside("price", "--help").out
    assert text.index("Options:") < text.index("Examples:")
    for example in COMMANDS["price"].examples:
        assert f"  # {example.says}\n  {example.command}\n" in text
    assert text.count("tokenergy price") == len(COMMANDS["price"].examples) + 1  # and the usage


def test_every_verb_says_what_it_is_for_in_one_line() -> None:
    """The list of `tokenergy --help` is 80 columns wide, and breaks no line."""
    room = 80 - 2 - max(map(len, COMMANDS)) - 4
    assert {name: verb.line for name, verb in COMMANDS.items() if len(verb.line) > room} == {}
    assert list(COMMANDS) == [name for verbs in VERBS.values() for name in verbs]


def test_a_line_that_is_no_example_is_refused() -> None:
    text, examples = told_and_examples("Do it.\n\nExamples:\n    # one\n    tokenergy a\n")
    assert (text, examples) == ("Do it.", (Example(says="one", command="tokenergy a"),))
    assert told_and_examples("Do it.") == ("Do it.", ())
    for wrong in ("tokenergy a", "# one\n# two\nrm", "prose"):
        with pytest.raises(ValueError, match="no example"):
            told_and_examples(f"Do it.\n\nExamples:\n{wrong}\n")

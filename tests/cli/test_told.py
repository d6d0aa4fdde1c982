"""What is said when something is wrong: what to do, in the form that was asked for."""

from pathlib import Path

import pytest
from commands import SMALL, TRACE

from tokenergy.cli import main
from tokenergy.cli.exits import MEANINGS, Exit


def test_a_verb_that_is_nearly_one(inside) -> None:
    done = inside("prise", SMALL)
    assert done.status == Exit.INPUT
    assert done.out == ""
    assert done.err.splitlines() == [
        "error: no such command 'prise'. Did you mean 'price'?",
        "usage: tokenergy [OPTIONS] VERB ...",
        "help:  tokenergy --help",
    ]


def test_an_option_that_is_nearly_one(inside) -> None:
    done = inside("price", SMALL, "--hour", 3)
    assert done.err.splitlines() == [
        "error: no such option: --hour (Possible options: --hours)",
        "usage: tokenergy price [OPTIONS] COMPANY",
        "e.g.   tokenergy price examples/meridian.yaml",
        "help:  tokenergy price --help",
    ]


def test_all_that_is_missing_is_told_at_once(inside) -> None:
    assert "error: FEED and --from and --to must be given\n" in inside("fetch").err
    assert "error: --from and --to must be given\n" in inside("fetch", "aemo").err
    assert "error: COMPANY must be given\n" in inside("price").err
    assert "error: KIND and FILE must be given\n" in inside("import").err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("export", "focs", SMALL), "no export 'focs': did you mean 'focus'? There are focus, "),
        (("export", "xls", SMALL), "no export 'xls'. There are focus, focus-contracts, cloud"),
        (("import", "openia", "x.csv"), "no kind of file 'openia': did you mean 'openai'?"),
        (("fetch", "entsoee", "--from", "2026-03-01", "--to", "2026-03-02"), "mean 'entsoe'?"),
        (("keys", SMALL, "destroy"), "'destroy' is not one of 'create', 'list', 'rotate'"),
        (("price", SMALL.with_suffix(".yml")), f"did you mean {SMALL}?"),
        (("energy", "nomodel", "--accelerator", "H100"), "see `tokenergy catalogue models`"),
    ],
)
def test_a_word_that_is_nearly_known(inside, words: tuple[object, ...], said: str) -> None:
    done = inside(*words)
    assert done.status == Exit.INPUT
    assert said in done.err
    assert done.out == ""


def test_errors_are_json_where_json_was_asked_for(inside) -> None:
    told = inside("price", "--json")
    assert (told.status, told.err) == (2, "")
    assert told.json() == {
        "error": "COMPANY must be given",
        "usage": "tokenergy price [OPTIONS] COMPANY",
        "help": "tokenergy price --help",
        "example": "tokenergy price examples/meridian.yaml",
    }
    told = inside("prise", "--json")
    assert told.json()["help"] == "tokenergy --help"
    assert inside("price", SMALL, "--at", "noon", "--json").json()["error"].startswith("'noon'")


def test_a_fault_of_ours_shows_where_and_asks_to_be_reported(
    inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("tile")

    monkeypatch.setattr("tokenergy.api.check", broken, raising=False)
    done = inside("check", SMALL)
    assert done.status == Exit.FAULT
    assert TRACE in done.err
    assert done.err.endswith(
        "unexpected: KeyError: 'tile'\n" + "This is a fault of ours; please report it.\n"
    )
    told = inside("check", SMALL, "--json")
    assert told.status == Exit.FAULT
    assert told.json() == {"error": "KeyError: 'tile'"}


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",), ("help",)])
def test_help_is_what_a_newcomer_gets(inside, words: tuple[str, ...]) -> None:
    """Nothing at all is an omission: status 2, so that a script with an empty variable stops."""
    done = inside(*words)
    assert done.err == ""
    assert done.out.startswith("Usage: tokenergy [OPTIONS] VERB ...")
    assert done.status == (0 if words else 2)
    assert all(len(line) <= 80 for line in done.out.splitlines())
    assert [group for group in main.VERBS if f"\n{group}:\n" not in done.out] == []


def test_help_and_version(inside) -> None:
    assert inside("help", "price").out == inside("price", "--help").out
    assert inside("--version").out == "tokenergy 0.1.0\n"
    assert inside("help", "prise").status == 2


def test_every_status_has_a_meaning_and_the_help_names_those_of_a_script(inside) -> None:
    assert list(MEANINGS) == list(Exit)
    text = " ".join(inside("--help").out.split())
    for status in (0, 1, 2, 3, 130):
        assert f"{status} " in text.partition("Exit status:")[2]


def test_a_status_is_said_once() -> None:
    """No verb ends with a number of its own."""
    folder = Path(main.__file__).parent
    for file in folder.glob("*.py"):
        text = file.read_text(encoding="utf-8")
        for call in ("typer.Exit(", "leave_now(", "sys.exit("):
            for after in text.split(call)[1:]:
                assert not after[0].isdigit(), file.name

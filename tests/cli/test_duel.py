"""The duel as its user sees it."""

from pathlib import Path

import pytest
from commands import ROOT

OWN, RIVAL = (ROOT / "examples" / "duel" / f"{name}.yaml" for name in ("own-power", "grid-queue"))


@pytest.mark.slow  # a duel by the command
def test_the_command_prints_it(inside) -> None:
    done = inside("thesis", "--duel", OWN, RIVAL)
    assert done.status == 0
    for word in ("megawatts decide", "SYNTHETIC", "closes in month", "discounted"):
        assert word in done.out
    told = inside("thesis", "--duel", OWN, RIVAL, "--json").json()
    assert told["path"]["delay_months"] == 36.0


@pytest.mark.parametrize("more", [("--strict",), ("--only", "T1"), ("--zones", "US-TEX")])
def test_what_a_duel_would_not_heed_is_refused(inside, more: tuple[str, ...]) -> None:
    wrong = inside("thesis", "--duel", OWN, RIVAL, *more)
    assert wrong.status == 2
    assert "leave out --only, --strict, --prices, --zones and --usd-per" in wrong.err.replace(
        "\n", " "
    )


def test_a_file_that_is_not_there_is_named(inside, tmp_path: Path) -> None:
    wrong = inside("thesis", "--duel", OWN, tmp_path / "none.yaml")
    assert wrong.status == 2
    assert "none.yaml" in wrong.err

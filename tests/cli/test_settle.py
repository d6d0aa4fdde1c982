"""`tokenergy settle`: a bill for people, and the same for scripts."""

import math
from pathlib import Path

import pytest
import yaml
from commands import SMALL


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """Write the small company with a horizon of one day."""
    tree = yaml.safe_load(SMALL.read_text(encoding="utf-8"))
    tree["horizon"]["days"] = 1
    path = tmp_path / "short.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path


def test_a_bill_is_lines_subtotals_and_a_total(inside, short: Path) -> None:
    done = inside("settle", short, "--policy", "greedy")
    assert done.status == 0, done.err
    assert "SYNTHETIC" in done.out
    told = done.out.replace("\n", " ")
    for word in ("purchase", "subtotal", "total", "mean rate", "policy: greedy", "MWh"):
        assert word in told
    assert "This is no whole month" not in told


def test_the_json_has_lines_whose_sum_is_the_bill(inside, short: Path) -> None:
    words = ["settle", short, "--month", "2026-03", "--policy", "greedy", "--json"]
    done = inside(*words)
    assert done.status == 0, done.err
    told = done.json()
    assert (told["month"], told["policy"]) == ("2026-03", "greedy")
    sum_usd = math.fsum(line["amount_usd"] for line in told["lines"])
    assert told["bill_usd"] == pytest.approx(sum_usd, rel=1e-12)
    assert math.fsum(told["by_contract"].values()) == pytest.approx(sum_usd, rel=1e-12)
    assert "This is no whole month" in told["uncovered"]
    assert set(told["lines"][0]) == {
        "contract_id", "component", "start", "end", "quantity", "unit", "rate_usd", "amount_usd",
    }  # fmt: skip
    assert told["synthetic"]


def test_a_bill_from_a_ledger(inside, short: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "l.sqlite"
    assert inside("simulate", short, "--policies", "greedy", "--ledger", ledger).status == 0
    read = inside("settle", short, "--policy", "greedy", "--ledger", ledger, "--json").json()
    run = inside("settle", short, "--policy", "greedy", "--json").json()
    assert read["bill_usd"] == pytest.approx(run["bill_usd"], abs=1e-6)
    assert read["run_id"].endswith("/greedy")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--month", "2031-01"], "not 2031-01"),
        (["--month", "soon"], "is no month"),
        (["--policy", "bst"], "unknown policies"),
        (["--ledger", "none.sqlite"], "there is no ledger"),
    ],
)
def test_what_cannot_be_settled_is_told(inside, short: Path, words: list[str], said: str) -> None:
    done = inside("settle", short, *words)
    assert done.status == 2
    assert said in done.err.replace("\n", " ")

"""The page of a plan: every figure exact, both costs of a token named, nothing loaded."""

import re
from pathlib import Path
from typing import Any

import pytest
from planning import planning_file

import tokenergy as te
from tokenergy.page.plan import plan_html
from tokenergy.page.plan_rows import bill_rows, bounds_rows, built_rows, size_text, worth_rows

EVIL = "</script><script>alert(1)</script>\" ' & <b>"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("page")
    path = planning_file(folder)
    scenarios = "  scenarios: [{name: growth, demand_ratio: 1.5}]\n"
    text = path.read_text(encoding="utf-8").replace("most_mw: 4}\n", "most_mw: 4, least_mw: 1}\n")
    path.write_text(text + scenarios, encoding="utf-8")
    return te.plan(te.load(path), hours=24, scenarios=True).to_dict()


def test_the_page_holds_every_section_and_says_which_cost_is_which(told: dict[str, Any]) -> None:
    page = plan_html(told)
    for anchor in ("build", "cost", "worth", "curve", "sites", "contracts", "spread", "worlds",
                   "search"):  # fmt: skip
        assert f'<section id="{anchor}"' in page, anchor
    words = re.sub(r"<[^>]+>", "", page)
    assert "Full cost" in words
    assert "Marginal cost" in words
    assert "Energy is" in words
    assert "SYNTHETIC SERIES" in words
    for key in ("cost_usd", "lower_bound_usd", "usd_per_mtok_full", "usd_per_mtok_marginal"):
        assert f'<data value="{told[key]!r}">' in page, key


def test_the_same_plan_makes_the_same_page_and_it_loads_nothing(told: dict[str, Any]) -> None:
    page = plan_html(told)
    assert page == plan_html(told)
    assert "default-src 'none'" in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page.partition("<script>")[0])


def test_a_name_in_the_file_cannot_run(told: dict[str, Any]) -> None:
    evil = told | {"company": EVIL, "answer": [EVIL]}
    evil["capacities"] = [row | {"name": EVIL} for row in told["capacities"]]
    page = plan_html(evil)
    assert "<script>alert" not in page
    assert page.count("<script>") == plan_html(told).count("<script>")


def test_a_stopped_plan_has_a_page_too(told: dict[str, Any]) -> None:
    bare = {"ranking": None, "curve": None, "concentration": None, "premium": None,
            "make_or_buy": None, "scenarios": None, "as_built": None, "values": [],
            "exposures": [], "stopped": True, "usd_per_mtok_full": None,
            "usd_per_mtok_marginal": None}  # fmt: skip
    page = plan_html(told | bare)
    assert "The search was stopped" in page
    assert "no cost is told" in page


def test_the_bill_on_the_page_sums_to_the_full_cost(told: dict[str, Any]) -> None:
    full = told["as_built"]["full_cost"]
    rest = full["other_usd"] - full["staff_usd"] - full["tier_fixed_usd"]
    total = sum(row["usd"] for row in bill_rows(told)) + rest
    assert total == pytest.approx(full["allocation_usd"], abs=1.0)
    assert sum(row["share"] for row in bill_rows(told)) == pytest.approx(1.0, abs=1e-3)


def test_sizes_and_worths_are_shares_of_their_most_and_cost(told: dict[str, Any]) -> None:
    rows = {row["name"]: row for row in built_rows(told)}
    for each in told["capacities"]:
        assert rows[each["name"]]["built_share"] == pytest.approx(each["size"] / each["most"])
    for row in worth_rows(told):
        if row["low_ratio"] is not None and row["high_ratio"] is not None:
            assert row["low_ratio"] <= row["high_ratio"] + 1e-9


def test_bounds_are_drawn_where_there_was_more_than_one_step() -> None:
    steps = [{"lower_usd": low, "upper_usd": high, "seconds_s": 1.0} for low, high in
             ((80.0, 120.0), (99.0, 100.0))]  # fmt: skip
    assert bounds_rows({"iterations": steps[:1]}) == []
    found = bounds_rows({"iterations": steps})
    assert [row["usd"] for row in found] == [120.0, 80.0, 100.0, 99.0]


def test_a_size_is_written_with_its_unit() -> None:
    assert size_text(72.0, "GPU") == "72.0 GPUs"
    assert size_text(1234.0, "GPU") == "1,234 GPUs"
    assert size_text(0.5, "MW") == "0.500 MW"


def test_a_page_is_one_file(told: dict[str, Any], tmp_path: Path) -> None:
    from tokenergy.page.plan import write_plan

    assert write_plan(told, tmp_path / "p.html").stat().st_size > 100_000

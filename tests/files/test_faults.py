"""Each kind of error that pydantic can raise, in our words: code, path, line, limit, unit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tokenergy.company.finding import Finding
from tokenergy.files.company_file import read_company
from tokenergy.files.faults import unit_of

Write = Callable[[Any], Path]


def only(path: Path) -> Finding:
    company, findings = read_company(path)
    assert company is None
    (finding,) = findings
    assert finding.line is not None
    assert finding.reason
    assert finding.remedy
    return finding


@pytest.mark.parametrize(
    ("field", "unit"),
    [
        ("import_limit_mw", "MW"),
        ("strike_usd_per_mwh", "USD/MWh"),
        ("usd_per_gpu_hour", "USD/GPU-hour"),
        ("usd_per_gpu", "USD/GPU"),
        ("cycle_usd_per_mwh_discharged", "USD/MWh discharged"),
        ("limit_mtok_per_h", "Mtok/h"),
        ("mean_requests_per_s", "requests/s"),
        ("outdoor_c", "°C"),
        ("gpu_count", ""),
        ("name", ""),
    ],
)
def test_the_unit_is_read_off_the_name(field: str, unit: str) -> None:
    assert unit_of(field) == unit


def test_a_figure_out_of_range(clean: dict[str, Any], write: Write) -> None:
    clean["sites"][0]["import_limit_mw"] = -3
    finding = only(write(clean))
    assert (finding.code, finding.path) == ("NEGATIVE_CAPACITY", "sites[0].import_limit_mw")
    assert (finding.value, finding.limit, finding.unit) == ("-3", "> 0", "MW")


def test_a_figure_with_its_unit_behind_it(clean: dict[str, Any], write: Write) -> None:
    clean["sites"][0]["import_limit_mw"] = "30 MW"
    finding = only(write(clean))
    assert (finding.code, finding.value) == ("WRONG_TYPE", "30 MW")
    assert "MW" in finding.remedy


@pytest.mark.parametrize("value", ["8,5", "6,000"])
def test_a_figure_with_a_comma(clean: dict[str, Any], write: Write, value: str) -> None:
    clean["sites"][0]["import_limit_mw"] = value
    assert "decimal point" in only(write(clean)).remedy


def test_a_share_in_percent(clean: dict[str, Any], write: Write) -> None:
    clean["fleets"][0]["available_share"] = 97
    finding = only(write(clean))
    assert (finding.code, finding.value, finding.unit) == ("SHARE_OUT_OF_RANGE", "97", "")
    assert "0.97" in finding.remedy


def test_a_form_is_told_in_words_and_by_example(clean: dict[str, Any], write: Write) -> None:
    clean["sites"][0]["market"]["day_ahead_at"] = "25:00"
    finding = only(write(clean))
    assert (finding.code, finding.value) == ("BAD_FORMAT", "25:00")
    assert "time of day" in finding.reason and "12:57" in finding.remedy
    assert "\\d" not in str(finding)


def test_a_city_on_the_wrong_continent(clean: dict[str, Any], write: Write) -> None:
    clean["sites"][0]["market"]["time_zone"] = "Europe/Chicago"
    assert only(write(clean)).remedy == "Did you mean America/Chicago?"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_figure_that_is_not_finite(clean: dict[str, Any], write: Write, value: float) -> None:
    clean["contracts"][0]["adder_usd_per_mwh"] = value
    assert only(write(clean)).code == "NOT_FINITE"


def test_a_missing_key_says_what_it_is_for(clean: dict[str, Any], write: Write) -> None:
    del clean["sites"][0]["import_limit_mw"]
    finding = only(write(clean))
    assert (finding.code, finding.path) == ("MISSING_FIELD", "sites[0].import_limit_mw")
    assert "grid connection" in finding.remedy


def test_an_unknown_key_names_the_nearest(clean: dict[str, Any], write: Write) -> None:
    clean["sites"][0]["import_limt_mw"] = 3
    finding = only(write(clean))
    assert (finding.code, finding.path) == ("UNKNOWN_KEY", "sites[0].import_limt_mw")
    assert "'import_limit_mw'" in finding.remedy


def test_an_unknown_key_like_no_other_lists_them_all(clean: dict[str, Any], write: Write) -> None:
    clean["models"][0]["zzzzzz"] = 3
    assert "gpus_per_replica" in only(write(clean)).remedy


def test_an_unknown_key_inside_a_union(clean: dict[str, Any], write: Write) -> None:
    clean["sites"][0]["market"]["price"] = {"file": "a.csv", "colum": "b", "column": "b"}
    finding = only(write(clean))
    assert (finding.code, finding.path) == ("UNKNOWN_KEY", "sites[0].market.price.colum")
    assert "'column'" in finding.remedy


def test_a_missing_key_of_a_file_series(clean: dict[str, Any], write: Write) -> None:
    clean["sites"][0]["market"]["price"] = {"column": "b"}
    finding = only(write(clean))
    assert (finding.code, finding.path) == ("MISSING_FIELD", "sites[0].market.price.file")


def test_a_choice_of_none_of_the_words(clean: dict[str, Any], write: Write) -> None:
    clean["tiers"][0]["service_tier"] = "priorty"
    finding = only(write(clean))
    assert (finding.code, finding.path) == ("UNKNOWN_CHOICE", "tiers[0].service_tier")
    assert finding.remedy == "Did you mean 'priority'?"


@pytest.mark.parametrize("kind", ["proxy_generation", "proxy_revenue_swap", "sleeved"])
def test_a_kind_that_comes_later(clean: dict[str, Any], write: Write, kind: str) -> None:
    clean["contracts"].append({"kind": kind, "id": "x", "site": "virginia", "anything": 1})
    finding = only(write(clean))
    assert (finding.code, finding.path) == ("LATER_KIND", "contracts[1].kind")
    assert "come later" in finding.reason


@pytest.mark.parametrize(
    ("key", "about"), [("collar_low_usd_per_mwh", "collars"), ("energyratestructure", "URDB")]
)
def test_a_key_that_comes_later(clean: dict[str, Any], write: Write, key: str, about: str) -> None:
    clean["contracts"][0][key] = 1
    finding = only(write(clean))
    assert (finding.code, finding.path) == ("LATER_KEY", f"contracts[0].{key}")
    assert about in finding.reason
    assert "come later" in finding.reason


def test_a_kind_that_never_was(clean: dict[str, Any], write: Write) -> None:
    clean["contracts"].append({"kind": "blok", "id": "x", "site": "virginia"})
    finding = only(write(clean))
    assert (finding.code, finding.remedy) == ("UNKNOWN_KIND", "Did you mean 'block'?")


def test_a_contract_without_a_kind(clean: dict[str, Any], write: Write) -> None:
    clean["contracts"].append({"id": "x", "site": "virginia"})
    finding = only(write(clean))
    assert (finding.code, finding.path) == ("MISSING_FIELD", "contracts[1].kind")


@pytest.mark.parametrize("start", ["2026-03-02T00:00", "2026-03-02 00:00:00", "2026-03-02"])
def test_a_naive_stamp_has_a_finding_of_its_own(
    clean: dict[str, Any], write: Write, start: str
) -> None:
    clean["horizon"]["start"] = start
    finding = only(write(clean))
    assert (finding.code, finding.path) == ("NAIVE_TIMESTAMP", "horizon.start")


def test_a_naive_stamp_deep_in_a_series(clean: dict[str, Any], write: Write) -> None:
    clean["sites"][0]["market"]["price"] = {
        "file": "a.csv",
        "column": "b",
        "elapsed_from": "2026-01-01T00:00",
    }
    finding = only(write(clean))
    assert finding.code == "NAIVE_TIMESTAMP"
    assert finding.path == "sites[0].market.price.elapsed_from"


@pytest.mark.parametrize(
    ("place", "value", "code"),
    [
        ("horizon.start", "next Monday", "BAD_TIMESTAMP"),
        ("contracts.0.start", "some day", "BAD_DATE"),
        ("workloads.0.name", "has spaces", "BAD_NAME"),
        ("workloads.0.name", "a" * 65, "BAD_NAME"),
        ("workloads.0.name", 7, "WRONG_TYPE"),
        ("sites.0.market.day_ahead_at", "25:00", "BAD_FORMAT"),
        ("sites.0.market.time_zone", "Amerca/New_York", "ZONE_UNKNOWN"),
        ("sites.0.market", "PJM", "WRONG_TYPE"),
        ("sites.0.pue", "low", "WRONG_TYPE"),
        ("sites.0.pue", 0.5, "OUT_OF_RANGE"),
        ("sites.0.pue", [{"outdoor_c": 3, "pue": 0.5}], "OUT_OF_RANGE"),
        ("sites.0.pue", [], "CONTRADICTION"),
        ("workloads.0.ladder", [], "EMPTY_LIST"),
        ("workloads.0.ladder", "small", "WRONG_TYPE"),
        ("workloads.0.arrivals", {}, "CONTRADICTION"),
        ("sites", {}, "WRONG_TYPE"),
        ("batteries", [3], "WRONG_TYPE"),
        ("company", "", "EMPTY_TEXT"),
        ("seed", -1, "OUT_OF_RANGE"),
    ],
)
def test_one_fault_is_one_finding(
    clean: dict[str, Any], write: Write, place: str, value: Any, code: str
) -> None:
    *around, last = [int(step) if step.isdigit() else step for step in place.split(".")]
    item: Any = clean
    for step in around:
        item = item[step]
    item[last] = value
    assert only(write(clean)).code == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"value": None}, "TIER_WITHOUT_VALUE"),
        ({"value_usd_per_mtok": 3}, "TIER_WITH_SEVERAL_VALUES"),
        ({"price_usd_per_mtok": None}, "TIER_WITHOUT_PRICE"),
        ({"price_usd_per_request": 3}, "TIER_WITH_SEVERAL_PRICES"),
        ({"deadline_s": 60}, "CONTRADICTION"),
    ],
)
def test_a_tier_states_one_price_and_one_value(
    clean: dict[str, Any], write: Write, change: dict[str, Any], code: str
) -> None:
    clean["tiers"][0].update(change)
    finding = only(write(clean))
    assert (finding.code, finding.path) == (code, "tiers[0]")


def test_no_other_fault_hides_a_missing_value(clean: dict[str, Any], write: Write) -> None:
    clean["tiers"][0].update({"value": None, "price_usd_per_mtok": None, "ttft_limit_s": 0})
    _, findings = read_company(write(clean))
    codes = {finding.code for finding in findings}
    assert codes == {"TIER_WITHOUT_VALUE", "TIER_WITHOUT_PRICE", "OUT_OF_RANGE"}


def test_a_fleet_has_one_owner(clean: dict[str, Any], write: Write) -> None:
    del clean["fleets"][0]["owned"]
    assert only(write(clean)).code == "FLEET_WITHOUT_OWNER"


@pytest.mark.parametrize(
    ("paths", "code", "value"),
    [
        ({}, "GROWTH_WITHOUT_PATH", "0"),
        (
            {
                "logistic": {"limit_ratio": 3, "rate_share_per_year": 0.5},
                "users": [{"month": 0, "users_ratio": 1}],
            },
            "GROWTH_WITH_SEVERAL_PATHS",
            "2",
        ),
    ],
)
def test_growth_has_one_path(
    clean: dict[str, Any], write: Write, paths: dict[str, Any], code: str, value: str
) -> None:
    clean["tiers"][0]["users"] = {"count": 900_000}
    clean["growth"] = {"months": 24} | paths
    finding = only(write(clean))
    assert (finding.code, finding.path, finding.value, finding.limit) == (
        code,
        "growth",
        value,
        "1",
    )
    assert "logistic" in finding.remedy and "users" in finding.remedy


def test_what_can_be_read_of_a_broken_growth_is_still_checked(
    clean: dict[str, Any], write: Write
) -> None:
    clean["tiers"][0]["users"] = {"count": 900_000}
    step = {"month": 3, "workload": "cat", "ladder": ["small"]}
    clean["growth"] = {"months": -1, "users": [], "model_mix": [{"month": "x"}, step]}
    _, findings = read_company(write(clean))
    found = {(finding.code, finding.path) for finding in findings}
    assert ("UNKNOWN_NAME", "growth.model_mix[1].workload") in found
    assert ("OUT_OF_RANGE", "growth.months") in found


def test_a_section_that_is_no_list_hides_nothing_else(clean: dict[str, Any], write: Write) -> None:
    clean["restraint"] = "all of it"
    clean["presets"] = ["gemini_promt"]
    _, findings = read_company(write(clean))
    assert {(finding.code, finding.path) for finding in findings} == {
        ("WRONG_TYPE", "restraint"),
        ("UNKNOWN_NAME", "presets[0]"),
    }

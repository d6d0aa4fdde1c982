"""Published figures are loaded by name only, and say what is wrong with them."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.company.preset import (
    STALE_MONTHS,
    VERIFIED,
    Preset,
    Status,
    months_before,
    select,
)

START = datetime(2026, 3, 2, tzinfo=UTC)


def preset(
    name: str, fact: str = "users_count", *, status: Status = "published", as_of: str = "2025-06-01"
) -> Preset:
    return Preset(
        preset=name,
        fact=fact,
        quantity=1.0,
        unit="users",
        as_of=date.fromisoformat(as_of),
        source="a test",
        status=status,
        note="",
    )


KNOWN = (
    preset("sora_cantor", status="analyst_estimate"),
    preset("sora_wsj", status="secondary_press"),
    preset("sora_conflict", status="arithmetic"),
    preset("gemini", "wh_per_prompt"),
    preset("gemini", "idle_share"),
    preset("mixed", "plan"),
    preset("mixed", "heaviest", status="to_be_verified"),
    preset("rumour", status="to_be_verified"),
    preset("old", as_of="2024-03-01"),
)


def test_nothing_is_loaded_that_is_not_named() -> None:
    assert select(KNOWN, (), at=START) == ((), ())
    rows, findings = select(KNOWN, ("gemini",), at=START)
    assert [row.fact for row in rows] == ["wh_per_prompt", "idle_share"]
    assert findings == ()


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    rows, (finding,) = select(KNOWN, ("gemini", "gemni"), at=START)
    assert len(rows) == 2
    assert (finding.code, finding.path, finding.value) == ("UNKNOWN_NAME", "presets[1]", "gemni")
    assert finding.severity == "error"
    assert "'gemini'" in finding.remedy


def test_a_name_like_no_other_is_told_all_of_them() -> None:
    _, (finding,) = select(KNOWN, ("qqqq",), at=START)
    assert "gemini" in finding.remedy and "rumour" in finding.remedy


def test_a_name_twice_is_loaded_once_and_told() -> None:
    rows, (finding,) = select(KNOWN, ("gemini", "gemini"), at=START)
    assert len(rows) == 2
    assert (finding.code, finding.path, finding.severity) == (
        "DUPLICATE_NAME", "presets[1]", "warning",
    )  # fmt: skip


def test_what_nobody_verified_is_refused() -> None:
    rows, (finding,) = select(KNOWN, ("rumour",), at=START)
    assert rows == ()
    assert (finding.code, finding.severity, finding.value) == (
        "PRESET_UNVERIFIED", "error", "users_count",
    )  # fmt: skip


def test_what_nobody_verified_is_loaded_when_asked_for_and_still_told() -> None:
    rows, (finding,) = select(KNOWN, ("rumour",), at=START, allow_unverified=True)
    assert [row.preset for row in rows] == ["rumour"]
    assert (finding.code, finding.severity) == ("PRESET_UNVERIFIED", "warning")
    assert finding.value == "to_be_verified"


def test_one_unverified_fact_leaves_the_others() -> None:
    rows, (finding,) = select(KNOWN, ("mixed",), at=START)
    assert [row.fact for row in rows] == ["plan"]
    assert (finding.code, finding.severity, finding.value) == (
        "PRESET_UNVERIFIED", "warning", "heaviest",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("as_of", "stale"),
    [("2024-03-01", True), ("2024-03-02", False), ("2026-06-01", False)],
)
def test_a_figure_is_stale_after_24_months(as_of: str, stale: bool) -> None:
    """24 months before 2 March 2026 is 2 March 2024; a later day than the start is never old."""
    rows, findings = select((preset("x", as_of=as_of),), ("x",), at=START)
    assert len(rows) == 1
    assert [finding.code for finding in findings] == (["PRESET_STALE"] if stale else [])
    if stale:
        assert (findings[0].value, findings[0].limit) == (as_of, "2024-03-02")
        assert findings[0].severity == "warning"


def test_without_a_horizon_nothing_is_called_stale() -> None:
    assert select(KNOWN, ("old",), at=None)[1] == ()


@pytest.mark.parametrize("name", ["sora_cantor", "sora_wsj"])
def test_one_estimate_of_sora_never_stands_alone(name: str) -> None:
    rows, findings = select(KNOWN, (name,), at=START)
    assert {row.preset for row in rows} == {"sora_cantor", "sora_wsj", "sora_conflict"}
    told = [finding.code for finding in findings]
    assert told == ["PRESET_CONFLICT", "PRESET_UNVERIFIED", "PRESET_UNVERIFIED"]


def test_who_names_both_and_the_conflict_is_told_of_none() -> None:
    names = ("sora_conflict", "sora_wsj", "sora_cantor")
    rows, findings = select(KNOWN, names, at=START)
    assert [row.preset for row in rows] == list(names)
    assert {finding.code for finding in findings} == {"PRESET_UNVERIFIED"}


def test_a_finding_stands_where_its_name_does() -> None:
    _, findings = select(KNOWN, ("gemini", "rumour"), at=START, paths=("a", "b"))
    assert [finding.path for finding in findings] == ["b"]


@given(names=st.lists(st.sampled_from(sorted({row.preset for row in KNOWN})), max_size=6))
def test_only_verified_figures_are_loaded_without_a_word(names: list[str]) -> None:
    rows, findings = select(KNOWN, names, at=START)
    assert all(row.status != "to_be_verified" for row in rows)
    told = " ".join(f.reason for f in findings if f.code == "PRESET_UNVERIFIED")
    assert all(repr(row.preset) in told for row in rows if row.status not in VERIFIED)


@pytest.mark.parametrize(
    ("at", "months_count", "expected"),
    [
        ("2026-03-02", 24, "2024-03-02"),
        ("2024-02-29", 12, "2023-02-28"),
        ("2026-01-31", 2, "2025-11-30"),
        ("2026-01-15", 0, "2026-01-15"),
    ],
)
def test_calendar_months_go_back(at: str, months_count: int, expected: str) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert months_before(moment, months_count).isoformat() == expected


def test_two_years_are_stale() -> None:
    assert STALE_MONTHS == 24


def test_a_preset_is_json_ready() -> None:
    told = preset("x").to_dict()
    assert told["as_of"] == "2025-06-01"
    assert told["quantity"] == 1.0

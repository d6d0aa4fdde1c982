"""The decision table: every reason has words, and many workloads are added up by tier."""

from collections.abc import Callable

import pytest
import telling

from tokenergy.company.decision import REASONS, RequestAction
from tokenergy.page.decisions import DONE, WHY, decisions, tier_rows
from tokenergy.page.report import ReportData


def test_every_action_and_every_reason_has_words() -> None:
    assert set(DONE) == set(RequestAction.__args__)  # type: ignore[attr-defined]
    assert set(WHY) == set(REASONS)


def test_what_was_decided_stands_with_its_reason(data: ReportData) -> None:
    body = decisions(data).body
    assert body.count("<table") == 2
    for words in ("served at once", "served later", "served by a smaller model", "refused"):
        assert words in body
    assert WHY["marginal_cost_exceeds_value"] in body
    assert "ended upstream error" in body
    assert "2 Mar 2026 10:00 to 3 Mar 2026 11:30 UTC" in body, "the requests' own period"
    assert body.index("40") < body.index("12"), "most requests first"


def test_a_ledger_without_requests_says_who_writes_them(
    make_data: Callable[..., ReportData],
) -> None:
    run = [row for row in telling.decisions() if row["source"] == "run"]
    assert "tokenergy serve" in decisions(make_data(decisions=run)).body
    assert "Nothing was asked for" in decisions(make_data(decisions=())).body


def test_a_tier_adds_up_its_workloads() -> None:
    """30 Mtok at 0.1 and 10 at 0.5 USD: 40 at (3 + 5)/40 = 0.2, of 50 asked 80 %."""
    rows = [
        telling.decision("serve", "value_above_cost", 30.0, asked_usd_per_mtok=0.1),
        telling.decision("serve", "value_above_cost", 10.0, workload="b", asked_usd_per_mtok=0.5),
        telling.decision("refuse", "overloaded", 10.0, workload="b", lost_usd=20.0),
    ]
    served, refused = tier_rows(rows)
    assert served["quantity"] == 40.0
    assert served["asked_usd_per_mtok"] == pytest.approx(0.2)
    assert served["asked_share"] == pytest.approx(0.8)
    assert (refused["lost_usd"], refused["why"]) == (20.0, WHY["overloaded"])


def test_many_workloads_are_shown_by_tier(make_data: Callable[..., ReportData]) -> None:
    many = [
        telling.decision("serve", "value_above_cost", 1.0, workload=f"w{at}") for at in range(30)
    ]
    body = decisions(make_data(decisions=many)).body
    assert "30 workloads added up by tier" in body
    assert "w29" not in body

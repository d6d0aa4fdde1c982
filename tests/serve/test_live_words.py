"""Every reason has words, and a missing figure is said to be missing."""

from typing import Any

import pytest

from tokenergy.company.decision import REASONS
from tokenergy.company.serving.live import LiveDecision
from tokenergy.serve.live_words import BROKEN, WHY, decision_told, money, words


def decided(**more: Any) -> LiveDecision:
    stated: dict[str, Any] = {
        "cursor": 1, "request_id": "req-1", "at": "2026-03-02T18:00:00.000000Z", "tenant": "ann",
        "tier": "free", "workload": "chat", "model": "large", "site": "texas",
        "decision": "serve", "reason": "value_above_cost", "outcome": "completed",
        "input_tokens": 10, "output_tokens": 20, "cost_usd": 2e-5, "charged_usd": 4e-5,
        "use_j": 3.0, "energy_tier": "modelled", "marginal_usd_per_mtok": 1.0,
        "value_usd": 1e-4, "next_admitted_s": None, "policy": "mpc",
    }  # fmt: skip
    return LiveDecision(**stated | more)


def refused(**more: Any) -> LiveDecision:
    stated: dict[str, Any] = {
        "decision": "refuse", "reason": "marginal_cost_exceeds_value", "outcome": "refused",
        "model": "", "site": "",
    }  # fmt: skip
    return decided(**stated | more)


def test_every_reason_of_the_closed_list_has_words() -> None:
    assert set(REASONS) <= WHY.keys()
    for reason in REASONS:
        for decision in ("serve", "cap", "downgrade", "defer", "refuse"):
            text = words(decided(decision=decision, reason=reason), currency="USD")
            assert text.endswith(".")
            assert "{" not in text
            assert reason not in text or "_" not in reason


def test_a_refusal_says_cost_value_and_when_it_would_be_admitted() -> None:
    """1,772,478,000 s are 2026-03-02T19:00Z."""
    told = refused(cost_usd=0.003, value_usd=0.002, next_admitted_s=1_772_478_000.0)
    assert words(told, currency="EUR") == (
        "Refused: it would cost 0.003 EUR and is worth 0.002 EUR. The interval of 19:00 UTC would "
        "admit it, as far as is known now."
    )
    row = decision_told(told, currency="EUR")
    assert row["next_admitted"] == "2026-03-02T19:00Z"
    assert row["id"] == "req-1"


def test_what_is_not_known_is_said() -> None:
    text = words(refused(cost_usd=None, value_usd=None), currency="USD")
    assert text == "Refused: it would cost an unknown amount and is worth an unknown amount."


def test_a_code_that_is_in_no_table_is_told_as_it_is() -> None:
    assert words(refused(reason="teapot"), currency="USD") == "Refused: teapot."
    assert words(decided(decision="", reason=""), currency="USD") == "Decided: no reason is known."


def test_a_place_that_is_out_means_something_else_where_nothing_was_served() -> None:
    served = words(decided(reason="place_down"), currency="USD")
    assert "would have been cheaper" in served
    assert "would have been cheaper" not in words(refused(reason="place_down"), currency="USD")


def test_an_answer_that_broke_off_says_so() -> None:
    for outcome, said in BROKEN.items():
        assert words(decided(outcome=outcome), currency="USD").endswith(said)


@pytest.mark.parametrize(
    ("value_usd", "text"),
    [
        (0.0000213456, "0.0000213 USD"), (12.0, "12 USD"), (1234567.0, "1230000 USD"),
        (0.0, "0 USD"), (-0.001, "-0.001 USD"),
    ],
)  # fmt: skip
def test_amounts_have_three_digits_and_no_power_of_ten(value_usd: float, text: str) -> None:
    assert money(value_usd, "USD") == text


def test_markup_in_a_name_stays_text() -> None:
    """The page escapes it: here nothing is made of it."""
    assert "<b>" in words(decided(site="<b>{x}"), currency="USD")

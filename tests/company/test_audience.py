"""Users, growth, restraint and presets against the rest of a company: a case for each finding."""

from copy import deepcopy
from typing import Any

import pytest
from tests.company.test_check import CLEAN, Tree, put

from tokenergy.company.check import check_company
from tokenergy.company.company import Company
from tokenergy.company.finding import Finding
from tokenergy.files.catalogue import load_catalogue

HELD: Tree = deepcopy(CLEAN)
HELD["tiers"][0]["users"] = {"count": 900_000, "top_tenth_share": 0.65}
HELD["tiers"].append(
    {
        "name": "free",
        "service_tier": "default",
        "ttft_limit_s": 4,
        "tpot_limit_s": 0.1,
        "price_usd_per_mtok": 0,
        "value_usd_per_mtok": 0.5,
        "users": {"count": 3_000_000, "top_tenth_share": 0.8},
    }
)
HELD["workloads"].append(
    {
        "name": "free",
        "tier": "free",
        "origin": "home",
        "ladder": ["small"],
        "input_tokens": 400,
        "output_tokens": 200,
        "arrivals": {"mean_requests_per_s": 100},
    }
)
HELD["restraint"] = [{"tier": "free", "cap_ratio": 3}]
HELD["growth"] = {"logistic": {"limit_ratio": 3, "rate_share_per_year": 0.5}}
"""A company with users in two tiers, one of them free, that checks clean."""


def check(*changes: Any, **sections: Any) -> tuple[Finding, ...]:
    tree = deepcopy(HELD) | sections
    for change in changes:
        change(tree)
    return check_company(Company.model_validate(tree), load_catalogue())


def only(*changes: Any, **sections: Any) -> Finding:
    (finding,) = check(*changes, **sections)
    assert finding.reason
    assert finding.remedy
    return finding


def told(finding: Finding) -> tuple[str, str, str]:
    return finding.severity, finding.code, finding.path


def without_users(tree: Tree) -> None:
    for tier in tree["tiers"]:
        tier.pop("users", None)


def test_a_company_with_users_is_clean() -> None:
    assert check() == ()


# ---- users ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "value", "limit"),
    [(100, "8.64e+04", "10000"), (10**12, "8.64e-06", "0.0001")],
)
def test_users_far_from_what_arrives(count: int, value: str, limit: str) -> None:
    """100 requests a second are 8.64 M a day: 86,400 for each of 100 users."""
    finding = only(put("tiers.2.users.count", count))
    assert told(finding) == ("warning", "USERS_IMPLAUSIBLE", "tiers[2].users.count")
    assert (finding.value, finding.limit) == (value, limit)
    assert finding.unit == "requests per user and day"


@pytest.mark.parametrize("count", [864, 86_400_000_000])
def test_users_at_the_ends_of_what_is_plausible(count: int) -> None:
    """8.64 M a day over 864 users is 10,000 each, over 86.4 G users 0.0001: both still pass."""
    assert check(put("tiers.2.users.count", count)) == ()


def test_users_whose_arrivals_are_a_series_are_not_judged() -> None:
    assert (
        check(
            put("tiers.2.users.count", 1),
            put("workloads.2.arrivals", {"series": 4}),
        )
        == ()
    )


def test_users_of_whom_nothing_arrives() -> None:
    def idle(tree: Tree) -> None:
        tree["workloads"][2]["tier"] = "chat"
        tree["workloads"][2]["ladder"] = ["large"]

    finding = only(idle)
    assert told(finding) == ("warning", "USERS_IMPLAUSIBLE", "tiers[2].users.count")
    assert finding.value == "0"


def believed(uplift_share: float) -> Any:
    """Return what makes the free tier worth the subscriptions that it is believed to bring."""

    def change(tree: Tree) -> None:
        tree["tiers"][2].pop("value_usd_per_mtok")
        tree["tiers"][2]["from_conversion"] = {"uplift_share": uplift_share, "ltv_usd": 9}

    return change


def test_a_belief_that_brings_more_subscribers_than_can_be() -> None:
    """100 requests a second are 262.8 M a month: 0.002 of them are 525,600, of 900,000 that pay."""
    finding = only(believed(0.002))
    assert told(finding) == (
        "warning", "CONVERSION_IMPLAUSIBLE", "tiers[2].from_conversion.uplift_share",
    )  # fmt: skip
    assert (finding.value, finding.limit) == ("0.58", "0.5")
    assert "525,600 new subscribers a month, against the 900,000 that pay" in finding.reason
    assert "below 0.0017" in finding.remedy
    assert check(believed(0.0017)) == ()


def test_a_belief_where_nobody_pays_is_held_against_its_own_users() -> None:
    def free_only(tree: Tree) -> None:
        tree["tiers"][0].pop("users")

    found = [each for each in check(free_only, believed(0.01)) if each.code != "NO_PAYING_USERS"]
    assert [each.code for each in found] == ["CONVERSION_IMPLAUSIBLE"]
    assert "against its own 3,000,000" in found[0].reason


def test_a_lifetime_that_never_ends() -> None:
    finding = only(put("tiers.0.users.churn_share_per_month", 0))
    assert told(finding) == (
        "warning", "LIFETIME_ENDLESS", "tiers[0].users.churn_share_per_month",
    )  # fmt: skip


def test_a_cost_of_winning_users_who_stay_no_one_knows_how_long() -> None:
    finding = only(put("tiers.0.users.acquisition_usd_per_user", 12))
    assert told(finding) == (
        "warning", "LIFETIME_UNTOLD", "tiers[0].users.acquisition_usd_per_user",
    )  # fmt: skip
    assert (finding.value, finding.unit) == ("12", "USD/user")


def test_a_lifetime_that_can_be_told_is_clean() -> None:
    users = {"count": 900_000, "churn_share_per_month": 0.04, "acquisition_usd_per_user": 12}
    assert check(put("tiers.0.users", users)) == ()


def test_free_users_without_any_who_pay() -> None:
    def free_only(tree: Tree) -> None:
        del tree["tiers"][0]["users"]

    finding = only(free_only)
    assert told(finding) == ("warning", "NO_PAYING_USERS", "tiers[2]")


# ---- growth --------------------------------------------------------------------------------


def test_growth_without_users() -> None:
    finding = only(without_users, restraint=[])
    assert told(finding) == ("error", "GROWTH_WITHOUT_USERS", "growth")
    assert (finding.value, finding.limit, finding.unit) == ("0", "1 or more", "tiers with users")


def test_users_without_growth_are_clean() -> None:
    assert check(growth=None) == ()


def grown(*steps: Tree) -> Tree:
    return {**HELD["growth"], "months": 24, "model_mix": list(steps)}


def test_a_step_of_the_mix_is_clean() -> None:
    assert check(growth=grown({"month": 12, "workload": "free", "ladder": ["large"]})) == ()


@pytest.mark.parametrize(
    ("step", "code", "path"),
    [
        ({"workload": "fre"}, "UNKNOWN_NAME", ".workload"),
        ({"ladder": ["smal"]}, "UNKNOWN_NAME", ".ladder[0]"),
        ({"ladder": ["small", "small"]}, "LADDER_REPEATED", ".ladder"),
        ({"ladder": ["small", "film"]}, "LADDER_MIXED", ".ladder"),
        ({"ladder": ["film"]}, "LADDER_MIXED", ".ladder"),
        ({"workload": "chat"}, "QUALITY_FLOOR_UNREACHABLE", ".ladder"),
        ({"month": 24}, "MIX_AFTER_PATH", ".month"),
    ],
)
def test_a_step_of_the_mix_that_cannot_be(step: Tree, code: str, path: str) -> None:
    mix = {"month": 12, "workload": "free", "ladder": ["small"]} | step
    finding = only(growth=grown(mix))
    assert (finding.code, finding.path) == (code, f"growth.model_mix[0]{path}")


def test_two_steps_of_one_month() -> None:
    step = {"month": 12, "workload": "free", "ladder": ["small"]}
    finding = only(growth=grown(step, step | {"ladder": ["large"]}, step | {"month": 13}))
    assert told(finding) == ("error", "MIX_TWICE", "growth.model_mix[1]")


# ---- restraint -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("restraint", "severity", "code", "path"),
    [
        ({"tier": "fre", "must_serve": False}, "error", "UNKNOWN_NAME", ".tier"),
        ({"tier": "free", "ladder": ["smal"]}, "error", "UNKNOWN_NAME", ".ladder[0]"),
        ({"tier": "free", "ladder": ["large", "large"]}, "error", "LADDER_REPEATED", ".ladder"),
        ({"tier": "free", "ladder": ["large", "film"]}, "error", "LADDER_MIXED", ".ladder"),
        ({"tier": "free", "ladder": ["film"]}, "error", "LADDER_MIXED", ".ladder"),
        ({"tier": "films", "ladder": ["small"]}, "error", "LADDER_MIXED", ".ladder"),
        ({"tier": "chat", "ladder": ["small"]}, "error", "QUALITY_FLOOR_UNREACHABLE", ".ladder"),
        ({"tier": "chat", "deadline_s": 60}, "error", "PRIORITY_WAITS", ".deadline_s"),
        ({"tier": "films", "cap_ratio": 3}, "error", "CAP_WITHOUT_TAIL", ".cap_ratio"),
        ({"tier": "free", "must_serve": False}, "warning", "RESTRAINT_CHANGES_NOTHING", ""),
        ({"tier": "free", "ladder": ["small"]}, "warning", "RESTRAINT_CHANGES_NOTHING", ""),
        ({"tier": "films", "deadline_s": 28800}, "warning", "RESTRAINT_CHANGES_NOTHING", ""),
    ],
)
def test_a_restraint_that_cannot_be(restraint: Tree, severity: str, code: str, path: str) -> None:
    finding = only(restraint=[restraint])
    assert told(finding) == (severity, code, f"restraint[0]{path}")


@pytest.mark.parametrize(
    "restraint",
    [
        {"tier": "free", "deadline_s": 3600},
        {"tier": "free", "ladder": ["large", "small"]},
        {"tier": "chat", "must_serve": False},
        {"tier": "chat", "must_serve": False, "deadline_s": 0},
        {"tier": "films", "deadline_s": 57600},
    ],
)
def test_a_restraint_that_changes_something_is_clean(restraint: Tree) -> None:
    assert check(restraint=[restraint]) == ()


def test_a_cap_names_what_the_tier_leaves_out() -> None:
    none = only(restraint=[{"tier": "films", "cap_ratio": 3}])
    assert "state users" in none.reason and "top_tenth_share" not in none.reason
    even = only(put("tiers.2.users", {"count": 3_000_000}))
    assert "state users.top_tenth_share" in even.reason
    assert (even.value, even.unit) == ("3", "times the mean")


def test_two_restraints_of_one_tier() -> None:
    both = [{"tier": "free", "cap_ratio": 3}, {"tier": "free", "deadline_s": 60}]
    finding = only(restraint=both)
    assert told(finding) == ("error", "RESTRAINT_TWICE", "restraint[1]")


# ---- presets -------------------------------------------------------------------------------


def test_a_checked_preset_is_clean() -> None:
    assert check(presets=["gemini_prompt"]) == ()


def test_presets_are_held_against_the_catalogue_and_the_horizon() -> None:
    """The horizon starts on 2 March 2026: what is of October 2023 is over 24 months old."""
    found = [told(finding) for finding in check(presets=["copilot_2023", "no_such"])]
    assert found == [
        ("error", "UNKNOWN_NAME", "presets[1]"),
        ("warning", "PRESET_UNVERIFIED", "presets[0]"),
        ("warning", "PRESET_STALE", "presets[0]"),
    ]


def test_presets_in_another_money_are_refused_and_figures_of_energy_are_not() -> None:
    found = check(currency="EUR", presets=["gemini_prompt", "openai_inference"])
    errors = [finding for finding in found if finding.severity == "error"]
    assert [told(finding) for finding in errors] == [("error", "CURRENCY_MIXED", "presets[1]")]
    assert (errors[0].value, errors[0].limit) == ("USD", "EUR")


def test_a_preset_that_was_refused_has_no_money() -> None:
    found = check(currency="EUR", presets=["chatgpt_prompt"])
    assert [finding.code for finding in found if finding.severity == "error"] == [
        "PRESET_UNVERIFIED"
    ]


# ---- all at once ---------------------------------------------------------------------------


def test_every_fault_is_told_at_once() -> None:
    found = check(
        without_users,
        restraint=[{"tier": "chat", "deadline_s": 60}, {"tier": "free", "cap_ratio": 3}],
        presets=["no_such"],
    )
    assert {finding.code for finding in found} == {
        "PRIORITY_WAITS", "CAP_WITHOUT_TAIL", "UNKNOWN_NAME", "GROWTH_WITHOUT_USERS",
    }  # fmt: skip

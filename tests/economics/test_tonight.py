"""Go on, restrain or suspend: worked out on paper for the company of `crowd`."""

from dataclasses import replace

import pytest
import worlds
from economics.crowd import crowd

from tokenergy.dispatch.world import World
from tokenergy.economics.tonight import Option, free_tiers, needed_share, options, says

HOURS_IN_YEAR = 8760.0


def with_free_users(*, free_asks: float = 60.0, must_serve: bool = True) -> World:
    """100 paying users ask for 60 Mtok/h, 900 free ones for `free_asks`; a free Mtok is worth 6."""
    users = {"count": 100, "top_tenth_share": 0.5}
    paid = worlds.tier_dict(
        "tier0", users=users, price_usd_per_mtok=None, price_usd_per_user_month=2000.0,
        must_serve=True,
    )  # fmt: skip
    free = worlds.tier_dict(
        "tier1", users={"count": 900}, price_usd_per_mtok=0.0, must_serve=must_serve,
        value=None, from_conversion={"uplift_share": 0.001, "ltv_usd": 1.0},
    )  # fmt: skip
    loads = (
        worlds.workload("paid", value=9.0),
        replace(
            worlds.workload("free", value=6.0, tier_index=1, must_serve=must_serve),
            price_usd_per_mtok=0.0,
        ),
    )
    asked = [[60.0] * 8, [free_asks] * 8]
    return crowd(loads=loads, arrivals=asked, tiers=[paid, free], by_the_hour=1e4)


def test_the_three_options_by_hand() -> None:
    """120 Mtok/h on reserved GPUs for 100: 20 go to GPUs by the hour at 8 USD, 100 cost 3.

    Go on: 2,400,000 - 175,200 - 8,760 (100 x 3 + 20 x 8) = -1,804,800 USD; belief 60 x 6 an hour.
    Restrain (free may be refused: 6 USD is less than 8): 2,400,000 - 175,200 - 8,760 x 300 =
    -403,200; 40 of 60 are made. Suspend: 60 x 3: +648,000, and no belief.
    """
    today, limited = with_free_users(), with_free_users(must_serve=False)
    go_on, restrain, suspend = options(today, limited)
    assert [o.choice for o in (go_on, restrain, suspend)] == ["go on", "restrain", "suspend"]
    assert go_on.profit_usd_per_year == pytest.approx(-1_804_800.0)
    assert restrain.profit_usd_per_year == pytest.approx(-403_200.0)
    assert suspend.profit_usd_per_year == pytest.approx(648_000.0)
    assert go_on.conversions_usd_per_year == pytest.approx(60 * 6 * HOURS_IN_YEAR)
    assert restrain.free_served_share == pytest.approx(40 / 60)
    assert (suspend.conversions_usd_per_year, suspend.free_served_share) == (0.0, 0.0)


def test_what_has_to_be_true_by_hand() -> None:
    """Belief: go on 1,348,800, restrain 1,699,200, suspend 648,000: restrain, by belief.

    It lies 1,051,200 behind in cash for 40 x 6 x 8,760 = 2,102,400 of belief: half has to come.
    """
    found = options(with_free_users(), with_free_users(must_serve=False))
    assert needed_share(found[2], found[1]) == pytest.approx(0.5)
    lines = list(says(found, currency="EUR"))
    assert lines[-1] == (
        "Tonight, by cash: suspend. To restrain is better only if at least 50% of those "
        "subscriptions come."
    )
    assert all("EUR a year" in line for line in lines[:-1])
    words = ("go on loses 1,804,800 EUR", "restrain loses 403,200 EUR", "suspend earns 648,000 EUR")
    assert all(text in line for text, line in zip(words, lines, strict=False))


def test_a_belief_of_which_cash_has_a_part_needs_that_much_more() -> None:
    """10 of cash behind for 50 - 30 of belief more: half of that difference has to come."""
    ahead, behind = (
        Option(
            choice=choice,
            profit_usd_per_year=profit,
            conversions_usd_per_year=belief,
            free_served_share=1.0,
        )
        for choice, profit, belief in (("restrain", 100.0, 30.0), ("go on", 90.0, 50.0))
    )
    assert needed_share(ahead, behind) == pytest.approx(0.5)


def test_a_free_tier_that_costs_nothing_worth_saying_is_a_tie() -> None:
    """Without a free request nothing differs, and no choice is told as the better one."""
    found = options(with_free_users(free_asks=0.0), None)
    assert [option.choice for option in found] == ["go on", "suspend"]
    assert found[0].profit_usd_per_year == pytest.approx(found[1].profit_usd_per_year)
    assert list(says(found, currency="USD"))[-1] == (
        "Tonight: to go on and to suspend come to the same, by cash and by what is believed."
    )


def test_nobody_is_suspended_where_nobody_is_free() -> None:
    assert free_tiers(crowd()) == frozenset()
    assert options(crowd(), None) == ()
    assert list(says((), currency="USD")) == []


def test_a_tie_by_cash_is_decided_by_belief_and_told() -> None:
    """Both lose 5 a year; to go on brings 3 in subscriptions to come, to suspend none."""
    going, ended = (
        Option(
            choice=choice,
            profit_usd_per_year=-5.0,
            conversions_usd_per_year=conversions,
            free_served_share=share,
        )
        for choice, conversions, share in (("go on", 3.0, 1.0), ("suspend", 0.0, 0.0))
    )
    assert list(says((ended, going), currency="USD"))[-1] == (
        "Tonight: go on, by cash and by what is believed (by cash alone to suspend and to go on "
        "come to the same)."
    )

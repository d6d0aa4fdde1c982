"""Wheels: credits sum to 0, stay within their bounds, and turn by the shares in the long run."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenergy.routing.ties import Wheel, corrected, fresh_wheel, left_by, turn_of, turned

shares = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=6).filter(lambda each: sum(each) > 0.01)
sizes = st.lists(st.integers(1, 4_000), min_size=1, max_size=60)


def normed(weights: list[float]) -> tuple[float, ...]:
    return tuple(weight / sum(weights) for weight in weights)


@settings(max_examples=50, deadline=None)
@given(st.data(), sizes)
def test_credits_sum_to_nothing_and_stay_within_bounds(
    data: st.DataObject, tokens: list[int]
) -> None:
    """For K members and w the largest request every credit is in (-w, (K - 1) w).

    The shares change from request to request, as loads do: the bounds hold all the same.
    """
    count = data.draw(st.integers(1, 6))
    rows = st.lists(st.floats(0.0, 1.0), min_size=count, max_size=count)
    wheel = fresh_wheel(count)
    for size in tokens:
        mine = normed(data.draw(rows.filter(lambda each: sum(each) > 0.01)))
        chosen = turn_of(wheel, mine, float(size))
        wheel = turned(wheel, mine, chosen=chosen, tokens_count=float(size))
        largest = wheel.largest_tokens
        assert largest == max(largest, size)
        assert math.isclose(sum(wheel.credits_tokens), 0.0, abs_tol=1e-6)
        assert all(-largest - 1e-6 < each for each in wheel.credits_tokens)
        assert all(each < (count - 1) * largest + 1e-6 for each in wheel.credits_tokens)


@settings(max_examples=100, deadline=None)
@given(shares, sizes, st.integers(200, 400))
def test_tokens_follow_the_shares_in_the_long_run(
    weights: list[float], tokens: list[int], turns: int
) -> None:
    """What each got differs from its share by its credit, so by less than (K - 1) w."""
    mine = normed(weights)
    wheel, got = fresh_wheel(len(mine)), [0.0] * len(mine)
    total = 0.0
    for at in range(turns):
        size = float(tokens[at % len(tokens)])
        chosen = turn_of(wheel, mine, size)
        got[chosen] += size
        total += size
        wheel = turned(wheel, mine, chosen=chosen, tokens_count=size)
    for share, each in zip(mine, got, strict=True):
        assert abs(each - share * total) <= (len(mine) - 1) * max(tokens) + 1e-6 * total
        if share == 0.0:
            assert each == 0.0


def test_the_turns_of_two_to_one() -> None:
    """Shares 2/3 and 1/3, equal requests of 3: gains 2 and 1.

    (2, 1) -> first pays: (-1, 1). (1, 2) -> second: (1, -1). (3, 0) -> first: (0, 0). So
    first, second, first, and over again: spread out, not two in a row and then one.
    """
    mine, wheel, order = (2 / 3, 1 / 3), fresh_wheel(2), []
    for _ in range(6):
        chosen = turn_of(wheel, mine, 3.0)
        order.append(chosen)
        wheel = turned(wheel, mine, chosen=chosen, tokens_count=3.0)
    assert order == [0, 1, 0, 0, 1, 0]


def test_a_usage_corrects_what_was_expected() -> None:
    """Expected 100 at shares of a half, chosen 0: (-50, 50). It took 160: as if 160 had turned."""
    mine = (0.5, 0.5)
    guessed = turned(fresh_wheel(2), mine, chosen=0, tokens_count=100.0)
    true = turned(fresh_wheel(2), mine, chosen=0, tokens_count=160.0)
    assert guessed.credits_tokens == (-50.0, 50.0)
    after = corrected(guessed, mine, chosen=0, expected_tokens=100.0, true_tokens=160.0)
    assert after == true == Wheel((-80.0, 80.0), 160.0)


def test_who_leaves_gives_credit_back_in_proportion() -> None:
    """(60, -20, -40): the first is owed 60, which goes to the debtors as 20 and 40."""
    assert left_by(Wheel((60.0, -20.0, -40.0), 50.0), 0).credits_tokens == (0.0, 0.0)
    # The second owes 20: it is taken from the only one that is owed.
    after = left_by(Wheel((60.0, -20.0, -40.0), 50.0), 1).credits_tokens
    assert after == pytest.approx((40.0, -40.0))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-100.0, 100.0), min_size=2, max_size=6), st.integers(0, 5))
def test_leaving_keeps_the_sum_and_crosses_nobody(parts: list[float], leaving: int) -> None:
    credits = [*parts, -sum(parts)]
    at = leaving % len(credits)
    after = left_by(Wheel(tuple(credits), 100.0), at).credits_tokens
    rest = [credit for index, credit in enumerate(credits) if index != at]
    assert math.isclose(sum(after), 0.0, abs_tol=1e-9)
    for was, now in zip(rest, after, strict=True):
        assert abs(now) <= abs(was) + 1e-9
        assert was * now >= -1e-9

"""Ties: several places cost the same, and share the work by smooth weighted round robin on tokens.

Each member of a tie gains `share x tokens`, the one with the largest credit is chosen and pays
`tokens` (gateway sheet, section 3.2). Credits sum to 0 and every one stays in
`(-w, (K - 1) w)` for K members and w the largest request: whatever the shares are from request to
request, the chosen one has at least `tokens / K` after the gain, so it pays down to above -w, and
what sums to 0 with K - 1 others above -w is below (K - 1) w. In the long run shares of tokens are
those of the weights. Every set of members has a wheel of its own: a member that is full for a
while takes its credit up again when the set is whole.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Wheel(NamedTuple):
    """Credits of the members of one tie, in their order.

    Attributes:
        credits_tokens: who is owed how much; they sum to 0.
        largest_tokens: w, the largest request that turned it.
    """

    credits_tokens: tuple[float, ...]
    largest_tokens: float = 0.0


def fresh_wheel(members_count: int) -> Wheel:
    """Return a wheel that nobody is owed anything on."""
    return Wheel((0.0,) * members_count)


def turn_of(wheel: Wheel, token_share: Sequence[float], tokens_count: float) -> int:
    """Return whose turn it is: the largest credit after the gain, the first of equals."""
    gained = [
        credit + share * tokens_count
        for credit, share in zip(wheel.credits_tokens, token_share, strict=True)
    ]
    return gained.index(max(gained))


def turned(
    wheel: Wheel, token_share: Sequence[float], *, chosen: int, tokens_count: float
) -> Wheel:
    """Return the wheel after a request: all gain by their share, the chosen one pays."""
    credits = [
        credit + share * tokens_count
        for credit, share in zip(wheel.credits_tokens, token_share, strict=True)
    ]
    credits[chosen] -= tokens_count
    return Wheel(tuple(credits), max(wheel.largest_tokens, tokens_count))


def corrected(
    wheel: Wheel,
    token_share: Sequence[float],
    *,
    chosen: int,
    expected_tokens: float,
    true_tokens: float,
) -> Wheel:
    """Return the wheel when a request turned out to be of another size: the rest is settled."""
    more = true_tokens - expected_tokens
    credits = [
        credit + share * more
        for credit, share in zip(wheel.credits_tokens, token_share, strict=True)
    ]
    credits[chosen] -= more
    return Wheel(tuple(credits), max(wheel.largest_tokens, true_tokens))


def left_by(wheel: Wheel, leaving: int) -> Wheel:
    """Return the wheel without one member, whose credit goes back in proportion.

    What it was owed goes to those that owe, what it owed is taken from those that are owed, each
    in proportion: so nobody crosses 0, and the bounds hold on.
    """
    given = wheel.credits_tokens[leaving]
    rest = [credit for at, credit in enumerate(wheel.credits_tokens) if at != leaving]
    other_side = sum(credit for credit in rest if credit * given < 0.0)
    if other_side:
        part = given / other_side  # negative: both signs differ; at least -1, since all sum to 0
        rest = [credit * (1.0 + part) if credit * given < 0.0 else credit for credit in rest]
    elif rest:
        rest = [credit + given / len(rest) for credit in rest]  # rounding dust
    return Wheel(tuple(rest), wheel.largest_tokens)

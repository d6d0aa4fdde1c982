"""Who holds a tier: how many users, what else they bring, and how unevenly they use it."""

from typing import Annotated

from pydantic import Field

from tokenergy.company.noun import NonNegative, Noun, Positive, Share

TopTenthShare = Annotated[float, Field(ge=0.1, lt=1.0)]
"""Part that the top tenth holds: 0.1 is even; the lognormal of that tail stands for the rest."""


class Users(Noun):
    """The users of one tier: what growth multiplies, and whose margins are counted."""

    count: int = Field(gt=0)
    """Users that ask for the tier's workloads today; demand grows in proportion to them."""
    top_tenth_share: TopTenthShare | None = None
    """Part of the tier's tokens that its heaviest tenth of users asks for; null: only a ledger
    with users can tell margins by user."""
    other_usd_per_user_month: NonNegative = 0.0
    """Revenue of a user beside the tier's price, e.g. advertising."""
    churn_share_per_month: Share | None = None
    """Part of the users that leave in a month; null: no lifetime value is told."""
    acquisition_usd_per_user: NonNegative | None = None
    """Cost of winning a user; null: no payback is told."""


class UsersAt(Noun):
    """A number of users at a month of a growth path."""

    month: Annotated[float, Field(ge=0.0, le=600.0)]
    """Months after the start of the horizon."""
    users_ratio: Positive
    """Users then over users today."""


class Logistic(Noun):
    """Growth that slows as it nears a limit: N(t) = limit / (1 + (limit - 1) exp(-rate t))."""

    limit_ratio: Positive
    """Most users there will ever be over users today."""
    rate_share_per_year: Positive
    """Growth rate while the limit is far away, per year (logarithmic)."""

"""How a company grows: its users, what they ask for, what they pay, and its capacity."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tokenergy.company.noun import Name, NonNegative, Noun
from tokenergy.company.users import Logistic, UsersAt


class MixStep(Noun):
    """From a month on, other models answer a workload."""

    month: Annotated[float, Field(ge=0.0, le=600.0)]
    """First month in which the ladder holds."""
    workload: Name
    ladder: tuple[Name, ...] = Field(min_length=1)
    """Models that answer from then on, best first."""


class Growth(Noun):
    """The path of users, and three knobs that are never one "price decline".

    What a token sells for, how many tokens a user asks for, and which models answer move apart
    from each other (economics sheet, section 5). Every knob that is left out stands still, and
    the output says so.
    """

    months: int = Field(default=36, gt=0, le=240)
    """Length of the path."""
    logistic: Logistic | None = None
    """A path of users by its limit and its rate."""
    users: tuple[UsersAt, ...] | None = None
    """A path of users by points, linear between and flat outside."""
    capacity: Literal["stands", "follows"] = "follows"
    """`stands`: fleets and connections stay as the file has them; `follows`: they grow with the
    users, at the file's own prices, contracts apart: those stay as signed."""
    lead_time_months: NonNegative = 0.0
    """Months by which capacity follows the users: what binds in between is scarce."""
    token_price_decline_share_per_year: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """What a token of constant capability sells for falls by this share each year."""
    tokens_per_user_growth_share_per_year: Annotated[float, Field(gt=-1.0)] = 0.0
    """What a user asks for rises by this share each year: longer tasks, rebound."""
    price_elasticity_ratio: NonNegative = 0.0
    """Per cent more tokens for each per cent that their price falls; 0: demand does not answer."""
    model_mix: tuple[MixStep, ...] = ()
    """Other models from a month on, by workload."""

    @model_validator(mode="after")
    def _one_path(self) -> Self:
        if (self.logistic is None) == (self.users is None):
            raise ValueError("growth states exactly one path of users: logistic or users")
        if self.users is not None:
            months = [point.month for point in self.users]
            if not months or months != sorted(set(months)):
                raise ValueError("points of users must rise in month, each month once")
        if self.capacity == "stands" and self.lead_time_months:
            raise ValueError("lead_time_months belongs to capacity: follows")
        return self

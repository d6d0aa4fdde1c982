"""What a request is worth, and how long it may wait."""

from typing import Literal, Self

from pydantic import Field, model_validator

from tokenergy.company.noun import Name, NonNegative, Noun, Positive, Share
from tokenergy.company.series import LengthsFile, SeriesSource
from tokenergy.company.users import TopTenthShare, Users


class ConversionValue(Noun):
    """A free request is worth the subscriptions that it brings."""

    uplift_share: Share
    """Probability that one more request turns a user into a subscriber."""
    ltv_usd: NonNegative
    """Lifetime value of a subscriber."""


class Tier(Noun):
    """A promise and its price: limits, deadline, quality, and the value of keeping it."""

    name: Name
    service_tier: Literal["priority", "default", "flex", "batch"]
    """What APIs call such a promise; `priority` never waits. The limits below decide the rest."""
    ttft_limit_s: Positive
    """Time to first token (media: to the finished item), network included."""
    tpot_limit_s: Positive
    """Time per output token; ignored for media."""
    deadline_s: NonNegative = 0.0
    """How long work may wait before it is served; 0: never."""
    quality_floor_share: Share = 0.0
    """Least mean quality that the tier promises."""
    must_serve: bool = False
    """Whether refused work is a Finding and not a choice."""
    survives: Literal["any_one_site"] | None = None
    """Whether its work has to stay servable with any one site dark; null: no such promise."""
    price_usd_per_mtok: NonNegative | None = None
    """What the user pays per Mtok of output; exactly one price is stated, 0 for free."""
    price_usd_per_request: NonNegative | None = None
    """What the user pays per request."""
    price_usd_per_user_month: NonNegative | None = None
    """What a user pays per month, however much is asked for; needs `users`."""
    value_usd_per_mtok: NonNegative | None = None
    """What serving is worth per Mtok; exactly one form of value is stated."""
    value_usd_per_request: NonNegative | None = None
    """What serving is worth per request."""
    value: Literal["from_price"] | None = None
    """Worth what is paid for it."""
    from_conversion: ConversionValue | None = None
    """Worth the conversions it brings."""
    value_top_tenth_share: TopTenthShare | None = None
    """Part of the tier's value that the most valuable tenth of its requests holds; null: every
    request is worth the same."""
    users: Users | None = None
    """Who holds the tier; null: it does not grow with users, and has no margin by user."""
    fixed_usd_per_year: NonNegative = 0.0
    """Staff and contracts for this tier alone, only in full cost."""

    @property
    def is_free(self) -> bool:
        """Whether its users pay nothing."""
        return not any(self._paid_usd)

    @property
    def _paid_usd(self) -> tuple[float | None, ...]:
        return (
            self.price_usd_per_mtok,
            self.price_usd_per_request,
            self.price_usd_per_user_month,
        )

    @model_validator(mode="after")
    def _one_value_and_one_price(self) -> Self:
        forms = (
            self.value_usd_per_mtok,
            self.value_usd_per_request,
            self.value,
            self.from_conversion,
        )
        stated = sum(form is not None for form in forms)
        if stated != 1:
            raise ValueError(
                f"a tier states exactly one value, this one states {stated}: value_usd_per_mtok, "
                "value_usd_per_request, value: from_price, or from_conversion"
            )
        prices = sum(price is not None for price in self._paid_usd)
        if prices != 1:
            raise ValueError(
                f"a tier states exactly one price, this one states {prices}: price_usd_per_mtok, "
                "price_usd_per_request or price_usd_per_user_month (0 for a free tier)"
            )
        if self.price_usd_per_user_month is not None and self.users is None:
            raise ValueError("a price per user and month needs users: {count: ...}")
        if self.service_tier == "priority" and self.deadline_s:
            raise ValueError("service_tier priority never waits: deadline_s must be 0")
        return self


class ArrivalShape(Noun):
    """A day and a week of demand from the synthetic feed, around a mean."""

    synthetic: Literal["demand"]
    utc_offset_h: float = Field(ge=-12.0, le=14.0)
    """Local time of the users, hours ahead of UTC."""
    daily_swing_share: Share = 0.5
    """How far a day swings about its mean: the peak rises by nearly this share."""
    weekend_share: NonNegative = 0.8
    """Weekend demand over weekday demand."""
    noise_share: Share = 0.05
    """Standard deviation of the logarithm of the slow noise on top."""


class Arrivals(Noun):
    """How many requests arrive: a mean rate with a shape, or a series of rates."""

    mean_requests_per_s: Positive | None = None
    """Mean rate over the series; null: the series is the rate itself."""
    shape: ArrivalShape | None = None
    """Synthetic day and week around the mean."""
    series: SeriesSource | None = None
    """Requests per second, or (with a mean) any series in proportion to them."""

    @model_validator(mode="after")
    def _a_rate_can_be_told(self) -> Self:
        if self.shape is not None and self.series is not None:
            raise ValueError("arrivals have a shape or a series, not both")
        if self.series is None and self.mean_requests_per_s is None:
            raise ValueError(
                "arrivals need mean_requests_per_s, or a series of requests per second"
            )
        return self


class Workload(Noun):
    """Arrivals of one tier from one region, with one mix of lengths."""

    name: Name
    tier: Name
    origin: Name
    """Region that the requests come from."""
    arrivals: Arrivals
    input_tokens: Positive | None = None
    """Mean uncached input tokens of a request (language models)."""
    output_tokens: Positive | None = None
    """Mean output tokens of a request (language models)."""
    lengths: LengthsFile | None = None
    """A trace whose means stand in for the two figures above."""
    items_per_request: Positive = 1.0
    """Images or videos per request (media models)."""
    ladder: tuple[Name, ...] = Field(min_length=1)
    """Models that may answer, best first; the first is what was asked for."""

    @model_validator(mode="after")
    def _lengths_once(self) -> Self:
        tokens = (self.input_tokens is not None, self.output_tokens is not None)
        if self.lengths is not None and any(tokens):
            raise ValueError("lengths come from the trace or from the two means, not both")
        if tokens[0] != tokens[1]:
            raise ValueError("state input_tokens and output_tokens together")
        if len(set(self.ladder)) != len(self.ladder):
            raise ValueError("a ladder names each model once")
        return self

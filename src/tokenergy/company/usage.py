"""A row of usage: the tokens that one tenant was given in one span, as a bill or log tells it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """Tokens of one tenant and model in `[start, end)`, UTC.

    Attributes:
        tenant: project, team or user; a key is only here as a hash.
        tier: the service tier in the company's words, "" where the source has none.
        input_tokens: all input tokens, cached ones included.
        cached_input_tokens: those of them that a cache answered.
        output_tokens: all output tokens, reasoning included.
        requests_count: requests; None where the source does not count them.
        spend_usd: what the source says was charged; None where it says nothing.
        source: file and row, e.g. `usage.csv:17`.
    """

    start: datetime
    end: datetime
    model: str
    tenant: str = ""
    tier: str = ""
    input_tokens: int
    cached_input_tokens: int = 0
    output_tokens: int
    requests_count: int | None = None
    spend_usd: float | None = None
    source: str = ""

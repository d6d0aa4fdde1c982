"""What was used and charged, as the gateway's read-only endpoints ask the ledger for it."""

from typing import Any, Literal, NamedTuple, Protocol

UsageColumn = Literal["tenant", "key_id", "user_hash", "model", "tier", "batch", "line_item"]
"""What usage and costs are told apart by; `line_item` is of costs alone, `batch` is "true" or
"false"."""


class UsageAsked(NamedTuple):
    """A question about a span of time.

    Attributes:
        start_s, end_s: requests that began in `[start_s, end_s)`, seconds since the Unix epoch.
        bucket_s: length of a bucket; their edges are whole multiples of it since the epoch, so that
            the first and the last may be shorter.
        by: columns that tell rows of one bucket apart.
        only: by column, the values that count; a column that is not in it: all of them.
    """

    start_s: int
    end_s: int
    bucket_s: int
    by: tuple[UsageColumn, ...] = ()
    only: tuple[tuple[UsageColumn, tuple[str, ...]], ...] = ()


class UsageRow(NamedTuple):
    """What one group used in one bucket; whole tokens.

    Attributes:
        bucket: counted from 0.
        group: values in the order of `UsageAsked.by`; None: it is not known any more.
        input_tokens: cached ones included.
    """

    bucket: int
    group: tuple[str | None, ...]
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    requests_count: int


class CostRow(NamedTuple):
    """What one group was charged in one bucket.

    Attributes:
        nano_usd: whole nano-dollars; > 0: the tenant pays.
        quantity: tokens, or requests where it is a charge by request.
        unit: `tokens` or `requests`, where all of the group have one; else "".
    """

    bucket: int
    group: tuple[str | None, ...]
    nano_usd: int
    quantity: int
    unit: str


class UsageRows(Protocol):
    """Reads what the projector wrote. It may wait for the disk; StoreFault if it cannot read."""

    def usage(self, asked: UsageAsked) -> tuple[UsageRow, ...]:
        """Return tokens and requests by bucket and group, in that order."""
        ...

    def costs(self, asked: UsageAsked) -> tuple[CostRow, ...]:
        """Return charges by bucket and group, in that order."""
        ...

    def request(self, tenant: str, request_id: str) -> dict[str, Any] | None:
        """Return what the ledger says about one request of a tenant, or None."""
        ...

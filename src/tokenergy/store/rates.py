"""Rate limits of tenants: token buckets of a minute, shared by all workers through the leases."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tokenergy.company.serving.plan import TenantPlan
from tokenergy.company.serving.ports import RateTold
from tokenergy.store.lease_file import RATE_UNIT, LeaseFile
from tokenergy.units import S_PER_H

IDLE_S: Final = 1.0
DRY_S: Final = 0.05
S_PER_MIN: Final = S_PER_H / 60.0
NEVER_S: Final = float("-inf")


@dataclass(slots=True, eq=False)
class Bucket:
    """What this worker holds of one rate of a tenant.

    Attributes:
        kind: requests or tokens.
        limit: in a minute.
        left: drawn and not taken yet.
        level: of the shared bucket when it was last seen, in 60,000ths.
        drawn_s: when it was drawn on.
        dry_need, dry_until_s: what was not there a moment ago.
    """

    kind: str
    limit: int
    left: int = 0
    level: int = -1
    drawn_s: float = NEVER_S
    dry_need: int = 0
    dry_until_s: float = NEVER_S

    @property
    def seen(self) -> int:
        """What may still be taken, as this worker sees it."""
        shared = self.limit if self.level < 0 else self.level // RATE_UNIT
        return min(self.limit, self.left + shared)

    def wait_s(self, needed: int) -> float:
        """Return how long it takes until so much is there."""
        missing = needed * RATE_UNIT - self.left * RATE_UNIT - max(0, self.level)
        return max(0.0, missing / RATE_UNIT / self.limit * S_PER_MIN)


class Rates:
    """The buckets of all tenants that have a limit."""

    def __init__(self, file: LeaseFile, tenants: Iterable[TenantPlan]) -> None:
        """Hold nothing yet.

        Args:
            file: where the shared buckets are.
            tenants: of the plan.
        """
        self._file = file
        self._buckets: dict[str, tuple[Bucket | None, Bucket | None]] = {}
        for tenant in tenants:
            requests, tokens = tenant.requests_per_min, tenant.tokens_per_min
            if requests is not None or tokens is not None:
                self._buckets[tenant.name] = (
                    None if requests is None else Bucket("requests", requests),
                    None if tokens is None else Bucket("tokens", tokens),
                )

    def has(self, tenant: str) -> bool:
        """Tell whether a tenant has any limit."""
        return tenant in self._buckets

    def holds(self, tenant: str, requests_count: int, tokens_count: int) -> bool:
        """Tell whether so much can be taken without asking the file."""
        pair = zip(self._buckets[tenant], (requests_count, tokens_count), strict=True)
        return all(bucket is None or bucket.left >= needed for bucket, needed in pair)

    def take(
        self, tenant: str, requests_count: int, tokens_count: int, *, now_s: float
    ) -> RateTold:
        """Take of both rates, or of none.

        A request of more tokens than a minute has takes the whole minute's: it would never pass
        otherwise.

        Raises:
            StoreFault: if the file has to be asked and cannot.
        """
        requests, tokens = self._buckets[tenant]
        taken: list[tuple[Bucket, int]] = []
        wait_s = 0.0
        for bucket, count in ((requests, requests_count), (tokens, tokens_count)):
            if bucket is None or count <= 0:
                continue
            needed = min(count, bucket.limit)
            if bucket.left < needed and not self._has_drawn(tenant, bucket, needed, now_s):
                wait_s = max(wait_s, bucket.wait_s(needed), DRY_S)
                continue
            taken.append((bucket, needed))
        if wait_s == 0.0:
            for bucket, needed in taken:
                bucket.left -= needed
        return RateTold(
            wait_s == 0.0,
            None if requests is None else requests.limit,
            None if requests is None else requests.seen,
            None if tokens is None else tokens.limit,
            None if tokens is None else tokens.seen,
            wait_s,
        )

    def return_idle(self, *, now_s: float) -> None:
        """Give back what was drawn and not taken for a while.

        Raises:
            StoreFault: if the file cannot be asked.
        """
        self._return(now_s, since_s=now_s - IDLE_S)

    def return_all(self, *, now_s: float) -> None:
        """Give back all that was drawn and not taken.

        Raises:
            StoreFault: if the file cannot be asked.
        """
        self._return(now_s, since_s=now_s)

    def _return(self, now_s: float, *, since_s: float) -> None:
        for tenant, pair in self._buckets.items():
            for bucket in pair:
                if bucket is not None and bucket.left and bucket.drawn_s <= since_s:
                    drawn = self._file.draw(
                        tenant, bucket.kind, limit_per_min=bucket.limit, needed=-bucket.left,
                        mine=bucket.left, now_s=now_s,
                    )  # fmt: skip
                    bucket.left, bucket.level = 0, drawn.level

    def _has_drawn(self, tenant: str, bucket: Bucket, needed: int, now_s: float) -> bool:
        """Draw on the shared bucket, and tell whether so much can be taken now."""
        missing = needed - bucket.left
        if bucket.dry_need and missing >= bucket.dry_need and now_s < bucket.dry_until_s:
            return False
        drawn = self._file.draw(
            tenant, bucket.kind, limit_per_min=bucket.limit, needed=missing, mine=bucket.left,
            now_s=now_s,
        )  # fmt: skip
        bucket.left += drawn.granted
        bucket.level, bucket.drawn_s = drawn.level, now_s
        if bucket.left >= needed:
            bucket.dry_need = 0
            return True
        bucket.dry_need, bucket.dry_until_s = missing, now_s + DRY_S
        return False

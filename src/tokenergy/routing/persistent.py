"""A mapping that never changes: a changed copy shares all of it but a small part."""

from collections.abc import Hashable
from typing import Any, Final, Generic, NamedTuple, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
BUCKETS_COUNT: Final = 64


class Kept(NamedTuple, Generic[Key, Value]):
    """Entries in buckets by hash; putting one in copies its bucket and the row of buckets.

    Attributes:
        buckets: none of them is ever changed.
        entries_count: entries in all.
    """

    buckets: tuple[dict[Key, Value], ...]
    entries_count: int

    def get(self, key: Key) -> Value | None:
        """Return what stands under a key, None where nothing does."""
        return self.buckets[hash(key) % BUCKETS_COUNT].get(key)

    def put(self, key: Key, value: Value) -> "Kept[Key, Value]":
        """Return the mapping with one entry more, or another value in it."""
        buckets = self.buckets
        at = hash(key) % BUCKETS_COUNT
        bucket = buckets[at]
        more = key not in bucket
        changed = {**bucket, key: value}
        return Kept(
            buckets[:at] + (changed,) + buckets[at + 1 :],  # noqa: RUF005 - three times as fast
            self.entries_count + more,
        )


EMPTY: Final[Kept[Any, Any]] = Kept(({},) * BUCKETS_COUNT, 0)
"""Nothing is kept yet."""

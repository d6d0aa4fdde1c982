"""Affinity: where each conversation was answered last, and how much of it lies in a cache there.

Bounded by tenant, so that none can push the others out. The least recently used go first, by two
generations: what is used enters the young one; when that holds half of the bound, it becomes the
old one, and what was not used since is forgotten. A change copies a few words (`persistent`).
"""

from collections.abc import Hashable
from typing import Final, NamedTuple

from tokenergy.routing.persistent import EMPTY, Kept

SESSIONS_LIMIT: Final = 4096
"""Conversations remembered of one tenant."""


class LastPlace(NamedTuple):
    """Where a conversation was answered last.

    Attributes:
        deployment: name of the deployment.
        prefix_tokens: tokens of it that lie in the prefix cache there.
    """

    deployment: str
    prefix_tokens: int


class Remembered(NamedTuple):
    """The conversations of one tenant, in two generations."""

    young: Kept[Hashable, LastPlace] = EMPTY
    old: Kept[Hashable, LastPlace] = EMPTY

    def last(self, session: Hashable) -> LastPlace | None:
        """Return where a conversation was last; None: not known."""
        return self.young.get(session) or self.old.get(session)

    def with_last(self, session: Hashable, last: LastPlace, *, limit_count: int) -> "Remembered":
        """Return the memory after an answer."""
        young = self.young.put(session, last)
        if young.entries_count >= max(1, limit_count // 2):
            return Remembered(EMPTY, young)
        return Remembered(young, self.old)


class Sessions(NamedTuple):
    """The conversations of all tenants.

    Attributes:
        by_tenant: what is remembered of each.
        limit_count: most conversations of one tenant.
    """

    by_tenant: Kept[str, Remembered] = EMPTY
    limit_count: int = SESSIONS_LIMIT

    def last(self, tenant: str, session: Hashable) -> LastPlace | None:
        """Return where a conversation was answered last; None: it is new, or forgotten."""
        mine = self.by_tenant.get(tenant)
        return None if mine is None else mine.last(session)

    def with_last(self, tenant: str, session: Hashable, last: LastPlace) -> "Sessions":
        """Return the memory after an answer."""
        mine = self.by_tenant.get(tenant) or Remembered()
        kept = mine.with_last(session, last, limit_count=self.limit_count)
        return Sessions(self.by_tenant.put(tenant, kept), self.limit_count)

"""Where each conversation was answered last, as a worker remembers it.

The state's own memory (`routing.affinity`) is a value that never changes, made for the simulator,
and most requests of a gateway begin a conversation that nobody goes on with. So the worker keeps a
plain memory beside the state, and lends the state what one request needs: the decision reads the
same words. Bounded by tenant: none can push the others out.
"""

from collections.abc import Hashable
from typing import Final, cast

from tokenergy.routing.affinity import SESSIONS_LIMIT, LastPlace, Sessions

Memory = dict[int, LastPlace]


class Conversations:
    """The conversations of all tenants, the least recently used go first."""

    def __init__(self, *, limit_count: int = SESSIONS_LIMIT) -> None:
        """Remember nobody yet.

        Args:
            limit_count: most conversations of one tenant.
        """
        self._half_count = max(1, limit_count // 2)
        self._young: dict[str, Memory] = {}
        self._old: dict[str, Memory] = {}

    def last(self, tenant: str, head: bytes) -> LastPlace | None:
        """Return where a conversation was answered last; None: it is new, or forgotten.

        Args:
            tenant: whose it is.
            head: what identifies it; only its hash is kept.
        """
        key = hash(head)
        young = self._young.get(tenant)
        if young is not None and (found := young.get(key)) is not None:
            return found
        old = self._old.get(tenant)
        return None if old is None else old.get(key)

    def remember(self, tenant: str, head: bytes, last: LastPlace) -> None:
        """Remember where a conversation was answered."""
        young = self._young.get(tenant)
        if young is None:
            young = self._young[tenant] = {}
        young[hash(head)] = last
        if len(young) >= self._half_count:
            self._old[tenant], self._young[tenant] = young, {}


class Lent:
    """What a state knows of conversations while it decides one request: one of them, or none.

    It keeps the two promises of `routing.affinity.Sessions`, and learns nothing.
    """

    __slots__ = ("_last",)

    def __init__(self, last: LastPlace | None) -> None:
        """Lend what is known; None: nothing."""
        self._last = last

    def last(self, _tenant: str, _session: Hashable) -> LastPlace | None:
        """Return where the conversation of this request was last."""
        return self._last

    def with_last(self, _tenant: str, _session: Hashable, _last: LastPlace) -> Sessions:
        """Return a memory of nobody: the worker remembers by itself."""
        return NOBODY


NOBODY: Final = cast(Sessions, Lent(None))
"""For a state between two requests."""


def lent(last: LastPlace) -> Sessions:
    """Return a memory of one conversation, for a state that decides one request of it."""
    return cast(Sessions, Lent(last))

"""Where each conversation was answered last, as a worker remembers it.

The state's own memory (`routing.affinity`) is a value that never changes, made for the simulator,
and most requests of a gateway begin a conversation that nobody goes on with. So the worker keeps a
plain memory beside the state, and lends the state what one request needs: the decision reads the
same words. Bounded by tenant: none can push the others out.
"""

from typing import Final

from tokenergy.routing.affinity import SESSIONS_LIMIT, LastPlace, Sessions
from tokenergy.routing.state import State

EMPTY: Final = Sessions()
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


def lent(tenant: str, session: str, last: LastPlace) -> Sessions:
    """Return a memory of one conversation, for a state that decides one request of it."""
    return EMPTY.with_last(tenant, session, last)


def forgetful(state: State) -> State:
    """Return a state without the conversation that it was lent, or that it has just learnt."""
    return state if state.sessions is EMPTY else state._replace(sessions=EMPTY)

"""What each request of a case came to, as its decisions were made."""

from dataclasses import dataclass
from typing import Final, Self, get_args

import numpy as np

from tokenergy.company.decision import REASONS, Decision, RequestAction
from tokenergy.dispatch.world import BoolArray, FloatArray, IntArray

ACTIONS: Final[tuple[str, ...]] = get_args(RequestAction)
NOT_SERVED: Final = -1
_AT_ACTION: Final = {name: at for at, name in enumerate(ACTIONS)}
_AT_REASON: Final = {name: at for at, name in enumerate(REASONS)}
WAITING: Final = -1


@dataclass(slots=True, kw_only=True, eq=False)
class Outcomes:
    """What requests came to, as arrays [n] that are written as decisions are made.

    Attributes:
        action: index into `ACTIONS` of the last decision; `WAITING` where there is none yet, or
            it waits for a later interval.
        reason: index into `REASONS` of it; `WAITING` likewise.
        deferred_count: how often it was told to wait.
        interval: of the horizon, in which it was served or refused.
        since_s: when it was sent, seconds from the horizon's start.
        deployment, route: where; `NOT_SERVED` where it was not.
        output_tokens: that it made under every cap; 0: not served.
        cached_tokens: of its prompt, found in a cache.
        lost_tokens: of its prompt, in a cache elsewhere.
        value_usd: what serving it at full quality is worth.
        quality_share: of what it got; 0: not served.
        cost_usd: what it cost at the board's price, its true tokens counted, without the prefix.
        affinity_usd: what its prefix cost that lay elsewhere.
        score_usd: of the decision.
        queue_s: longest that it was let wait for room.
    """

    action: IntArray
    reason: IntArray
    deferred_count: IntArray
    interval: IntArray
    since_s: FloatArray
    deployment: IntArray
    route: IntArray
    output_tokens: IntArray
    cached_tokens: IntArray
    lost_tokens: IntArray
    value_usd: FloatArray
    quality_share: FloatArray
    cost_usd: FloatArray
    affinity_usd: FloatArray
    score_usd: FloatArray
    queue_s: FloatArray

    @classmethod
    def blank(cls, count: int) -> Self:
        """Return outcomes before anything was decided."""

        def none() -> IntArray:
            return np.full(count, WAITING, dtype=np.int64)

        def zero() -> IntArray:
            return np.zeros(count, dtype=np.int64)

        def nothing() -> FloatArray:
            return np.zeros(count)

        return cls(
            action=none(), reason=none(), deferred_count=zero(), interval=none(),
            since_s=np.full(count, np.nan), deployment=none(), route=none(),
            output_tokens=zero(), cached_tokens=zero(), lost_tokens=zero(),
            value_usd=np.full(count, np.nan), quality_share=nothing(), cost_usd=nothing(),
            affinity_usd=nothing(), score_usd=nothing(), queue_s=nothing(),
        )  # fmt: skip

    @property
    def served(self) -> BoolArray:
        """Tell which requests went to a deployment."""
        return np.asarray(self.deployment != NOT_SERVED)

    @property
    def refused(self) -> BoolArray:
        """Tell which requests were refused."""
        return np.asarray((self.action != WAITING) & (self.deployment == NOT_SERVED))

    @property
    def waiting(self) -> BoolArray:
        """Tell which requests have neither been served nor refused."""
        return np.asarray(self.action == WAITING)

    def refuse(self, at: int, decision: Decision, interval: int) -> None:
        """Note that a request was refused."""
        self._note(at, decision, interval)

    def serve(
        self,
        at: int,
        decision: Decision,
        interval: int,
        since_s: float,
        *,
        deployment: int,
        route: int,
        output_tokens: int,
        lost_tokens: int,
        cost_usd: float,
    ) -> None:
        """Note that a request went to a deployment."""
        self._note(at, decision, interval)
        self.since_s[at] = since_s
        self.deployment[at] = deployment
        self.route[at] = route
        self.output_tokens[at] = output_tokens
        self.cached_tokens[at] = decision.cached_tokens
        self.lost_tokens[at] = lost_tokens
        self.quality_share[at] = decision.quality_share
        self.cost_usd[at] = cost_usd
        self.affinity_usd[at] = decision.affinity_usd
        self.score_usd[at] = decision.score_usd
        self.queue_s[at] = decision.queue_s

    def _note(self, at: int, decision: Decision, interval: int) -> None:
        self.action[at] = _AT_ACTION[decision.action]
        self.reason[at] = _AT_REASON[decision.reason]
        self.interval[at] = interval
        self.value_usd[at] = decision.value_usd

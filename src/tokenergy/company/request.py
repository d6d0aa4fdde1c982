"""One request as the decision sees it: who asks, for how much, until when, worth what."""

from collections.abc import Hashable

import msgspec

NOTHING: frozenset[str] = frozenset()


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request before it runs. Tokens are expectations; times are seconds since the Unix epoch.

    A msgspec struct, since one is made for every request: a frozen dataclass of so many fields
    takes ten times as long to make.

    Attributes:
        request_id: unique in its run.
        tenant: who asks.
        tier: the promise it has.
        workload: the arrivals it belongs to: its row of the board.
        origin: region it comes from.
        arrival_s: when it came.
        input_tokens: expected input tokens, cached ones included.
        output_tokens: expected output tokens (mean), the client's own cap already applied.
        output_late_tokens: 95th percentile of the same, for deadlines; None: the mean.
        output_most_tokens: most that it can ask for, for reservations; None: the mean.
        input_most_tokens: most input that it can be billed, for reservations; None: 1.25 times
            what is expected.
        cap_tokens: the client's own cap of output tokens; None: it states none.
        deadline_s: moment by which the answer must be complete; None: it does not wait.
        session: conversation, or a keyed hash of the prompt's head; None: no affinity.
        cached_tokens: input tokens that lie in its session's prefix cache; None: as the state
            remembers the session.
        needs: features without which it cannot be answered, such as `tools` or `vision`.
        model: the model asked for by its own name; None: the ladder as a whole (an alias).
        may_downgrade: whether a lower rung's model may answer.
        may_cap: whether a rung with a cap of tokens may answer.
        may_defer: whether it may be held for a later interval before its deadline.
        without: deployments that it has failed on already: removed for this decision.
        value_usd: what serving it is worth, at full quality; None: as its tier says.
        budgets: names of the budgets that pay for it.
    """

    request_id: str
    tenant: str
    tier: str
    workload: str
    origin: str
    arrival_s: float
    input_tokens: int
    output_tokens: int
    output_late_tokens: int | None = None
    output_most_tokens: int | None = None
    input_most_tokens: int | None = None
    cap_tokens: int | None = None
    deadline_s: float | None = None
    session: Hashable | None = None
    cached_tokens: int | None = None
    needs: frozenset[str] = NOTHING
    model: str | None = None
    may_downgrade: bool = True
    may_cap: bool = True
    may_defer: bool = True
    without: frozenset[str] = NOTHING
    value_usd: float | None = None
    budgets: tuple[str, ...] = ()

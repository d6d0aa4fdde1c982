"""What the live page may ask of the ledger: decisions with their reasons, and sums of a day.

Rows come from the requests of all workers: what the projector has booked. A cursor is the number
of a row of the ledger, which only grows; a listener that was cut off goes on from its last one.
"""

from typing import Final, NamedTuple, Protocol

NEWEST_COUNT: Final = 50
"""Decisions that are told at once, at most: the newest."""


class LiveDecision(NamedTuple):
    """What was decided about one request, and what came of it.

    Attributes:
        cursor: of its row.
        request_id: of the gateway.
        at: when it began, ISO 8601 in UTC.
        decision: `serve`, `cap`, `downgrade`, `defer` or `refuse`.
        reason: of the closed list, or the code of a refusal before the decision.
        outcome: `completed`, `refused`, or how it ended otherwise.
        cost_usd: marginal cost of what was done; of a refused one what it would have cost. None:
            not known.
        charged_usd: what the tenant pays.
        use_j: modelled, at the meter.
        marginal_usd_per_mtok: price at the place where it ran; None: not known any more.
        value_usd: what it was worth; None: not known any more.
        next_admitted_s: refused on price: begin of the interval that would admit it; None: none.
        policy: who made the prices; `reserve`: they were too old to refuse by.
    """

    cursor: int
    request_id: str
    at: str
    tenant: str
    tier: str
    workload: str
    model: str
    site: str
    decision: str
    reason: str
    outcome: str
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    charged_usd: float
    use_j: float
    energy_tier: str
    marginal_usd_per_mtok: float | None
    value_usd: float | None
    next_admitted_s: float | None
    policy: str


class LiveDecisions(NamedTuple):
    """Decisions after a cursor.

    Attributes:
        decisions: the newest, at most `NEWEST_COUNT`, newest last.
        cursor: to go on from.
        left_out_count: older ones after the cursor that were left out.
    """

    decisions: tuple[LiveDecision, ...]
    cursor: int
    left_out_count: int = 0


class LiveSum(NamedTuple):
    """What one tenant was served under one tier by one model at one site.

    Attributes:
        requests_count: requests that ran.
        input_tokens: cached ones included.
        cost_usd: their marginal cost.
        charged_usd: what the tenant pays for them.
        use_j: modelled, at the meter.
        measured_j: what meters counted of them; None: nothing was metered.
    """

    tenant: str
    tier: str
    model: str
    site: str
    requests_count: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    charged_usd: float
    use_j: float
    measured_j: float | None


class LiveRefused(NamedTuple):
    """How many requests of a tenant were refused for one reason."""

    tenant: str
    tier: str
    reason: str
    requests_count: int


class LiveSums(NamedTuple):
    """Sums of the last hours.

    Attributes:
        since: begin of what is added up, ISO 8601 in UTC.
        rows: of what was served.
        refused: of what was not.
    """

    since: str
    rows: tuple[LiveSum, ...]
    refused: tuple[LiveRefused, ...]


class LiveRows(Protocol):
    """Reads what the projector wrote. It may wait for the disk.

    A ledger that is not there yet has no rows. StoreFault if it cannot be read now. Several threads
    may ask for decisions, one at a time for sums.
    """

    def decisions(self, after: int | None) -> LiveDecisions:
        """Return the decisions after a cursor; None, or one of another ledger: the newest."""
        ...

    def sums(self, *, now_s: float) -> LiveSums:
        """Return the sums of the last 24 h up to a moment of company time."""
        ...

    def interrupt(self) -> None:
        """End the questions under way in other threads, by a StoreFault there."""
        ...


class Binding(NamedTuple):
    """A site whose megawatts bind.

    Attributes:
        mw_rent_usd_per_mwh: what one MWh more is worth there beside its price.
    """

    site: str
    mw_rent_usd_per_mwh: float
    import_limit_mw: float


class LivePage(NamedTuple):
    """The shell of the page: an HTML document that knows no company.

    Attributes:
        mark: tells it from that of another release.
    """

    mark: str
    body: bytes


class LiveFace(NamedTuple):
    """A face that the board maker drew: the page's view of a board.

    Attributes:
        mark: tells it from the one before.
        text: JSON in one line, as the page takes it.
        made_at_s: when its board was made; while nobody looked none was drawn, and it may be old.
        binding: sites whose megawatts bind on it.
    """

    mark: str
    text: bytes
    made_at_s: float = 0.0
    binding: tuple[Binding, ...] = ()


class LiveFaces(Protocol):
    """Reads what the board maker drew, and tells it that somebody looks."""

    def page(self) -> LivePage | None:
        """Return the shell; None: it is not there yet."""
        ...

    def face(self) -> LiveFace | None:
        """Return the newest face; None: none was drawn yet."""
        ...

    def ask(self) -> None:
        """Tell whoever draws that somebody looks."""
        ...

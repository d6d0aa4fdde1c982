"""A decision about one request: what to do, where, when, why, and the numbers behind it."""

from typing import Final, Literal, NamedTuple, get_args

from tokenergy.company.board import PART_NAMES, Candidate
from tokenergy.company.request import Request
from tokenergy.units import TOKENS_PER_MTOK

RequestAction = Literal["serve", "cap", "downgrade", "defer", "refuse"]
Reason = Literal[
    "value_above_cost",
    "must_serve",
    "tie_by_share",
    "affinity",
    "cheaper_interval",
    "downgrade_pays",
    "cap_pays",
    "place_full",
    "place_down",
    "latency_class",
    "marginal_cost_exceeds_value",
    "budget_pacing",
    "budget_exhausted",
    "rate_limited",
    "overloaded",
    "no_capable_deployment",
    "safe_mode",
]
"""Why, closed: gateway sheet, section 3.6; and `must_serve`: served though it costs more."""
REASONS: Final[tuple[str, ...]] = get_args(Reason)
NOWHERE_RUNG: Final = -1


class Decision(NamedTuple):
    """What is done about a request. Times are seconds since the Unix epoch.

    A named tuple, since one is made for every request: a frozen dataclass of so many fields takes
    five times as long to make as all of them take to find.

    Attributes:
        request: the request it is about.
        action: serve as asked, cap, downgrade, defer to a later interval, or refuse.
        reason: one of the closed list.
        rung: index of the ladder's rung; `NOWHERE_RUNG` where it is refused.
        model: the model that answers; "" where it is refused.
        candidate: the deployment it goes to; None where it is deferred or refused.
        cap_tokens: most output tokens, the client's own cap or the rung's; None: no cap.
        release_interval: interval of the board that it waits for; 0: now.
        release_s: begin of that interval; None: now.
        queue_s: longest that it may wait for room where it goes; 0: there is room.
        output_tokens: expected output tokens under the cap.
        work_tokens: output tokens with their mean input that it costs as much as, lost prefix
            included.
        cached_tokens: input tokens that a prefix cache holds where it goes.
        value_usd: what serving it at full quality is worth.
        quality_share: of the rung.
        cost_usd: expected cost, right end, lost prefix included; of a refused request, of its
            best action; nan where there is none.
        low_cost_usd: the same by the left end.
        affinity_usd: the part of it that is the lost prefix.
        wait_usd: what waiting costs the tier.
        lambda_ratio: sum of the shadow prices of its money budgets, USD per USD.
        joule_usd: sum of shadow price x joules over its joule budgets.
        use_j: expected joules at the meter.
        score_usd: value x quality - (1 + lambda) cost - joule_usd - wait_usd; 0 where refused.
        worst_usd, worst_j: what it uses at most: what a lease reserves.
        runner_up: the next best action, as `action model[@deployment][+interval]`.
        runner_up_score_usd: its score.
        next_admitted_s: refused on price: begin of the first interval of the board where its score
            is above 0; None: there is none.
        workload_index: the workload's place on the board.
        board_id: the board it was decided by.
        policy: `reserve` where that board was stale.
        tied: deployments that shared the request by weight, itself among them; () if not served.
        tied_share: their weights; they sum to 1.
    """

    request: Request
    action: RequestAction
    reason: Reason
    rung: int
    model: str
    candidate: Candidate | None
    cap_tokens: int | None
    release_interval: int
    release_s: float | None
    queue_s: float
    output_tokens: int
    work_tokens: float
    cached_tokens: int
    value_usd: float
    quality_share: float
    cost_usd: float
    low_cost_usd: float
    affinity_usd: float
    wait_usd: float
    lambda_ratio: float
    joule_usd: float
    use_j: float
    score_usd: float
    worst_usd: float
    worst_j: float
    runner_up: str
    runner_up_score_usd: float
    next_admitted_s: float | None
    workload_index: int
    board_id: str
    policy: str
    tied: tuple[str, ...]
    tied_share: tuple[float, ...]

    @property
    def deployment(self) -> str:
        """Name of the deployment; "" where it is deferred or refused."""
        return "" if self.candidate is None else self.candidate.deployment

    @property
    def site(self) -> str:
        """Name of the site; "" where it is deferred or refused."""
        return "" if self.candidate is None else self.candidate.site

    def parts_usd(self) -> dict[str, float]:
        """Return the expected cost by part of the price, which sum to `cost_usd`; {} if not served.

        The lost prefix is in each of them: it is work like any other.
        """
        place = self.candidate
        if place is None:
            return {}
        work_mtok = self.work_tokens / TOKENS_PER_MTOK
        parts = zip(PART_NAMES, place.parts_usd_per_mtok, strict=True)
        return {name: usd_per_mtok * work_mtok for name, usd_per_mtok in parts}

"""The board: every price that a request is decided by, as one value that never changes.

It is replaced whole, by one assignment, so that no request is priced with mixed versions. It
carries its candidates sorted and the running minimum of the prices ahead, so that a decision looks
at a few of them and scans nothing (gateway sheet, section 2). `company/board_made` makes one,
`company/board_findings` checks one on arrival.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from tokenergy.company.marginal import PARTS

Admission = Literal["right", "left_while_behind"]
"""Which end of a price admits: the right one, what one token more costs; or the left one, what a
planned token costs, while less than the plan has been served so far."""
ServiceTier = Literal["priority", "default", "flex", "batch"]
OPEN_SHARE: Final = 0.9
"""Load of a place below which it takes its whole share; a guess of the gateway sheet (3.3)."""
TIE_SHARE: Final = 0.01
"""How far above the lowest price a place or an interval still ties with it; a guess of the gateway
sheet (3.2)."""
PART_NAMES: Final = PARTS
"""Parts of a price in the order of `Candidate.parts_usd_per_mtok`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One deployment that may answer a workload, at the prices of the board's interval.

    A Mtok is one of output with the workload's mean uncached input.

    Attributes:
        place: index into `Board.places`.
        deployment: its name there.
        share: part of the workload's tokens that the dispatch sends there.
        high_usd_per_mtok: right end: what one Mtok more costs there, without the worth of lost
            quality, which the decision counts in the value.
        low_usd_per_mtok: left end, likewise; equal to `high_usd_per_mtok` where there is none.
        parts_usd_per_mtok: the parts of `high_usd_per_mtok` in the order of `PART_NAMES`; they
            sum to it.
        kappa_ratio: cost of an input token over cost of an output token with its mean input.
        base_j_per_token, marginal_j_per_token: joules at the meter for an output token with its
            mean input: of awake replicas, and of the token itself.
        awake_count: awake replicas (whole, where they are whole).
        batch_slo_count: requests at once that a replica serves within the SLO.
        rate_mtok_per_h: what a replica makes at its operating point.
        ttft_s: expected time to first token there, without the network.
        tpot_s: expected time per output token.
        rtt_s: round trip from the workload's origin.
        context_limit_tokens: most input and output tokens together.
        features: what its model can do.
        energy_tier: how the joules are known: `modelled` until something was measured.
        slots_count: requests at once that its awake replicas serve within the SLO; inf for an
            API, 0 where all are asleep (made here).
        latency_s: expected time to first token, network included (made here).
        j_per_token: joules for one output token, awake replicas in it (made here).
    """

    place: int
    deployment: str
    site: str
    accelerator: str
    model: str
    share: float
    high_usd_per_mtok: float
    low_usd_per_mtok: float
    parts_usd_per_mtok: tuple[float, ...]
    kappa_ratio: float
    base_j_per_token: float
    marginal_j_per_token: float
    awake_count: float
    batch_slo_count: float
    rate_mtok_per_h: float
    ttft_s: float
    tpot_s: float
    rtt_s: float
    context_limit_tokens: int
    features: frozenset[str]
    energy_tier: str = "modelled"
    slots_count: float = field(init=False)
    latency_s: float = field(init=False)
    j_per_token: float = field(init=False)

    def __post_init__(self) -> None:
        """Work out what every decision would have to."""
        object.__setattr__(self, "slots_count", self.awake_count * self.batch_slo_count)
        object.__setattr__(self, "latency_s", self.ttft_s + self.rtt_s)
        object.__setattr__(self, "j_per_token", self.base_j_per_token + self.marginal_j_per_token)


Row = tuple[float, float, int, float, bool, float]
"""Price in USD/token, kappa, place, slots, whether outside the latency class, joules per token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One step of a ladder: a model, perhaps with a cap of output tokens, and who may run it.

    Attributes:
        model: the model that answers.
        cap_tokens: most output tokens of an answer; None: no cap of ours.
        quality_share: worth of its answer over that of the ladder's first rung, 0 to 1.
        quality_source: where that figure is from.
        candidates: sorted by `high_usd_per_mtok`, then by name.
        ahead_usd_per_mtok: price at the cheapest place in each interval, the board's own first.
        ahead_kappa_ratio: kappa that splits those prices: the largest of the candidates'.
        ahead_j_per_token: joules for an output token then: those of the cheapest candidate now.
        service_ttft_s, service_tpot_s: slowest expected times of the candidates within their
            latency class: a deferred request must be able to end in time wherever it goes.
        reservation_usd_per_mtok: last week's prices at the cheapest place, sorted: what releases
            deferred work when the board is stale; empty: at once.
        least_kappa_ratio, most_kappa_ratio: of the candidates.
        least_context_tokens: smallest context of the candidates.
        steady: whether all have one kappa and no price is below 0: then the first that is open
            is the cheapest for every request without a prefix to lose.
        rows: the candidates once more, as a decision walks through them.
        at_name: position in `candidates` by the deployment's name.
        planned: positions of the candidates with a share, in the order of cost.
        planned_names: their deployments, in the same order.
        planned_share: their shares of the rung's tokens, which sum to 1, in the same order.
        planned_seats: rung and position of each.
        planned_rows: their places, and the requests there below which each takes its whole share.
        ahead_order: intervals after the first, cheapest first, then earliest.
        least_upto: by interval, the earliest of the intervals 1 to it that ties with the cheapest
            of them (0 at 0).
    """

    model: str
    cap_tokens: int | None
    quality_share: float
    quality_source: str
    candidates: tuple[Candidate, ...]
    ahead_usd_per_mtok: tuple[float, ...]
    ahead_kappa_ratio: float
    ahead_j_per_token: float
    service_ttft_s: float
    service_tpot_s: float
    reservation_usd_per_mtok: tuple[float, ...]
    least_kappa_ratio: float
    most_kappa_ratio: float
    least_context_tokens: int
    steady: bool
    rows: tuple[Row, ...]
    at_name: Mapping[str, int]
    planned: tuple[int, ...]
    planned_names: tuple[str, ...]
    planned_share: tuple[float, ...]
    planned_seats: tuple[tuple[int, int], ...]
    planned_rows: tuple[tuple[int, float], ...]
    ahead_order: tuple[int, ...]
    least_upto: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardWorkload:
    """What a board says about one workload.

    Attributes:
        index: its place in `Board.workloads`, and in a state's counts.
        service_tier: priority never waits, default waits seconds, flex and batch may be held.
        must_serve: refused by nothing but budgets, limits and overload.
        value_usd_per_mtok, value_usd_per_request: what serving is worth; exactly one is stated.
        wait_usd_per_h: what an hour of waiting costs the tier, for one request.
        ttft_limit_s: longest time to first token, network included.
        rho_ratio: mean uncached input tokens over mean output tokens: what the prices hold.
        planned_mtok: what the dispatch means to serve in the board's interval.
        release_mtok_per_h: planned release of deferred work by interval, the board's own first;
            empty: there is no plan, and no limit.
        places_tokens: the same as output tokens of a whole interval (made with the board).
        rungs: the ladder, best first.
        splits: whether the dispatch sends it to more than one rung (made with the board).
    """

    index: int
    name: str
    tier: str
    service_tier: ServiceTier
    must_serve: bool
    value_usd_per_mtok: float | None
    value_usd_per_request: float | None
    wait_usd_per_h: float
    ttft_limit_s: float
    rho_ratio: float
    planned_mtok: float
    release_mtok_per_h: tuple[float, ...]
    places_tokens: tuple[float, ...]
    rungs: tuple[Rung, ...]
    splits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Every price and count that decisions of one interval are made by.

    Attributes:
        board_id: digest of all that it says.
        made_at_s: when its prices were made.
        start_s: begin of its interval.
        interval_s: length of that interval, and of each one ahead.
        valid_until_s: from then on it is stale, as from two refresh periods after it was made.
        refresh_s: time after which the next one is due.
        policy: the policy that dispatched it.
        admission: which end of a price admits.
        places: names of all deployments, sorted: what a state counts by.
        workloads: what it says about each, in a stable order.
        by_name: the same by name.
    """

    board_id: str
    made_at_s: float
    start_s: float
    interval_s: float
    valid_until_s: float
    refresh_s: float
    policy: str
    admission: Admission
    places: tuple[str, ...]
    workloads: tuple[BoardWorkload, ...]
    by_name: Mapping[str, BoardWorkload]

    def is_stale(self, now_s: float) -> bool:
        """Tell whether its prices are too old to refuse anybody by."""
        return now_s >= self.valid_until_s or now_s - self.made_at_s > 2.0 * self.refresh_s

    def interval_start_s(self, interval: int) -> float:
        """Return the begin of an interval ahead, 0 being the board's own."""
        return self.start_s + interval * self.interval_s


def tie_edge_usd_per_mtok(lowest_usd_per_mtok: float) -> float:
    """Return the price up to which a place or an interval ties with the lowest."""
    return lowest_usd_per_mtok + TIE_SHARE * abs(lowest_usd_per_mtok)

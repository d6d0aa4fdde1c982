"""The journal's records: what a gateway writes down before it answers, so that no bill is lost.

    OPEN      before the first byte goes to an upstream
    MARK      every two seconds of a stream: tokens so far
    CLOSE     before the last byte of the answer
    REFUSED   one record alone
    METER     the measured share of a window that ended after the answer

Money is in whole nano-dollars, energy in whole microjoules, moments in seconds since the Unix
epoch by the company's clock.
"""

from typing import Final, Literal

import msgspec

Outcome = Literal[
    "completed",  # the whole answer went out
    "cancelled",  # the client left, the upstream was stopped
    "drained",  # the client left, the answer was read to its end
    "failed",  # the upstream failed, before or within the answer
    "interrupted",  # the gateway ended first: killed, or past its drain
    "left_the_hold",  # the client left while it was held: it costs nothing
]
UsageSource = Literal["reported", "counted", "estimated", "none"]
"""How the tokens are known; `none`: nothing ran, and both counts are a true 0."""


class Holding(msgspec.Struct, frozen=True, array_like=True):
    """What was reserved of one account: settled by CLOSE, or by whoever replays the journal.

    Attributes:
        account: name of the account.
        window_s: begin of the account's window.
        quantity: nano-dollars or microjoules.
    """

    account: str
    window_s: float
    quantity: int


class Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """What of the state a decision read: with the request and the board it is made again.

    Attributes:
        now_s: the moment.
        busy: requests at each place of the board.
        down: indices of places that were down.
        served_tokens: of its workload in the board's interval so far.
        held_tokens: deferred tokens of its workload by release, as pairs.
        last_deployment, last_prefix_tokens: of its session; "" and 0 if unknown.
        lambdas: (budget, unit, lambda_usd_per_unit) of the budgets that pay.
        safe_mode: whether prices were not to be trusted.
    """

    now_s: float
    busy: tuple[int, ...]
    down: tuple[int, ...] = ()
    served_tokens: float = 0.0
    held_tokens: tuple[tuple[float, float], ...] = ()
    last_deployment: str = ""
    last_prefix_tokens: int = 0
    lambdas: tuple[tuple[str, str, float], ...] = ()
    safe_mode: bool = False


class AskedFor(msgspec.Struct, frozen=True, array_like=True):
    """The request as the decision saw it (`company.request.Request`), fields in its order."""

    origin: str
    arrival_s: float
    input_tokens: int
    output_tokens: int
    output_late_tokens: int | None
    output_most_tokens: int | None
    cap_tokens: int | None
    deadline_s: float | None
    session: str
    needs: tuple[str, ...]
    model: str | None
    may_downgrade: bool
    may_cap: bool
    may_defer: bool
    without: tuple[str, ...]
    value_usd: float | None
    budgets: tuple[str, ...]
    input_most_tokens: int | None = None


class Decided(msgspec.Struct, frozen=True, array_like=True):
    """The decision, without what it only copies of the request.

    Attributes:
        rates: of the place it goes to: high USD/Mtok, kappa, rho, joules per token; with them the
            cost of any usage is worked out again: `routing.cost.usage_of`.
    """

    action: str
    reason: str
    rung: int
    model: str
    deployment: str
    cap_tokens: int | None
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
    policy: str
    rates: tuple[float, float, float, float]


class Opened(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="o"):
    """A request is about to be sent on, or begins to be held.

    Attributes:
        at_s: the moment.
        endpoint: `chat`, `completions`, `responses`, `embeddings`, `video`, or a path passed on.
        user_hash: keyed hash of the client's own user or safety identifier; "" if it sent none.
        upstream: name of the server; "" while held.
        boundary: where joules are counted: `meter`.
        prompt_bytes: of text.
        batch: `batch_id/custom_id` of a line of a batch, or "".
    """

    request_id: str
    at_s: float
    tenant: str
    key_id: str
    tier: str
    workload: str
    endpoint: str
    stream: bool
    model_asked: str
    site: str
    accelerator: str
    upstream: str
    board_id: str
    price_version: str
    energy_tier: str
    prompt_bytes: int
    user_hash: str
    batch: str
    holdings: tuple[Holding, ...]
    asked: AskedFor
    decided: Decided
    state: Snapshot


class Marked(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="m"):
    """So far in a stream; tokens are counted, not reported."""

    request_id: str
    at_s: float
    input_tokens: int
    output_tokens: int


class Closed(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="c"):
    """What a request came to; the last record about it, but for its meters.

    Attributes:
        model: the company's name of the model that ran.
        input_tokens: all input, cached included; output likewise includes reasoning.
        cost_nano_usd: marginal cost of what was done, by its board's price (right end).
        low_cost_nano_usd: the same by the left end.
        charge_nano_usd: what the tenant is charged by `price_version`.
        microjoules: modelled, at the meter.
        settled: actual use by account, in the order of the OPEN's holdings.
        over_reserved: whether an account was charged more than was held.
        first_byte_s, ended_s: seconds after OPEN; None: no byte came.
        finish: the answer's finish reason, or "".
        retries_count: upstreams that failed before the one that answered.
    """

    request_id: str
    at_s: float
    outcome: Outcome
    status: int
    model: str
    site: str
    accelerator: str
    upstream: str
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    usage_source: UsageSource
    cost_nano_usd: int
    low_cost_nano_usd: int
    charge_nano_usd: int
    microjoules: int
    energy_tier: str
    settled: tuple[int, ...]
    over_reserved: bool
    first_byte_s: float | None
    ended_s: float
    finish: str
    retries_count: int


class Refused(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="r"):
    """A request that was not served: one record, no OPEN.

    Attributes:
        status, code: what the client was told.
        value_usd: what it would have been worth; 0 where it was refused before that was known.
        asked, decided, state: None where it was refused before the decision.
    """

    request_id: str
    at_s: float
    tenant: str
    key_id: str
    tier: str
    workload: str
    endpoint: str
    model_asked: str
    board_id: str
    price_version: str
    status: int
    code: str
    reason: str
    value_usd: float
    output_tokens: int
    policy: str
    batch: str = ""
    asked: AskedFor | None = None
    decided: Decided | None = None
    state: Snapshot | None = None


class Metered(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="e"):
    """The measured share of one window: a line beside the modelled one, never over it.

    Attributes:
        request_id: "": what nobody's work took, or a window that has no reading.
        window: number of the window, never given twice in a gateway's folder.
        tenant: of a request; of an idle line, who pays for it, "" for nobody.
        microjoules: None: the window has no reading, and `reason` says why.
        outcome: how the request ended where it did not complete; "" else.
        low_microjoules, high_microjoules: between which they lie where prefill takes half or
            twice the joules that the model says; None where nothing depends on it.
        reason: what the figure rests on.
    """

    request_id: str
    window: int
    start_s: float
    end_s: float
    tenant: str
    tier: str
    workload: str
    site: str
    model: str
    accelerator: str
    microjoules: int | None
    energy_tier: str
    boundary: str
    outcome: str = ""
    low_microjoules: int | None = None
    high_microjoules: int | None = None
    reason: str = ""


Record = Opened | Marked | Closed | Refused | Metered
RECORD_VERSION: Final = 1
"""Stands in the head of every segment: a segment of another version is a finding."""

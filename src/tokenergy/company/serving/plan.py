"""What a worker of the gateway needs of the company file, as plain data that travels as JSON.

The company file is read once, by the process that starts the others (`api`), which checks it and
writes this plan beside the journal. A worker reads the plan and nothing else, so that it holds no
YAML, no tables and no solver in memory.
"""

from typing import Final, Literal

import msgspec

from tokenergy.company.board import ServiceTier

UpstreamKind = Literal["openai", "simulated"]
WindowName = Literal["hour", "day", "week", "month"]
WhenClientLeaves = Literal["cancel", "drain"]
IdlePolicy = Literal["unallocated", "by_tokens", "by_reservation"]
"""Who pays for a device that waits: nobody by name, all by their tokens, or by what they hold."""
PLAN_VERSION: Final = 1
BUDGET: Final = "budget:"
"""How accounts begin that are budgets of the company: marginal cost, or joules."""
SPEND: Final = "spend:"
"""How accounts begin that are spend limits: what tenants are charged."""


class Plain(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen record that is written as JSON."""


class UpstreamPlan(Plain, frozen=True, kw_only=True):
    """One server that answers for a deployment; several may stand behind one.

    Attributes:
        name: unique.
        deployment: `model@fleet`, as the board calls it.
        site, accelerator: where and on what; "" for an API of somebody else.
        model: the company's name of the model.
        served_model: the name that the server knows it by.
        kind: a server that speaks the OpenAI API, or our own simulation of one.
        url: base address without a path's end, e.g. `http://10.0.0.5:8000`; "" if simulated.
        key_env: name of the environment variable with the server's key; None: it wants none.
        metrics_url: where the engine tells how much runs and waits; None: nowhere.
        continuous_usage: whether it takes `stream_options.continuous_usage_stats` (vLLM).
        cache_salt: whether it takes `cache_salt` (vLLM): then each tenant has a prefix cache
            of its own, and none can tell from the time what another one asked.
        trust_private: whether plain HTTP to it was allowed though its address is not private.
    """

    name: str
    deployment: str
    site: str
    accelerator: str
    model: str
    served_model: str
    kind: UpstreamKind
    url: str = ""
    key_env: str | None = None
    metrics_url: str | None = None
    continuous_usage: bool = False
    cache_salt: bool = False
    trust_private: bool = False


class WorkloadPlan(Plain, frozen=True, kw_only=True):
    """One row of the board, as the door looks it up.

    Attributes:
        input_tokens, output_tokens: means of a request: priors, until answers were seen.
        items_per_request: images or videos of a media request; media have no tokens.
        media: `image`, `video`, or "" for a language model.
        deadline_s: how long it may wait; 0: never.
    """

    name: str
    tier: str
    origin: str
    service_tier: ServiceTier
    must_serve: bool
    ladder: tuple[str, ...]
    input_tokens: float
    output_tokens: float
    items_per_request: float = 1.0
    media: str = ""
    ttft_limit_s: float
    tpot_limit_s: float
    deadline_s: float


class AliasPlan(Plain, frozen=True, kw_only=True):
    """A model name of ours that stands for a whole ladder: what answers is free to choose."""

    name: str
    ladder: tuple[str, ...]


class TenantPlan(Plain, frozen=True, kw_only=True):
    """Who asks, under which promises, and how much at most.

    Attributes:
        tiers: tiers it may ask for; the first is meant where the request names none.
        origin: region that its requests come from.
        may_downgrade, may_cap: whether a model asked for by its own name may be swapped or capped.
        may_state_value: whether `x-tokenergy-value-usd` of its clients counts.
        requests_per_min, tokens_per_min: rate limits over all its keys; None: none.
        concurrent_count: requests at once; None: no limit of its own.
        remote_media: whether URLs inside messages go to the model server, which fetches them.
        reserved_share: of every metered server, held for it: its part of their idle joules where
            these go by reservation.
    """

    name: str
    tiers: tuple[str, ...]
    origin: str
    may_downgrade: bool = False
    may_cap: bool = False
    may_state_value: bool = False
    requests_per_min: int | None = None
    tokens_per_min: int | None = None
    concurrent_count: int | None = None
    remote_media: bool = False
    reserved_share: float = 0.0


class PricePlan(Plain, frozen=True, kw_only=True):
    """What a tenant pays for a model under a tier: whole nano-dollars, so that bills are exact.

    A bill of a request is, for each line, `(tokens * nano_usd_per_mtok + 500_000) // 1_000_000`,
    and `nano_usd_per_request` once. Cached input tokens are billed as such and not as input.
    """

    model: str
    tier: str
    input_nano_usd_per_mtok: int
    cached_input_nano_usd_per_mtok: int
    output_nano_usd_per_mtok: int
    nano_usd_per_request: int = 0


class AccountPlan(Plain, frozen=True, kw_only=True):
    """Something that may never be exceeded in a window: a budget of the company, or a spend limit.

    Attributes:
        name: `budget:NAME` counts marginal cost or joules, `spend:NAME` what tenants are charged.
        unit: `nano_usd` or `microjoules`, always whole numbers.
        limit: most of a window.
        tier, tenant: whose requests it pays for; None: everybody's.
        window, time_zone: how often it is whole again, and in whose days.
    """

    name: str
    unit: Literal["nano_usd", "microjoules"]
    limit: int
    tier: str | None = None
    tenant: str | None = None
    window: WindowName
    time_zone: str


class LimitsPlan(Plain, frozen=True, kw_only=True):
    """What bounds a request, a connection and a wait. Guesses of the gateway sheet, in the file.

    Attributes:
        body_bytes: longest body; 413 beyond.
        decode_apart_bytes: bodies above this are decoded in a thread.
        head_bytes, headers_count: of a request.
        head_s, body_grace_s, body_bytes_per_s, write_stall_s: defence against slow clients.
        connections_per_address_count: 0: no limit.
        connect_s: to reach an upstream.
        first_byte_ratio, first_byte_least_s: wait for its first byte: ratio x the tier's limit, at
            least so long.
        between_chunks_s: longest silence inside an answer.
        total_s: longest request.
        hold_s, held_count: how long and how many flex requests are held at most.
        heartbeat_s: comment lines of a held stream.
        default_wait_s: how long a default request waits for room.
        retry_share: retries at most, as part of the requests of the last minute.
        breaker_failures_count, breaker_open_s: circuit breaker of an upstream.
        mark_every_s: MARK records of a stream.
        journal_bytes: bound of a worker's journal that is not projected yet.
        drain_s: after SIGTERM.
        idempotency_s: how long an outcome is kept under its key.
        cap_tokens: output cap that is reserved for where client and tier state none.
    """

    body_bytes: int = 10_000_000
    decode_apart_bytes: int = 262_144
    head_bytes: int = 32_768
    headers_count: int = 100
    head_s: float = 10.0
    body_grace_s: float = 10.0
    body_bytes_per_s: float = 1_000.0
    write_stall_s: float = 60.0
    connections_per_address_count: int = 0
    connect_s: float = 2.0
    first_byte_ratio: float = 3.0
    first_byte_least_s: float = 30.0
    between_chunks_s: float = 60.0
    total_s: float = 600.0
    hold_s: float = 540.0
    held_count: int = 1_000
    heartbeat_s: float = 15.0
    default_wait_s: float = 2.0
    retry_share: float = 0.1
    breaker_failures_count: int = 5
    breaker_open_s: float = 10.0
    mark_every_s: float = 2.0
    journal_bytes: int = 268_435_456
    drain_s: float = 10.0
    idempotency_s: float = 86_400.0
    cap_tokens: int = 4_096


class MeterPlan(Plain, frozen=True, kw_only=True):
    """Meters whose joules are divided among the requests of some servers, as one.

    Attributes:
        name: of its engines.
        engines: as the company file says them (JSON of `company.observe.Engine`); the joules of
            all are added up before they are divided.
        upstreams: names of the servers whose requests take them.
        site, model, accelerator: where and what; model is "" where several share the meters.
        idle_w: what all of it draws while no request runs.
        idle: who pays for that.
        every_s: length of a window.
    """

    name: str
    engines: tuple[str, ...]
    upstreams: tuple[str, ...]
    site: str
    model: str
    accelerator: str
    idle_w: float
    idle: IdlePolicy = "unallocated"
    every_s: float = 5.0


class WorkerPlan(Plain, frozen=True, kw_only=True):
    """All of it, for one gateway.

    Attributes:
        version: of this form.
        company, digest: the company's name, and what its file and series amount to.
        run_id: of the ledger.
        clock_offset_s: company time less this machine's: other than 0 where a past horizon is
            played from `--at`, told in readiness.
        deployments: all of them, sorted, as boards count.
        price_version: digest of `prices`.
        when_client_leaves: by tier; a tier that is not in it: cancel.
        hide_site: whether answers keep the site to themselves.
        strict: whether the last byte waits until the disk has the record.
        open_door: whether requests without a key are taken, as tenant `tenants[0]`: only where the
            server listens on this machine alone and no key was ever made.
        meters: read by control; workers do not look at them.
    """

    version: int = PLAN_VERSION
    company: str
    digest: str
    run_id: str
    currency: str = "USD"
    clock_offset_s: float = 0.0
    deployments: tuple[str, ...]
    upstreams: tuple[UpstreamPlan, ...]
    workloads: tuple[WorkloadPlan, ...]
    aliases: tuple[AliasPlan, ...]
    tenants: tuple[TenantPlan, ...]
    prices: tuple[PricePlan, ...]
    price_version: str
    accounts: tuple[AccountPlan, ...] = ()
    limits: LimitsPlan = LimitsPlan()
    board_every_s: float = 300.0
    when_client_leaves: dict[str, WhenClientLeaves] = {}
    hide_site: bool = False
    strict: bool = False
    open_door: bool = False
    meters: tuple[MeterPlan, ...] = ()


def encoded_plan(plan: WorkerPlan) -> bytes:
    """Return the plan as JSON."""
    return msgspec.json.encode(plan)


def decoded_plan(text: bytes) -> WorkerPlan:
    """Return the plan that was written.

    Raises:
        msgspec.ValidationError: if it is of another release or broken.
    """
    return msgspec.json.decode(text, type=WorkerPlan)

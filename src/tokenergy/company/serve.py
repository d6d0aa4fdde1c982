"""What `serve` needs beside the company itself: servers, tenants, prices, limits."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tokenergy.company.budget import BudgetWindow
from tokenergy.company.noun import Name, NonNegative, Noun, Positive, Share
from tokenergy.company.observe import Url
from tokenergy.company.site import ZoneName

Count = Annotated[int, Field(gt=0)]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""Name of an environment variable; what it holds never stands in a file."""


class Upstream(Noun):
    """One server that answers for a model on a fleet, or for an external API."""

    name: Name
    """What metrics and ledgers call it."""
    fleet: Name | None = None
    """The fleet it runs on: with it site and accelerator."""
    model: Name | None = None
    """The company's name of the model it serves."""
    external_api: Name | None = None
    """The external API that it is the address of, in the place of fleet and model."""
    kind: Literal["openai", "simulated"] = "openai"
    """A server that speaks the OpenAI API; or our own simulation of one, for demonstrations."""
    url: Url | None = None
    """Base address without `/v1`; none if it is simulated."""
    served_model: str | None = Field(default=None, min_length=1)
    """The name that the server knows the model by; null: the company's own."""
    key_env: VariableName | None = None
    """Environment variable that holds the server's key; null: it wants none."""
    metrics_url: Url | None = None
    """Where the engine tells how much runs and waits; null: only our own requests are counted."""
    continuous_usage: bool = False
    """Whether it takes `stream_options.continuous_usage_stats` (vLLM)."""
    cache_salt: bool = False
    """Whether it takes `cache_salt` (vLLM); without one, tenants share its prefix cache, and one
    may tell from the time what another has asked."""
    trust_private: bool = False
    """Whether plain HTTP to an address outside private networks is meant: what is asked and
    answered can then be read on the way."""

    @model_validator(mode="after")
    def _one_place_and_one_address(self) -> Self:
        ours = (self.fleet is not None, self.model is not None)
        if self.external_api is not None and any(ours):
            raise ValueError("an upstream is of external_api, or of fleet and model: not of both")
        if self.external_api is None and not all(ours):
            raise ValueError("an upstream states fleet and model, or external_api")
        if self.kind == "openai" and self.url is None:
            raise ValueError("an upstream of kind openai states its url")
        if self.kind == "simulated" and self.url is not None:
            raise ValueError("a simulated upstream has no url: remove it, or kind: simulated")
        return self


class Tenant(Noun):
    """Who asks, under which promises, and how much at most."""

    name: Name
    """What keys, bills and ledgers call it."""
    tiers: tuple[Name, ...] = Field(min_length=1)
    """Tiers that it may ask for; the first is meant where a request names none."""
    origin: Name
    """Region that its requests come from."""
    may_downgrade: bool = False
    """Whether a model asked for by its own name may be swapped for a lower rung of its ladder."""
    may_cap: bool = False
    """Whether its answers may be capped where that pays."""
    may_state_value: bool = False
    """Whether its clients may say what a request is worth, up to what their tier says."""
    requests_per_min: Count | None = None
    """Rate limit over all its keys; null: none."""
    tokens_per_min: Count | None = None
    """The same in tokens, input and output; null: none."""
    concurrent_count: Count | None = None
    """Requests at once; null: no limit of its own."""
    remote_media: bool = False
    """Whether addresses inside messages (images, files) go on to the model server, which then
    fetches them."""
    reserved_share: Share = 0.0
    """Part of every metered server that is held for it: so much of the joules of waiting is its
    own, where `metering.idle` is `by_reservation`."""


class TokenPrice(Noun):
    """What tenants pay for a model under a tier, in the place of the tier's own price."""

    model: Name
    tier: Name | None = None
    """The tier; null: every tier without a line of its own."""
    input_usd_per_mtok: NonNegative
    """For input that was not cached."""
    cached_input_usd_per_mtok: NonNegative | None = None
    """For input out of a prefix cache; null: as other input."""
    output_usd_per_mtok: NonNegative
    """For output, reasoning included."""
    usd_per_request: NonNegative = 0.0
    """For each answered request, on top."""


class SpendLimit(Noun):
    """What tenants may be charged in a window; it can not be exceeded."""

    name: Name
    """What errors and ledgers call it."""
    tenant: Name | None = None
    """Whose requests count; null: everybody's."""
    tier: Name | None = None
    """The tier whose requests count; null: all."""
    usd: Positive
    """Most that one window's requests are charged, in the company's currency."""
    window: BudgetWindow
    """How often it is whole again; a week begins on Monday."""
    time_zone: ZoneName
    """Zone (IANA) in whose hours, days, weeks or months the windows are."""


class Alias(Noun):
    """A model name that stands for a ladder: which rung answers is free to choose."""

    name: Name
    """What clients write as `model`, e.g. `chat-auto`."""
    ladder: tuple[Name, ...] = Field(min_length=1)
    """The ladder of the workloads that it may be asked of, best first."""


class ServeLimits(Noun):
    """What bounds a request, a connection and a wait; the defaults are guesses."""

    body_bytes: Count = 10_000_000
    """Longest body of a request."""
    decode_apart_bytes: Count = 262_144
    """Bodies above this are read in a thread of their own."""
    head_bytes: Count = 32_768
    """Longest head of a request."""
    headers_count: Count = 100
    """Most headers of a request."""
    head_s: Positive = 10.0
    """Time for a client to send the head."""
    body_grace_s: Positive = 10.0
    """Time after which a body must have come at `body_bytes_per_s`."""
    body_bytes_per_s: Positive = 1_000.0
    """Least rate of a body."""
    write_stall_s: Positive = 60.0
    """Longest time in which a client takes nothing of its answer."""
    connections_per_address_count: int = Field(default=0, ge=0)
    """Connections from one address; 0: no limit."""
    connect_s: Positive = 2.0
    """Time to reach an upstream."""
    first_byte_ratio: Positive = 3.0
    """Wait for an upstream's first byte over the tier's limit of time to first token."""
    first_byte_least_s: Positive = 30.0
    """That wait is at least so long."""
    between_chunks_s: Positive = 60.0
    """Longest silence inside an answer."""
    total_s: Positive = 600.0
    """Longest request, waiting included."""
    hold_s: NonNegative = 540.0
    """How long a flex request is held at most; clients commonly leave after 600 s."""
    held_count: int = Field(default=1_000, ge=0)
    """Most flex requests held at once by one worker."""
    heartbeat_s: Positive = 15.0
    """Time between two lines of comment in a held stream."""
    default_wait_s: NonNegative = 2.0
    """How long a request of service tier `default` waits for room."""
    retry_share: Share = 0.1
    """Most retries over the requests of the last minute."""
    breaker_failures_count: Count = 5
    """Failures in a row that close an upstream off."""
    breaker_open_s: Positive = 10.0
    """Time after which it is tried again, with one request."""
    mark_every_s: Positive = 2.0
    """Time between two notes in the journal of how far a stream has come."""
    journal_bytes: Annotated[int, Field(ge=1_048_576)] = 268_435_456
    """Most that a worker writes down while the ledger cannot be written; then new requests are
    refused."""
    drain_s: NonNegative = 10.0
    """Time for running answers to end after the signal to stop."""
    idempotency_s: Positive = 86_400.0
    """How long an outcome is kept for whoever asks with its `Idempotency-Key` again."""
    cap_tokens: Count = 4_096
    """Output that is reserved for, and asked of the upstream, where the client states no cap."""


class Metering(Noun):
    """How the joules of meters (`observe.engines`) are divided among requests."""

    every_s: Annotated[float, Field(ge=1.0, le=10.0)] = 5.0
    """Length of a window: a counter's own steps are too coarse below 1 s, and above 10 s the
    requests of a window have too little in common."""
    idle: Literal["unallocated", "by_tokens", "by_reservation"] = "unallocated"
    """Who pays for joules drawn while no request ran: nobody by name, the window's requests by
    their tokens, or tenants by their `reserved_share`."""


class Serve(Noun):
    """The gateway: what stands behind it, who may ask, what they pay."""

    upstreams: tuple[Upstream, ...] = ()
    """The servers; none: every deployment is simulated, and every answer says so. Once one is
    stated, deployments without one are not served."""
    tenants: tuple[Tenant, ...] = Field(min_length=1)
    """Who may ask; each has keys of its own (`tokenergy keys`)."""
    prices: tuple[TokenPrice, ...] = ()
    """What tenants pay; where no line speaks of a model under a tier, the tier's own price holds,
    for output alone."""
    spend_limits: tuple[SpendLimit, ...] = ()
    """What tenants may be charged at most."""
    aliases: tuple[Alias, ...] = ()
    """Names of models that stand for a ladder."""
    limits: ServeLimits = ServeLimits()
    metering: Metering = Metering()
    board_every_s: Annotated[float, Field(ge=1.0, le=3600.0)] = 300.0
    """Time between two boards of prices."""
    drain_tiers: tuple[Name, ...] = ()
    """Tiers whose answers are read to their end, and charged, when the client has left; those of
    the others are stopped."""
    hide_site: bool = False
    """Whether answers keep to themselves at which site they were made."""
    durability: Literal["grouped", "strict"] = "grouped"
    """Whether the last byte of an answer waits until the disk has its record (`strict`), or only
    until the kernel has it. No program can tell that a disk reports a write which it did not do."""

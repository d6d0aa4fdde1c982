"""Shape: what a model's published configuration says, and the parameters that follow.

The oracle of the catalogue's rows: it knows the layers of each architecture and nothing of
`LanguageModel`. All counts are exact numbers of parameters, not 10^9.
"""

from dataclasses import dataclass

FP8_BLOCK = 128
"""Weights in a square block of this side share one float32 scale."""
MXFP4_BYTES = 17 / 32
"""32 values of 4 bits and one shared exponent of 8 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latent:
    """Multi-head latent attention: ranks of queries and cache, and head sizes."""

    q_rank: int
    kv_rank: int
    rope: int
    nope: int
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mamba:
    """Mamba-2: heads, head size, groups and state of one layer; `layers` of them."""

    layers: int
    heads: int
    head_size: int
    groups: int
    state: int
    kernel: int = 4

    @property
    def inner(self) -> int:
        """Return the width inside a layer."""
        return self.heads * self.head_size

    @property
    def convolved(self) -> int:
        """Return the channels that pass the convolution."""
        return self.inner + 2 * self.groups * self.state

    def layer(self, hidden: int) -> int:
        """Return the parameters of a layer: in, convolution, A, D and dt, norm, out."""
        projected = self.inner + self.convolved + self.heads
        convolution = self.convolved * (self.kernel + 1)
        return hidden * projected + convolution + 3 * self.heads + self.inner * (1 + hidden)

    @property
    def state_bytes(self) -> int:
        """Return what all layers keep of a sequence: float32 states, BF16 convolution."""
        states = self.heads * self.head_size * self.state * 4
        return self.layers * (states + (self.kernel - 1) * self.convolved * 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaNet:
    """Gated linear attention: heads of keys and of values of one size; `layers` of them."""

    layers: int
    key_heads: int
    value_heads: int
    head_size: int
    kernel: int = 4

    @property
    def convolved(self) -> int:
        """Return the channels that pass the convolution: queries, keys, values."""
        return (2 * self.key_heads + self.value_heads) * self.head_size

    def layer(self, hidden: int) -> int:
        """Return the parameters of a layer: in (with a gate), two gates a head, out."""
        values = self.value_heads * self.head_size
        into = hidden * (self.convolved + values + 2 * self.value_heads)
        small = self.convolved * self.kernel + 2 * self.value_heads + self.head_size
        return into + small + values * hidden

    @property
    def state_bytes(self) -> int:
        """Return what all layers keep of a sequence, in BF16."""
        matrices = self.value_heads * self.head_size**2
        return 2 * self.layers * (matrices + (self.kernel - 1) * self.convolved)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """A vision transformer with biases, its patch and place tables, and its way out.

    `way_out` is the number of parameters of what carries its output into the text layers.
    """

    layers: int
    hidden: int
    inner: int
    tables: int
    way_out: int

    @property
    def parameters(self) -> int:
        """Return all parameters."""
        attention = 4 * (self.hidden**2 + self.hidden)
        perceptron = 2 * self.hidden * self.inner + self.inner + self.hidden
        return self.layers * (attention + perceptron + 4 * self.hidden) + self.tables + self.way_out


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Dimensions of a language model, named as in its configuration where there is one.

    `inner` is the width of a dense layer's perceptron of `matrices` matrices; the first or
    every other of the layers are dense where `moe_layers` is below `layers`. `norms` counts
    vectors of the hidden width per layer; `biases` all other small vectors per layer. `gated`
    attention has a gate as wide as its queries.
    """

    layers: int
    hidden: int
    vocabulary: int
    heads: int = 0
    kv_heads: int = 0
    head_size: int = 128
    inner: int = 0
    matrices: int = 3
    tied: bool = False
    head_norms: bool = False
    biases: int = 0
    norms: int = 2
    attention_layers: int | None = None
    perceptron_layers: int | None = None
    sliding_layers: int = 0
    window: int = 0
    experts: int = 0
    topk: int = 0
    expert_inner: int = 0
    expert_biases: int = 0
    shared_inner: int = 0
    moe_layers: int = 0
    router_biases: int = 0
    latent: Latent | None = None
    mamba: Mamba | DeltaNet | None = None
    gated: bool = False
    encoders: int = 0

    @property
    def attending(self) -> int:
        """Return the layers with attention."""
        return self.layers if self.attention_layers is None else self.attention_layers

    @property
    def table(self) -> int:
        """Return the embedding table."""
        return self.vocabulary * self.hidden

    @property
    def attention(self) -> int:
        """Return one attention layer: queries, keys, values, output."""
        if self.latent is None:
            width = self.heads * self.head_size
            return (
                (3 if self.gated else 2) * self.hidden * width
                + 2 * self.hidden * self.kv_heads * self.head_size
                + (2 * self.head_size if self.head_norms else 0)
            )
        part = self.latent
        queries = part.q_rank * (self.hidden + 1 + self.heads * (part.nope + part.rope))
        cached = self.hidden * (part.kv_rank + part.rope) + part.kv_rank
        unpacked = part.kv_rank * self.heads * (part.nope + part.value)
        return queries + cached + unpacked + self.heads * part.value * self.hidden

    @property
    def expert(self) -> int:
        """Return one routed expert of one layer."""
        return 3 * self.hidden * self.expert_inner + self.expert_biases

    @property
    def routed(self) -> int:
        """Return all routed experts of all layers."""
        return self.moe_layers * self.experts * self.expert

    @property
    def shared(self) -> int:
        """Return the shared experts of all layers."""
        return self.moe_layers * 3 * self.hidden * self.shared_inner

    @property
    def perceptrons(self) -> int:
        """Return the dense perceptrons of all layers."""
        count = self.perceptron_layers
        if count is None:
            count = self.layers - self.moe_layers
        return count * self.matrices * self.hidden * self.inner

    @property
    def text(self) -> int:
        """Return all parameters but those of the encoders."""
        mixers = self.attending * self.attention
        if self.mamba is not None:
            mixers += self.mamba.layers * self.mamba.layer(self.hidden)
        routers = self.moe_layers * (self.experts * self.hidden + self.router_biases)
        small = self.layers * (self.norms * self.hidden + self.biases) + self.hidden
        tables = self.table * (1 if self.tied else 2)
        return tables + mixers + self.perceptrons + routers + self.routed + self.shared + small

    @property
    def total(self) -> int:
        """Return all parameters that are loaded."""
        return self.text + self.encoders

    @property
    def active(self) -> int:
        """Return what one token uses, the whole input table included."""
        return self.text - self.routed + self.moe_layers * self.topk * self.expert

    @property
    def read(self) -> int:
        """Return what one token computes with: an input table of its own is not."""
        return self.active - (0 if self.tied else self.table)

    @property
    def cache_full(self) -> int:
        """Return bytes of BF16 cache per token over layers with full attention."""
        return (self.attending - self.sliding_layers) * self._cache

    @property
    def cache_slide(self) -> int:
        """Return bytes of BF16 cache per token over layers with a window."""
        return self.sliding_layers * self._cache

    @property
    def linear(self) -> int:
        """Return the matrices inside the layers, routers left out."""
        routers = self.moe_layers * (self.experts * self.hidden + self.router_biases)
        small = self.layers * (self.norms * self.hidden + self.biases) + self.hidden
        return self.text - self.table * (1 if self.tied else 2) - routers - small

    def mean_bytes(self, checkpoint: str) -> float:
        """Return the bytes of a weight, averaged over all that are loaded.

        What is not named is BF16. `fp8 blocks`: every matrix inside a layer, and a scale a
        block. `fp8 perceptrons`, `fp8 experts` (Meta's): those of all layers but the first and
        the last. `mxfp4`: the routed experts without their biases.
        """
        narrow, width = 0.0, 1.0
        if checkpoint == "fp8 blocks":
            narrow, width = self.linear, 1 + 4 / FP8_BLOCK**2
        elif checkpoint == "fp8 perceptrons":
            narrow = self.perceptrons * (self.layers - 2) / self.layers
        elif checkpoint == "fp8 experts":
            first = self.moe_layers == self.layers
            narrow = self.routed * (self.moe_layers - 1 - first) / self.moe_layers
        elif checkpoint == "mxfp4":
            narrow = self.moe_layers * self.experts * (self.expert - self.expert_biases)
            width = MXFP4_BYTES
        return (narrow * width + (self.total - narrow) * 2) / self.total

    @property
    def _cache(self) -> int:
        if self.latent is not None:
            return 2 * (self.latent.kv_rank + self.latent.rope)
        return 2 * 2 * self.kv_heads * self.head_size

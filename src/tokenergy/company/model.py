"""A model: the facts of the catalogue that decide its joules and its memory."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from tokenergy.company.accelerator import SourceKind
from tokenergy.company.configuration import PUBLISHED_PRECISION_SHARE
from tokenergy.errors import InputError
from tokenergy.units import BYTES_PER_GB

WorkUnit = Literal["token", "image", "video_second"]
"""What a request asks for."""

Architecture = Literal["dense", "moe", "hybrid"]
"""`hybrid` mixes layers without a growing cache (Mamba, linear attention) with attention."""

WeightFormat = Literal["bf16", "fp8", "fp8_block", "mxfp4"]
"""What most weights are stored in: a name, since `bytes_per_weight` is a mean over all.

`fp8_block` has a scale for each block of a matrix, `fp8` one for each of its rows or columns."""

_FP8_BYTES_PER_WEIGHT = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModel:
    """A transformer that makes tokens.

    Parameters are in 10^9 (`_b`). `total_b` is what must fit in memory. `active_b` is what
    one text token uses, counted as its publisher counts: `encoder_b` (vision, audio) is not in
    it, and of it `embedding_b` is a table of which a token reads one row (0 where the table is
    the output head too, or the publisher leaves it out). `kv_*_bytes_per_token` are bytes of
    BF16 cache per token, summed over the layers with full and with sliding attention;
    `window_tokens` bounds the latter. `experts` 0, or equal to `topk`, is dense.

    `routed_b` is all routed experts of all `moe_layers`, and `shared_expert_b` the experts that
    every token passes beside them; `expert_hidden` is the inner width of one expert.
    `attention_layers` are those that keep a cache, shared between GPUs by its `kv_heads` (1:
    latent attention, 0: not said); `state_bytes` is what the other layers of a hybrid keep for
    one sequence, however long. Facts that nobody gave are None: then `expert_b` is
    (total - active)/(experts - topk), and every layer attends. `family` names the relatives
    whose measurements a prediction may lean on, and `family_measured` says whether there are
    any.
    """

    model_id: str
    hub_id: str
    total_b: float
    active_b: float
    layers: int
    hidden: int
    kv_full_bytes_per_token: float
    kv_slide_bytes_per_token: float
    window_tokens: int
    experts: int
    topk: int
    bytes_per_weight: float
    architecture: Architecture
    family: str
    family_measured: bool
    source: str
    source_kind: SourceKind
    retrieved_on: date
    verified: bool
    weight_format: WeightFormat | None = None
    routed_b: float | None = None
    shared_expert_b: float = 0.0
    embedding_b: float = 0.0
    encoder_b: float = 0.0
    moe_layers: int = 0
    expert_hidden: int = 0
    attention_layers: int | None = None
    kv_heads: int = 0
    state_bytes: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no model can be.

        Raises:
            InputError: if total < active, experts < topk, parts do not fit in the whole, or a
                size is not positive.
        """
        positive = self.active_b > 0 and self.layers > 0 and self.bytes_per_weight > 0
        if not positive:
            raise InputError(
                f"model {self.model_id!r}: active_b {self.active_b:g}, layers {self.layers} "
                f"and bytes_per_weight {self.bytes_per_weight:g} must all exceed 0"
            )
        if not self.total_b >= self.active_b:
            raise InputError(
                f"model {self.model_id!r}: total_b {self.total_b:g} is below "
                f"active_b {self.active_b:g} (10^9 parameters)"
            )
        if self.experts < self.topk or self.topk < 0 or (self.experts and not self.topk):
            raise InputError(f"model {self.model_id!r}: uses {self.topk} of {self.experts} experts")
        if not min(self.kv_full_bytes_per_token, self.kv_slide_bytes_per_token) >= 0:
            raise InputError(f"model {self.model_id!r}: a negative KV cache per token")
        self._refuse_parts()

    def _refuse_parts(self) -> None:
        parts = (self.shared_expert_b, self.embedding_b, self.encoder_b, self.routed_b or 0.0)
        if not all(part >= 0 for part in (*parts, self.state_bytes)):
            raise InputError(f"model {self.model_id!r}: a negative count of parameters")
        if not self.shared_b >= self.embedding_b + self.shared_expert_b:
            raise InputError(
                f"model {self.model_id!r}: of active_b {self.active_b:g}, {self.shared_b:g} is "
                f"left beside the routed experts, less than the embedding "
                f"{self.embedding_b:g} and the shared experts {self.shared_expert_b:g} "
                "(10^9 parameters)"
            )
        if max(self.attention_layers or 0, self.moe_layers) > self.layers:
            raise InputError(
                f"model {self.model_id!r}: {self.attention_layers} attention layers and "
                f"{self.moe_layers} MoE layers in {self.layers} layers"
            )

    @property
    def kind(self) -> WorkUnit:
        """Return the unit of its work."""
        return "token"

    @property
    def routes_experts(self) -> bool:
        """Return whether a token leaves some experts untouched: only then is it MoE."""
        return self.experts > self.topk

    @property
    def expert_b(self) -> float:
        """Return the parameters of one expert, summed over layers, 10^9 (0 if dense)."""
        if not self.routes_experts:
            return 0.0
        if self.routed_b is not None:
            return self.routed_b / self.experts
        return (self.total_b - self.active_b) / (self.experts - self.topk)

    @property
    def shared_b(self) -> float:
        """Return the parameters that every token touches, 10^9."""
        return self.active_b - self.topk * self.expert_b

    @property
    def read_b(self) -> float:
        """Return the parameters that a step of one sequence reads and computes with, 10^9."""
        return self.active_b - self.embedding_b

    @property
    def shared_read_b(self) -> float:
        """Return the parameters that every step reads whatever it routes to, 10^9."""
        return self.shared_b - self.embedding_b

    @property
    def computes_in_fp8(self) -> bool:
        """Return whether its weights are FP8 (without a named format: about a byte each)."""
        if self.weight_format is not None:
            return self.weight_format in ("fp8", "fp8_block")
        return abs(self.bytes_per_weight / _FP8_BYTES_PER_WEIGHT - 1.0) <= PUBLISHED_PRECISION_SHARE

    @property
    def weights_gb(self) -> float:
        """Return the memory of all weights, GB."""
        return self.total_b * self.bytes_per_weight

    @property
    def state_gb(self) -> float:
        """Return what one sequence keeps beside its cache, however long it is, GB."""
        return self.state_bytes / BYTES_PER_GB

    def kv_gb(self, tokens_count: float) -> float:
        """Return the cache of one sequence of that many tokens, GB."""
        sliding_count = min(tokens_count, float(self.window_tokens))
        return (
            self.kv_full_bytes_per_token * tokens_count
            + self.kv_slide_bytes_per_token * sliding_count
        ) / BYTES_PER_GB

    def at_precision(self, bytes_per_weight: float) -> "LanguageModel":
        """Return the same model with weights of another width (2 BF16, 1 FP8)."""
        if bytes_per_weight == self.bytes_per_weight:
            return self
        return replace(self, bytes_per_weight=bytes_per_weight, weight_format=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaModel:
    """A diffusion transformer that makes images or seconds of video.

    One latent token covers `pixels_per_token` by `pixels_per_token` pixels; a latent frame
    covers `frames_per_latent` frames after the first, and a token `latents_per_token` latent
    frames. `text_tokens` are those that join the attention, as the fit counted them.
    `height`, `width`, `frames` and `steps` are the measured shape; `fps` is None for images.
    """

    model_id: str
    hub_id: str
    kind: WorkUnit
    params_b: float
    layers: int
    hidden: int
    text_tokens: int
    cfg_passes: int
    full_attention: bool
    pixels_per_token: int
    frames_per_latent: int
    latents_per_token: int
    fps: float | None
    height: int
    width: int
    frames: int
    steps: int
    source: str
    source_kind: SourceKind
    retrieved_on: date
    verified: bool

    def __post_init__(self) -> None:
        """Refuse a media model without pixels, passes or (for video) a frame rate.

        Raises:
            InputError: if a size is not positive, or a video has no frame rate.
        """
        for name in (
            "params_b", "layers", "hidden", "cfg_passes", "pixels_per_token",
            "frames_per_latent", "latents_per_token", "height", "width", "frames", "steps",
        ):  # fmt: skip
            if not getattr(self, name) > 0:
                raise InputError(f"model {self.model_id!r}: {name} must exceed 0")
        if (self.kind == "video_second") != (self.fps is not None and self.fps > 0):
            raise InputError(
                f"model {self.model_id!r}: a video needs frames per second, and only a video"
            )

    @property
    def weights_gb(self) -> float:
        """Return the memory of the diffusion transformer in BF16, GB (no text encoder)."""
        return self.params_b * 2.0

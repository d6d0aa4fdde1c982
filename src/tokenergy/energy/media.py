"""Joules of an image and of a second of video, from a shape and a count of steps."""

import math
from dataclasses import dataclass

from tokenergy.company.coefficients import Coefficients, MediaCoefficients
from tokenergy.company.model import MediaModel
from tokenergy.errors import InputError
from tokenergy.units import J_PER_WH

VIDEO_BAND = (0.75, 1.23)
IMAGE_BAND = (0.65, 1.98)
"""Measured over predicted, 5th and 95th percentile: own fit on the ML.ENERGY benchmark v3, 1 to 8
GPUs, one model held out at a time (`benchmarks/energy_media.py`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaWork:
    """What one item asks of the boards: the terms that the form multiplies with its numbers.

    Attributes:
        linear_tflop: of the weights, TFLOP: 2 parameters tokens passes.
        attention_tflop: of full attention, TFLOP: 4 layers hidden tokens^2 passes; else 0.
        decoded_mpx: 10^6 pixels of all frames, decoded once.
        exchanges_count: passes of a layer that each further GPU takes part in, shared by the
            items of a batch.
        gpus_count: boards that make the item together.
    """

    linear_tflop: float
    attention_tflop: float
    decoded_mpx: float
    exchanges_count: float
    gpus_count: int

    def item_j(self, fit: MediaCoefficients) -> float:
        """Return the joules of the item on all boards, J.

        (c_lin linear + c_att attention + c_px decoded) (1 + c_n log2 n) + c_s exchanges
        """
        alone_j = (
            fit.c_lin_j_per_tflop * self.linear_tflop
            + fit.c_att_j_per_tflop * self.attention_tflop
            + fit.c_px_j_per_mpx * self.decoded_mpx
        )
        together_ratio = 1.0 + fit.c_n_ratio * math.log2(self.gpus_count)
        return alone_j * together_ratio + fit.c_s_j * self.exchanges_count


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipEnergy:
    """What a clip of one length takes on the GPU boards.

    Attributes:
        duration_s: how long it plays.
        frames: how many it has.
        tokens_count: latent tokens of it, which attend to one another.
        clip_j: joules of the whole clip.
        j_per_video_s: joules per second that it plays.
    """

    duration_s: float
    frames: int
    tokens_count: int
    clip_j: float
    j_per_video_s: float

    @property
    def clip_wh(self) -> float:
        """Watt-hours of the whole clip."""
        return self.clip_j / J_PER_WH

    @property
    def wh_per_video_s(self) -> float:
        """Watt-hours per second that it plays."""
        return self.j_per_video_s / J_PER_WH


def latent_tokens(model: MediaModel, *, height: int, width: int, frames: int) -> int:
    """Return the tokens that attend to one another for one item of that shape.

    `(1 + (frames-1)/4) * (height/16) * (width/16) + text` for most models; SANA has 32
    pixels a token, and CogVideoX1.5 puts two latent frames into one token. Odd shapes are
    padded up. Wan 81 x 480 x 832 has 32,760, HunyuanVideo 129 x 720 x 1280 118,800.

    Raises:
        InputError: if a size is not positive, or an image has more than one frame.
    """
    if min(height, width, frames) < 1:
        raise InputError(
            f"model {model.model_id!r}: {frames} frames of {height} x {width} pixels; "
            "each must be at least 1"
        )
    if model.kind == "image" and frames != 1:
        raise InputError(f"model {model.model_id!r} makes images: {frames} frames, must be 1")
    latents = 1 + math.ceil((frames - 1) / model.frames_per_latent)
    layers_in_time = math.ceil(latents / model.latents_per_token)
    rows = math.ceil(height / model.pixels_per_token)
    columns = math.ceil(width / model.pixels_per_token)
    return layers_in_time * rows * columns + model.text_tokens


def media_work(
    model: MediaModel,
    *,
    gpus_count: int,
    height: int,
    width: int,
    frames: int,
    steps: int,
    items_per_batch: int = 1,
) -> MediaWork:
    """Return what one item of that shape asks of n GPUs.

    Raises:
        InputError: if a size, the steps, the batch or the count of GPUs is not positive.
    """
    if min(gpus_count, steps, items_per_batch) < 1:
        raise InputError(
            f"model {model.model_id!r}: {gpus_count} GPUs, {steps} steps, "
            f"{items_per_batch} items a batch; each must be at least 1"
        )
    tokens_count = latent_tokens(model, height=height, width=width, frames=frames)
    passes_count = model.cfg_passes * steps
    attention_flop = 4.0 * model.layers * model.hidden * tokens_count**2 * passes_count
    return MediaWork(
        linear_tflop=2.0 * model.params_b * 1e9 * tokens_count * passes_count / 1e12,
        attention_tflop=attention_flop / 1e12 if model.full_attention else 0.0,
        decoded_mpx=height * width * frames / 1e6,
        exchanges_count=(gpus_count - 1) * model.layers * passes_count / items_per_batch,
        gpus_count=gpus_count,
    )


def item_j(
    model: MediaModel,
    coefficients: Coefficients,
    *,
    gpus_count: int,
    height: int,
    width: int,
    frames: int,
    steps: int,
    items_per_batch: int = 1,
) -> float:
    """Return the joules of one item on all boards, J.

        c_lin TFLOP_linear + c_att TFLOP_attention + c_px Mpx frames          on one GPU,
        x (1 + c_n log2 n) + c_s (n - 1) layers passes / batch                on n

    Linear in steps, quadratic in tokens where attention is full. One GPU has a fit of its
    own; on more, each further GPU adds communication per layer, pass and step.

    Raises:
        InputError: if a size, the steps, the batch or the count of GPUs is not positive.
    """
    work = media_work(
        model, gpus_count=gpus_count, height=height, width=width, frames=frames, steps=steps,
        items_per_batch=items_per_batch,
    )  # fmt: skip
    return work.item_j(coefficients.media(gpus_count=gpus_count))


def clip_energy(
    model: MediaModel,
    coefficients: Coefficients,
    *,
    gpus_count: int,
    height: int,
    width: int,
    duration_s: float,
    steps: int,
    fps: float | None = None,
) -> ClipEnergy:
    """Return what a clip of that length takes.

    Joules per second of video are not a constant: attention grows with the square of the length,
    so a long clip costs more per second than a short one.

    Args:
        fps: frames per second; None: the model's own.

    Raises:
        InputError: if the model makes no video, or length or rate is not a positive number.
    """
    if model.fps is None:
        raise InputError(f"model {model.model_id!r} makes images, not seconds of video")
    if not (duration_s > 0 and math.isfinite(duration_s)):
        raise InputError(f"model {model.model_id!r}: a clip of {duration_s} s")
    frames_per_s = model.fps if fps is None else fps
    if not (frames_per_s > 0 and math.isfinite(frames_per_s)):
        raise InputError(f"model {model.model_id!r}: {frames_per_s} frames per second")
    frames = max(1, round(frames_per_s * duration_s))
    clip_j = item_j(
        model, coefficients,
        gpus_count=gpus_count, height=height, width=width, frames=frames, steps=steps,
    )  # fmt: skip
    return ClipEnergy(
        duration_s=duration_s,
        frames=frames,
        tokens_count=latent_tokens(model, height=height, width=width, frames=frames),
        clip_j=clip_j,
        j_per_video_s=clip_j / duration_s,
    )


def media_band(model: MediaModel, *, fitted: bool) -> tuple[float, float]:
    """Return the 5th and 95th percentile of measured over predicted.

    An accelerator without a fit is at least half to double, a guess.
    """
    low_share, high_share = VIDEO_BAND if model.kind == "video_second" else IMAGE_BAND
    if not fitted:
        return min(low_share, 0.5), max(high_share, 2.0)
    return low_share, high_share

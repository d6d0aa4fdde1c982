"""Joules of an image and of a second of video, from a shape and a count of steps."""

import math

from tokenergy.company.coefficients import Coefficients
from tokenergy.company.model import MediaModel
from tokenergy.errors import InputError


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
    if min(gpus_count, steps, items_per_batch) < 1:
        raise InputError(
            f"model {model.model_id!r}: {gpus_count} GPUs, {steps} steps, "
            f"{items_per_batch} items a batch; each must be at least 1"
        )
    tokens_count = latent_tokens(model, height=height, width=width, frames=frames)
    passes_count = model.cfg_passes * steps
    linear_tflop = 2.0 * model.params_b * 1e9 * tokens_count * passes_count / 1e12
    attention_tflop = (
        4.0 * model.layers * model.hidden * tokens_count**2 * passes_count / 1e12
        if model.full_attention
        else 0.0
    )
    decoded_mpx = height * width * frames / 1e6
    fit = coefficients.media(gpus_count=gpus_count)
    work_j = (
        fit.c_lin_j_per_tflop * linear_tflop
        + fit.c_att_j_per_tflop * attention_tflop
        + fit.c_px_j_per_mpx * decoded_mpx
    )
    further_j = fit.c_s_j * (gpus_count - 1) * model.layers * passes_count / items_per_batch
    return work_j * (1.0 + fit.c_n_ratio * math.log2(gpus_count)) + further_j


def video_j_per_video_s(
    model: MediaModel,
    coefficients: Coefficients,
    *,
    gpus_count: int,
    height: int,
    width: int,
    duration_s: float,
    steps: int,
) -> float:
    """Return joules per second of video for a clip of that length, J per video second.

    Not a constant: attention grows with the square of the length, so a long clip costs more
    per second than a short one.

    Raises:
        InputError: if the model makes no video, or the clip is shorter than one frame.
    """
    if model.fps is None:
        raise InputError(f"model {model.model_id!r} makes images, not seconds of video")
    if not (duration_s > 0 and math.isfinite(duration_s)):
        raise InputError(f"model {model.model_id!r}: a clip of {duration_s} s")
    frames = max(1, round(model.fps * duration_s))
    clip_j = item_j(
        model,
        coefficients,
        gpus_count=gpus_count,
        height=height,
        width=width,
        frames=frames,
        steps=steps,
    )
    return clip_j / duration_s


def media_band(model: MediaModel, *, fitted: bool) -> tuple[float, float]:
    """Return the 5th and 95th percentile of measured over predicted.

    Own fit on the ML.ENERGY benchmark v3, 1 to 8 GPUs; an accelerator without a fit is at
    least half to double, a guess.
    """
    low_share, high_share = (0.75, 1.23) if model.kind == "video_second" else (0.64, 1.95)
    if not fitted:
        return min(low_share, 0.5), max(high_share, 2.0)
    return low_share, high_share

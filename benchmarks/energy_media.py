"""How well are the joules of an image or a clip predicted for a model that was never measured?

The form of `tokenergy.energy.media`, five numbers for each GPU, fitted as logarithms with soft-L1
at 0.2 from (.7, .7, 20, .08, .01) to all rows of images and video together; then each model held
out with all its rows. Twice: with the recalled architectures of the energy sheet, section 4 (the
reproduction), and with this package's verified catalogue (the product). One GPU has a fit of its
own, of the first three numbers.

Needs ../shared/data/energy (ML.ENERGY benchmark v3, xDiT 0.4.5, Apache-2.0).
"""

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from energy_folds import ACCELERATORS
from energy_rows import SHARED, Column
from scipy.optimize import least_squares

from tokenergy.company.model import MediaModel
from tokenergy.energy.media import MediaWork, media_work
from tokenergy.files.catalogue import load_catalogue

SOFT_L1_SCALE: Final = 0.2
STARTS: Final = (0.7, 0.7, 20.0, 0.08, 0.01)
PARAMETERS: Final = ("c_lin", "c_att", "c_px", "c_n", "c_s")
GOALS: Final = {"video_mape_percent": 12.5, "image_mape_percent": 26.5}

RECALLED: Final[Mapping[str, tuple[float, int, int, int, int, bool]]] = {
    "SANA1.5_1.6B": (1.6, 20, 2240, 1024, 2, False),
    "SANA1.5_4.8B": (4.8, 60, 2240, 1024, 2, False),
    "PixArt-Sigma": (0.6, 28, 1152, 4096, 2, True),
    "HunyuanDiT": (1.5, 40, 1408, 4096, 2, True),
    "FLUX.1-dev": (12.0, 57, 3072, 4608, 1, True),
    "3.5-large": (8.1, 38, 2432, 4250, 2, True),
    "3.5-medium": (2.5, 24, 1536, 4250, 2, True),
    "T2V-1.3B": (1.3, 30, 1536, 32760, 2, True),
    "T2V-14B": (14.0, 40, 5120, 32760, 2, True),
    "HunyuanVideo": (13.0, 60, 3072, 118800, 1, True),
    "CogVideoX-2b": (2.0, 30, 1920, 17776, 2, True),
    "CogVideoX1.5-5B": (5.0, 42, 3072, 45100, 2, True),
}
"""Energy sheet, section 4: 10^9 parameters, layers, hidden, tokens, passes, full attention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaRow:
    """One measured row beside what its item asks of the boards."""

    hub_id: str
    gpu: str
    video: bool
    work: MediaWork
    measured_j: float


def figures() -> dict[str, Any]:
    """Return MAPE in % of the product, of the reproduction, and the fits; {} without the data."""
    if not SHARED.exists():
        return {}
    product = media_rows(_catalogue_model)
    recalled = media_rows(_recalled_model)
    told: dict[str, Any] = {"goals": GOALS} | held_out(product)
    told["in_sample"] = in_sample(product)
    told["worst_models"] = _worst(product)
    told["reproduction"] = held_out(recalled) | {"in_sample": in_sample(recalled)}
    alone, alone_recalled = _alone(product), _alone(recalled)
    told["one_gpu"] = held_out(alone) | {"in_sample": in_sample(alone)}
    told["reproduction"]["one_gpu"] = held_out(alone_recalled)
    told["coefficients"] = {
        "media_many_gpus": _named(product, many=True),
        "media_one_gpu": _named(alone, many=False),
    }
    told["bands"] = bands(product)
    return told


def tell(told: dict[str, Any]) -> list[str]:
    """Return lines for people."""
    if not told:
        return ["media: ../shared/data/energy is not here"]
    sheet, alone = told["reproduction"], told["one_gpu"]
    worst = ", ".join(f"{name} {value:.0f} %" for name, value in told["worst_models"].items())
    return [
        f"media, model held out, 1-8 GPUs: video {told['video_mape_percent']:.1f} %, image "
        f"{told['image_mape_percent']:.1f} % (recalled architectures: "
        f"{sheet['video_mape_percent']:.1f}, {sheet['image_mape_percent']:.1f}; "
        f"n {told['video_count']}, {told['image_count']})",
        f"  one GPU: video {alone['video_mape_percent']:.1f} %, image "
        f"{alone['image_mape_percent']:.1f} %; in-sample, 1-8 GPUs: video "
        f"{told['in_sample']['video_mape_percent']:.1f} %, image "
        f"{told['in_sample']['image_mape_percent']:.1f} %; worst {worst}",
    ]


def media_rows(
    facts: Callable[[Mapping[str, str]], tuple[MediaModel, int | None]],
) -> list[MediaRow]:
    """Return all rows of the file; `facts` gives the model, and its tokens where they are said."""
    with (SHARED / "mlenergy_v3_diffusion.csv").open(encoding="utf-8") as file:
        return [_row(row, *facts(row)) for row in csv.DictReader(file)]


def held_out(rows: Sequence[MediaRow]) -> dict[str, Any]:
    """Return MAPE in % of videos and of images, each by a fit that never saw its model."""
    return _by_kind(rows, held_out_errors(rows))


def held_out_errors(rows: Sequence[MediaRow]) -> Column:
    """Return predicted over measured of each row, by a fit that never saw its model."""
    answer = np.full(len(rows), np.nan)
    names, gpus = np.array([row.hub_id for row in rows]), np.array([row.gpu for row in rows])
    for gpu in ACCELERATORS:
        for name in sorted(set(names)):
            learnt, judged = (names != name) & (gpus == gpu), (names == name) & (gpus == gpu)
            numbers = fit([row for row, kept in zip(rows, learnt, strict=True) if kept])
            wanted = [row for row, kept in zip(rows, judged, strict=True) if kept]
            answer[judged] = predicted_j(numbers, wanted) / [row.measured_j for row in wanted]
    return answer


def in_sample(rows: Sequence[MediaRow]) -> dict[str, Any]:
    """Return MAPE in % of the fit to all rows of each GPU."""
    answer = np.full(len(rows), np.nan)
    for gpu in ACCELERATORS:
        at = [index for index, row in enumerate(rows) if row.gpu == gpu]
        own = [rows[index] for index in at]
        answer[at] = predicted_j(fit(own), own) / [row.measured_j for row in own]
    return _by_kind(rows, answer)


def bands(rows: Sequence[MediaRow]) -> dict[str, list[float]]:
    """Return measured over predicted, 5th and 95th percentile, each model held out."""
    ratios = 1.0 / held_out_errors(rows)
    video = np.array([row.video for row in rows])
    return {
        name: [round(float(bound), 2) for bound in np.percentile(ratios[at], [5, 95])]
        for name, at in (("video", video), ("image", ~video))
    }


def fit(rows: Sequence[MediaRow]) -> Column:
    """Return the form's numbers: three where every row has one GPU, else five."""
    count = 3 if all(row.work.gpus_count == 1 for row in rows) else 5
    measured = np.log([row.measured_j for row in rows])
    columns = _columns(rows)
    answer = least_squares(
        lambda logs: np.log(_said_j(np.exp(logs), columns)) - measured,
        np.log(STARTS[:count]),
        loss="soft_l1",
        f_scale=SOFT_L1_SCALE,
    )
    return np.asarray(np.exp(answer.x))


def predicted_j(numbers: Column, rows: Sequence[MediaRow]) -> Column:
    """Return the joules of each row's item."""
    return _said_j(numbers, _columns(rows))


def _columns(rows: Sequence[MediaRow]) -> Column:
    return np.array(
        [
            (
                row.work.linear_tflop,
                row.work.attention_tflop,
                row.work.decoded_mpx,
                math.log2(row.work.gpus_count),
                row.work.exchanges_count,
            )
            for row in rows
        ]
    ).T


def _said_j(numbers: Column, columns: Column) -> Column:
    alone = numbers[:3] @ columns[:3]
    if len(numbers) == 3:
        return np.asarray(alone)
    return np.asarray(alone * (1.0 + numbers[3] * columns[3]) + numbers[4] * columns[4])


def _row(row: Mapping[str, str], model: MediaModel, tokens_count: int | None) -> MediaRow:
    gpus_count, steps = int(row["num_gpus"]), int(row["inference_steps"])
    work = media_work(
        model, gpus_count=gpus_count, height=int(row["height"]), width=int(row["width"]),
        frames=int(row["frames"]), steps=steps, items_per_batch=int(row["batch_size"]),
    )  # fmt: skip
    if tokens_count is not None:
        work = _with_tokens(work, model, tokens_count, steps=steps)
    return MediaRow(
        hub_id=row["model_id"],
        gpu=row["gpu_model"],
        video=row["task"] == "text-to-video",
        work=work,
        measured_j=float(row["energy_per_sample_joules"]),
    )


def _with_tokens(work: MediaWork, model: MediaModel, tokens: int, *, steps: int) -> MediaWork:
    """Return the same work with another count of tokens (the sheet's)."""
    passes = model.cfg_passes * steps
    attention = 4.0 * model.layers * model.hidden * tokens**2 * passes / 1e12
    return replace(
        work,
        linear_tflop=2.0 * model.params_b * 1e9 * tokens * passes / 1e12,
        attention_tflop=attention if model.full_attention else 0.0,
    )


def _catalogue_model(row: Mapping[str, str]) -> tuple[MediaModel, int | None]:
    return load_catalogue().media_model(row["model_id"]), None


def _recalled_model(row: Mapping[str, str]) -> tuple[MediaModel, int | None]:
    name = next(name for name in RECALLED if name in row["model_id"])
    params_b, layers, hidden, tokens, passes, full = RECALLED[name]
    model = replace(
        load_catalogue().media_model(row["model_id"]),
        params_b=params_b, layers=layers, hidden=hidden, cfg_passes=passes, full_attention=full,
    )  # fmt: skip
    return model, tokens


def _alone(rows: Sequence[MediaRow]) -> list[MediaRow]:
    return [row for row in rows if row.work.gpus_count == 1]


def _named(rows: Sequence[MediaRow], *, many: bool) -> dict[str, dict[str, float]]:
    """Return the fit of each GPU by the names of `coefficients.csv`, to four digits."""
    found = {}
    for gpu in ACCELERATORS:
        numbers = fit([row for row in rows if row.gpu == gpu])
        padded = [*numbers, *([] if many else [0.0, 0.0])]
        found[gpu] = {
            name: float(f"{value:.4g}") for name, value in zip(PARAMETERS, padded, strict=True)
        }
    return found


def _by_kind(rows: Sequence[MediaRow], ratios: Column) -> dict[str, Any]:
    video = np.array([row.video for row in rows])
    wrong = 100.0 * np.abs(ratios - 1.0)
    return {
        "video_mape_percent": round(float(wrong[video].mean()), 2),
        "image_mape_percent": round(float(wrong[~video].mean()), 2),
        "video_count": int(video.sum()),
        "image_count": int((~video).sum()),
    }


def _worst(rows: Sequence[MediaRow]) -> dict[str, float]:
    wrong = 100.0 * np.abs(held_out_errors(rows) - 1.0)
    names = np.array([row.hub_id.rpartition("/")[2] for row in rows])
    by_model = {str(name): round(float(wrong[names == name].mean()), 1) for name in set(names)}
    return dict(sorted(by_model.items(), key=lambda item: -item[1])[:3])

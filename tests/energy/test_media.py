"""Joules of images and of video, and the tokens they are counted in."""

import csv
from dataclasses import replace
from pathlib import Path
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.energy.media import item_j, latent_tokens, media_band, video_j_per_video_s
from tokenergy.energy.predict import coefficients_for
from tokenergy.errors import InputError
from tokenergy.files.catalogue import load_catalogue

CATALOGUE = load_catalogue()
WAN = CATALOGUE.media_model("wan2.1-14b")
FLUX = CATALOGUE.media_model("flux.1-dev")
SANA = CATALOGUE.media_model("sana-1.6b")
H100 = coefficients_for(CATALOGUE, "H100")


@pytest.mark.parametrize(
    ("name", "tokens"),
    [
        ("wan2.1-1.3b", 32_760),
        ("wan2.1-14b", 32_760),
        ("hunyuan-video", 118_800),
        ("cogvideox-2b", 17_776),
        ("flux.1-dev", 4_608),
        ("sd3.5-large", 4_250),
        ("pixart-sigma", 4_096),
        ("sana-1.6b", 1_024),
    ],
)
def test_tokens_of_the_measured_shape(name: str, tokens: int) -> None:
    """Wan: (1 + 80/4) x 480/16 x 832/16 = 21 x 30 x 52; CogVideoX-2b: 13 x 30 x 45 + 226."""
    model = CATALOGUE.media_model(name)
    shape = {"height": model.height, "width": model.width, "frames": model.frames}
    assert latent_tokens(model, **shape) == tokens


def test_cogvideox15_halves_time() -> None:
    """21 latent frames in pairs are 11; 11 x 48 x 85 + 224 = 45,104 (the sheet rounds)."""
    model = CATALOGUE.media_model("cogvideox1.5-5b")
    assert latent_tokens(model, height=768, width=1360, frames=81) == 45_104
    assert latent_tokens(model, height=768, width=1360, frames=161) == 21 * 48 * 85 + 224


def test_an_image_by_hand() -> None:
    """FLUX, one H100: 12e9 parameters, 4,608 tokens, one pass of 50 steps.

    F_lin = 2 x 12e9 x 4608 x 50 / 1e12 = 5,529.6 TFLOP
    F_att = 4 x 57 x 3072 x 4608^2 x 50 / 1e12 = 743.612 TFLOP
    J = .995 x 5529.6 + 2.262 x 743.612 + 312 x 1.048576 = 7,511.2 J = 2.09 Wh
    """
    joules = item_j(FLUX, H100, gpus_count=1, height=1024, width=1024, frames=1, steps=50)
    assert joules == pytest.approx(7511.2, abs=0.5)
    assert joules / 3600 == pytest.approx(2.1, abs=0.05)


def test_further_gpus_add_communication() -> None:
    """SANA on 4: x (1 + .155 x 2), + .291 x 3 x 20 x 2 x 20 steps = 698.4 J."""
    shape = {"height": 1024, "width": 1024, "frames": 1}
    linear_tflop = 2 * 1.6e9 * 1024 * 2 * 20 / 1e12
    alone_j = 1.029 * linear_tflop + 330 * 1.048576
    wanted_j = alone_j * 1.31 + 698.4
    assert item_j(SANA, H100, gpus_count=4, steps=20, **shape) == pytest.approx(wanted_j)
    shared_j = item_j(SANA, H100, gpus_count=4, steps=20, items_per_batch=2, **shape)
    assert shared_j == pytest.approx(wanted_j - 349.2)


@given(steps=st.integers(1, 100), frames=st.integers(1, 200))
def test_joules_grow_with_steps_and_frames(steps: int, frames: int) -> None:
    def joules(steps: int, frames: int) -> float:
        return item_j(WAN, H100, gpus_count=1, height=480, width=832, frames=frames, steps=steps)

    assert joules(steps + 1, frames) > joules(steps, frames)
    assert joules(steps, frames + 4) > joules(steps, frames)


def test_a_long_clip_costs_more_per_second() -> None:
    clip = {"gpus_count": 1, "height": 480, "width": 832, "steps": 50}
    short, long = (
        video_j_per_video_s(WAN, H100, duration_s=seconds, **clip)  # type: ignore[arg-type]
        for seconds in (2.0, 10.0)
    )
    assert long > 2 * short
    whole_j = item_j(WAN, H100, frames=81, **clip)
    native_j = video_j_per_video_s(WAN, H100, duration_s=81 / 16, **clip)  # type: ignore[arg-type]
    assert native_j * 81 / 16 == pytest.approx(whole_j)
    assert native_j / 3600 == pytest.approx(16, abs=1)


@pytest.mark.parametrize(
    "change",
    [{"height": 0}, {"frames": 0}, {"steps": 0}, {"gpus_count": 0}, {"items_per_batch": 0}],
)
def test_bad_sizes_are_refused(change: dict[str, int]) -> None:
    sizes = {"gpus_count": 1, "height": 480, "width": 832, "frames": 81, "steps": 50}
    with pytest.raises(InputError, match=r"wan2\.1-14b"):
        item_j(WAN, H100, **(sizes | change))


def test_an_image_is_no_film() -> None:
    with pytest.raises(InputError, match="images"):
        latent_tokens(FLUX, height=1024, width=1024, frames=2)
    clip = {"gpus_count": 1, "height": 480, "width": 832, "steps": 50}
    with pytest.raises(InputError, match="images"):
        video_j_per_video_s(FLUX, H100, duration_s=1.0, **clip)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="clip"):
        video_j_per_video_s(WAN, H100, duration_s=0.0, **clip)  # type: ignore[arg-type]


def test_bands() -> None:
    assert media_band(WAN, fitted=True) == (0.75, 1.23)
    assert media_band(FLUX, fitted=True) == (0.64, 1.95)
    assert media_band(WAN, fitted=False) == (0.5, 2.0)


@pytest.mark.parametrize(
    ("task", "one_gpu", "count", "mape"),
    [
        ("text-to-video", True, 42, 4.4),
        ("text-to-image", True, 71, 20.0),
        ("text-to-video", False, 382, 9.4),
        ("text-to-image", False, 638, 19.9),
    ],
)
def test_the_fit_reproduces_its_own_error(
    shared_data: Path, task: str, one_gpu: bool, count: int, mape: float
) -> None:
    """All rows with one GPU through its own fit; all rows through the fit of 1 to 8."""
    with (shared_data / "energy" / "mlenergy_v3_diffusion.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["task"] == task]
    errors = []
    for row in rows:
        gpus = int(row["num_gpus"])
        if one_gpu and gpus > 1:
            continue
        fit = coefficients_for(CATALOGUE, row["gpu_model"])
        if not one_gpu:
            fit = replace(fit, media_one_gpu=fit.media_many_gpus)
        joules = item_j(
            CATALOGUE.media_model(row["model_id"]),
            fit,
            gpus_count=gpus,
            height=int(row["height"]),
            width=int(row["width"]),
            frames=int(row["frames"]),
            steps=int(row["inference_steps"]),
            items_per_batch=int(row["batch_size"]),
        )
        errors.append(abs(joules / float(row["energy_per_sample_joules"]) - 1))
    assert len(errors) == count
    assert 100 * mean(errors) == pytest.approx(mape, abs=0.1)

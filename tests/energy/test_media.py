"""Joules of images and of video, and the tokens they are counted in."""

import csv
from dataclasses import replace
from pathlib import Path
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.company.coefficients import MediaCoefficients
from tokenergy.energy.media import (
    clip_energy,
    item_j,
    latent_tokens,
    media_band,
    media_work,
)
from tokenergy.energy.predict import coefficients_for
from tokenergy.errors import InputError
from tokenergy.files.catalogue import load_catalogue

CATALOGUE = load_catalogue()
WAN = CATALOGUE.media_model("wan2.1-14b")
FLUX = CATALOGUE.media_model("flux.1-dev")
SANA = CATALOGUE.media_model("sana-1.6b")
H100 = coefficients_for(CATALOGUE, "H100")
VIDEOS = [model.model_id for model in CATALOGUE.media_models if model.kind == "video_second"]
SHEET_ALONE = MediaCoefficients(
    c_lin_j_per_tflop=0.995, c_att_j_per_tflop=2.262, c_px_j_per_mpx=312.0, c_n_ratio=0.0, c_s_j=0.0
)
SHEET_MANY = MediaCoefficients(
    c_lin_j_per_tflop=1.029,
    c_att_j_per_tflop=1.983,
    c_px_j_per_mpx=330.0,
    c_n_ratio=0.155,
    c_s_j=0.291,
)


@pytest.mark.parametrize(
    ("name", "tokens"),
    [
        ("wan2.1-1.3b", 32_760),
        ("wan2.1-14b", 32_760),
        ("hunyuan-video", 118_800),
        ("cogvideox-2b", 17_776),
        ("flux.1-dev", 4_608),
        ("sd3.5-large", 4_429),
        ("pixart-sigma", 4_096),
        ("sana-1.6b", 1_024),
    ],
)
def test_tokens_of_the_measured_shape(name: str, tokens: int) -> None:
    """Wan: (1 + 80/4) x 480/16 x 832/16 = 21 x 30 x 52; CogVideoX-2b: 13 x 30 x 45 + 226.

    SD3.5: 64 x 64 + 77 of CLIP + 256 of T5.
    """
    model = CATALOGUE.media_model(name)
    shape = {"height": model.height, "width": model.width, "frames": model.frames}
    assert latent_tokens(model, **shape) == tokens


def test_cogvideox15_halves_time() -> None:
    """21 latent frames in pairs are 11; 11 x 48 x 85 + 224 = 45,104 (the sheet rounds)."""
    model = CATALOGUE.media_model("cogvideox1.5-5b")
    assert latent_tokens(model, height=768, width=1360, frames=81) == 45_104
    assert latent_tokens(model, height=768, width=1360, frames=161) == 21 * 48 * 85 + 224


def test_an_image_by_hand() -> None:
    """FLUX, one H100, with the numbers of the energy sheet.

    F_lin = 2 x 12e9 x 4608 x 50 / 1e12 = 5,529.6 TFLOP
    F_att = 4 x 57 x 3072 x 4608^2 x 50 / 1e12 = 743.620 TFLOP
    J = .995 x 5529.6 + 2.262 x 743.620 + 312 x 1.048576 = 7,511.2 J = 2.09 Wh
    """
    work = media_work(FLUX, gpus_count=1, height=1024, width=1024, frames=1, steps=50)
    assert work.linear_tflop == pytest.approx(5529.6)
    assert work.attention_tflop == pytest.approx(743.620, abs=1e-3)
    assert work.decoded_mpx == pytest.approx(1.048576)
    assert work.item_j(SHEET_ALONE) == pytest.approx(7511.2, abs=0.5)


def test_further_gpus_add_communication() -> None:
    """SANA on 4, sheet's numbers: x (1 + .155 x 2), + .291 x 3 x 20 x 2 x 20 steps = 698.4 J."""
    shape = {"height": 1024, "width": 1024, "frames": 1, "gpus_count": 4, "steps": 20}
    linear_tflop = 2 * 1.6e9 * 1024 * 2 * 20 / 1e12
    alone_j = 1.029 * linear_tflop + 330 * 1.048576
    wanted_j = alone_j * 1.31 + 698.4
    assert media_work(SANA, **shape).item_j(SHEET_MANY) == pytest.approx(wanted_j)
    shared = media_work(SANA, items_per_batch=2, **shape)
    assert shared.item_j(SHEET_MANY) == pytest.approx(wanted_j - 349.2)


@given(factor=st.floats(0.1, 10.0), frames=st.integers(1, 200), gpus=st.sampled_from([1, 2, 4, 8]))
def test_joules_scale_with_the_numbers_of_the_board(factor: float, frames: int, gpus: int) -> None:
    """All of c_lin, c_att, c_px and c_s doubled are twice the joules; c_n is a ratio."""
    work = media_work(WAN, gpus_count=gpus, height=480, width=832, frames=frames, steps=50)
    scaled = MediaCoefficients(
        c_lin_j_per_tflop=SHEET_MANY.c_lin_j_per_tflop * factor,
        c_att_j_per_tflop=SHEET_MANY.c_att_j_per_tflop * factor,
        c_px_j_per_mpx=SHEET_MANY.c_px_j_per_mpx * factor,
        c_n_ratio=SHEET_MANY.c_n_ratio,
        c_s_j=SHEET_MANY.c_s_j * factor,
    )
    assert work.item_j(scaled) == pytest.approx(factor * work.item_j(SHEET_MANY), rel=1e-12)


@given(
    frames=st.integers(1, 400),
    steps=st.integers(1, 100),
    gpus=st.sampled_from([1, 2, 4, 8]),
    batch=st.integers(1, 16),
)
def test_work_is_linear_in_steps_and_quadratic_in_tokens(
    frames: int, steps: int, gpus: int, batch: int
) -> None:
    """Twice the steps are twice all but the decoding; attention over linear grows as tokens."""
    made = {"gpus_count": gpus, "height": 480, "width": 832, "items_per_batch": batch}
    one = media_work(WAN, frames=frames, steps=steps, **made)
    two = media_work(WAN, frames=frames, steps=2 * steps, **made)
    assert two.linear_tflop == pytest.approx(2 * one.linear_tflop)
    assert two.attention_tflop == pytest.approx(2 * one.attention_tflop)
    assert two.exchanges_count == pytest.approx(2 * one.exchanges_count)
    assert two.decoded_mpx == one.decoded_mpx
    tokens = latent_tokens(WAN, height=480, width=832, frames=frames)
    ratio = 2 * WAN.layers * WAN.hidden * tokens / (WAN.params_b * 1e9)
    assert one.attention_tflop / one.linear_tflop == pytest.approx(ratio)
    assert (one.exchanges_count == 0) == (gpus == 1)


@given(side=st.integers(64, 2048), more=st.integers(0, 512), steps=st.integers(1, 60))
def test_a_larger_image_never_takes_less(side: int, more: int, steps: int) -> None:
    def joules(side: int) -> float:
        return item_j(FLUX, H100, gpus_count=1, height=side, width=side, frames=1, steps=steps)

    assert joules(side + more) >= joules(side) > 0


@given(
    short=st.integers(1, 60), more=st.integers(1, 60), name=st.sampled_from(VIDEOS),
    gpus=st.sampled_from([1, 2, 8]),
)  # fmt: skip
def test_a_second_of_a_longer_clip_takes_more(short: int, more: int, name: str, gpus: int) -> None:
    """Where whole latents fill both clips: padding and the first frame are then all that differ.

    The linear part of a second is a constant plus (the first latent) / length; it cannot rise, so
    the second of a longer clip is dearer by attention, as soon as that outweighs the first latent.
    """
    model = CATALOGUE.media_model(name)
    clips = [
        clip_energy(
            model, H100, gpus_count=gpus, height=model.height, width=model.width,
            duration_s=float(seconds), steps=model.steps,
        )
        for seconds in (short, short + more)
    ]  # fmt: skip
    assert clips[1].clip_j > clips[0].clip_j
    assert clips[1].clip_j / clips[0].clip_j >= clips[1].frames / clips[0].frames * 0.8
    if short >= 4:
        assert clips[1].j_per_video_s > clips[0].j_per_video_s
    for clip in clips:
        assert clip.j_per_video_s * clip.duration_s == pytest.approx(clip.clip_j)
        assert clip.clip_wh == pytest.approx(clip.clip_j / 3600)
        assert clip.wh_per_video_s == pytest.approx(clip.j_per_video_s / 3600)


def test_another_rate_is_another_count_of_frames() -> None:
    made = {"gpus_count": 1, "height": 480, "width": 832, "steps": 50}
    clip = clip_energy(WAN, H100, duration_s=5.0, fps=24.0, **made)  # type: ignore[arg-type]
    assert clip.frames == 120
    assert clip.tokens_count == 31 * 30 * 52
    with pytest.raises(InputError, match="frames per second"):
        clip_energy(WAN, H100, duration_s=5.0, fps=0.0, **made)  # type: ignore[arg-type]


@given(steps=st.integers(1, 100), frames=st.integers(1, 200))
def test_joules_grow_with_steps_and_frames(steps: int, frames: int) -> None:
    def joules(steps: int, frames: int) -> float:
        return item_j(WAN, H100, gpus_count=1, height=480, width=832, frames=frames, steps=steps)

    assert joules(steps + 1, frames) > joules(steps, frames)
    assert joules(steps, frames + 4) > joules(steps, frames)


def test_a_long_clip_costs_more_per_second() -> None:
    clip = {"gpus_count": 1, "height": 480, "width": 832, "steps": 50}
    short, long = (
        clip_energy(WAN, H100, duration_s=seconds, **clip).j_per_video_s  # type: ignore[arg-type]
        for seconds in (2.0, 10.0)
    )
    assert long > 2 * short
    whole_j = item_j(WAN, H100, frames=81, **clip)
    native_j = clip_energy(WAN, H100, duration_s=81 / 16, **clip).j_per_video_s  # type: ignore[arg-type]
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
        clip_energy(FLUX, H100, duration_s=1.0, **clip)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="clip"):
        clip_energy(WAN, H100, duration_s=0.0, **clip)  # type: ignore[arg-type]


def test_bands() -> None:
    assert media_band(WAN, fitted=True) == (0.75, 1.23)
    assert media_band(FLUX, fitted=True) == (0.65, 1.98)
    assert media_band(WAN, fitted=False) == (0.5, 2.0)


@pytest.mark.parametrize(
    ("task", "one_gpu", "count", "mape"),
    [
        ("text-to-video", True, 42, 4.3),
        ("text-to-image", True, 71, 20.8),
        ("text-to-video", False, 382, 9.5),
        ("text-to-image", False, 638, 20.0),
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

"""`tokenergy energy`: four numbers, the band, the rows that sum to them, and sweeps."""

import math
from pathlib import Path

import pytest

WORDS = (
    "energy", "Qwen/Qwen3-32B", "--accelerator", "H100", "--accelerators", "2", "--batch", "64",
    "--output-tokens", "500",
)  # fmt: skip


def test_the_table_has_four_numbers_and_how_far_to_trust_them(inside) -> None:
    done = inside(*WORDS)
    assert done.status == 0, done.err
    told = " ".join(done.out.split())
    for word in ("qwen3-32b on 2 x H100, batch 64", "500 tokens out, 195 in", "boards at work",
                 "host", "idle", "overhead", "total", "Wh", "J/token", "9 in 10",
                 "Tier modelled, boundary facility, stack vllm 0.11.1", "Assumed:", "PUE 1.09",
                 "One awake replica"):  # fmt: skip
        assert word in told
    assert "warning" not in told


def test_the_json_sums_to_the_last_digit(inside) -> None:
    one = inside(*WORDS, "--json", "--explain").json()
    parts = [one[f"{part}_j"] for part in ("gpu", "host", "idle", "overhead")]
    assert math.fsum(parts) == pytest.approx(one["total_j"], rel=1e-12)
    rows = math.fsum(row["energy_j"] for row in one["explain"])
    assert rows == pytest.approx(one["total_j"], rel=1e-9)
    assert one["low_j"] < one["total_j"] < one["high_j"]
    assert (one["tier"], one["boundary"]) == ("modelled", "facility")
    assert {row["name"] for row in one["explain"]} >= {
        "per-layer overhead", "communication", "shared weights", "experts", "arithmetic",
        "KV cache", "prefill", "stack scalar", "calibration", "host", "idle boards", "overhead",
    }  # fmt: skip
    assert "explain" not in inside(*WORDS, "--json").json()
    assert one["replica"]["base_w"] > 0.0


def test_explain_ends_with_the_sum(inside) -> None:
    told = inside(*WORDS, "--explain").out
    assert "Made of (terms of a fit, not measured causes" in told
    assert "GB read a step" in told
    rows = [line.split() for line in told.splitlines() if line.strip().startswith("sum")]
    assert rows[0][-1] == "100.0%"


def test_a_site_states_its_own_terms(inside) -> None:
    own = ("--pue", "1.3", "--host-w", "150", "--idle-share", "0")
    one = inside(*WORDS, *own, "--json").json()
    assert one["overhead_j"] == pytest.approx(0.3 * (one["gpu_j"] + one["host_j"]))
    assert one["idle_j"] == 0.0
    assert not [told for told in one["assumed"] if "arXiv" in told]
    boards = inside(*WORDS, "--boundary", "gpu", "--json").json()
    assert boards["total_j"] == boards["gpu_j"] == one["gpu_j"]
    assert "cooling and losses: outside" in inside(*WORDS, "--boundary", "it").out


def test_batches_make_a_sweep(inside) -> None:
    told = inside("energy", "qwen3-32b", "--accelerator", "H100", "--accelerators", "2",
                  "--batch", "4", "--batch", "32", "--json").json()  # fmt: skip
    assert [each["batch_count"] for each in told["estimates"]] == [4.0, 32.0]
    assert told["estimates"][0]["j_per_token"] > told["estimates"][1]["j_per_token"]
    shown = inside("energy", "qwen3-32b", "--accelerator", "H100", "--accelerators", "2",
                   "--curve").out  # fmt: skip
    assert "awake J/token" in shown
    assert "warning (batch 1, batch 2, batch 4): the batch is below 7.45" in shown
    lines = [line.split()[0] for line in shown.splitlines() if line[:5].strip().isdigit()]
    assert lines[:8] == ["1", "2", "4", "8", "16", "32", "64", "128"]


def test_video_is_told_by_the_length_of_a_clip(inside) -> None:
    told = inside("energy", "wan2.1-14b", "--accelerator", "H100", "--curve", "--json").json()
    each = [one["j_per_video_s"] for one in told["estimates"]]
    assert each == sorted(each) and each[-1] > 2.0 * each[0]
    shown = inside("energy", "Wan-AI/Wan2.1-T2V-14B-Diffusers", "--accelerator", "H100",
                   "--seconds", "5", "--height", "480", "--width", "832", "--steps", "50",
                   "--explain").out  # fmt: skip
    assert "5 s of video" in shown and "by the square of the length" in shown


def test_images(inside) -> None:
    one = inside("energy", "flux.1-dev", "--accelerator", "B200", "--items", "4", "--json").json()
    assert one["units_count"] == 4.0
    assert one["j_per_image"] == pytest.approx(one["total_j"] / 4.0)
    assert "4 images" in inside("energy", "flux.1-dev", "--accelerator", "B200", "--items", "4").out


def test_measured_points_calibrate_their_own_configuration(inside, tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text(
        "model,accelerator,gpus_count,batch_count,j_per_token,boundary,stack\n"
        "qwen3-32b,H100,2,32,0.9,gpu,vllm 0.11.1\nqwen3-32b,H100,2,128,0.5,gpu,vllm 0.11.1\n",
        encoding="utf-8",
    )
    plain = inside(*WORDS, "--json").json()
    one = inside(*WORDS, "--points", "points.csv", "--json").json()
    assert one["tier"] == "calibrated"
    assert one["calibration_points_count"] == 2
    assert one["gpu_j"] != plain["gpu_j"]
    other = ("energy", "qwen3-32b", "--accelerator", "B200", "--batch", "64", "--json")
    told = inside(*other, "--points", "points.csv").json()
    (warning,) = told["warnings"]
    assert "none of its points corrects qwen3-32b on 1 x B200" in warning
    assert told | {"warnings": []} == inside(*other).json()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("Qwen/Qwen3-33B", "--accelerator", "H100"), "did you mean 'Qwen/Qwen3-32B'"),
        (("qwen3-32b", "--accelerator", "H1000"), "did you mean 'H100'"),
        (("llama-3.1-405b", "--accelerator", "H100"), "GB usable on 1 x H100"),
        (("qwen3-32b", "--accelerator", "H100", "--batch", "0"), "batch_count"),
        (("qwen3-32b", "--accelerator", "H100", "--batch", "nan"), "batch_count"),
        (("qwen3-32b", "--accelerator", "H100", "--pue", "0.9"), "at least 1"),
        (("qwen3-32b", "--accelerator", "H100", "--output-tokens", "-5"), "output_tokens"),
        (("qwen3-32b", "--accelerator", "H100", "--seconds", "5"), "makes tokens: seconds"),
        (("flux.1-dev", "--accelerator", "H100", "--input-tokens", "5"), "makes images"),
        (("flux.1-dev", "--accelerator", "H100", "--seconds", "5"), "images, not seconds"),
        (("flux.1-dev", "--accelerator", "H100", "--batch", "1.5"), "come whole"),
        (("wan2.1-14b", "--accelerator", "H100", "--frames", "9", "--seconds", "5"), "one of"),
        (("qwen3-32b", "--accelerator", "H100", "--host-w", "1", "--host-share", "1"), "twice"),
        (("qwen3-32b", "--accelerator", "H100", "--points", "none.csv"), "no such file"),
    ],
)
def test_what_is_asked_wrongly_is_told(inside, words: tuple[str, ...], said: str) -> None:
    done = inside("energy", *words)
    assert done.status == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert done.out == ""

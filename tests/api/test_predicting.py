"""`te.energy`: the same from Python."""

from pathlib import Path

import pytest

import tokenergy as te
from tokenergy.errors import InputError


def test_the_answer_is_an_estimate_or_a_sweep() -> None:
    one = te.energy("qwen3-8b", accelerator="H100", batch=32, output_tokens=100)
    assert one.estimate.total_j == one.to_dict()["total_j"]
    assert one.rows == ()
    several = te.energy("qwen3-8b", accelerator="H100", batch=(8, 32), explain=True)
    assert [row["batch_count"] for row in several.to_dict()["estimates"]] == [8.0, 32.0]
    assert len(several.rows) == 2
    frame = several.to_polars()
    assert frame.height == 2 and "gpu_j" in frame.columns
    assert "qwen3-8b on 1 x H100" in several._repr_html_()


def test_a_sweep_ends_where_memory_does() -> None:
    """30 in and 20,000 out on one board: 144 kB of cache a token is 2.9 GB a sequence."""
    found = te.energy(
        "qwen3-8b", accelerator="H100", curve=True, input_tokens=30, output_tokens=20_000
    )
    assert [one.batch_count for one in found.estimates] == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_what_stands_in_is_named() -> None:
    assumed = te.energy("qwen3-8b", accelerator="H100").estimate.assumed
    assert assumed[:2] == ("batch 64", "output 400 tokens, a chat answer")


def test_an_option_of_another_kind_of_model_is_refused() -> None:
    with pytest.raises(InputError, match="makes tokens: frames, steps"):
        te.energy("qwen3-8b", accelerator="H100", frames=8, steps=20)


@pytest.mark.parametrize("batch", [float("nan"), float("inf"), 1.5])
def test_items_come_whole(batch: float) -> None:
    with pytest.raises(InputError, match="images and clips come whole"):
        te.energy("flux.1-dev", accelerator="H100", batch=batch)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["H100,1,32,0.2", "H100,1,32,-1"], "points.csv:3: 1 of 2 rows are left out"),
        (["H100,1,32,0.2", "H100,1,32,2.0"], "differ by a factor of 10.00"),
        (["H100,8,32,0.2"], "none of its points corrects qwen3-8b on 1 x H100"),
    ],
)
def test_what_is_wrong_with_the_points_is_said(tmp_path: Path, rows: list[str], told: str) -> None:
    path = tmp_path / "points.csv"
    lines = [f"qwen3-8b,{row},gpu" for row in rows]
    header = "model,accelerator,gpus_count,batch_count,j_per_token,boundary"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    answer = te.energy("qwen3-8b", accelerator="H100", batch=32, points=path)
    assert [warning for warning in answer.estimate.warnings if told in warning]

"""Images and video in a board: joules and watt-hours of an item, and of a second by length."""

from pathlib import Path
from typing import Any

import pytest

import tokenergy as te
from tokenergy.api.media_energy import media_items
from tokenergy.energy.media import item_j
from tokenergy.energy.predict import coefficients_for

TEXT = Path(__file__).resolve().parents[1] / "small.yaml"


def test_the_sora_like_example_tells_each_shape_on_each_board(opened_sora: Any) -> None:
    """Ten seconds of 480 x 832, five of 320 x 576, a picture; on H100 and on H200."""
    items = media_items(opened_sora)
    assert [(served.name, served.item.accelerator) for served in items] == [
        ("clip", "H100"),
        ("clip", "H200"),
        ("short", "H100"),
        ("short", "H200"),
        ("still", "H100"),
        ("still", "H200"),
    ]
    assert items[4].item.duration_s is None
    assert items[4].item.item_wh == pytest.approx(2.0, abs=0.1)
    clip, short = items[0].item, items[2].item
    assert clip.duration_s == pytest.approx(161 / 16)
    assert short.duration_s == pytest.approx(81 / 16)
    wanted_j = item_j(
        opened_sora.catalogue.media_model("wan2.1-14b"),
        coefficients_for(opened_sora.catalogue, "H100"),
        gpus_count=8, height=480, width=832, frames=161, steps=50,
    )  # fmt: skip
    assert clip.item_j == pytest.approx(wanted_j)
    assert short.item_wh < clip.item_wh / 4
    per_second = [one.wh_per_video_s for one in clip.clips]
    assert per_second == sorted(per_second)


def test_a_price_carries_them(opened_sora: Any) -> None:
    board = te.price(opened_sora, hours=1.0)
    told = board.to_dict()["media"]
    assert [row["model"] for row in told] == ["clip", "clip", "short", "short", "still", "still"]
    for row in told:
        assert row["boundary"] == "gpu"
        assert row["wh_per_item"] == pytest.approx(row["j_per_item"] / 3600)
        assert 0 < row["low_share"] < 1 < row["high_share"]
        if row["kind"] == "image":
            assert row["j_per_video_s"] is None
            assert row["by_length"] == []
            continue
        assert row["j_per_video_s"] == pytest.approx(row["j_per_item"] / row["duration_s"])
        assert [clip["duration_s"] for clip in row["by_length"]] == [2.0, 5.0, 10.0, 20.0, 60.0]


def test_a_company_without_media_has_none() -> None:
    assert media_items(te.load(TEXT)) == ()

"""The report's section on images and video."""

from collections.abc import Callable

from tokenergy.api.media_energy import ServedItem
from tokenergy.energy.media_item import media_item
from tokenergy.files.catalogue import load_catalogue
from tokenergy.page.media import length_rows, media
from tokenergy.page.report import ReportData
from tokenergy.page.sections import sections

CATALOGUE = load_catalogue()
ITEMS = [
    ServedItem(
        name=name,
        item=media_item(CATALOGUE, model=model, accelerator=accelerator, gpus_count=gpus_count),
    ).to_dict()
    for name, model, accelerator, gpus_count in (
        ("film", "wan2.1-14b", "H100", 8),
        ("film", "wan2.1-14b", "H200", 8),
        ("poster", "flux.1-dev", "B200", 1),
    )
]


def test_each_item_stands_with_its_joules_and_its_band(
    make_data: Callable[..., ReportData],
) -> None:
    section = media(make_data(media=ITEMS))
    assert section.anchor == "media"
    assert list(section.charts) == ["media_lengths"]
    for said in ("film", "poster", "8 H200", "480 x 832, 81 frames, 50 steps", "GPU boards only"):
        assert said in section.body
    assert "no measurements on H200" in section.body
    film = ITEMS[0]
    assert f'value="{film["wh_per_video_s"]!r}"' in section.body


def test_lengths_rise_and_hold_the_clips_own() -> None:
    """2, 10, 20, 60 and the own 5.0625 s, once for the two boards that take the same.

    5 s gives way to 5.0625: 80 frames are padded to as many latents as 81, so a second of it
    takes more.
    """
    rows = length_rows(ITEMS)
    assert len(rows) == 5
    assert {row["line"] for row in rows} == {"film on 8 H100 or H200"}
    assert [row["duration_s"] for row in rows[:5]] == [2.0, 5.0625, 10.0, 20.0, 60.0]
    per_second = [row["wh_per_video_s"] for row in rows[:5]]
    assert per_second == sorted(per_second)


def test_images_alone_have_no_chart(make_data: Callable[..., ReportData]) -> None:
    section = media(make_data(media=ITEMS[2:]))
    assert section.charts == {}
    assert "Energy by length" not in section.body


def test_only_a_company_with_media_has_the_section(
    make_data: Callable[..., ReportData],
) -> None:
    without = [section.anchor for section in sections(make_data())]
    assert "media" not in without
    anchors = [section.anchor for section in sections(make_data(media=ITEMS))]
    assert anchors[anchors.index("parts") + 1] == "media"

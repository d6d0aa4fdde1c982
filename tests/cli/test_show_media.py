"""The table of what an image or a clip takes."""

import pytest

from tokenergy.api.media_energy import ServedItem
from tokenergy.cli.show_media import joules, media_table, watt_hours
from tokenergy.energy.media_item import media_item
from tokenergy.files.catalogue import load_catalogue

CATALOGUE = load_catalogue()


def served(model: str, gpus_count: int) -> ServedItem:
    item = media_item(CATALOGUE, model=model, accelerator="H100", gpus_count=gpus_count)
    return ServedItem(name=f"my {model}", item=item)


def test_a_table_of_images_and_clips(capsys: pytest.CaptureFixture[str]) -> None:
    media_table([served("flux.1-dev", 1), served("wan2.1-14b", 8)])
    said = capsys.readouterr().out
    image, clip = (line for line in said.splitlines() if line.startswith("my "))
    assert "at 60 s" in said
    assert "no host, no idle, no cooling" in said
    assert image.split()[-7:] == ["-"] * 7
    assert clip.split()[2:5] == ["8", "H100", "5.1"]


def test_images_alone_have_no_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    media_table([served("flux.1-dev", 1)])
    said = capsys.readouterr().out
    assert "Wh/s" not in said
    assert "a second of a longer clip" not in said


def test_nothing_is_said_without_media(capsys: pytest.CaptureFixture[str]) -> None:
    media_table([])
    assert capsys.readouterr().out == ""


def test_figures_have_three_digits_that_mean_something() -> None:
    assert [joules(j) for j in (342.4, 9_999.0, 1_282_000.0, None)] == [
        "342", "9,999", "1,282k", "-",
    ]  # fmt: skip
    assert [watt_hours(wh) for wh in (0.09, 16.47, 356.2, None)] == ["0.09", "16.5", "356", "-"]

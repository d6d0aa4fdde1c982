"""What an image or a clip takes on its boards, and how that changes with length."""

import pytest

from tokenergy.energy.energy_model import EnergyModel
from tokenergy.energy.media import item_j
from tokenergy.energy.media_item import LENGTHS_S, media_item
from tokenergy.energy.predict import coefficients_for
from tokenergy.energy.query import MediaQuery
from tokenergy.errors import InputError, UnknownAccelerator, UnknownModel
from tokenergy.files.catalogue import load_catalogue

CATALOGUE = load_catalogue()


def test_a_clip_at_its_measured_shape() -> None:
    """81 frames at 16 a second play 5.0625 s; its joules are those of the form."""
    item = media_item(CATALOGUE, model="wan2.1-14b", accelerator="H100", gpus_count=8)
    assert item.duration_s == pytest.approx(5.0625)
    wanted_j = item_j(
        CATALOGUE.media_model("wan2.1-14b"), coefficients_for(CATALOGUE, "H100"),
        gpus_count=8, height=480, width=832, frames=81, steps=50,
    )  # fmt: skip
    assert item.item_j == wanted_j
    assert item.j_per_video_s == pytest.approx(wanted_j / 5.0625)
    assert item.wh_per_video_s == pytest.approx(wanted_j / 5.0625 / 3600)
    assert (item.kind, item.boundary, item.energy_tier) == ("video_second", "gpu", "modelled")


def test_a_second_is_a_function_of_the_length() -> None:
    """The product holds no single number: a second of a minute takes over thrice that of 2 s."""
    item = media_item(CATALOGUE, model="wan2.1-14b", accelerator="H100", gpus_count=1)
    assert tuple(clip.duration_s for clip in item.clips) == LENGTHS_S
    per_second = [clip.j_per_video_s for clip in item.clips]
    assert per_second == sorted(per_second)
    assert per_second[-1] > 3 * per_second[0]
    assert any("81 frames of 480 x 832" in note for note in item.notes)


@pytest.mark.parametrize("model", ["wan2.1-14b", "flux.1-dev"])
def test_the_energy_model_says_the_same(model: str) -> None:
    item = media_item(CATALOGUE, model=model, accelerator="H100", gpus_count=8)
    query = MediaQuery(model=model, accelerator="H100", gpus_count=8, boundary="gpu")
    assert EnergyModel(catalogue=CATALOGUE).predict_media(query).gpu_j == pytest.approx(item.item_j)


def test_an_image_has_no_length() -> None:
    item = media_item(CATALOGUE, model="flux.1-dev", accelerator="B200", gpus_count=1)
    assert item.duration_s is item.j_per_video_s is item.wh_per_video_s is None
    assert item.clips == item.notes == ()
    assert 1.0 < item.item_wh < 3.0
    said = item.to_dict()
    assert said["wh_per_item"] == pytest.approx(said["j_per_item"] / 3600)
    assert said["by_length"] == []


def test_a_board_that_was_not_measured_says_so() -> None:
    item = media_item(CATALOGUE, model="flux.1-dev", accelerator="H200", gpus_count=1)
    assert item.low_share <= 0.5
    assert item.high_share >= 2.0
    assert any("no measurements on H200" in note for note in item.notes)


def test_bad_input_names_the_thing() -> None:
    with pytest.raises(UnknownModel, match=r"wan2\.1-14b"):
        media_item(CATALOGUE, model="wan-14b", accelerator="H100", gpus_count=1)
    with pytest.raises(UnknownAccelerator):
        media_item(CATALOGUE, model="wan2.1-14b", accelerator="H1000", gpus_count=1)
    with pytest.raises(InputError, match="0 GPUs"):
        media_item(CATALOGUE, model="wan2.1-14b", accelerator="H100", gpus_count=0)
    with pytest.raises(InputError, match="clip of 0"):
        media_item(
            CATALOGUE, model="wan2.1-14b", accelerator="H100", gpus_count=1, lengths_s=(0.0,)
        )

"""`tokenergy calibrate`: errors before and after, and a file that a company names."""

from pathlib import Path

import pytest
import yaml
from commands import SMALL

from tokenergy.company.curve_point import CurvePoint
from tokenergy.energy.calibrated_curve import predicted_j_per_token
from tokenergy.files.catalogue import load_catalogue

CATALOGUE = load_catalogue()
HEADER = "model,accelerator,gpus_count,stack,batch_count,j_per_token,boundary"


def rows(*batches: float, ratio: float, model: str = "llama-3.1-8b") -> list[str]:
    """Return points that were measured at `ratio` times what is predicted."""
    made = []
    for batch in batches:
        bare = CurvePoint(
            model=model, accelerator="H100", gpus_count=1, batch_count=batch, j_per_token=1.0
        )
        joules = ratio * predicted_j_per_token(CATALOGUE, bare)
        made.append(f"{model},H100,1,,{batch},{joules!r},gpu")
    return made


@pytest.fixture
def points(tmp_path: Path) -> Path:
    path = tmp_path / "points.csv"
    path.write_text("\n".join([HEADER, *rows(8, 32, 128, ratio=2.0)]) + "\n", encoding="utf-8")
    return path


def test_the_errors_before_and_after_are_told(inside, points: Path) -> None:
    """Twice the prediction everywhere: off by 50 %, and by nothing once it is corrected."""
    done = inside("calibrate", "points.csv")
    assert done.status == 0, done.err
    told = " ".join(done.out.split())
    assert "llama-3.1-8b 1 x H100" in told
    assert "Over 3 points: 50.0% before, 0.0% after" in told
    assert "Nothing was written" in told


def test_the_json_carries_units_and_bands(inside, points: Path) -> None:
    told = inside("calibrate", "points.csv", "--json").json()
    (row,) = told["rows"]
    assert row["configuration"]["gpus_count"] == 1
    assert (row["points_count"], row["low_share"], row["high_share"]) == (3, 0.85, 1.16)
    assert row["factor_low_ratio"] == pytest.approx(2.0)
    assert told["before_mape_share"] == pytest.approx(0.5)
    assert told["after_mape_share"] == pytest.approx(0.0, abs=1e-9)


def test_against_other_points_the_rest_stays_as_it_was(
    inside, points: Path, tmp_path: Path
) -> None:
    held = [*rows(16, 64, ratio=2.0), *rows(16, ratio=2.0, model="qwen3-8b")]
    (tmp_path / "held.csv").write_text("\n".join([HEADER, *held]) + "\n", encoding="utf-8")
    told = inside("calibrate", "points.csv", "--against", "held.csv", "--json").json()
    mine, other = told["rows"]
    assert mine["after_mape_share"] == pytest.approx(0.0, abs=1e-9)
    assert other["points_count"] == 0
    assert other["after_mape_share"] == other["before_mape_share"] == pytest.approx(0.5)


def test_a_company_that_names_the_file_pays_for_what_was_measured(
    inside, points: Path, tmp_path: Path
) -> None:
    """Twice the joules of `small`: its energy doubles, that of the other model stays."""
    tree = yaml.safe_load(SMALL.read_text(encoding="utf-8"))
    plain, corrected = tmp_path / "plain.yaml", tmp_path / "corrected.yaml"
    plain.write_text(yaml.safe_dump(tree), encoding="utf-8")
    wrote = inside("calibrate", "points.csv", "--company", "plain.yaml", "--out", "kept.csv")
    assert wrote.status == 0, wrote.err
    assert "calibration: kept.csv" in wrote.out
    assert "CALIBRATION_UNUSED" not in wrote.out
    corrected.write_text(yaml.safe_dump({**tree, "calibration": "kept.csv"}), encoding="utf-8")
    checked = inside("check", "corrected.yaml", "--json").json()
    assert [each for each in checked["findings"] if "CALIBRATION" in each["code"]] == []
    before, after = (
        inside("price", name, "--hours", "1", "--json").json() for name in ("plain.yaml",
        "corrected.yaml")
    )  # fmt: skip
    assert after["sources"]["calibration"] == "kept.csv"
    for was, now in zip(before["prices"], after["prices"], strict=True):
        ratio = now["energy_usd_per_mtok"] / was["energy_usd_per_mtok"]
        if was["model"] == "small":
            assert ratio > 1.2
        else:
            assert ratio == pytest.approx(1.0)


def test_an_older_calibration_is_replaced_and_nothing_else(
    inside, points: Path, tmp_path: Path
) -> None:
    assert inside("calibrate", "points.csv", "--out", "kept.csv").status == 0
    assert inside("calibrate", "points.csv", "--out", "kept.csv").status == 0
    (tmp_path / "mine.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    for taken in ("mine.csv", "points.csv", "kept.txt"):
        done = inside("calibrate", "points.csv", "--out", taken)
        assert done.status == 2
        assert taken in done.err


def test_what_cannot_be_used_is_refused_with_reasons(inside, tmp_path: Path) -> None:
    bad = [*rows(8, ratio=1.0), "llama-3.1-8c,H100,1,,8,0.1,gpu", "qwen3-8b,H100,1,,8,0.1,facility"]
    (tmp_path / "points.csv").write_text("\n".join([HEADER, *bad]) + "\n", encoding="utf-8")
    done = inside("calibrate", "points.csv")
    assert done.status == 2
    assert "POINT_NAME" in done.err and "'llama-3.1-8b'" in done.err
    assert "POINT_BOUNDARY" in done.err
    assert inside("calibrate", "none.csv").status == 2
    assert inside("calibrate", "points.csv", "--name", "x").status == 2

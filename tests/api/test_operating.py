"""`te.operating_points`: the table beside the catalogue's points, and what it changes."""

import json
from pathlib import Path

import polars as pl
import pytest
import yaml
from commands import SMALL, strict

import tokenergy as te
from tokenergy.api import operating
from tokenergy.errors import InputError
from tokenergy.simulate.operating_sample import Effort

TINY = Effort(requests_count=1_000, seeds_count=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the small company."""
    path = tmp_path_factory.mktemp("points")
    (path / "small.yaml").write_text(SMALL.read_text(encoding="utf-8"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def result(folder: Path) -> te.OperatingPoints:
    before, operating.QUICK = operating.QUICK, TINY
    try:
        return te.operating_points(
            te.load(folder / "small.yaml"), quick=True, out=folder / "points.csv"
        )
    finally:
        operating.QUICK = before


def test_every_row_stands_beside_the_point_of_the_catalogue(result: te.OperatingPoints) -> None:
    """Nine pairs; the point of the catalogue is the one that dispatch takes without a table."""
    alone = [
        (row, point)
        for row, point in zip(result.rows, result.analytic, strict=True)
        if not row.terms.also
    ]
    assert len(alone) == 9
    world = te.load(SMALL).world
    for row, point in alone:
        assert point is not None
        name = f"{row.terms.model}@{row.terms.fleet}"
        (route,) = (
            route
            for route in world.routes
            if world.deployments[route.deployment].name == name
            and world.workloads[route.workload].name == row.terms.workload
        )
        mtok_per_h = point.rate_per_s * row.terms.output_tokens * 3600.0 / 1e6
        assert mtok_per_h == pytest.approx(route.rate_mtok_per_h)
        assert point.power_w is not None
        assert point.base_w is not None
        assert point.base_w < point.power_w


def test_the_result_is_strict_json_and_a_table(result: te.OperatingPoints) -> None:
    text = json.dumps(result.to_dict(), allow_nan=False)
    told = strict(text)
    assert told["requests_count"] == 1_000
    first = told["rows"][0]
    assert first["bound"] in ("ttft", "tpot", "kv", "batch")
    assert first["tier"] == "modelled"
    assert set(first["analytic"]) == {
        "rate_per_s", "power_w", "base_w", "marginal_j_per_token", "bound",
    }  # fmt: skip
    frame = result.to_polars()
    assert isinstance(frame, pl.DataFrame)
    assert frame.height == len(result.rows)
    assert "<table>" in result._repr_html_()


def test_a_company_that_names_the_table_takes_its_rates(
    result: te.OperatingPoints, folder: Path
) -> None:
    tree = yaml.safe_load(SMALL.read_text(encoding="utf-8"))
    (folder / "named.yaml").write_text(
        yaml.safe_dump({**tree, "operating_points": "points.csv"}), encoding="utf-8"
    )
    plain, named = te.load(folder / "small.yaml"), te.load(folder / "named.yaml")
    assert not [f for f in named.warnings if f.code.startswith("OPERATING")]
    world = named.world
    rates = {
        (
            world.workloads[route.workload].name,
            world.deployments[route.deployment].name,
        ): route.rate_mtok_per_h
        for route in world.routes
    }
    for row in result.rows:
        if not row.terms.also:
            key = row.terms.workload, f"{row.terms.model}@{row.terms.fleet}"
            assert rates[key] == pytest.approx(row.rate_mtok_per_h)
    assert named.digest != plain.digest
    assert named.heading()["sources"]["operating_points"] == "points.csv"


def test_a_table_replaces_an_older_one_and_nothing_else(folder: Path) -> None:
    other = folder / "other.csv"
    other.write_text("mine\n", encoding="utf-8")
    with pytest.raises(InputError, match="exists already"):
        te.operating_points(te.load(folder / "small.yaml"), out=other)
    assert other.read_text(encoding="utf-8") == "mine\n"


def test_an_unknown_workload_is_told_with_the_nearest(folder: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'chat-america'"):
        te.operating_points(te.load(folder / "small.yaml"), workloads=["chat-amerika"])

"""The company file of a plan: the planner's own text, with other sizes, ready to run."""

from pathlib import Path

import pytest
from commands import SMALL

from tokenergy.company.company import Company
from tokenergy.errors import InputError
from tokenergy.files.planned_file import HEAD, planned_text, write_planned
from tokenergy.files.yaml_text import parse_yaml

TEXT = SMALL.read_text(encoding="utf-8")


def company_of(text: str) -> Company:
    return Company.model_validate(parse_yaml(text).tree)


@pytest.fixture
def built() -> Company:
    """Texas alone, smaller, with a third of its wind; Frankfurt and its battery are not built."""
    company = company_of(TEXT)
    texas, virginia, _ = company.sites
    contracts = [c for c in company.contracts if c.site != "frankfurt"]
    wind = contracts[-1].model_copy(update={"project_mw": 8 / 3, "share": 1.0})
    return company.model_copy(
        update={
            "sites": (texas.model_copy(update={"import_limit_mw": 2.125}), virginia),
            "contracts": (*contracts[:-1], wind),
            "batteries": (),
            "fleets": (company.fleets[0].model_copy(update={"gpu_count": 1234}), company.fleets[1]),
            "horizon": company.horizon.model_copy(update={"days": 1.5}),
        }
    )


def test_it_reads_back_as_what_was_built_and_keeps_what_was_written(built: Company) -> None:
    made = planned_text(TEXT, built=built, note="sizes of a plan")
    assert company_of(made) == built
    assert made.startswith(HEAD)
    assert "# sizes of a plan\n" in made
    assert "# A company for quick tests" in made
    assert "    import_limit_mw: 2.125\n" in made
    assert "gpu_count: 1234, owned: {usd_per_gpu: 33000}}" in made
    assert "horizon: {start: 2026-03-02T00:00:00Z, days: 1.5, step_h: 1}" in made
    assert "2.6666666666666665" in made
    for gone in ("frankfurt", "batteries"):
        assert gone not in made


def test_where_comments_cannot_stay_the_file_says_so(built: Company) -> None:
    anchored = TEXT.replace("fleets:\n", "fleets: &all\n", 1).replace(
        "accelerator: H100, gpu_count: 2000", "accelerator: &sku H100, gpu_count: &n 2000"
    )
    anchored = anchored.replace("gpu_count: 1200", "gpu_count: *n")
    company = company_of(anchored)
    grown = company.model_copy(
        update={"fleets": tuple(f.model_copy(update={"gpu_count": 7}) for f in company.fleets)}
    )
    made = planned_text(anchored, built=grown, note="")
    assert "Written anew" in made
    assert company_of(made) == grown


def test_paths_are_seen_from_the_new_folder(tmp_path: Path, built: Company) -> None:
    price = "{file: data/p.csv, column: usd, time_zone: UTC}"
    text = TEXT.replace("price: {synthetic: texas}", f"price: {price}")
    text += "operating_points: points.csv\n"
    company = company_of(text)
    (tmp_path / "plans").mkdir()
    made = planned_text(
        text, built=company, note="", folder=tmp_path, target_folder=tmp_path / "plans"
    )
    moved = company_of(made)
    assert moved.sites[0].market.price.file == "../data/p.csv"
    assert moved.operating_points == "../points.csv"
    assert "Written anew" not in made


def test_a_written_file_may_be_written_again(tmp_path: Path, built: Company) -> None:
    once = planned_text(TEXT, built=built, note="first")
    again = planned_text(once, built=built, note="second")
    assert company_of(again) == built
    assert write_planned(again, tmp_path / "p.yaml").read_text(encoding="utf-8") == again
    with pytest.raises(InputError, match="cannot write"):
        write_planned(again, tmp_path / "none" / "p.yaml")

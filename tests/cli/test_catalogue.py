"""`tokenergy catalogue`: facts and fitted numbers, where they are from, and the release check."""

from datetime import date

import pytest

from tokenergy.api import catalogued
from tokenergy.api.catalogued import CatalogueShown, catalogue
from tokenergy.cli import show_catalogue
from tokenergy.company.provenance import TABLES, Provenance, release_findings
from tokenergy.errors import InputError

TODAY = date(2026, 11, 30)


def test_it_counts_what_there_is(inside) -> None:
    done = inside("catalogue")
    assert done.status == 0, done.err
    for table in TABLES:
        assert table in done.out


def test_a_table_shows_its_rows_and_where_they_are_from(inside) -> None:
    done = inside("catalogue", "accelerators")
    assert done.status == 0, done.err
    (board,) = [line.split() for line in done.out.splitlines() if line.startswith("H100")]
    assert board[:5] == ["H100", "datasheet", "700", "72", "122"]
    assert "not verified" in next(line for line in done.out.splitlines() if "MI325X" in line)


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_shown_whole(inside, table: str) -> None:
    done = inside("catalogue", table)
    assert done.status == 0, done.err
    rows = inside("catalogue", table, "--json").json()
    assert len(rows[table]) == rows["tables"][table]["rows_count"] > 5
    for row in rows[table]:
        assert row["source"]
        assert row["verified"] in (True, False)


def test_the_json_holds_figures_by_their_units(inside) -> None:
    told = inside("catalogue", "--json").json()
    h100 = next(row for row in told["accelerators"] if row["accelerator"] == "H100")
    assert (h100["tdp_w"], h100["memory_gb"], h100["price_usd"]) == (700.0, 80.0, None)
    wan = next(row for row in told["media"] if row["model_id"] == "wan2.1-14b")
    assert (wan["fps"], wan["cfg_passes"], wan["steps"]) == (16.0, 2, 50)
    first = told["coefficients"][0]
    assert isinstance(first["value"], float)
    assert first["unit"]
    assert told["tables"]["media"] == {
        "rows_count": 12, "verified_count": 12, "recalled_count": 0,
    }  # fmt: skip


def test_the_check_lists_both_and_passes_where_nothing_is_recalled(inside) -> None:
    done = inside("catalogue", "accelerators", "--check")
    assert done.status == 0, done.err
    told = " ".join(done.out.split())
    assert "H100" in told
    assert "accelerators.MI300X (published): memory and 750 W" in told
    assert "fit for a release" in told
    found = inside("catalogue", "accelerators", "--check", "--json").json()
    assert "accelerators.H100" in found["verified"]
    assert "accelerators.MI300X" in [row["row"] for row in found["not_verified"]]
    assert found["errors_count"] == 0
    assert {finding["severity"] for finding in found["findings"]} == {"warning"}


def test_a_recalled_row_fails_the_check_with_status_2(
    inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = Provenance(
        table="stacks", name="old 1.0", source="a memory", source_kind="recalled",
        retrieved_on=TODAY, verified=False,
    )  # fmt: skip
    shown = CatalogueShown(
        rows={"stacks": ()}, provenance=(row,), findings=release_findings([row], today=TODAY)
    )
    monkeypatch.setattr(catalogued, "catalogue", lambda table: shown)
    done = inside("catalogue", "--check")
    assert done.status == 2
    assert "stacks.old 1.0" in done.out
    assert "not fit for a release" in done.out
    assert inside("catalogue", "stacks", "--check", "--json").status == 2


def test_the_whole_check_lists_every_row_once() -> None:
    shown = catalogue(today=date(2100, 1, 1))
    told = shown.to_dict(check=True)
    listed = [*told["verified"], *(row["row"] for row in told["not_verified"])]
    assert sorted(listed) == sorted(row.path for row in shown.provenance)
    assert len(set(listed)) == len(listed)
    assert all(show_catalogue._CELLS[table] for table in shown.rows)


def test_an_unknown_table_is_told_the_nearest(inside) -> None:
    done = inside("catalogue", "acelerators")
    assert done.status == 2
    assert "did you mean 'accelerators'" in done.err
    with pytest.raises(InputError, match="'zzzz'; there are accelerators, models"):
        catalogue("zzzz")

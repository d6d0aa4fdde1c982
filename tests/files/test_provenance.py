"""The release check on what ships: every row says where it is from, and none is only recalled."""

from datetime import UTC, datetime

import pytest

from tokenergy.company.finding import errors_of
from tokenergy.company.provenance import TABLES, CatalogueTable, release_findings
from tokenergy.files.catalogue import load_catalogue
from tokenergy.files.provenance import load_every_provenance, load_provenance, load_rows

TODAY = datetime.now(UTC).date()


@pytest.mark.parametrize("table", TABLES)
def test_nothing_that_ships_is_only_recalled(table: CatalogueTable) -> None:
    found = errors_of(release_findings(load_provenance(table), today=TODAY))
    assert [str(finding) for finding in found] == []


def test_every_row_of_every_table_is_checked() -> None:
    facts = load_catalogue()
    counts = {table: len(load_provenance(table)) for table in TABLES}
    assert counts["accelerators"] == len(facts.accelerators)
    assert counts["models"] == len(facts.models)
    assert counts["media"] == len(facts.media_models)
    assert counts["stacks"] == len(facts.stacks)
    assert len(load_every_provenance()) == sum(counts.values())


def test_rows_stand_in_the_order_of_the_nouns() -> None:
    facts = load_catalogue()
    names = [row.name for row in load_provenance("accelerators")]
    assert names == [row.accelerator for row in facts.accelerators]
    names = [row.name for row in load_provenance("media")]
    assert names == [row.model_id for row in facts.media_models]


def test_a_coefficient_is_named_by_all_three_of_its_words() -> None:
    names = {row.name for row in load_provenance("coefficients")}
    assert "H100 language c_layer" in names
    assert len(names) == len(load_rows("coefficients"))


def test_every_media_row_and_every_board_with_a_fit_is_verified() -> None:
    fitted = {row.accelerator for row in load_catalogue().coefficients}
    rows = (*load_provenance("media"), *load_provenance("accelerators"))
    for row in rows:
        assert row.verified or (row.table == "accelerators" and row.name not in fitted)

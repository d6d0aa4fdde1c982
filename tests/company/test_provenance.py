"""The release check: what keeps a row of the catalogue from a release, and what only warns."""

from dataclasses import replace
from datetime import date, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.company.accelerator import SourceKind
from tokenergy.company.finding import errors_of
from tokenergy.company.provenance import Provenance, release_findings

TODAY = date(2026, 11, 30)
ROW = Provenance(
    table="models",
    name="some-8b",
    source="some/repo config.json",
    source_kind="config",
    retrieved_on=TODAY,
    verified=True,
)


def codes(*rows: Provenance) -> list[str]:
    return [finding.code for finding in release_findings(rows, today=TODAY)]


def test_a_verified_row_has_nothing_to_find() -> None:
    assert release_findings([ROW], today=TODAY) == ()


def test_a_recalled_row_is_an_error_that_names_it() -> None:
    (found,) = release_findings([replace(ROW, source_kind="recalled", verified=False)], today=TODAY)
    assert (found.code, found.path, found.severity) == (
        "CATALOGUE_RECALLED", "models.some-8b", "error",
    )  # fmt: skip


def test_a_recalled_row_that_claims_to_be_verified_is_told_so() -> None:
    (found,) = release_findings([replace(ROW, source_kind="recalled")], today=TODAY)
    assert "claims to be verified" in found.reason


def test_a_row_with_a_source_that_nobody_checked_is_a_warning() -> None:
    (found,) = release_findings([replace(ROW, verified=False)], today=TODAY)
    assert (found.code, found.severity) == ("CATALOGUE_UNVERIFIED", "warning")
    assert errors_of((found,)) == ()


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (replace(ROW, source="  "), "CATALOGUE_UNSOURCED"),
        (replace(ROW, source_kind="hearsay"), "CATALOGUE_KIND"),
        (replace(ROW, source_kind=""), "CATALOGUE_KIND"),
        (replace(ROW, retrieved_on=TODAY + timedelta(days=1)), "CATALOGUE_DATE"),
    ],
)
def test_what_a_row_may_not_say(row: Provenance, code: str) -> None:
    assert codes(row) == [code]


def test_a_name_may_stand_once_in_a_table_and_again_in_another() -> None:
    assert codes(ROW, ROW) == ["CATALOGUE_TWICE"]
    assert codes(ROW, replace(ROW, table="media")) == []


def test_everything_wrong_is_told_at_once() -> None:
    bad = replace(ROW, source="", source_kind="recalled", verified=False)
    assert codes(bad, replace(ROW, name="b", source_kind="hearsay")) == [
        "CATALOGUE_UNSOURCED", "CATALOGUE_RECALLED", "CATALOGUE_KIND",
    ]  # fmt: skip


@given(
    st.lists(
        st.builds(
            replace,
            st.just(ROW),
            name=st.text(min_size=1, max_size=3),
            source=st.sampled_from(["", "a file"]),
            source_kind=st.sampled_from([*get_args(SourceKind), "hearsay"]),
            verified=st.booleans(),
        ),
        max_size=6,
        unique_by=lambda row: row.name,
    )
)
def test_a_table_passes_exactly_if_every_row_passes_alone(rows: list[Provenance]) -> None:
    together = release_findings(rows, today=TODAY)
    alone = tuple(found for row in rows for found in release_findings([row], today=TODAY))
    assert together == alone
    recalled = any(row.source_kind == "recalled" for row in rows)
    assert recalled <= bool(errors_of(together))

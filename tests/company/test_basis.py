"""A cost per Mtok says which cost it is, or is refused."""

import pytest

from tokenergy.company.basis import BASES, bases_in, is_per_mtok, refuse_unstated, state_basis
from tokenergy.errors import UnexpectedError


@pytest.mark.parametrize(
    ("text", "is_money"),
    [
        ("USD/Mtok", True),
        ("EUR/Mtok", True),
        ("EUR per Mtok", True),
        ("$/Mtok", True),
        ("usd_per_mtok_full", True),
        ("total_usd_per_mtok", True),
        ("MWh/Mtok", False),
        ("mwh_per_mtok", False),
        ("Mtok", False),
        ("USD/MWh", False),
    ],
)
def test_money_per_mtok_is_recognised(text: str, is_money: bool) -> None:
    assert is_per_mtok(text) is is_money


def test_a_basis_is_a_word_of_its_own() -> None:
    assert bases_in("full: allocation; marginal: mean over the hours") == (
        "marginal", "allocation", "full",
    )  # fmt: skip
    assert bases_in("fully priced and marginally used") == ()


@pytest.mark.parametrize("basis", BASES)
def test_a_stated_basis_passes(basis: str) -> None:
    assert state_basis("USD/Mtok", f"{basis}: of all sites") == f"{basis}: of all sites"


def test_a_unit_of_anything_else_needs_no_basis() -> None:
    assert state_basis("MW", "mean of each hour") == "mean of each hour"


@pytest.mark.parametrize("basis", ["", "mean of each hour"])
def test_a_figure_without_a_basis_is_refused(basis: str) -> None:
    with pytest.raises(UnexpectedError, match=r"BASIS_UNSTATED.*USD/Mtok.*marginal"):
        state_basis("USD/Mtok", basis)


def test_a_basis_stands_in_the_key_around_it_or_beside_it() -> None:
    assert (
        refuse_unstated(
            {
                "usd_per_mtok_full": 1.0,
                "marginal": {"usd_per_mtok": 0.2},
                "chat": {"basis": "allocation", "usd_per_mtok": 1.1},
                "price": [{"usd_per_mtok": 3.0}],
                "j_per_token": 2.4,
            }
        )
        == ()
    )


def test_every_figure_that_does_not_say_is_named() -> None:
    found = refuse_unstated(
        {
            "usd_per_mtok": 1.0,
            "tiers": [{"usd_per_mtok": 2.0}, {"price_usd_per_mtok": 3.0}],
            "chat": {"basis": "mean", "low_usd_per_mtok": 1.0},
        }
    )
    assert [finding.path for finding in found] == [
        "usd_per_mtok", "tiers[0].usd_per_mtok", "chat.low_usd_per_mtok",
    ]  # fmt: skip
    assert {finding.code for finding in found} == {"BASIS_UNSTATED"}

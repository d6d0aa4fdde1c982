"""The closed form: every figure of the economics sheet's section 1, and what must never move."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.economics.gpu_cost import GpuCost
from tokenergy.errors import InputError

BASE = GpuCost(
    usd_per_gpu=33_000,
    gpu_life_y=5,
    wacc_share=0.09,
    ops_share_per_year=0.04,
    facility_usd_per_kw=12_000,
    facility_life_y=15,
    kw_per_gpu=1.4,
    idle_share=0.35,
    pue=1.25,
    tokens_per_s_per_gpu=900,
    utilisation_share=0.6,
    usd_per_mwh=50,
)
NEWER = replace(BASE, usd_per_gpu=45_000, kw_per_gpu=2.0, pue=1.2, tokens_per_s_per_gpu=6_000)
MONEY = ("usd_per_gpu", "facility_usd_per_kw", "usd_per_mwh")


@st.composite
def gpu_costs(draw):
    between = {
        "usd_per_gpu": (1e3, 1e5),
        "gpu_life_y": (1, 15),
        "wacc_share": (0.001, 0.3),
        "ops_share_per_year": (0, 0.2),
        "facility_usd_per_kw": (0, 3e4),
        "facility_life_y": (1, 40),
        "kw_per_gpu": (0.2, 5),
        "idle_share": (0, 1),
        "pue": (1, 2),
        "tokens_per_s_per_gpu": (10, 1e5),
        "utilisation_share": (0.01, 1),
        "usd_per_mwh": (0, 500),
    }
    return GpuCost(**{name: draw(st.floats(*ends)) for name, ends in between.items()})


@pytest.mark.parametrize(
    ("price", "utilisation", "usd", "share"),
    [
        (20, 0.3, 1.42, 1.4),
        (50, 0.3, 1.45, 3.4),
        (80, 0.3, 1.48, 5.3),
        (120, 0.3, 1.51, 7.8),
        (20, 0.6, 0.71, 1.9),
        (50, 0.6, 0.73, 4.6),
        (80, 0.6, 0.75, 7.1),
        (120, 0.6, 0.78, 10.3),
    ],
)
def test_the_table(price: float, utilisation: float, usd: float, share: float) -> None:
    at = replace(BASE, usd_per_mwh=price, utilisation_share=utilisation)
    assert at.usd_per_mtok() == pytest.approx(usd, abs=0.006)
    assert 100 * at.kwh_share == pytest.approx(share, abs=0.051)


def test_the_base_by_hand() -> None:
    """900 x 0.6 = 540 tok/s, 17,029.44 Mtok a year.

    Energy: 1.4 x (0.35 + 0.65 x 0.6) x 1.25 = 1.295 kW, / 540 = 2.3981 J, x 50 / 3600 = 0.033308.
    Facility: 9 % over 15 y is 0.124059; 12,000 x 1.4 x 0.124059 / 17,029.44 = 0.122387.
    Silicon: 9 % over 5 y is 0.2570925; 33,000 x 0.2970925 / 17,029.44 = 0.575712.
    """
    assert BASE.mtok_per_year == pytest.approx(17_029.44)
    assert BASE.energy_usd_per_mtok == pytest.approx(0.033308, abs=1e-6)
    assert BASE.facility_usd_per_mtok == pytest.approx(0.122387, abs=1e-6)
    assert BASE.silicon_usd_per_mtok == pytest.approx(0.575712, abs=1e-6)


def test_the_sentences_under_the_table() -> None:
    dear, cheap = replace(BASE, usd_per_mwh=120), replace(BASE, usd_per_mwh=20)
    assert cheap.usd_per_mtok() / dear.usd_per_mtok() - 1 == pytest.approx(-0.086, abs=5e-4)
    half = replace(BASE, utilisation_share=0.3)
    assert BASE.usd_per_mtok() / half.usd_per_mtok() - 1 == pytest.approx(-0.49, abs=5e-3)
    assert BASE.kwh_share == pytest.approx(0.046, abs=5e-4)
    assert BASE.powered_capacity_share == pytest.approx(0.17, abs=5e-3)
    assert BASE.kwh_share + BASE.powered_capacity_share == pytest.approx(0.21, abs=5e-3)


def test_newer_hardware_has_the_same_shares() -> None:
    shares = [replace(NEWER, usd_per_mwh=price).kwh_share for price in (20, 120)]
    assert shares == pytest.approx([0.019, 0.103], abs=5e-4)


def test_joules_on_both_bases() -> None:
    assert BASE.j_per_token("consumed") == pytest.approx(2.40, abs=5e-3)
    assert BASE.j_per_token("reserved") == pytest.approx(3.24, abs=5e-3)
    assert BASE.mtok_per_mwh("consumed") == pytest.approx(1_500, abs=5)
    assert BASE.mtok_per_mwh("reserved") == pytest.approx(1_110, abs=5)


@pytest.mark.parametrize(
    ("margin", "reserved", "consumed"), [(0.2, 222, 300), (0.6, 667, 901), (2.0, 2_222, 3_002)]
)
def test_the_rent_of_a_mwh(margin: float, reserved: float, consumed: float) -> None:
    rent = {
        basis: BASE.rent_usd_per_mwh(margin_usd_per_mtok=margin, basis=basis)
        for basis in ("reserved", "consumed")
    }
    assert rent["reserved"] == pytest.approx(reserved, abs=0.51)
    assert rent["consumed"] == pytest.approx(consumed, abs=0.51)


def test_a_connection_carries_its_nameplate() -> None:
    """1.4 x 1.25 = 1.75 kW a GPU: 1.75 MW carry 1,000."""
    assert BASE.gpus_on(1.75) == pytest.approx(1_000)


@given(cost=gpu_costs())
def test_the_parts_are_the_whole(cost: GpuCost) -> None:
    shares = cost.kwh_share + cost.powered_capacity_share + cost.silicon_share
    assert shares == pytest.approx(1.0)
    assert cost.j_per_token("consumed") <= cost.j_per_token("reserved") * (1 + 1e-12)


@given(cost=gpu_costs(), factor=st.floats(0.01, 100))
def test_cost_is_homogeneous_in_money(cost: GpuCost, factor: float) -> None:
    dearer = replace(cost, **{name: getattr(cost, name) * factor for name in MONEY})
    assert dearer.usd_per_mtok() == pytest.approx(factor * cost.usd_per_mtok())


@given(cost=gpu_costs(), name=st.sampled_from((*MONEY, "wacc_share", "ops_share_per_year")),
       more=st.floats(0, 10))  # fmt: skip
def test_a_higher_price_never_lowers_cost(cost: GpuCost, name: str, more: float) -> None:
    dearer = replace(cost, **{name: getattr(cost, name) * (1 + more)})
    assert dearer.usd_per_mtok() >= cost.usd_per_mtok() * (1 - 1e-12)


@given(cost=gpu_costs())
def test_the_share_of_kwh_is_the_elasticity_to_the_price_of_power(cost: GpuCost) -> None:
    up, down = (replace(cost, usd_per_mwh=cost.usd_per_mwh * f) for f in (1.01, 0.99))
    slope = (up.usd_per_mtok() - down.usd_per_mtok()) / (0.02 * cost.usd_per_mtok())
    assert cost.kwh_share == pytest.approx(slope, abs=1e-9)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(InputError, match=r"gpu_life_y is 0.*utilisation_share is 1\.2"):
        replace(BASE, gpu_life_y=0, utilisation_share=1.2)


def test_a_gpu_that_makes_nothing_has_no_cost_of_a_token() -> None:
    with pytest.raises(InputError, match="utilisation_share is 0, above 0 to 1 is needed"):
        replace(BASE, utilisation_share=0.0)


def test_the_mapping_holds_every_input_and_the_total() -> None:
    told = BASE.to_dict()
    assert {field.name for field in fields(GpuCost)} <= set(told)
    parts = ("energy_usd_per_mtok", "facility_usd_per_mtok", "silicon_usd_per_mtok")
    assert told["usd_per_mtok"] == pytest.approx(sum(told[name] for name in parts))

"""What the past left when the horizon began, as the file tells it."""

from worlds import company_of

from tokenergy.company.contract_state import ContractState
from tokenergy.company.settle import initial_states

SPOT = {"id": "spot-texas", "kind": "spot", "site": "texas"}
GAS = {
    "id": "gas", "kind": "on_site", "site": "texas", "capacity_mw": 5.0,
    "heat_rate_mmbtu_per_mwh": 9.5, "fuel_usd_per_mmbtu": 4.0, "initially_on": True,
    "hours_used_h": 120.0,
}  # fmt: skip
WIND = {
    "id": "wind", "kind": "ppa_as_produced", "site": "texas", "project_mw": 20.0, "profile": 0.5,
    "strike_usd_per_mwh": 40.0, "start": "2025-03-02", "annual_mwh": 1000.0,
    "min_take_share": 0.5, "may_curtail": True, "taken_before_mwh": 480.0,
}  # fmt: skip
HISTORY = [
    {"month": "2026-01", "peak_mw": 30.0, "billed_mw": 34.0},
    {"month": "2025-07", "peak_mw": 40.0},
]


def states(*contracts, tariffs=()):
    return initial_states(company_of(contracts=[SPOT, *contracts], tariffs=list(tariffs)))


def test_who_forgets_everything_has_no_state() -> None:
    block = {
        "id": "block", "kind": "block", "site": "texas", "contract_mw": 1.0,
        "strike_usd_per_mwh": 40.0,
    }  # fmt: skip
    energy = {"periods": [{"name": "flat", "usd_per_mwh": 20.0}]}
    assert states(block, tariffs=[{"id": "grid", "site": "texas", "energy": energy}]) == {}


def test_a_plant_knows_whether_it_runs_and_its_hours() -> None:
    """The horizon begins on 2 March 2026 at 00:00 UTC, the 1st of March in Texas."""
    assert states(GAS) == {"gas": ContractState(period="2026", running_h=120.0, on=True)}


def test_a_minimum_take_knows_its_contract_year() -> None:
    """In Texas it is still 1 March 2026: the year that began on 2 March 2025."""
    assert states(WIND)["wind"] == ContractState(period="2025-03-02", taken_mwh=480.0)
    later = {**WIND, "start": "2026-04-01"}
    assert states(later)["wind"] == ContractState()


def test_a_ratchet_knows_the_months_before() -> None:
    def remembered(**terms):
        item = {"name": "demand", "usd_per_kw_month": 12.0, "history": HISTORY, **terms}
        made = states(tariffs=[{"id": "grid", "site": "texas", "demand": [item]}])
        assert list(made) == ["grid.demand"]
        return made["grid.demand"]

    assert remembered().past_peaks == (("2025-07", 40.0), ("2026-01", 30.0))
    billed = remembered(ratchet_on="billed").past_peaks
    assert billed == (("2025-07", 40.0), ("2026-01", 34.0))
    assert remembered(history=None) == ContractState()
    running = remembered(history=[{"month": "2026-03", "peak_mw": 28.0}])
    assert running == ContractState(period="2026-03", peak_mw=28.0, billed_mw=28.0)


def test_every_item_that_remembers_has_a_key() -> None:
    words = {
        "id": "grid", "site": "texas", "time_zone": "America/Chicago",
        "tiers": {"thresholds_mwh": [5.0], "usd_per_mwh": [1.0, 2.0]},
        "demand": [{"name": "peak", "usd_per_kw_month": 1.0}],
        "coincident": [
            {"name": "4cp", "usd_per_kw_year": 66.0, "system_load": 5e4},
            {
                "name": "known", "usd_per_kw_year": 66.0,
                "events": [{"start": "2026-07-01T20:00:00Z", "end": "2026-07-01T20:15:00Z"}],
            },
        ],
        "fixed_usd_per_month": 9.0, "minimum_usd_per_month": 99.0,
    }  # fmt: skip
    keys = ["grid.tiers", "grid.peak", "grid.4cp", "grid.fixed", "grid.minimum"]
    assert list(states(tariffs=[words])) == keys
    dr = {
        "id": "dr", "kind": "demand_response", "site": "texas", "committed_mw": 1.0,
        "baseline_mw": 9.0,
    }  # fmt: skip
    cfe = {
        "id": "cfe", "kind": "cfe", "site": "texas", "target_share": 0.5, "sources": ["wind"],
    }  # fmt: skip
    rec = {
        "id": "rec", "kind": "rec", "site": "texas", "price_usd_per_mwh": 3.0, "load_share": 0.5,
    }  # fmt: skip
    assert list(states(GAS, WIND, dr, cfe, rec)) == ["gas", "wind", "dr", "cfe", "rec"]

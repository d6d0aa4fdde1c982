"""What contracts, tariffs and connections say against each other: one case for each finding."""

import pytest
from tree_changes import Change, Tree, found_in, only_in, put

from tokenergy.company.finding import Finding

CLEAN: Tree = {
    "company": "Test",
    "horizon": {"start": "2026-03-02T00:00:00Z", "days": 7},
    "regions": [{"name": "home", "latitude_deg": 40.0, "longitude_deg": -75.0}],
    "sites": [
        {
            "name": name,
            "latitude_deg": 39.0,
            "longitude_deg": -77.5,
            "market": {"zone": "PJM", "time_zone": "America/New_York", "price": 45},
            "import_limit_mw": 10,
            "pue": 1.2,
        }
        for name in ("virginia", "ohio")
    ],
    "contracts": [
        {"kind": "spot", "id": "spot", "site": "virginia"},
        {"kind": "spot", "id": "ohio-spot", "site": "ohio"},
        {"kind": "block", "id": "base", "site": "virginia", "contract_mw": 2,
         "strike_usd_per_mwh": 50},
        {"kind": "cfe", "id": "clean", "site": "virginia", "target_share": 0.5,
         "sources": ["base"], "shortfall_usd_per_mwh": 30},
        {"kind": "demand_response", "id": "dr", "site": "virginia", "committed_mw": 1,
         "baseline_mw": 8, "availability_usd_per_kw_month": 5},
    ],
    "tariffs": [
        {
            "id": "grid",
            "site": "virginia",
            "energy": {
                "periods": [{"name": "off", "usd_per_mwh": 2}, {"name": "on", "usd_per_mwh": 9}],
                "weekday": [[0] * 8 + [1] * 12 + [0] * 4] * 12,
                "weekend": [[0] * 24] * 12,
            },
            "tiers": {"thresholds_mwh": [500], "usd_per_mwh": [1, 2]},
            "demand": [
                {"name": "peak", "usd_per_kw_month": 12, "demand_interval_h": 1,
                 "ratchet_share": 0.8, "history": [{"month": "2026-01", "peak_mw": 5}]}
            ],
            "coincident": [
                {"name": "4cp", "usd_per_kw_year": 66, "interval_h": 1,
                 "events": [{"start": "2026-07-01T21:00Z", "end": "2026-07-01T22:00Z"}]}
            ],
        }
    ],
    "fleets": [
        {"name": name, "site": site, "accelerator": "H100", "gpu_count": 1000,
         "owned": {"usd_per_gpu": 33000}}
        for name, site in (("h100", "virginia"), ("ohio-h100", "ohio"))
    ],
    "models": [{"name": "small", "catalogue": "llama-3.1-8b", "quality_share": 1}],
    "tiers": [
        {"name": "chat", "service_tier": "default", "ttft_limit_s": 1, "tpot_limit_s": 0.05,
         "price_usd_per_mtok": 3, "value": "from_price", "survives": "any_one_site"}
    ],
    "workloads": [
        {"name": "chat", "tier": "chat", "origin": "home", "ladder": ["small"],
         "input_tokens": 500, "output_tokens": 200, "arrivals": {"mean_requests_per_s": 100}}
    ],
}  # fmt: skip


def check(*changes: Change) -> tuple[Finding, ...]:
    return found_in(CLEAN, *changes)


def only(*changes: Change) -> Finding:
    return only_in(CLEAN, *changes)


def test_the_clean_company_is_clean() -> None:
    assert check() == ()


SUPPLY: Tree = {
    "id": "retail",
    "site": "ohio",
    "energy": {"settles": "supply", "periods": [{"name": "all", "usd_per_mwh": 80}]},
}
NO_OHIO_SPOT = put("contracts.1", {"kind": "rec", "id": "rec", "site": "ohio", "load_share": 1,
                                   "price_usd_per_mwh": 3})  # fmt: skip

CASES: list[tuple[str, str, str, list[Change]]] = [
    # names
    ("DUPLICATE_NAME", "tariffs[0].id", "error", [put("tariffs.0.id", "base")]),
    ("DUPLICATE_NAME", "tariffs[1].id", "error",
     [put("tariffs.+", {"id": "grid", "site": "ohio"})]),
    ("DUPLICATE_NAME", "tariffs[0].demand[0].name", "error",
     [put("tariffs.0.demand.0.name", "energy")]),
    ("UNKNOWN_NAME", "tariffs[0].site", "error", [put("tariffs.0.site", "virgina")]),
    ("UNKNOWN_NAME", "contracts[2].successor", "error", [put("contracts.2.successor", "bse")]),
    ("UNKNOWN_NAME", "contracts[3].sources[1]", "error",
     [put("contracts.3.sources", ["base", "bse"])]),
    ("UNKNOWN_NAME", "outages[0].name", "error",
     [put("outages", [{"what": "fleet", "name": "h200", "start": "2026-03-03T00:00Z",
                       "length_h": 1}])]),
    # what counts as clean
    ("SOURCE_NOT_CLEAN", "contracts[3].sources[0]", "error",
     [put("contracts.3.sources", ["spot"])]),
    ("SOURCE_REPEATED", "contracts[3].sources[1]", "error",
     [put("contracts.3.sources", ["base", "base"])]),
    ("SOURCE_ELSEWHERE", "contracts[3].sources[0]", "error", [put("contracts.3.site", "ohio")]),
    # terms
    ("CONTRACT_EXPIRED_IN_HORIZON", "contracts[2].end", "error",
     [put("contracts.2.end", "2026-03-05")]),
    ("SUCCESSOR_ELSEWHERE", "contracts[2].successor", "error",
     [put("contracts.2.successor", "ohio-spot")]),
    ("SUCCESSOR_ELSEWHERE", "contracts[2].successor", "error",
     [put("contracts.2.successor", "base")]),
    ("CONTRACT_EXPIRED_IN_HORIZON", "tariffs[0].end", "warning",
     [put("tariffs.0.end", "2026-03-05")]),
    ("CONTRACT_OUTSIDE_HORIZON", "tariffs[0].start", "error",
     [put("tariffs.0.start", "2026-04-01")]),
    # residual
    ("DOUBLE_RESIDUAL", "tariffs[1]", "error", [put("tariffs.+", SUPPLY)]),
    ("DOUBLE_RESIDUAL", "tariffs[2]", "error",
     [NO_OHIO_SPOT, put("tariffs.+", SUPPLY), put("tariffs.+", {**SUPPLY, "id": "other"})]),
    ("SPOT_MISSING", "sites[1]", "error", [NO_OHIO_SPOT]),
    ("DELIVERY_WITHOUT_MARKET", "contracts[5].delivery", "error",
     [NO_OHIO_SPOT, put("tariffs.+", SUPPLY),
      put("contracts.+", {"kind": "block", "id": "ohio-block", "site": "ohio", "contract_mw": 1,
                          "strike_usd_per_mwh": 50})]),
    ("DELIVERY_WITHOUT_MARKET", "sites[1].import_price", "error",
     [NO_OHIO_SPOT, put("tariffs.+", SUPPLY),
      put("sites.1.import_price", {"steps": [{"up_to_mw": 5, "adder_usd_per_mwh": 0},
                                             {"adder_usd_per_mwh": 4}]})]),
    # money
    ("CURRENCY_MIXED", "tariffs[0].currency", "error", [put("tariffs.0.currency", "EUR")]),
    # tables
    ("WINDOW_GAP", "tariffs[0].energy.weekday", "error",
     [put("tariffs.0.energy.weekday", [[1] * 24] * 11)]),
    ("WINDOW_GAP", "tariffs[0].energy.weekday[3]", "error",
     [put("tariffs.0.energy.weekday.3", [1] * 23)]),
    ("WINDOW_GAP", "tariffs[0].energy.weekday[3][5]", "error",
     [put("tariffs.0.energy.weekday.3", [1] * 5 + [2] + [1] * 18)]),
    ("WINDOW_GAP", "tariffs[0].energy.weekday[3][0]", "error",
     [put("tariffs.0.energy.weekday.3", [-1] * 24)]),
    ("WINDOW_OVERLAP", "tariffs[0].energy.weekday[3]", "error",
     [put("tariffs.0.energy.weekday.3", [1] * 25)]),
    ("WINDOW_OVERLAP", "tariffs[0].energy.weekend", "error",
     [put("tariffs.0.energy.weekend", [[0] * 24] * 13)]),
    ("PERIOD_UNUSED", "tariffs[0].energy.periods[1]", "warning",
     [put("tariffs.0.energy.weekday", [[0] * 24] * 12)]),
    # items
    ("FALLING_TIER_IN_LP", "tariffs[0].tiers.usd_per_mwh[1]", "error",
     [put("tariffs.0.tiers.usd_per_mwh", [2, 1])]),
    ("RATCHET_WITHOUT_HISTORY", "tariffs[0].demand[0].history", "error",
     [put("tariffs.0.demand.0.history", None)]),
    ("PAST_PEAK_IN_HORIZON", "tariffs[0].demand[0].history", "error",
     [put("tariffs.0.demand.0.history.+", {"month": "2026-04", "peak_mw": 5})]),
    ("DUPLICATE_NAME", "tariffs[0].demand[0].history", "error",
     [put("tariffs.0.demand.0.history.+", {"month": "2026-01", "peak_mw": 6})]),
    ("MINIMUM_OF_NOTHING", "tariffs[0].demand[0].min_bill_share", "error",
     [put("tariffs.0.demand.0.min_bill_share", 0.8)]),
    ("CP_WITHOUT_SYSTEM_SERIES", "tariffs[0].coincident[0]", "error",
     [put("tariffs.0.coincident.0.events", [])]),
    ("CONTRADICTION", "tariffs[0].coincident[0]", "error",
     [put("tariffs.0.coincident.0.system_load", 50_000)]),
    ("CONTRADICTION", "tariffs[0].coincident[0].events", "error",
     [put("tariffs.0.coincident.0.events", [
         {"start": f"2026-07-0{day}T21:00Z", "end": f"2026-07-0{day}T22:00Z"}
         for day in range(1, 6)])]),
    ("DEMAND_INTERVAL_COARSE", "tariffs[0].demand[0].demand_interval_h", "warning",
     [put("tariffs.0.demand.0.demand_interval_h", 0.25)]),
    ("DEMAND_INTERVAL_COARSE", "tariffs[0].coincident[0].interval_h", "warning",
     [put("tariffs.0.coincident.0.interval_h", 0.5)]),
    ("REACTIVE_IGNORED", "tariffs[0].reactive_usd_per_kvar_month", "warning",
     [put("tariffs.0.reactive_usd_per_kvar_month", 0.3)]),
    # units
    ("UNIT_AMBIGUOUS", "tariffs[0].demand[0].usd_per_kw_month", "error",
     [put("tariffs.0.demand.0.usd_per_kw_month", 144)]),
    ("UNIT_AMBIGUOUS", "tariffs[0].coincident[0].usd_per_kw_year", "error",
     [put("tariffs.0.coincident.0.usd_per_kw_year", 66_000)]),
    ("UNIT_AMBIGUOUS", "tariffs[0].coincident[0].usd_per_kw_year", "error",
     [put("tariffs.0.coincident.0.usd_per_kw_year", 5.5)]),
    ("UNIT_AMBIGUOUS", "tariffs[0].energy.periods[1].usd_per_mwh", "error",
     [put("tariffs.0.energy.periods.1.usd_per_mwh", 9_000)]),
    ("UNIT_AMBIGUOUS", "tariffs[1].energy.periods[0].usd_per_mwh", "error",
     [NO_OHIO_SPOT, put("tariffs.+", {**SUPPLY, "energy": {
         "settles": "supply", "periods": [{"name": "all", "usd_per_mwh": 0.08}]}})]),
    ("UNIT_AMBIGUOUS", "tariffs[0].standby_usd_per_kw_month", "error",
     [put("tariffs.0.standby_usd_per_kw_month", 2_000)]),
    ("UNIT_AMBIGUOUS", "contracts[4].availability_usd_per_kw_month", "error",
     [put("contracts.4.availability_usd_per_kw_month", 5_000)]),
    ("UNIT_SLIP", "contracts[4].penalty_usd_per_mwh", "error",
     [put("contracts.4.penalty_usd_per_mwh", 0.2)]),
    ("UNIT_SLIP", "contracts[4].committed_mw", "error", [put("contracts.4.committed_mw", 4_000)]),
    ("UNIT_SLIP", "tariffs[0].demand[0].history[0].peak_mw", "error",
     [put("tariffs.0.demand.0.history.0.peak_mw", 5_000)]),
    ("UNIT_SLIP", "tariffs[0].demand[0].planned_mw", "error",
     [put("tariffs.0.demand.0.planned_mw", 6_000)]),
    ("UNIT_SLIP", "tariffs[0].standby_mw", "error", [put("tariffs.0.standby_mw", 2_000)]),
    ("UNIT_SLIP", "tariffs[0].standby_mw", "error", [put("tariffs.0.standby_mw", 20_000)]),
    ("UNIT_SLIP", "tariffs[0].large_load.contract_mw", "error",
     [put("tariffs.0.large_load", {"contract_mw": 8_000})]),
    # connections, outages, carbon
    ("NON_FIRM_MISMATCH", "sites[0].non_firm", "error",
     [put("sites.0.non_firm", {"firm_mw": 6, "nonfirm_mw": 3})]),
    ("NODE_MOVED_BY_LOAD", "sites[0].import_limit_mw", "warning",
     [put("sites.0.zone_load_mw", 900)]),
    ("COLOCATION_ABOVE_LIMIT", "contracts[5].standby_mw", "warning",
     [put("contracts.+", {"kind": "colocation", "id": "next-door", "site": "virginia",
                          "project_mw": 5, "profile": 0.9, "strike_usd_per_mwh": 60,
                          "standby_mw": 12})]),
    ("OUTAGE_OUTSIDE_HORIZON", "outages[0].start", "warning",
     [put("outages", [{"what": "site", "name": "ohio", "start": "2026-03-09T00:00Z",
                       "length_h": 1}])]),
    ("OUTAGE_OUTSIDE_HORIZON", "outages[0].start", "warning",
     [put("outages", [{"what": "site", "name": "ohio", "start": "2026-03-01T23:00Z",
                       "length_h": 1}])]),
    ("SURVIVES_ONE_SITE", "tiers[0].survives", "error", [put("fleets.1.site", "virginia")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "path", "severity", "changes"),
    CASES,
    ids=[f"{at}-{code}-{path}" for at, (code, path, _, _) in enumerate(CASES)],
)
def test_one_fault_is_one_finding(
    code: str, path: str, severity: str, changes: list[Change]
) -> None:
    finding = only(*changes)
    assert (finding.code, finding.path, finding.severity) == (code, path, severity)


def test_carbon_with_a_price_needs_a_ledger_at_every_site() -> None:
    price = put("carbon_price", {"ledger": "location", "usd_per_t": 50})
    both = [put(f"sites.{at}.carbon", {"average_kg_per_mwh": 300}) for at in (0, 1)]
    assert {finding.code for finding in check(price)} == {"CARBON_UNSTATED"}
    assert [finding.path for finding in check(price, both[0])] == ["sites[1]"]
    assert check(price, *both) == ()
    marginal = put("carbon_price", {"ledger": "marginal", "usd_per_t": 50})
    assert [finding.path for finding in check(marginal, *both)] == [
        "sites[0].carbon.marginal_kg_per_mwh",
        "sites[1].carbon.marginal_kg_per_mwh",
    ]


# ---- terms -------------------------------------------------------------------------------------


def test_a_contract_that_ends_names_who_follows() -> None:
    """The spot contract follows if prices do; a successor has to be there on the day of the end."""
    ends = put("contracts.2.end", "2026-03-05")
    assert check(ends, put("contracts.2.successor", "spot")) == ()
    follows = {**CLEAN["contracts"][2], "id": "next", "start": "2026-03-05"}
    named = put("contracts.2.successor", "next")
    assert check(ends, named, put("contracts.+", follows)) == ()
    late = only(ends, named, put("contracts.+", {**follows, "start": "2026-03-06"}))
    assert late.code == "CONTRACT_EXPIRED_IN_HORIZON"
    assert "begins on 2026-03-06" in late.reason
    short = check(ends, named, put("contracts.+", {**follows, "start": None, "end": "2026-03-05"}))
    assert "ends on 2026-03-05" in short[0].reason


def test_a_chain_of_contracts_may_reach_beyond_a_shorter_horizon() -> None:
    """The same file over its first two days: the successor is not there yet, and nobody minds."""
    ends = put("contracts.2.end", "2026-03-05")
    follows = {**CLEAN["contracts"][2], "id": "next", "start": "2026-03-05"}
    chain = (ends, put("contracts.2.successor", "next"), put("contracts.+", follows))
    assert check(*chain, put("horizon.days", 2)) == ()
    assert check(*chain, put("horizon.start", "2026-03-06T00:00Z")) == ()


def test_a_chain_that_misses_the_horizon_whole_is_told_at_each_link() -> None:
    """Both ended in 2025: nothing holds in the horizon, and no link of theirs could tell it."""
    first = {**CLEAN["contracts"][2], "id": "old", "end": "2024-01-01", "successor": "later"}
    later = {**CLEAN["contracts"][2], "id": "later", "start": "2024-01-01", "end": "2025-01-01"}
    both = (put("contracts.+", first), put("contracts.+", later))
    found = [(finding.code, finding.path) for finding in check(*both)]
    assert found == [("CONTRACT_OUTSIDE_HORIZON", f"contracts[{at}].end") for at in (5, 6)]
    assert check(both[0], put("contracts.+", {**later, "end": None})) == ()


def test_the_running_month_has_a_peak_only_where_it_began_before_the_horizon() -> None:
    """March runs from 05:00Z of the 1st in New York: known a day later, and not at its start."""
    march = put("tariffs.0.demand.0.history.+", {"month": "2026-03", "peak_mw": 5})
    assert check(march) == ()
    assert check(march, put("horizon.start", "2026-03-01T06:00Z")) == ()
    told = only(march, put("horizon.start", "2026-03-01T05:00Z"))
    assert (told.code, told.limit) == ("PAST_PEAK_IN_HORIZON", "2026-02")


def test_a_meter_averages_over_a_whole_part_of_an_hour() -> None:
    """0.0833 is five minutes, as in the horizon; 0.4 h would be read as half an hour."""
    for place in ("tariffs.0.demand.0.demand_interval_h", "tariffs.0.coincident.0.interval_h"):
        assert only(put(place, 0.0833)).code == "DEMAND_INTERVAL_COARSE"
        with pytest.raises(ValueError, match="no whole part of an hour"):
            check(put(place, 0.4))


def test_a_term_begins_and_ends_at_midnight_in_its_own_zone() -> None:
    """2 March begins in New York at 05:00Z, five hours into the horizon; in UTC with it."""
    finding = only(put("tariffs.0.end", "2026-03-02"))
    assert finding.code == "CONTRACT_EXPIRED_IN_HORIZON"
    outside = only(put("tariffs.0.end", "2026-03-02"), put("tariffs.0.time_zone", "UTC"))
    assert outside.code == "CONTRACT_OUTSIDE_HORIZON"


def test_tariffs_that_follow_each_other() -> None:
    old, new = {**SUPPLY, "end": "2026-03-05"}, {**SUPPLY, "id": "new", "start": "2026-03-05"}
    assert check(NO_OHIO_SPOT, put("tariffs.+", new), put("tariffs.+", old)) == ()
    late = put("tariffs.+", {**new, "start": "2026-03-06"})
    gap = check(NO_OHIO_SPOT, put("tariffs.+", old), late)
    assert {finding.code for finding in gap} == {"SPOT_MISSING", "CONTRACT_EXPIRED_IN_HORIZON"}


# ---- residual ------------------------------------------------------------------------------------


def test_a_supply_that_ends_leaves_its_site_without_power() -> None:
    """It covers three of the seven days; 5 March begins at 05:00Z in New York."""
    ends = {**SUPPLY, "end": "2026-03-05"}
    codes = {finding.code: finding for finding in check(NO_OHIO_SPOT, put("tariffs.+", ends))}
    assert set(codes) == {"SPOT_MISSING", "CONTRACT_EXPIRED_IN_HORIZON"}
    assert "from 2026-03-05T05:00Z on" in codes["SPOT_MISSING"].reason


def test_a_delivery_tariff_comes_on_top_of_spot() -> None:
    delivery = {**SUPPLY, "energy": {**SUPPLY["energy"], "settles": "delivery"}}
    assert check(put("tariffs.+", delivery)) == ()


# ---- sizes of things beside each other ----------------------------------------------------------


def test_a_site_that_states_its_steps_may_move_its_node() -> None:
    """10 of 900 MW are 1.1 %, more than 1 %; of 1,000 MW exactly 1 %, and that is not above."""
    steps = {"steps": [{"up_to_mw": 5, "adder_usd_per_mwh": 0}, {"adder_usd_per_mwh": 2}]}
    assert check(put("sites.0.zone_load_mw", 900), put("sites.0.import_price", steps)) == ()
    assert check(put("sites.0.zone_load_mw", 1000)) == ()


def test_baseload_behind_the_meter_must_be_taken_and_a_neighbour_need_not() -> None:
    base = {"kind": "ppa_baseload", "id": "owed", "site": "virginia", "contract_mw": 12,
            "strike_usd_per_mwh": 60, "delivery": "behind_the_meter"}  # fmt: skip
    assert only(put("contracts.+", base)).code == "BEHIND_METER_OVERSUPPLY"
    neighbour = {"kind": "colocation", "id": "next-door", "site": "virginia", "project_mw": 12,
                 "profile": 0.9, "strike_usd_per_mwh": 60, "standby_mw": 5}  # fmt: skip
    assert check(put("contracts.+", neighbour)) == ()


def test_a_coarse_horizon_says_what_stands_in_for_the_meter() -> None:
    quarter = put("tariffs.0.demand.0.demand_interval_h", 0.25)
    assert "none are stated" in only(quarter).reason
    stated = only(quarter, put("tariffs.0.demand.0.peak_ratio", 1.06))
    assert "x peak_ratio 1.06" in stated.reason
    assert check(quarter, put("horizon.step_h", 0.25)) == ()


def test_an_external_api_survives_any_site() -> None:
    api = {"name": "api", "model": "small", "usd_per_mtok": 5, "quality_share": 1}
    assert check(put("fleets.1.site", "virginia"), put("external_apis", [api])) == ()

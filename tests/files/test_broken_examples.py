"""Every file of examples/broken gives the findings that it was made for, and no others."""

from pathlib import Path

import pytest

import tokenergy as te
from tokenergy.company.finding import Finding
from tokenergy.errors import FindingsError
from tokenergy.files.company_file import check_file

BROKEN = Path(__file__).resolve().parents[2] / "examples" / "broken"

EXPECTED: dict[str, list[tuple[int | None, str, str]]] = {
    "audience_faults": [
        (12, "NEGATIVE_CAPACITY", "sites[0].import_limit_mw"),
        (23, "USERS_IMPLAUSIBLE", "tiers[1].users.count"),
        (23, "LIFETIME_ENDLESS", "tiers[1].users.churn_share_per_month"),
        (23, "NO_PAYING_USERS", "tiers[1]"),
        (28, "UNKNOWN_NAME", "restraint[0].tier"),
        (29, "CONTRADICTION", "restraint[1]"),
        (30, "UNKNOWN_NAME", "restraint[2].ladder[1]"),
        (30, "LADDER_REPEATED", "restraint[2].ladder"),
        (30, "CAP_WITHOUT_TAIL", "restraint[2].cap_ratio"),
        (31, "RESTRAINT_TWICE", "restraint[3]"),
        (31, "LADDER_MIXED", "restraint[3].ladder"),
        (32, "SHARE_OUT_OF_RANGE", "restraint[4].churn_share"),
        (33, "PRIORITY_WAITS", "restraint[5].deadline_s"),
        (36, "OUT_OF_RANGE", "growth.logistic.limit_ratio"),
        (38, "LADDER_MIXED", "growth.model_mix[0].ladder"),
        (39, "MIX_TWICE", "growth.model_mix[1]"),
        (40, "UNKNOWN_NAME", "growth.model_mix[2].workload"),
        (41, "UNKNOWN_NAME", "presets[2]"),
        (41, "PRESET_CONFLICT", "presets[0]"),
        (41, "PRESET_UNVERIFIED", "presets[0]"),
        (41, "PRESET_UNVERIFIED", "presets[1]"),
        (41, "PRESET_UNVERIFIED", "presets[0]"),
    ],
    "budget_faults": [
        (26, "MISSING_FIELD", "budgets[0].window"),
        (26, "MISSING_FIELD", "budgets[0].time_zone"),
        (27, "BUDGET_WITH_SEVERAL_AMOUNTS", "budgets[1]"),
        (28, "BUDGET_WITHOUT_AMOUNT", "budgets[2]"),
        (29, "ZONE_UNKNOWN", "budgets[3].time_zone"),
        (29, "UNKNOWN_NAME", "budgets[3].tier"),
        (31, "DUPLICATE_NAME", "budgets[5].name"),
        (31, "BUDGET_TWICE", "budgets[5]"),
        (32, "BUDGET_FOR_NOBODY", "budgets[6].tier"),
        (32, "BUDGET_BEYOND_HORIZON", "budgets[6].window"),
        (33, "OUT_OF_RANGE", "budgets[7].usd"),
        (33, "UNKNOWN_CHOICE", "budgets[7].window"),
    ],
    "empty": [(None, "FILE_EMPTY", "(file)")],
    "growth_without_path": [(24, "GROWTH_WITHOUT_PATH", "growth")],
    "growth_without_users": [(24, "GROWTH_WITHOUT_USERS", "growth")],
    "import_below_fixed_load": [(12, "IMPORT_BELOW_FIXED_LOAD", "sites[0].import_limit_mw")],
    "later_kind": [(16, "LATER_KIND", "contracts[1].kind")],
    "many_faults": [
        (11, "UNKNOWN_COLUMN", "sites[0].market.price.column"),
        (12, "UNIT_SLIP", "sites[0].import_limit_mw"),
        (14, "MISSING_FIELD", "sites[1].import_limit_mw"),
        (18, "UNKNOWN_KEY", "sites[1].import_limt_mw"),
        (19, "OUT_OF_RANGE", "sites[1].pue"),
        (21, "CURRENCY_MIXED", "contracts[0].currency"),
        (22, "UNKNOWN_NAME", "contracts[1].site"),
        (26, "UNKNOWN_ACCELERATOR", "fleets[0].accelerator"),
        (27, "OUT_OF_RANGE", "fleets[1].gpu_count"),
        (27, "UNKNOWN_CHOICE", "fleets[1].lease.kind"),
        (30, "SHARE_OUT_OF_RANGE", "models[1].quality_share"),
        (30, "UNKNOWN_MODEL", "models[1].catalogue"),
        (32, "TIER_WITHOUT_VALUE", "tiers[0]"),
        (33, "TIER_WORTH_NOTHING", "tiers[1]"),
        (36, "CONTRADICTION", "workloads[1]"),
        (36, "UNKNOWN_NAME", "workloads[1].tier"),
    ],
    "model_does_not_fit": [(19, "MODEL_DOES_NOT_FIT", "models[0].gpus_per_replica")],
    "naive_stamp": [(4, "NAIVE_TIMESTAMP", "horizon.start")],
    "ppa_outside_horizon": [(23, "CONTRACT_OUTSIDE_HORIZON", "contracts[1].end")],
    "preset_of_other_money": [
        (25, "PRESET_UNVERIFIED", "presets[1]"),
        (25, "CURRENCY_MIXED", "presets[1]"),
    ],
    "price_gap": [(11, "SERIES_GAP", "sites[0].market.price")],
    "restraint_cap_without_tail": [(25, "CAP_WITHOUT_TAIL", "restraint[0].cap_ratio")],
    "restraint_makes_priority_wait": [(25, "PRIORITY_WAITS", "restraint[0].deadline_s")],
    "restraint_of_another_kind": [(26, "LADDER_MIXED", "restraint[0].ladder")],
    "tier_without_value": [(21, "TIER_WITHOUT_VALUE", "tiers[0]")],
    "two_restraints_of_one_tier": [(26, "RESTRAINT_TWICE", "restraint[1]")],
    "two_sites_of_one_name": [(14, "DUPLICATE_NAME", "sites[1].name")],
    "unit_slip": [(11, "UNIT_SLIP", "sites[0].market.price")],
    "unknown_accelerator": [(17, "UNKNOWN_ACCELERATOR", "fleets[0].accelerator")],
    "unknown_preset": [(24, "UNKNOWN_NAME", "presets[0]")],
    "unverified_preset": [(24, "PRESET_UNVERIFIED", "presets[0]")],
    "unreachable_workload": [(23, "UNREACHABLE_WORKLOAD", "workloads[0].origin")],
    "contract_expired": [
        (16, "CONTRACT_EXPIRED_IN_HORIZON", "contracts[1].end"),
    ],
    "contract_names": [
        (16, "UNKNOWN_NAME", "contracts[1].successor"),
        (17, "UNKNOWN_NAME", "contracts[2].sources[2]"),
        (17, "SOURCE_NOT_CLEAN", "contracts[2].sources[1]"),
        (18, "SOURCE_REPEATED", "contracts[3].bundled[1]"),
        (20, "DUPLICATE_NAME", "tariffs[0].id"),
        (22, "DUPLICATE_NAME", "tariffs[0].demand[0].name"),
        (23, "UNKNOWN_NAME", "tariffs[1].site"),
        (33, "UNKNOWN_NAME", "outages[0].name"),
        (34, "OUTAGE_OUTSIDE_HORIZON", "outages[1].start"),
    ],
    "coincident_without_system": [
        (19, "CP_WITHOUT_SYSTEM_SERIES", "tariffs[0].coincident[0]"),
    ],
    "currency_mixed": [
        (16, "CURRENCY_MIXED", "contracts[1].currency"),
        (20, "CURRENCY_MIXED", "tariffs[0].currency"),
    ],
    "double_residual": [
        (16, "DOUBLE_RESIDUAL", "contracts[1]"),
        (18, "DOUBLE_RESIDUAL", "tariffs[0]"),
    ],
    "falling_tiers": [
        (19, "FALLING_TIER_IN_LP", "tariffs[0].tiers.usd_per_mwh[1]"),
    ],
    "hedge_warnings": [
        (10, "OVERHEDGED", "sites[0]"),
        (14, "NODE_MOVED_BY_LOAD", "sites[0].import_limit_mw"),
        (19, "PRICE_SERIES_SYNTHETIC", "contracts[1].hub_price"),
        (19, "STRIKE_FAR_FROM_MARKET", "contracts[1].strike_usd_per_mwh"),
        (20, "BASELINE_ABOVE_LIMIT", "contracts[2].baseline_mw"),
        (24, "DEMAND_INTERVAL_COARSE", "tariffs[0].demand[0].demand_interval_h"),
        (25, "REACTIVE_IGNORED", "tariffs[0].reactive_usd_per_kvar_month"),
    ],
    "hub_price_gap": [
        (16, "SERIES_GAP", "contracts[1].hub_price"),
    ],
    "negative_capacity": [
        (14, "NEGATIVE_CAPACITY", "sites[0].export_limit_mw"),
        (17, "NEGATIVE_CAPACITY", "contracts[1].committed_mw"),
        (18, "NEGATIVE_CAPACITY", "contracts[2].capacity_mw"),
    ],
    "non_firm_mismatch": [
        (14, "NON_FIRM_MISMATCH", "sites[0].non_firm"),
    ],
    "old_preset": [
        (24, "PRESET_UNVERIFIED", "presets[0]"),
        (24, "PRESET_STALE", "presets[0]"),
    ],
    "ratchet_without_history": [
        (19, "RATCHET_WITHOUT_HISTORY", "tariffs[0].demand[0].history"),
    ],
    "series_misaligned": [
        (19, "SERIES_MISALIGNED", "tariffs[0].coincident[0].system_load"),
    ],
    "serve_faults": [
        (28, "LADDER_RISES", "workloads[0].ladder[1]"),
        (30, "UNKNOWN_NAME", "budgets[0].tenant"),
        (33, "UPSTREAM_IN_CLEAR", "serve.upstreams[0].url"),
        (34, "UPSTREAM_URL_PATH", "serve.upstreams[1].url"),
        (34, "UPSTREAM_IN_CLEAR", "serve.upstreams[1].url"),
        (35, "DUPLICATE_NAME", "serve.upstreams[2].name"),
        (35, "UPSTREAM_WITHOUT_FLEET", "serve.upstreams[2].fleet"),
        (35, "URL_WITH_SECRET", "serve.upstreams[2].url"),
        (36, "UNKNOWN_NAME", "serve.upstreams[3].fleet"),
        (36, "UNKNOWN_NAME", "serve.upstreams[3].model"),
        (38, "UPSTREAM_TWICE", "serve.upstreams[5].url"),
        (40, "UNKNOWN_NAME", "serve.tenants[0].tiers[1]"),
        (41, "TENANT_FROM_ELSEWHERE", "serve.tenants[1].tiers[0]"),
        (41, "TENANT_WITHOUT_WORKLOAD", "serve.tenants[1].tiers[1]"),
        (42, "UNKNOWN_NAME", "serve.tenants[2].origin"),
        (42, "DUPLICATE_NAME", "serve.tenants[2].name"),
        (44, "CHARGE_CACHED_ABOVE", "serve.prices[0].cached_input_usd_per_mtok"),
        (45, "CHARGE_TWICE", "serve.prices[1]"),
        (46, "CHARGE_FOR_NOBODY", "serve.prices[2].model"),
        (46, "CHARGE_ON_MEDIA", "serve.prices[2].output_usd_per_mtok"),
        (49, "SPEND_LIMIT_TWICE", "serve.spend_limits[1]"),
        (50, "UNKNOWN_NAME", "serve.spend_limits[2].tier"),
        (50, "UNKNOWN_NAME", "serve.spend_limits[2].tenant"),
        (52, "NAME_RESERVED", "serve.aliases[0].name"),
        (53, "ALIAS_IS_MODEL", "serve.aliases[1].name"),
        (53, "ALIAS_WITHOUT_WORKLOAD", "serve.aliases[1].ladder"),
        (54, "UNKNOWN_NAME", "serve.drain_tiers[0]"),
        (55, "HOLD_BEYOND_TIMEOUT", "serve.limits.hold_s"),
        (55, "CAP_BELOW_EXPECTED", "serve.limits.cap_tokens"),
        (55, "BODY_BELOW_INPUT", "serve.limits.body_bytes"),
    ],
    "share_out_of_range": [
        (16, "SHARE_OUT_OF_RANGE", "contracts[1].share"),
        (17, "SHARE_OUT_OF_RANGE", "contracts[2].target_share"),
        (21, "SHARE_OUT_OF_RANGE", "tariffs[0].demand[0].ratchet_share"),
    ],
    "survives_one_site": [
        (21, "SURVIVES_ONE_SITE", "tiers[0].survives"),
    ],
    "unit_ambiguous": [
        (20, "UNIT_AMBIGUOUS", "tariffs[0].demand[0].usd_per_kw_month"),
        (21, "UNIT_AMBIGUOUS", "tariffs[0].coincident[0].usd_per_mw_day"),
    ],
    "window_gap": [
        (21, "WINDOW_GAP", "tariffs[0].energy.weekday"),
        (22, "WINDOW_GAP", "tariffs[0].energy.weekend[11][23]"),
    ],
    "window_overlap": [
        (21, "WINDOW_OVERLAP", "tariffs[0].energy.weekday[11]"),
    ],
    "plan_faults": [
        (37, "BUDGET_BELOW_LEAST", "plan.budget_usd"),
        (39, "PLAN_STEP_DOES_NOT_FIT", "plan.sites[0].step_mw"),
        (40, "QUEUE_MISMATCH", "plan.sites[1].queue"),
        (40, "MISSING_PRICE", "plan.sites[1].name"),
        (40, "QUEUE_STEP_BEYOND_HORIZON", "plan.sites[1].queue[1].energised_on"),
        (41, "UNKNOWN_NAME", "plan.sites[2].name"),
        (43, "PLAN_MOST_BELOW_LEAST", "plan.fleets[0].most_count"),
        (44, "DUPLICATE_NAME", "plan.fleets[1].name"),
        (44, "PLAN_STEP_DOES_NOT_FIT", "plan.fleets[1].step_count"),
        (46, "PLAN_EXCLUDES_FILE", "plan.batteries[0].most_mw"),
        (46, "MISSING_PRICE", "plan.batteries[0].name"),
        (48, "CONTRACT_WITHOUT_SIZE", "plan.contracts[0].name"),
        (49, "OPEN_SIZE_MUST_TAKE", "plan.contracts[1].name"),
        (50, "OPEN_SIZE_COMMITS", "plan.contracts[2].name"),
        (50, "MISSING_PRICE", "plan.contracts[2].name"),
        (51, "SCENARIO_PROBABILITY", "plan.scenarios"),
        (53, "DUPLICATE_NAME", "plan.scenarios[1].name"),
        (54, "UNKNOWN_NAME", "plan.scenarios[2].energised_on.utah"),
        (54, "SITE_NEVER_ENERGISED", "plan.scenarios[2].energised_on.virginia"),
    ],
    "plan_scenario_gap": [
        (28, "SERIES_GAP", "plan.scenarios[1].prices.virginia"),
    ],
    "plan_too_late": [
        (15, "RAMP_IN_HORIZON", "sites[0].ramp[0].start"),
        (15, "RAMP_MISMATCH", "sites[0].ramp"),
        (19, "DELIVERED_IN_HORIZON", "fleets[0].delivered_on"),
        (27, "SITE_NEVER_ENERGISED", "plan.sites[0].name"),
        (28, "FLEET_NEVER_DELIVERED", "plan.fleets[0].name"),
    ],
    "plan_without_end": [
        (16, "STRIKE_FAR_FROM_MARKET", "contracts[1].strike_usd_per_mwh"),
        (26, "CONTRACT_BELOW_ZERO", "plan.contracts[0].name"),
    ],
    "zone_unknown": [
        (11, "ZONE_UNKNOWN", "sites[0].market.time_zone"),
        (19, "ZONE_UNKNOWN", "tariffs[0].time_zone"),
    ],
}


WARNED_OF = ("hedge_warnings", "old_preset")
"""Files that run, with much to think about."""
BY_THE_WORLD: dict[str, list[tuple[int | None, str, str]]] = {
    "resale_above_buy": [(11, "RESALE_ABOVE_BUY", "sites[0].market.price")],
}
"""Found when a company's arrays are made, and before any solver sees them."""
BY_THE_PROGRAM = {"infeasible"}
"""Found by solving; its own test tells what."""


def test_every_broken_file_is_expected() -> None:
    known = {*EXPECTED, *BY_THE_WORLD, *BY_THE_PROGRAM}
    assert {path.stem for path in BROKEN.glob("*.yaml")} | BY_THE_PROGRAM == known


@pytest.mark.parametrize("name", EXPECTED)
def test_a_broken_file_gives_its_findings(name: str) -> None:
    path = BROKEN / f"{name}.yaml"
    checked = check_file(path)
    found = [(finding.line, finding.code, finding.path) for finding in checked.findings]
    assert found == EXPECTED[name]
    assert bool(checked.errors) == (name not in WARNED_OF)
    assert (checked.inputs is None) == (name not in WARNED_OF)
    for finding in checked.findings:
        assert finding.reason
        assert finding.remedy
        assert finding.file == str(path)


@pytest.mark.parametrize("name", BY_THE_WORLD)
def test_an_unbounded_program_is_caught_before_the_solver(name: str) -> None:
    """At -20 USD/MWh and 5 % losses a MWh bought earns 21, and one sold costs 20: no bound."""
    path = BROKEN / f"{name}.yaml"
    assert check_file(path).findings == ()
    for findings in (te.check(path).findings, _refusal(path)):
        assert [(f.line, f.code, f.path) for f in findings] == BY_THE_WORLD[name]
        assert (findings[0].value, findings[0].limit) == ("-20.00", "-21.00")


def _refusal(path: Path) -> tuple[Finding, ...]:
    with pytest.raises(FindingsError) as refused:
        te.load(path)
    return tuple(refused.value.findings)


def test_the_findings_of_contracts_carry_value_limit_and_unit() -> None:
    demand, capacity = check_file(BROKEN / "unit_ambiguous.yaml").findings
    assert (demand.value, demand.limit, demand.unit) == ("12000", "0.1 to 75", "USD/kW-month")
    assert (capacity.value, capacity.limit) == ("10", "15 to 1,000")
    (gap,) = check_file(BROKEN / "hub_price_gap.yaml").findings
    assert "nothing is interpolated" in gap.reason
    assert "2026-03-02T12:00Z" in gap.reason
    (tier,) = check_file(BROKEN / "falling_tiers.yaml").findings
    assert "come in a later version" in tier.reason
    hedged = check_file(BROKEN / "hedge_warnings.yaml").findings[0]
    assert (hedged.code, hedged.value, hedged.limit) == ("OVERHEDGED", "100%", "20%")
    # 1,000 H100 of (700 + 150) W x PUE 1.2 = 1.02 MW against 20 MW x 0.4 = 8 MW
    assert "1.02 MW" in hedged.reason


def test_the_findings_carry_value_limit_and_unit() -> None:
    (fixed,) = check_file(BROKEN / "import_below_fixed_load.yaml").findings
    assert (fixed.value, fixed.limit, fixed.unit) == ("2", "2.4", "MW")  # 2 MW x PUE 1.2
    (memory,) = check_file(BROKEN / "model_does_not_fit.yaml").findings
    assert (memory.value, memory.limit, memory.unit) == ("141.1", "72", "GB")  # 0.9 x 80 GB
    assert "2 GPUs" in memory.remedy  # 141.1 / 72 = 1.96
    (slip,) = check_file(BROKEN / "unit_slip.yaml").findings
    assert (slip.value, slip.unit) == ("0.045", "USD/MWh")
    (gap,) = check_file(BROKEN / "price_gap.yaml").findings
    assert "3 of 216" in gap.reason
    assert "2026-03-02T12:00Z" in gap.reason


def test_a_tier_without_a_value_is_told_the_three_ways_to_state_one() -> None:
    (found,) = check_file(BROKEN / "tier_without_value.yaml").findings
    assert (found.value, found.limit) == ("0", "1")
    for way in ("value_usd_per_mtok", "value_usd_per_request", "value: from_price"):
        assert way in found.remedy
    assert "from_conversion: {uplift_share: ..., ltv_usd: ...}" in found.remedy


def test_a_figure_of_energy_goes_with_any_money() -> None:
    """Of the two presets beside euros only the one in US dollars is refused."""
    found = check_file(BROKEN / "preset_of_other_money.yaml").errors
    assert [(f.code, f.value, f.limit) for f in found] == [("CURRENCY_MIXED", "USD", "EUR")]

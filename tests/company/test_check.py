"""What a company's own words and the catalogue tell against it: one case for each finding."""

import pytest
from tree_changes import Change, Tree, found_in, only_in, put, take

from tokenergy.company.finding import Finding

CLEAN: Tree = {
    "company": "Test",
    "horizon": {"start": "2026-03-02T00:00:00Z", "days": 7},
    "regions": [
        {"name": "home", "latitude_deg": 40.0, "longitude_deg": -75.0},
        {"name": "far", "latitude_deg": -33.9, "longitude_deg": 151.2},
    ],
    "sites": [
        {
            "name": "virginia",
            "latitude_deg": 39.0,
            "longitude_deg": -77.5,
            "market": {"zone": "PJM", "time_zone": "America/New_York", "price": 45},
            "import_limit_mw": 10,
            "export_limit_mw": 2,
            "pue": 1.2,
        }
    ],
    "contracts": [{"kind": "spot", "id": "spot", "site": "virginia"}],
    "batteries": [{"name": "store", "site": "virginia", "power_mw": 3, "capacity_mwh": 12}],
    "fleets": [
        {
            "name": "h100",
            "site": "virginia",
            "accelerator": "H100",
            "gpu_count": 1000,
            "owned": {"usd_per_gpu": 33000},
        },
        {
            "name": "l4",
            "site": "virginia",
            "accelerator": "L4",
            "gpu_count": 100,
            "lease": {"kind": "on_demand", "usd_per_gpu_hour": 0.6},
        },
    ],
    "models": [
        {"name": "large", "catalogue": "llama-3.1-70b", "gpus_per_replica": 4, "quality_share": 1},
        {"name": "small", "catalogue": "llama-3.1-8b", "quality_share": 0.8},
        {
            "name": "film",
            "catalogue": "wan2.1-14b",
            "quality_share": 0.9,
            "shape": {"height": 480, "width": 832, "frames": 81, "steps": 50, "fps": 16},
        },
    ],
    "tiers": [
        {
            "name": "chat",
            "service_tier": "priority",
            "ttft_limit_s": 1,
            "tpot_limit_s": 0.05,
            "quality_floor_share": 0.9,
            "must_serve": True,
            "price_usd_per_mtok": 3,
            "value": "from_price",
        },
        {
            "name": "films",
            "service_tier": "flex",
            "ttft_limit_s": 3600,
            "tpot_limit_s": 1,
            "deadline_s": 28800,
            "price_usd_per_request": 0.5,
            "value_usd_per_request": 1,
        },
    ],
    "workloads": [
        {
            "name": "chat",
            "tier": "chat",
            "origin": "home",
            "ladder": ["large", "small"],
            "input_tokens": 500,
            "output_tokens": 200,
            "arrivals": {"mean_requests_per_s": 100},
        },
        {
            "name": "films",
            "tier": "films",
            "origin": "home",
            "ladder": ["film"],
            "arrivals": {"mean_requests_per_s": 1},
        },
    ],
}

PPA: Tree = {
    "kind": "ppa_as_produced",
    "id": "ppa",
    "site": "virginia",
    "project_mw": 10,
    "profile": 0.4,
    "strike_usd_per_mwh": 30,
}
BLOCK: Tree = {
    "kind": "block",
    "id": "block",
    "site": "virginia",
    "contract_mw": 4,
    "strike_usd_per_mwh": 50,
}


def check(*changes: Change) -> tuple[Finding, ...]:
    return found_in(CLEAN, *changes)


def only(*changes: Change) -> Finding:
    return only_in(CLEAN, *changes)


def test_the_clean_company_is_clean() -> None:
    assert check() == ()


CASES: list[tuple[str, str, str, list[Change]]] = [
    # names
    ("DUPLICATE_NAME", "regions[2].name", "error",
     [put("regions.+", {"name": "home", "latitude_deg": 1, "longitude_deg": 1})]),
    ("DUPLICATE_NAME", "contracts[2].id", "error",
     [put("contracts.+", PPA), put("contracts.+", PPA)]),
    ("DUPLICATE_NAME", "batteries[1].name", "error",
     [put("batteries.+", CLEAN["batteries"][0])]),
    ("DUPLICATE_NAME", "fleets[1].name", "error", [put("fleets.1.name", "h100")]),
    ("DUPLICATE_NAME", "workloads[1].name", "error", [put("workloads.1.name", "chat")]),
    ("DUPLICATE_NAME", "network.rtt[1]", "error",
     [put("network", {"rtt": [{"region": "home", "site": "virginia", "rtt_ms": 9}] * 2})]),
    ("UNKNOWN_NAME", "contracts[1].site", "error",
     [put("contracts.+", {**PPA, "site": "virgina"})]),
    ("UNKNOWN_NAME", "batteries[0].site", "error", [put("batteries.0.site", "texas")]),
    ("UNKNOWN_NAME", "fleets[1].site", "error", [put("fleets.1.site", "texas")]),
    ("UNKNOWN_NAME", "external_apis[0].model", "error",
     [put("external_apis", [
         {"name": "api", "model": "larg", "usd_per_mtok": 5, "quality_share": 1}])]),
    ("UNKNOWN_NAME", "models[0].fleets[0]", "error", [put("models.0.fleets", ["h1000"])]),
    ("UNKNOWN_NAME", "workloads[0].tier", "error", [put("workloads.0.tier", "chatt")]),
    ("UNKNOWN_NAME", "workloads[0].origin", "error", [put("workloads.0.origin", "mars")]),
    ("UNKNOWN_NAME", "workloads[0].ladder[1]", "error",
     [put("workloads.0.ladder", ["large", "smal"])]),
    ("UNKNOWN_NAME", "network.rtt[0].region", "error",
     [put("network", {"rtt": [{"region": "hom", "site": "virginia", "rtt_ms": 9}]})]),
    ("UNKNOWN_NAME", "network.rtt[0].site", "error",
     [put("network", {"rtt": [{"region": "home", "site": "virgina", "rtt_ms": 9}]})]),
    # span
    ("HORIZON_STEP", "horizon.step_h", "error", [put("horizon.step_h", 5)]),
    ("HORIZON_NOT_WHOLE", "horizon.days", "error", [put("horizon.days", 2.01)]),
    ("HORIZON_MISALIGNED", "horizon.start", "error",
     [put("horizon.start", "2026-03-02T00:10Z")]),
    ("HORIZON_YEAR", "horizon.start", "error", [put("horizon.start", 2026)]),
    ("HORIZON_TOO_SHORT", "horizon.days", "error", [put("horizon.days", 0.5)]),
    ("HORIZON_TOO_SHORT", "horizon.days", "warning", [put("horizon.days", 1)]),
    ("HORIZON_TOO_LONG", "horizon.days", "error",
     [put("horizon.days", 3000), put("horizon.step_h", 0.25)]),
    ("HISTORY_DAYS", "history_days", "error", [put("history_days", 3)]),
    ("HISTORY_DAYS", "history_days", "error", [put("history_days", 10.01)]),
    ("CONTRACT_OUTSIDE_HORIZON", "contracts[1].end", "error",
     [put("contracts.+", {**PPA, "end": "2026-03-01"})]),
    ("CONTRACT_OUTSIDE_HORIZON", "contracts[1].start", "error",
     [put("contracts.+", {**BLOCK, "start": "2026-03-09"})]),
    ("CONTRACT_EXPIRED_IN_HORIZON", "contracts[1].end", "error",
     [put("contracts.+", {**PPA, "end": "2026-03-08"})]),
    ("CONTRACT_BEGINS_IN_HORIZON", "contracts[1].start", "warning",
     [put("contracts.+", {**PPA, "start": "2026-03-03"})]),
    ("CONTRACT_EXPIRED_IN_HORIZON", "contracts[0].end", "error",
     [put("contracts.0.end", "2026-03-08")]),
    ("ENERGISED_IN_HORIZON", "sites[0].energised_on", "warning",
     [put("sites.0.energised_on", "2026-03-04")]),
    # power
    ("IMPORT_BELOW_FIXED_LOAD", "sites[0].import_limit_mw", "error",
     [put("sites.0.fixed_load_mw", 9)]),
    ("SPOT_MISSING", "sites[0]", "error", [put("contracts.0", BLOCK)]),
    ("DOUBLE_RESIDUAL", "contracts[1]", "error",
     [put("contracts.+", {"kind": "spot", "id": "again", "site": "virginia"})]),
    ("CURRENCY_MIXED", "contracts[0].currency", "error", [put("contracts.0.currency", "EUR")]),
    ("BEHIND_METER_OVERSUPPLY", "sites[0].export_limit_mw", "warning",
     [put("contracts.+", {**PPA, "project_mw": 16, "delivery": "behind_the_meter"})]),
    # models
    ("UNKNOWN_ACCELERATOR", "fleets[0].accelerator", "error",
     [put("fleets.0.accelerator", "H10")]),
    ("UNKNOWN_MODEL", "models[1].catalogue", "error", [put("models.1.catalogue", "llama-9b")]),
    ("SHAPE_ON_LANGUAGE_MODEL", "models[1].shape", "error",
     [put("models.1.shape", {"height": 8, "width": 8, "steps": 1})]),
    ("SHAPE_MISSING", "models[2]", "error", [take("models.2.shape")]),
    ("SHAPE_MISSING", "models[2].shape", "error", [take("models.2.shape.fps")]),
    ("PRECISION_UNKNOWN", "models[2].precision", "error", [put("models.2.precision", "fp8")]),
    ("MODEL_DOES_NOT_FIT", "models[0].gpus_per_replica", "error",
     [put("models.0.gpus_per_replica", 1)]),
    ("MODEL_DOES_NOT_FIT", "models[0].gpus_per_replica", "error",
     [put("models.0.fleets", ["h100", "l4"])]),
    ("REPLICA_LARGER_THAN_FLEET", "models[1].gpus_per_replica", "error",
     [put("models.1.gpus_per_replica", 64), put("models.1.fleets", ["l4"]),
      put("fleets.1.available_share", 0.6)]),
    ("LADDER_MIXED", "workloads[0].ladder", "error",
     [put("workloads.0.ladder", ["large", "film"])]),
    ("LENGTHS_MISSING", "workloads[0]", "error",
     [take("workloads.0.input_tokens"), take("workloads.0.output_tokens")]),
    ("LENGTHS_ON_MEDIA", "workloads[1].output_tokens", "error",
     [put("workloads.1.input_tokens", 5), put("workloads.1.output_tokens", 5)]),
    # reach
    ("UNREACHABLE_WORKLOAD", "workloads[0].origin", "error",
     [put("workloads.0.origin", "far"), put("tiers.0.ttft_limit_s", 0.2)]),
    ("UNREACHABLE_WORKLOAD", "workloads[0].origin", "warning",
     [put("workloads.0.origin", "far"), put("tiers.0.ttft_limit_s", 0.2),
      put("tiers.0.must_serve", False)]),
    ("QUALITY_FLOOR_UNREACHABLE", "workloads[0].ladder", "error",
     [put("workloads.0.ladder", ["small"])]),
    ("TIER_WORTH_NOTHING", "tiers[0]", "error", [put("tiers.0.price_usd_per_mtok", 0)]),
    ("TIER_WORTH_NOTHING", "tiers[1]", "warning", [put("tiers.1.value_usd_per_request", 0)]),
    # sizes
    ("UNIT_SLIP", "sites[0].import_limit_mw", "error",
     [put("sites.0.import_limit_mw", 10_000)]),
    ("UNIT_SLIP", "contracts[1].strike_usd_per_mwh", "error",
     [put("contracts.+", {**PPA, "strike_usd_per_mwh": 0.03})]),
    ("UNIT_SLIP", "batteries[0].capacity_mwh", "error",
     [put("batteries.0.capacity_mwh", 12_000)]),
    ("UNIT_SLIP", "fleets[0].owned.usd_per_gpu", "error", [put("fleets.0.owned.usd_per_gpu", 33)]),
    ("UNIT_SLIP", "fleets[1].lease.usd_per_gpu_hour", "error",
     [put("fleets.1.lease.usd_per_gpu_hour", 1440)]),
    ("UNIT_SLIP", "tiers[0].tpot_limit_s", "error", [put("tiers.0.tpot_limit_s", 150)]),
    ("UNIT_SLIP", "network.egress_usd_per_gb", "error",
     [put("network", {"egress_usd_per_gb": 20})]),
    ("UNIT_SLIP", "network.rtt[0].rtt_ms", "error",
     [put("network", {"rtt": [{"region": "home", "site": "virginia", "rtt_ms": 0.001}]})]),
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


def test_a_name_that_refers_to_nothing_gives_the_nearest() -> None:
    finding = only(put("workloads.0.tier", "chatt"))
    assert finding.remedy == "Did you mean 'chat'?"
    assert "Known are" in only(put("workloads.0.tier", "zzzzz")).remedy


def test_fixed_load_is_held_against_the_worst_pue() -> None:
    """6 MW x 1.5 = 9 MW fits 10; 7 MW x 1.5 = 10.5 MW does not."""
    pue = put("sites.0.pue", [{"outdoor_c": 5, "pue": 1.1}, {"outdoor_c": 35, "pue": 1.5}])
    outdoor = put("sites.0.outdoor_c", 20)
    assert check(pue, outdoor, put("sites.0.fixed_load_mw", 6)) == ()
    finding = only(pue, outdoor, put("sites.0.fixed_load_mw", 7))
    assert (finding.value, finding.limit, finding.unit) == ("10", "10.5", "MW")


def test_a_model_names_its_need_its_limit_and_the_fewest_gpus() -> None:
    """70.55 x 2 = 141.1 GB against 0.9 x 80 = 72 GB: two GPUs hold 144."""
    finding = only(put("models.0.gpus_per_replica", 1))
    assert (finding.value, finding.limit, finding.unit) == ("141.1", "72", "GB")
    assert "2 GPUs or more" in finding.remedy
    assert check(put("models.0.gpus_per_replica", 2)) == ()


def test_narrower_weights_fit_where_wide_ones_do_not() -> None:
    """In FP8, 70.55 GB fit 72."""
    assert check(put("models.0.gpus_per_replica", 1), put("models.0.precision", "fp8")) == ()


def test_a_model_for_every_fleet_uses_those_it_fits() -> None:
    """4 x 24 x 0.9 = 86 GB of L4 do not hold 141 GB, and nobody says they should."""
    assert check() == ()


def test_a_replica_may_fill_its_fleet_but_not_exceed_what_works() -> None:
    small = put("models.1.fleets", ["l4"])
    share = put("fleets.1.available_share", 0.6)
    assert check(small, share, put("models.1.gpus_per_replica", 60)) == ()
    assert only(small, share, put("models.1.gpus_per_replica", 61)).limit == "60"


def test_an_external_api_reaches_whom_no_site_does() -> None:
    api = {"name": "api", "model": "large", "usd_per_mtok": 5, "quality_share": 1, "ttft_s": 0.1}
    far = put("workloads.0.origin", "far")
    limit = put("tiers.0.ttft_limit_s", 0.2)
    assert check(far, limit, put("external_apis", [api])) == ()
    slow = {**api, "ttft_s": 0.3}
    assert only(far, limit, put("external_apis", [slow])).code == "UNREACHABLE_WORKLOAD"


def test_a_measured_round_trip_wins_over_distance() -> None:
    rtt = {"rtt": [{"region": "far", "site": "virginia", "rtt_ms": 150}]}
    far = put("workloads.0.origin", "far")
    assert check(far, put("tiers.0.ttft_limit_s", 0.2), put("network", rtt)) == ()


def test_what_must_be_taken_behind_the_meter() -> None:
    """Import 10 + export 2 + battery 3 = 15 MW absorb 15 and not 16; a curtailable 16 is fine."""
    solar = {**PPA, "delivery": "behind_the_meter", "project_mw": 15}
    assert check(put("contracts.+", solar)) == ()
    free = {**solar, "project_mw": 16, "may_curtail": True}
    assert check(put("contracts.+", free)) == ()
    half = {**solar, "project_mw": 30, "share": 0.5}
    assert check(put("contracts.+", half)) == ()
    block = {**BLOCK, "contract_mw": 16, "delivery": "behind_the_meter"}
    finding = only(put("contracts.+", block))
    assert (finding.value, finding.limit) == ("16", "15")


def test_a_term_that_covers_the_horizon_exactly_is_clean() -> None:
    """The horizon is seven days of UTC, which New York's midnights leave over by five hours."""
    exact = {**PPA, "start": "2026-03-01", "end": "2026-03-09"}
    assert check(put("contracts.+", {**exact, "end": "2026-03-08"}))
    assert check(put("contracts.+", {**exact, "start": "2026-03-02"}))
    assert check(put("contracts.+", exact)) == ()


def test_a_stated_currency_of_the_company_is_clean() -> None:
    assert check(put("currency", "EUR"), put("contracts.0.currency", "EUR")) == ()


def test_every_fault_at_once() -> None:
    changes = [
        put("sites.0.fixed_load_mw", 9),
        put("fleets.0.accelerator", "H10"),
        put("workloads.0.tier", "chatt"),
        put("contracts.0.currency", "EUR"),
    ]
    assert sorted(finding.code for finding in check(*changes)) == [
        "CURRENCY_MIXED",
        "IMPORT_BELOW_FIXED_LOAD",
        "UNKNOWN_ACCELERATOR",
        "UNKNOWN_NAME",
    ]

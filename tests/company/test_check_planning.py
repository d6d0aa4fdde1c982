"""What is wrong with a plan: one case for each finding, and ranges by hand."""

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
            "facility_usd_per_kw": 10_000,
        }
        for name in ("virginia", "ohio")
    ],
    "contracts": [
        {"kind": "spot", "id": "spot", "site": "virginia"},
        {"kind": "spot", "id": "ohio-spot", "site": "ohio"},
        {"kind": "ppa_as_produced", "id": "wind", "site": "virginia", "project_mw": 10,
         "share": 0.5, "profile": 0.4, "strike_usd_per_mwh": 30},
        {"kind": "on_site", "id": "gas", "site": "ohio", "capacity_mw": 5,
         "heat_rate_mmbtu_per_mwh": 9, "fuel_usd_per_mmbtu": 4, "price_usd_per_kw": 900},
    ],
    "batteries": [
        {"name": "store", "site": "virginia", "power_mw": 3, "capacity_mwh": 12,
         "price_usd_per_kwh": 250},
    ],
    "fleets": [
        {"name": name, "site": site, "accelerator": "H100", "gpu_count": 1000,
         "owned": {"usd_per_gpu": 30_000}}
        for name, site in (("h100", "virginia"), ("ohio-h100", "ohio"))
    ],
    "models": [{"name": "small", "catalogue": "llama-3.1-8b", "quality_share": 1}],
    "tiers": [
        {"name": "chat", "service_tier": "priority", "ttft_limit_s": 1, "tpot_limit_s": 0.05,
         "price_usd_per_mtok": 3, "value": "from_price"},
    ],
    "workloads": [
        {"name": "chat", "tier": "chat", "origin": "home", "ladder": ["small"],
         "input_tokens": 500, "output_tokens": 200, "arrivals": {"mean_requests_per_s": 100}},
    ],
    "plan": {
        "budget_usd": 9e8,
        "sites": [
            {"name": "virginia", "most_mw": 40, "least_mw": 10, "step_mw": 10, "open_usd": 1e6},
            {"name": "ohio", "most_mw": 30,
             "queue": [{"mw": 10, "energised_on": "2026-01-01"},
                       {"mw": 20, "energised_on": "2026-03-04", "usd_per_kw": 12_000}]},
        ],
        "fleets": [
            {"name": "h100", "most_count": 7200, "step_count": 72},
            {"name": "ohio-h100", "most_count": 5000},
        ],
        "batteries": [{"name": "store", "most_mw": 20}],
        "contracts": [{"name": "wind", "most_mw": 50}, {"name": "gas", "most_mw": 20}],
        "scenarios": [
            {"name": "same", "probability_share": 0.5},
            {"name": "dear", "probability_share": 0.5, "price_ratio": 1.3},
        ],
    },
}  # fmt: skip


def check(*changes: Change) -> tuple[Finding, ...]:
    return found_in(CLEAN, *changes)


def only(*changes: Change) -> Finding:
    return only_in(CLEAN, *changes)


def test_the_clean_plan_is_clean() -> None:
    assert check() == ()
    assert check(put("plan", None)) == ()


CASES: list[tuple[str, str, str, list[Change]]] = [
    # names
    ("UNKNOWN_NAME", "plan.sites[0].name", "error", [put("plan.sites.0.name", "virgina")]),
    ("UNKNOWN_NAME", "plan.batteries[0].name", "error", [put("plan.batteries.0.name", "stroe")]),
    ("UNKNOWN_NAME", "plan.contracts[0].name", "error", [put("plan.contracts.0.name", "sun")]),
    ("UNKNOWN_NAME", "plan.fleets[2].name", "error",
     [put("plan.fleets.+", {"name": "h200", "most_count": 5})]),
    ("UNKNOWN_NAME", "plan.scenarios[0].prices.utah", "error",
     [put("plan.scenarios.0.prices", {"utah": 30})]),
    ("UNKNOWN_NAME", "plan.scenarios[0].energised_on.utah", "error",
     [put("plan.scenarios.0.energised_on", {"utah": "2026-03-03"})]),
    ("DUPLICATE_NAME", "plan.batteries[1].name", "error",
     [put("plan.batteries.+", {"name": "store", "most_mw": 9})]),
    ("DUPLICATE_NAME", "plan.batteries[0].name", "error",
     [put("batteries.0.name", "virginia"), put("plan.batteries.0.name", "virginia")]),
    ("DUPLICATE_NAME", "plan.scenarios[1].name", "error", [put("plan.scenarios.1.name", "same")]),
    # ranges
    ("PLAN_MOST_BELOW_LEAST", "plan.fleets[1].most_count", "error",
     [put("plan.fleets.1.least_count", 5001)]),
    ("PLAN_STEP_DOES_NOT_FIT", "plan.sites[0].step_mw", "error",
     [put("plan.sites.0.step_mw", 7)]),
    ("PLAN_STEP_DOES_NOT_FIT", "plan.sites[1].step_mw", "error",
     [put("plan.sites.1.step_mw", 4), put("plan.sites.1.queue.0.mw", 12),
      put("plan.sites.1.queue.1.mw", 18)]),
    ("PLAN_STEPS_MANY", "plan.contracts[0].step_mw", "warning",
     [put("plan.contracts.0.step_mw", 0.001)]),
    ("PLAN_EXCLUDES_FILE", "plan.sites[0].least_mw", "warning",
     [put("plan.sites.0.least_mw", 20)]),
    ("PLAN_EXCLUDES_FILE", "plan.contracts[0].most_mw", "warning",
     [put("plan.contracts.0.most_mw", 4)]),
    ("QUEUE_MISMATCH", "plan.sites[1].queue", "error", [put("plan.sites.1.most_mw", 25)]),
    ("UNIT_SLIP", "plan.sites[1].queue[1].usd_per_kw", "error",
     [put("plan.sites.1.queue.1.usd_per_kw", 12_000_000)]),
    ("UNIT_SLIP", "plan.batteries[0].most_mw", "error",
     [put("plan.batteries.0.most_mw", 20_000)]),
    ("UNIT_SLIP", "plan.scenarios[1].price_ratio", "error",
     [put("plan.scenarios.1.price_ratio", 130)]),
    # prices and kinds
    ("MISSING_PRICE", "plan.sites[1].name", "error", [put("sites.1.facility_usd_per_kw", None)]),
    ("MISSING_PRICE", "plan.batteries[0].name", "error",
     [put("batteries.0.price_usd_per_kwh", None)]),
    ("MISSING_PRICE", "plan.contracts[1].name", "error",
     [put("contracts.3.price_usd_per_kw", None)]),
    ("CONTRACT_WITHOUT_SIZE", "plan.contracts[2].name", "error",
     [put("plan.contracts.+", {"name": "spot", "most_mw": 5})]),
    ("OPEN_SIZE_COMMITS", "plan.contracts[1].name", "error",
     [put("contracts.3.min_load_share", 0.4)]),
    ("OPEN_SIZE_MUST_TAKE", "plan.contracts[0].name", "error",
     [put("contracts.2.delivery", "behind_the_meter")]),
    ("SITE_HELD_BY_FLEET", "plan.sites[1].least_mw", "warning",
     [put("plan.fleets", [{"name": "h100", "most_count": 7200}])]),
    # dates
    ("SITE_NEVER_ENERGISED", "plan.sites[1].queue", "error",
     [put("plan.sites.1.queue", [{"mw": 30, "energised_on": "2026-03-09"}])]),
    ("QUEUE_STEP_BEYOND_HORIZON", "plan.sites[1].queue[1].energised_on", "warning",
     [put("plan.sites.1.queue.1.energised_on", "2026-03-09")]),
    ("SITE_NEVER_ENERGISED", "plan.scenarios[1].energised_on.ohio", "warning",
     [put("plan.scenarios.1.energised_on", {"ohio": "2026-04-01"})]),
    ("RAMP_IN_HORIZON", "sites[0].ramp[1].start", "warning",
     [put("sites.0.ramp", [{"start": "2026-01-01", "mw": 4}, {"start": "2026-03-04", "mw": 10}])]),
    ("RAMP_MISMATCH", "sites[0].ramp", "error",
     [put("sites.0.ramp", [{"start": "2026-01-01", "mw": 12}, {"start": "2026-02-01", "mw": 10}])]),
    ("IMPORT_BELOW_FIXED_LOAD", "sites[0].ramp", "error",
     [put("sites.0.fixed_load_mw", 4),
      put("sites.0.ramp", [{"start": "2026-01-01", "mw": 4}, {"start": "2026-02-01", "mw": 10}])]),
    ("DELIVERED_IN_HORIZON", "fleets[0].delivered_on", "warning",
     [put("fleets.0.delivered_on", "2026-03-04")]),
    # budget and scenarios
    ("BUDGET_BELOW_LEAST", "plan.budget_usd", "error", [put("plan.budget_usd", 1e8)]),
    ("SCENARIO_PROBABILITY", "plan.scenarios", "error",
     [put("plan.scenarios.0.probability_share", 0.6)]),
    ("SCENARIO_PROBABILITY", "plan.scenarios", "error",
     [put("plan.scenarios.0.probability_share", None)]),
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


def test_gpus_that_come_after_the_horizon() -> None:
    found = check(put("fleets.0.delivered_on", "2026-03-09"))
    assert [(f.code, f.severity) for f in found] == [
        ("DELIVERED_IN_HORIZON", "warning"),
        ("FLEET_NEVER_DELIVERED", "error"),
    ]


def test_a_site_that_comes_after_the_horizon() -> None:
    found = check(put("sites.0.energised_on", "2026-03-09"))
    assert [(f.code, f.severity) for f in found] == [
        ("ENERGISED_IN_HORIZON", "warning"),
        ("SITE_NEVER_ENERGISED", "error"),
    ]


def test_the_least_sizes_cost_what_they_cost() -> None:
    """The capital of every least size is summed.

    Virginia 10 MW x 10,000 USD/kW + 1e6 to open = 1.01e8; 15 MW of Ohio's queue are its first
    10 at 10,000 and 5 at 12,000 = 1.6e8; 1,000 GPUs x 30,000 = 3e7; 2 MW of a 4 h battery at 250
    USD/kWh = 2e6; 3 MW of gas at 900 USD/kW = 2.7e6. All 2.957e8.
    """
    least = [
        put("sites.1.import_limit_mw", 20),
        put("plan.sites.1.least_mw", 15),
        put("plan.fleets.1.least_count", 1000),
        put("plan.batteries.0.least_mw", 2),
        put("plan.contracts.1.least_mw", 3),
    ]
    assert check(*least, put("plan.budget_usd", 2.957e8)) == ()
    finding = only(*least, put("plan.budget_usd", 2.95e8))
    assert (finding.value, finding.limit, finding.unit) == ("295000000", "295700000", "USD")


def test_a_step_is_held_against_what_is_above_the_least() -> None:
    """40 - 10 = 30 MW are two steps of 15, and of a queue each step has its own."""
    assert check(put("plan.sites.0.step_mw", 15)) == ()
    finding = only(put("plan.sites.0.step_mw", 20))
    assert (finding.value, finding.limit, finding.unit) == ("20", "30", "MW")
    assert check(put("plan.sites.1.step_mw", 10)) == ()


def test_a_queue_with_its_own_prices_needs_none_of_the_site() -> None:
    assert (
        check(
            put("sites.1.facility_usd_per_kw", None),
            put("plan.sites.1.queue.0.usd_per_kw", 11_000),
        )
        == ()
    )


def test_power_next_door_and_power_that_may_be_refused_have_sizes() -> None:
    next_door = {
        "kind": "colocation", "id": "nuclear", "site": "virginia", "project_mw": 5,
        "profile": 0.9, "strike_usd_per_mwh": 60, "standby_mw": 5,
    }  # fmt: skip
    size = {"name": "nuclear", "most_mw": 100}
    assert check(put("contracts.+", next_door), put("plan.contracts.+", size)) == ()
    behind = [put("contracts.2.delivery", "behind_the_meter"), put("contracts.2.may_curtail", True)]
    assert check(*behind) == ()


def test_everything_at_once() -> None:
    found = check(
        put("plan.sites.0.step_mw", 7),
        put("plan.budget_usd", 1e6),
        put("plan.contracts.0.name", "sun"),
        put("batteries.0.price_usd_per_kwh", None),
        put("plan.scenarios.0.probability_share", 0.6),
    )
    assert sorted(finding.code for finding in found) == [
        "BUDGET_BELOW_LEAST",
        "MISSING_PRICE",
        "PLAN_STEP_DOES_NOT_FIT",
        "SCENARIO_PROBABILITY",
        "UNKNOWN_NAME",
    ]

"""Every file of examples/broken gives the findings that it was made for, and no others."""

from pathlib import Path

import pytest

from tokenergy.files.company_file import check_file

BROKEN = Path(__file__).resolve().parents[2] / "examples" / "broken"

EXPECTED: dict[str, list[tuple[int | None, str, str]]] = {
    "empty": [(None, "FILE_EMPTY", "(file)")],
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
        (30, "OUT_OF_RANGE", "models[1].quality_share"),
        (30, "UNKNOWN_MODEL", "models[1].catalogue"),
        (32, "TIER_WITHOUT_VALUE", "tiers[0]"),
        (33, "TIER_WORTH_NOTHING", "tiers[1]"),
        (36, "CONTRADICTION", "workloads[1]"),
        (36, "UNKNOWN_NAME", "workloads[1].tier"),
    ],
    "model_does_not_fit": [(19, "MODEL_DOES_NOT_FIT", "models[0].gpus_per_replica")],
    "naive_stamp": [(4, "NAIVE_TIMESTAMP", "horizon.start")],
    "ppa_outside_horizon": [(23, "CONTRACT_OUTSIDE_HORIZON", "contracts[1].end")],
    "price_gap": [(11, "SERIES_GAP", "sites[0].market.price")],
    "tier_without_value": [(21, "TIER_WITHOUT_VALUE", "tiers[0]")],
    "two_sites_of_one_name": [(14, "DUPLICATE_NAME", "sites[1].name")],
    "unit_slip": [(11, "UNIT_SLIP", "sites[0].market.price")],
    "unknown_accelerator": [(17, "UNKNOWN_ACCELERATOR", "fleets[0].accelerator")],
    "unreachable_workload": [(23, "UNREACHABLE_WORKLOAD", "workloads[0].origin")],
}


def test_every_broken_file_is_expected() -> None:
    assert {path.stem for path in BROKEN.glob("*.yaml")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_broken_file_gives_its_findings(name: str) -> None:
    path = BROKEN / f"{name}.yaml"
    checked = check_file(path)
    found = [(finding.line, finding.code, finding.path) for finding in checked.findings]
    assert found == EXPECTED[name]
    assert checked.errors
    assert checked.inputs is None
    for finding in checked.findings:
        assert finding.reason
        assert finding.remedy
        assert finding.file == str(path)


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

"""Rows of FOCUS: what they cost, whose they are, and that shares sum to bills."""

import json
import math
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_rows import (
    HOUR,
    KWH_MICROJOULES,
    START,
    bill,
    energy,
    entry,
    facts,
    line,
    serve,
    two_hours,
)

from tokenergy.company.ledger import LedgerEntry
from tokenergy.errors import FindingsError, InputError
from tokenergy.files.focus import FocusStream
from tokenergy.files.focus_columns import focus_columns
from tokenergy.files.focus_facts import FocusFacts, Marginal


def rows_of(entries: Iterable[LedgerEntry], **changes: Any) -> list[dict[str, Any]]:
    held: FocusFacts = facts(**changes)
    names = [column.name for column in focus_columns(held.version)]
    return [dict(zip(names, row, strict=True)) for row in FocusStream(entries, held)]


def tokens(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        row for row in rows if row["ConsumedUnit"] == "Tokens" and row["x_CostBasis"] != "invoice"
    ]


def test_a_token_row_by_hand():
    """2 Mtok at 8 USD: 16 USD. Power of 35 USD by kWh 300:100 is 26.25, the lease 6, network 0.5.

    Power is 30 - 4 + 9 = 35; the first deployment bears 26.25 + 6 + 0.5 = 32.75.
    """
    first, second, api = tokens(rows_of(two_hours()))
    assert first["BilledCost"] == first["ListCost"] == first["ContractedCost"] == 16.0
    assert first["EffectiveCost"] == pytest.approx(32.75)
    assert second["EffectiveCost"] == pytest.approx(8.75)
    assert api["EffectiveCost"] == pytest.approx(7.0)
    assert first["PricingQuantity"] == 2e6
    assert (first["ChargePeriodStart"], first["ChargePeriodEnd"]) == (START, START + HOUR)
    assert first["SubAccountId"] == "chat" and second["SubAccountId"] == "acme"
    assert (first["RegionId"], first["ResourceId"], first["SkuId"]) == (
        "here",
        "here-h100",
        "large",
    )
    assert first["SkuMeter"] == "Output Tokens" and first["x_EnergyKwh"] == pytest.approx(300.0)
    assert first["x_MeterTier"] == "measured" and api["x_EnergyKwh"] is None
    assert json.loads(first["Tags"]) == {"tokenergy/tier": "chat", "tokenergy/workload": "chat-us"}


def test_usage_leaves_idle_power_with_nobody():
    """Of 500 kWh 100 are idle: 35 x 300/500 = 21, plus 6 and 0.5; nobody bears 7, later 5."""
    rows = rows_of(two_hours(), basis="usage")
    assert tokens(rows)[0]["EffectiveCost"] == pytest.approx(27.5)
    left = [row for row in rows if row["ChargeCategory"] == "Adjustment"]
    assert [row["EffectiveCost"] for row in left] == [pytest.approx(7.0), pytest.approx(5.0)]
    assert all(row["BilledCost"] == 0.0 and row["PricingQuantity"] is None for row in left)


def test_what_earns_is_a_credit_and_nothing_else():
    """Resale and a purchase at a negative price: no unit price, no quantity, four equal costs."""
    rows = rows_of([line(-4.0, component="resale"), line(-2.0, mwh=3.0), serve(1.0)])
    credits = [row for row in rows if row["BilledCost"] < 0.0]
    assert [row["ChargeCategory"] for row in credits] == ["Credit", "Credit"]
    for row in credits:
        costs = {row[f"{name}Cost"] for name in ("Billed", "List", "Contracted", "Effective")}
        assert costs == {row["BilledCost"]}
        nothing = ("PricingQuantity", "PricingUnit", "ContractedUnitPrice", "ConsumedQuantity")
        assert all(row[name] is None for name in nothing)
    assert [row["x_EnergyKwh"] for row in credits] == [-1000.0, 3000.0]


def test_an_energy_row_by_hand():
    """0.3 MWh for 9 USD is 300 kWh at 0.03; the market's 50 USD/MWh make a list cost of 15."""
    (row,) = [r for r in rows_of(two_hours()) if r["SkuId"] == "wind"]
    assert (row["PricingQuantity"], row["PricingUnit"]) == (pytest.approx(300.0), "kWh")
    assert row["ContractedUnitPrice"] == pytest.approx(0.03)
    assert row["ListCost"] == pytest.approx(15.0)
    assert row["PricingCategory"] == "Standard" and row["ServiceCategory"] == "Other"
    assert row["ProviderName"] == "wind" and row["x_CostBasis"] == "invoice"


def test_without_a_market_price_the_list_is_the_contract_and_says_so():
    stream = FocusStream(two_hours(), facts(index_usd_per_mwh=lambda *_: None))
    names = [column.name for column in focus_columns("1.2")]
    rows = [dict(zip(names, row, strict=True)) for row in stream]
    wind = next(row for row in rows if row["SkuId"] == "wind")
    assert wind["ListCost"] == wind["ContractedCost"] and wind["ListUnitPrice"] is None
    found = {finding.code: finding for finding in stream.findings}
    assert found["FOCUS_LIST_MISSING"].value == "3"  # a credit needs none


def test_a_missing_figure_is_null_and_told():
    stream = FocusStream(two_hours(), facts())
    rows = list(stream)
    codes = {finding.code: finding.value for finding in stream.findings}
    assert codes["METER_MISSING"] == "1" and codes["FOCUS_MARGINAL_MISSING"] == "3"
    assert codes["FOCUS_CARBON_MISSING"] == "3" and codes["FOCUS_NOT_BILLED"] == "1"
    assert "FOCUS_SIMULATED" not in codes
    at = [column.name for column in focus_columns("1.2")].index("x_MarginalCost")
    assert {row[at] for row in rows} == {None}


def test_marginal_is_what_the_ledger_tells_or_refused():
    """2 Mtok at 3 USD are 6; rows that do not know are left out, and all of them is a refusal."""

    def known(row: LedgerEntry) -> Marginal | None:
        return (
            Marginal(usd_per_mtok=3.0, scarcity_usd_per_mtok=1.0) if row.model == "large" else None
        )

    rows = rows_of(two_hours(), basis="marginal", marginal=known)
    (row,) = tokens(rows)
    assert (row["EffectiveCost"], row["x_ScarcityCost"]) == (6.0, 2.0)
    with pytest.raises(FindingsError, match="BASIS_UNKNOWN"):
        rows_of(two_hours(), basis="marginal")


def test_a_row_without_a_price_is_left_out_and_its_share_is_not_lost():
    priced = {"chat-us": 8.0}
    entries = [line(10.0), serve(1.0), serve(1.0, workload="old")]
    rows = rows_of(entries, price_usd_per_mtok=lambda row: priced.get(row.workload))
    assert len(tokens(rows)) == 1
    assert math.fsum(r["EffectiveCost"] for r in rows if r["x_CostBasis"] == "allocation") == 10.0
    with pytest.raises(FindingsError, match="FOCUS_PRICE_UNKNOWN"):
        rows_of(entries, price_usd_per_mtok=lambda row: None)


def test_no_user_in_clear():
    rows = rows_of([line(1.0), serve(1.0, tenant="jane@example.org"), serve(1.0, tenant="acme")])
    assert [row["SubAccountId"] for row in tokens(rows)] == ["k_0123456789ab", "acme"]
    assert "jane" not in repr(rows)


def test_requests_of_an_hour_become_one_row():
    quarter = timedelta(minutes=15)
    entries = [
        serve(0.25, kwh=2.0, kind="request", request_id=str(at), tenant="acme",
              start=START + at * quarter, end=START + (at + 1) * quarter)
        for at in range(8)
    ]  # fmt: skip
    bills = [line(3.0), *entries[:4], line(3.0, at=1), *entries[4:]]
    rows = tokens(rows_of(bills))
    assert [row["PricingQuantity"] for row in rows] == [1e6, 1e6]
    assert [row["x_EnergyKwh"] for row in rows] == [pytest.approx(8.0)] * 2


def test_an_unknown_meter_shares_the_hour_by_tokens():
    stream = FocusStream([line(9.0), serve(2.0, kwh=None), serve(1.0, workload="w")], facts())
    at = [column.name for column in focus_columns("1.2")].index("EffectiveCost")
    assert [row[at] for row in stream][1:] == [pytest.approx(6.0), pytest.approx(3.0)]
    assert "FOCUS_SHARED_BY_TOKENS" in {finding.code for finding in stream.findings}


def test_a_bill_longer_than_an_hour_is_borne_by_nobody_in_it():
    month = line(100.0, end=START + 24 * HOUR, component="demand")
    rows = rows_of([month, serve(1.0), line(2.0, at=1), serve(1.0, at=1)])
    left = [row for row in rows if row["ChargeCategory"] == "Adjustment"]
    assert [row["EffectiveCost"] for row in left] == [100.0]
    assert left[0]["ChargePeriodEnd"] == START + 24 * HOUR


def test_a_line_without_quantity_is_a_purchase_of_one():
    (row, *_) = rows_of([entry(kind="settlement", contract_id="c", component="total",
                               amount_nano_usd=3 * 10**9), serve(1.0)])  # fmt: skip
    assert row["ChargeCategory"] == "Purchase" and row["ChargeFrequency"] == "Recurring"
    assert (row["PricingQuantity"], row["PricingUnit"], row["ContractedUnitPrice"]) == (
        1,
        "Units",
        3,
    )


def test_version_1_4_joins_commitments_and_names_the_method():
    rows = rows_of(two_hours(), version="1.4", committed=frozenset({"wind"}))
    assert "ProviderName" not in rows[0] and "ServiceProviderName" in rows[0]
    (wind,) = [json.loads(r["ContractApplied"]) for r in rows if r["ContractApplied"]]
    assert wind["ContractApplied"][0]["ContractCommitmentID"] == "wind"
    assert tokens(rows)[0]["AllocatedMethodId"].startswith("tokenergy/allocation")


def test_a_ledger_out_of_order_or_empty_is_refused():
    with pytest.raises(InputError, match="order of time"):
        rows_of([serve(1.0, at=1), serve(1.0)])
    with pytest.raises(InputError, match="nothing to export"):
        rows_of([])


def watched(at: int, *, energy_usd: float | None = 3.0) -> list[LedgerEntry]:
    """A minute of an engine as `observe` keeps it: tokens, parts of cost, joules of meters."""
    minute = timedelta(minutes=1)
    shared: dict[str, Any] = {
        "start": START + at * minute, "end": START + (at + 1) * minute, "tier": "chat",
        "workload": "w", "model": "large", "accelerator": "H100", "part": "engine-1",
    }  # fmt: skip
    counts = {"serve": 2.0, "input": 10.0}
    usd = {"energy": energy_usd, "gpu_rent": 5.0}
    kwh = {"gpu": 30.0, "overhead": 10.0, "idle": 20.0}
    return [
        *(entry(component=name, quantity=mtok, unit="Mtok", **shared)
          for name, mtok in counts.items()),
        *(entry(component=name, amount_nano_usd=round(paid * 1e9), **shared)
          for name, paid in usd.items() if paid is not None),
        *(entry(kind="meter", component=name, unit="J", energy_tier="measured",
                energy_microjoules=round(value * KWH_MICROJOULES), **shared)
          for name, value in kwh.items()),
    ]  # fmt: skip


@pytest.mark.parametrize(("basis", "usd", "left"), [("allocation", 16.0, 0), ("usage", 14.0, 2)])
def test_what_was_observed_is_imputed_to_output(basis, usd, left):
    """Two minutes: 2 x (3 + 5) = 16 USD. Idle is 20 of 60 kWh: usage leaves 2 x 3 / 3 = 2 of it."""
    rows = rows_of([*watched(0), *watched(1)], basis=basis)
    output, read = tokens(rows)
    assert output["EffectiveCost"] == pytest.approx(usd) and output["x_EnergyKwh"] == 80.0
    assert (output["x_MeterTier"], output["PricingQuantity"]) == ("measured", 4e6)
    assert (read["SkuMeter"], read["EffectiveCost"], read["x_EnergyKwh"]) == (
        "Input Tokens",
        0,
        None,
    )
    imputed = [row for row in rows if row["x_CostBasis"] == "imputed"]
    assert math.fsum(row["EffectiveCost"] for row in imputed) == 16.0
    assert {row["BilledCost"] for row in imputed} == {0.0}
    unborne = [row["EffectiveCost"] for row in rows if "no token bears" in row["ChargeDescription"]]
    assert math.fsum(unborne) == pytest.approx(left)


def test_a_window_without_a_power_price_makes_the_hour_unknown():
    """Its known parts are not its cost: the row is left out, and nothing of the hour is lost."""
    stream = FocusStream([*watched(0), *watched(1, energy_usd=None), *serve_hour(1)], facts())
    names = [column.name for column in focus_columns("1.2")]
    rows = [dict(zip(names, row, strict=True)) for row in stream]
    assert [
        row["ChargePeriodStart"] for row in tokens(rows) if row["SkuMeter"] == "Output Tokens"
    ] == [START + HOUR]
    codes = {finding.code: finding.value for finding in stream.findings}
    assert codes["BASIS_UNKNOWN"] == "1" and codes["FOCUS_COST_ON_OUTPUT"] == "1"


def serve_hour(at: int) -> list[LedgerEntry]:
    return [line(4.0, at=at), serve(1.0, at=at)]


def test_tokens_without_any_cost_are_refused():
    """Usage of tenants alone has no cost: 0 would say that it was free."""
    with pytest.raises(FindingsError, match="BASIS_UNKNOWN"):
        rows_of([serve(1.0, tenant="acme", kind="request", request_id="u:1")])


AMOUNTS = st.floats(-1e6, 1e6).map(lambda usd: round(usd, 6))
SITES = st.sampled_from(["here", "there"])


@st.composite
def ledgers(draw: st.DrawFn) -> list[LedgerEntry]:
    """Draw hours of bills, tokens and idle energy at two sites."""
    found: list[LedgerEntry] = []
    for at in range(draw(st.integers(1, 3))):
        for _ in range(draw(st.integers(0, 3))):
            mwh = draw(st.floats(1e-3, 1e3))
            found.append(line(draw(AMOUNTS), mwh=mwh, site=draw(SITES), at=at))
        for _ in range(draw(st.integers(0, 3))):
            kwh = draw(st.none() | st.floats(0.0, 1e4))
            part = draw(st.sampled_from(["a", "b"]))
            found.append(
                serve(draw(st.floats(1e-6, 1e3)), kwh=kwh, site=draw(SITES), part=part, at=at)
            )
        if draw(st.booleans()):
            found.append(energy(draw(st.floats(1e-3, 1e4)), site=draw(SITES), at=at))
        for component in draw(st.lists(st.sampled_from(["lease", "network", "api"]), max_size=3)):
            usd = draw(st.floats(0.0, 1e4))
            part = draw(st.sampled_from(["a", "b"]))
            found.append(bill(usd, component, site=draw(SITES), part=part, at=at))
    return [line(1.0), serve(1.0), *found]


@given(ledgers(), st.sampled_from(["usage", "allocation"]))
def test_shares_sum_to_bills_whatever_the_ledger(entries: list[LedgerEntry], basis: str):
    rows = rows_of(entries, basis=basis)
    billed = [row["BilledCost"] for row in rows if row["x_CostBasis"] == "invoice"]
    shared = [row["EffectiveCost"] for row in rows if row["x_CostBasis"] == basis]
    size = max(1.0, math.fsum(map(abs, billed)))
    assert abs(math.fsum(billed) - math.fsum(shared)) <= 1e-9 * size
    for row in rows:
        if row["ContractedUnitPrice"] is not None:
            product = row["PricingQuantity"] * row["ContractedUnitPrice"]
            assert product == pytest.approx(row["ContractedCost"], rel=1e-9, abs=1e-9)


@given(ledgers(), st.randoms())
def test_the_order_within_an_hour_changes_no_cost(entries: list[LedgerEntry], chance: Any):
    mixed = sorted(entries, key=lambda row: (row.start, chance.random()))
    sums = [
        sorted(
            round(r["EffectiveCost"], 6) for r in rows_of(held) if r["x_CostBasis"] == "allocation"
        )
        for held in (entries, mixed)
    ]
    assert sums[0] == pytest.approx(sums[1], rel=1e-6, abs=1e-5)

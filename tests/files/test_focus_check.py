"""Our conformance check: a valid file passes, and each rule, broken once, fails alone."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ledger_rows import facts, two_hours
from worlds import company_of

from tokenergy.files.focus import FocusStream
from tokenergy.files.focus_check import RULES, Conformance, check_focus
from tokenergy.files.focus_columns import focus_columns
from tokenergy.files.focus_contracts import contract_rows
from tokenergy.files.focus_write import write_focus

Table = list[list[str]]
SETTLED_USD = 40.0  # 30 - 4 + 9 + 5


@pytest.fixture
def valid(tmp_path: Path) -> Path:
    out = tmp_path / "valid.csv"
    write_focus(FocusStream(two_hours(), facts()), focus_columns("1.2"), out, "csv")
    return out


def checked(path: Path, format="csv", version="1.2", **more: Any) -> Conformance:
    return check_focus(path, format, version=version, settled_usd=SETTLED_USD, **more)


@pytest.mark.parametrize("version", ["1.2", "1.4"])
@pytest.mark.parametrize("format", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize("basis", ["usage", "allocation"])
def test_what_we_write_passes(tmp_path, version, format, basis):
    out = tmp_path / "f"
    held = facts(version=version, basis=basis, committed=frozenset({"wind"}))
    write_focus(FocusStream(two_hours(), held), focus_columns(version), out, format)
    found = checked(out, format, version)
    assert found.failures == () and found.rows_count >= 11 and found.passed


def token_row(table: Table) -> int:
    at = table[0].index("SkuMeter")
    return next(n for n, row in enumerate(table) if n and row[at] == "Output Tokens")


def first_where(column: str, word: str) -> Callable[[Table], int]:
    def find(table: Table) -> int:
        at = table[0].index(column)
        return next(n for n, row in enumerate(table) if n and row[at] == word)

    return find


def put(where: Callable[[Table], int] = token_row, **cells: str) -> Callable[[Table], None]:
    def change(table: Table) -> None:
        row = table[where(table)]
        for name, cell in cells.items():
            row[table[0].index(name)] = cell

    return change


def without(name: str) -> Callable[[Table], None]:
    def change(table: Table) -> None:
        at = table[0].index(name)
        for row in table:
            del row[at]

    return change


def add(name: str, at: int) -> Callable[[Table], None]:
    def change(table: Table) -> None:
        for number, row in enumerate(table):
            row.insert(at, "" if number else name)

    return change


def shorten(table: Table) -> None:
    table[token_row(table)].pop()


bill = first_where("SkuId", "wind")
credit = first_where("ChargeCategory", "Credit")
adjustment = first_where("ChargeCategory", "Adjustment")

MUTATIONS: dict[str, Callable[[Table], None]] = {
    "column_present": without("InvoiceId"),
    "column_known": add("Colour", 3),
    "column_once": add("InvoiceId", 3),
    "custom_last": add("x_Colour", 3),
    "row_width": shorten,
    "not_null": put(BilledCost=""),
    "decimal": put(BilledCost="1,000.0"),
    "utc_stamp": put(ChargePeriodStart="2026-03-02T00:00:00+01:00"),
    "json_object": put(Tags="[1]"),
    "not_blank": put(ServiceName=" "),
    "allowed_value": put(ChargeFrequency="Sometimes"),
    "billing_period_order": put(
        BillingPeriodStart="2026-03-02T01:00:00Z", BillingPeriodEnd="2026-03-02T01:00:00Z"
    ),
    "charge_period_order": put(ChargePeriodEnd="2026-03-02T00:00:00Z"),
    "charge_in_billing_period": put(BillingPeriodStart="2026-03-02T00:30:00Z"),
    "contracted_product": put(ContractedCost="17.0"),
    "list_product": put(ListCost="17.0"),
    "price_not_negative": put(credit, ContractedUnitPrice="-0.04"),
    "pricing_unit": put(adjustment, PricingUnit="Tokens"),
    "consumed_unit": put(ConsumedUnit=""),
    "usage_has_quantity": put(PricingQuantity="", PricingUnit=""),
    "consumed_is_usage": put(credit, ConsumedQuantity="100.0", ConsumedUnit="kWh"),
    "purchase_frequency": put(
        bill, ChargeCategory="Purchase", ConsumedQuantity="", ConsumedUnit=""
    ),
    "negative_is_credit": put(adjustment, BilledCost="-1.0"),
    "credit_is_billed": put(credit, ListCost="-3.0"),
    "currency": put(BillingCurrency="usd"),
    "one_subcategory": put(ServiceCategory="Compute"),
    "no_identity": put(SubAccountId="jane@example.org"),
    "energy_is_settled": put(bill, ResourceType="GPU fleet"),
    "shares_sum_to_bills": put(EffectiveCost="1.0"),
}  # fmt: skip
IN_OTHER_FILES = {"string", "contract_period_order", "commitment_period_order", "amount_told"}


def test_every_rule_is_broken_once():
    assert set(MUTATIONS) | IN_OTHER_FILES == set(RULES)
    assert len(RULES) == len(set(RULES)) == 33


@pytest.mark.parametrize("rule", MUTATIONS)
def test_a_broken_rule_fails_alone(valid: Path, rule: str):
    with valid.open(newline="") as held:
        table = list(csv.reader(held))
    MUTATIONS[rule](table)
    with valid.open("w", newline="") as held:
        csv.writer(held, lineterminator="\n").writerows(table)
    (failure,) = checked(valid).failures
    assert (failure.rule, failure.count) == (rule, 1)
    assert failure.where and failure.reason


def test_a_stray_column_named_ours_is_welcome(valid: Path):
    with valid.open(newline="") as held:
        table = list(csv.reader(held))
    add("x_Colour", len(table[0]))(table)
    with valid.open("w", newline="") as held:
        csv.writer(held, lineterminator="\n").writerows(table)
    assert checked(valid).passed


def test_text_that_is_a_number_and_numbers_that_are_text(tmp_path):
    """JSONL and Parquet know types: a number as text fails, and so does a text as number."""
    out = tmp_path / "f.jsonl"
    write_focus(FocusStream(two_hours(), facts()), focus_columns("1.2"), out, "jsonl")
    records = [json.loads(row) for row in out.read_text().splitlines()]
    records[0]["SkuId"] = 7
    out.write_text("".join(json.dumps(record) + "\n" for record in records))
    (failure,) = check_focus(out, "jsonl", version="1.2").failures
    assert (failure.rule, failure.count) == ("string", 1)
    parquet = tmp_path / "f.parquet"
    write_focus(FocusStream(two_hours(), facts()), focus_columns("1.2"), parquet, "parquet")
    naive = pl.read_parquet(parquet).with_columns(
        pl.col("BillingPeriodEnd").dt.replace_time_zone(None)
    )
    naive.write_parquet(parquet)
    (failure,) = check_focus(parquet, "parquet", version="1.2").failures
    assert (failure.rule, failure.count) == ("utc_stamp", 11)


COMMITMENT = "ContractCommitment"


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("contract_period_order", {"ContractPeriodEnd": "2020-01-01T00:00:00Z"}),
        ("commitment_period_order", {f"{COMMITMENT}PeriodEnd": "2020-01-01T00:00:00Z"}),
        ("amount_told", {f"{COMMITMENT}Quantity": "", f"{COMMITMENT}Cost": ""}),
        ("allowed_value", {f"{COMMITMENT}LifecycleStatus": "Alive"}),
    ],
)
def test_commitments_broken_once(tmp_path, block_company, rule, change):
    out = tmp_path / "c.csv"
    dataset = "contract_commitment"
    rows, _ = contract_rows(block_company, now=block_company.horizon.start)
    write_focus(rows, focus_columns("1.4", dataset), out, "csv")
    assert check_focus(out, "csv", version="1.4", dataset=dataset).passed
    with out.open(newline="") as held:
        table = list(csv.reader(held))
    put(lambda _: 1, **change)(table)
    with out.open("w", newline="") as held:
        csv.writer(held, lineterminator="\n").writerows(table)
    (failure,) = check_focus(out, "csv", version="1.4", dataset=dataset).failures
    assert failure.rule == rule


@pytest.fixture
def block_company():
    spot = {"kind": "spot", "id": "grid", "site": "texas"}
    block = {"kind": "block", "id": "base", "site": "texas", "contract_mw": 2,
             "strike_usd_per_mwh": 40, "start": "2026-01-01", "end": "2027-01-01"}  # fmt: skip
    return company_of(contracts=[spot, block])

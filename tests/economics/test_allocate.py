"""Invoices over tokens: exact to the nano-dollar, whatever the order, nothing smeared."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.company.supplier_invoice import SupplierInvoice
from tokenergy.economics.allocate import (
    Allocation,
    AllocationLine,
    Places,
    Work,
    allocate,
    largest_remainders,
)

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
PLACES = Places(
    sites=frozenset({"paris", "lyon"}),
    fleets=frozenset({"h200"}),
    site_of_contract={"ppa": "lyon"},
)


def invoice(**more: Any) -> SupplierInvoice:
    given = {
        "supplier": "grid",
        "invoice_id": "A1",
        "start": START,
        "end": START + 24 * HOUR,
        "place_kind": "site",
        "place": "paris",
        "component": "energy",
        "amount_nano_usd": 100,
    }
    return SupplierInvoice(**(given | more))


def work(at: int = 0, **more: Any) -> Work:
    given = {
        "start": START + at * HOUR,
        "end": START + (at + 1) * HOUR,
        "tenant": "blue",
        "model": "m",
        "site": "paris",
        "fleet": "h200",
        "tokens": 10,
        "energy_microjoules": 1_000,
        "gpu_ms": 500,
    }
    return Work(**(given | more))


def by(found: Allocation, *names: str) -> dict[tuple[Any, ...], int]:
    return {tuple(getattr(line, n) for n in names): line.amount_nano_usd for line in found.lines}


def test_energy_goes_by_kwh_gpus_by_gpu_hours_others_by_tokens() -> None:
    """100 each: kWh 1:3 gives 25 and 75, GPU-hours 1:1 give 50, tokens 9:1 give 90 and 10."""
    works = [
        work(tenant="blue", energy_microjoules=1_000, gpu_ms=7, tokens=9),
        work(tenant="red", energy_microjoules=3_000, gpu_ms=7, tokens=1),
    ]
    bills = [
        invoice(component="energy"),
        invoice(component="gpu", place_kind="fleet", place="h200"),
        invoice(component="other", place_kind="company", place=""),
    ]
    found = allocate(bills, works, PLACES)
    assert by(found, "method", "tenant") == {
        ("kwh", "blue"): 25,
        ("kwh", "red"): 75,
        ("gpu_hours", "blue"): 50,
        ("gpu_hours", "red"): 50,
        ("tokens", "blue"): 90,
        ("tokens", "red"): 10,
    }
    assert found.sentence().startswith("Allocated 100.0% of invoices")
    assert (found.residual_nano_usd, found.findings) == (0, ())


def test_what_nothing_worked_for_is_unused_capacity_and_never_smeared() -> None:
    """Standing load has 1 of 4 kWh; Lyon has no work at all; the next day has none either."""
    works = [work(energy_microjoules=3_000), work(tokens=0, tenant="", energy_microjoules=1_000)]
    later = {"start": START + 24 * HOUR, "end": START + 48 * HOUR}
    bills = [
        invoice(),
        invoice(invoice_id="A2", place="lyon"),
        invoice(invoice_id="A3", **later),
        invoice(invoice_id="A4", place_kind="contract", place="ppa"),
    ]
    found = allocate(bills, works, PLACES)
    assert by(found, "invoice_id", "unallocated") == {
        ("A1", False): 75,
        ("A1", True): 25,
        ("A2", True): 100,
        ("A3", True): 100,
        ("A4", True): 100,
    }
    assert (found.tokens_nano_usd, found.unallocated_nano_usd) == (75, 325)
    assert found.allocated_share == 1.0


def test_work_that_lies_partly_in_a_period_counts_in_part() -> None:
    """Of the first hour a quarter lies in the period: 0.25 to 1, so 20 and 80 of 100."""
    bill = invoice(start=START + 0.75 * HOUR)
    found = allocate([bill], [work(0), work(1)], PLACES)
    assert [line.amount_nano_usd for line in found.lines] == [20, 80]


def test_an_unknown_place_is_the_residual_and_above_a_thousandth_an_error() -> None:
    bills = [
        invoice(amount_nano_usd=9_990),
        invoice(invoice_id="A2", place="nice", amount_nano_usd=10),
    ]
    found = allocate(bills, [work()], PLACES)
    assert (found.residual_nano_usd, found.findings[0].severity) == (10, "warning")
    bills[1] = replace(bills[1], amount_nano_usd=11)
    found = allocate(bills, [work()], PLACES)
    (told,) = found.findings
    assert (told.code, told.severity) == ("ALLOCATION_RESIDUAL", "error")
    assert "nice" in told.reason
    bills.append(replace(bills[1], invoice_id="A3", amount_nano_usd=-11))
    netted = allocate(bills, [work()], PLACES)  # a credit hides no residual
    assert netted.residual_nano_usd == 0 and netted.findings[0].severity == "error"
    assert netted.allocated_share is not None and netted.allocated_share < 1.0


def test_without_a_meter_tokens_stand_in_and_it_is_said() -> None:
    found = allocate([invoice()], [work(energy_microjoules=0)], PLACES)
    assert found.lines[0].method == "tokens"
    assert [each.code for each in found.findings] == ["METER_MISSING"]


def test_one_engine_without_joules_does_not_make_the_others_pay_for_it() -> None:
    """Blue's 1,000 uJ are known and red's are not: by kWh blue would pay all of the 100."""
    known, unknown = work(), work(tenant="red", energy_microjoules=None)
    found = allocate([invoice()], [known, unknown], PLACES)
    assert by(found, "tenant") == {("blue",): 50, ("red",): 50}
    assert {line.method for line in found.lines} == {"tokens"}
    assert [finding.code for finding in found.findings] == ["METER_MISSING"]
    # what stood by and has no joules of its own is no gap
    stood = work(tokens=0, energy_microjoules=None)
    assert by(allocate([invoice()], [known, stood], PLACES), "method") == {("kwh",): 100}


def test_no_invoices_are_no_share() -> None:
    found = allocate([], [work()], PLACES)
    assert found.allocated_share is None and not found.lines
    assert "no invoices" in found.to_dict()["sentence"]


AMOUNTS = st.integers(-(10**15), 10**15)
BILLS = st.lists(
    st.builds(
        invoice,
        invoice_id=st.sampled_from("ABC"),
        line=st.uuids().map(str),
        place=st.sampled_from(["paris", "lyon"]),
        component=st.sampled_from(["energy", "gpu", "facility", "other"]),
        amount_nano_usd=AMOUNTS,
    ),
    max_size=5,
)
WORKS = st.lists(
    st.builds(
        work,
        st.integers(-2, 26),
        tenant=st.sampled_from(["blue", "red", ""]),
        model=st.sampled_from(["m", "n"]),
        site=st.sampled_from(["paris", "lyon"]),
        tokens=st.integers(0, 10**6),
        energy_microjoules=st.integers(0, 10**12),
        gpu_ms=st.integers(0, 10**9),
    ),
    max_size=12,
)


@given(BILLS, WORKS)
def test_every_invoice_adds_up_exactly(bills: list[SupplierInvoice], works: list[Work]) -> None:
    found = allocate(bills, works, PLACES)
    assert found.residual_nano_usd == 0 and found.allocated_share in (None, 1.0)
    for bill in bills:
        own = [line.amount_nano_usd for line in found.lines if line.line == bill.line]
        assert sum(own) == bill.amount_nano_usd
        assert all(part * bill.amount_nano_usd >= 0 for part in own)


@given(BILLS, WORKS, st.randoms())
def test_no_order_changes_anything(
    bills: list[SupplierInvoice], works: list[Work], random: Any
) -> None:
    once = allocate(bills, works, PLACES)
    random.shuffle(bills)
    random.shuffle(works)
    assert allocate(bills, works, PLACES) == once


@given(AMOUNTS, AMOUNTS, WORKS, st.sampled_from(["energy", "gpu", "other"]))
def test_an_invoice_in_two_is_the_same_to_a_nano_dollar(
    one: int, other: int, works: list[Work], component: Any
) -> None:
    if one * other < 0:  # halves, not a charge and its credit
        other = -other
    halves = [
        allocate([invoice(component=component, amount_nano_usd=each)], works, PLACES).lines
        for each in (one, other)
    ]
    whole = allocate([invoice(component=component, amount_nano_usd=one + other)], works, PLACES)
    assert all(map(_same_place, halves[0], whole.lines))
    for first, second, both in zip(*halves, whole.lines, strict=True):
        parts = first.amount_nano_usd + second.amount_nano_usd
        assert abs(parts - both.amount_nano_usd) <= 1


def _same_place(one: AllocationLine, other: AllocationLine) -> bool:
    return replace(one, amount_nano_usd=0) == replace(other, amount_nano_usd=0)


@given(AMOUNTS, st.lists(st.integers(0, 10**12), min_size=1).filter(any))
def test_remainders_leave_nothing_and_stay_within_one(amount: int, weights: list[int]) -> None:
    parts = largest_remainders(amount, weights)
    assert sum(parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * sum(weights) - amount * weight) < sum(weights)


@pytest.mark.parametrize(
    ("amount", "weights", "parts"),
    [(10, [1, 1, 1], (4, 3, 3)), (-10, [1, 1, 1], (-4, -3, -3)), (5, [0, 1], (0, 5))],
)
def test_by_hand(amount: int, weights: list[int], parts: tuple[int, ...]) -> None:
    assert largest_remainders(amount, weights) == parts

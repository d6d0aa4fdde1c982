"""Rows of what was served: the ledger's nouns, its words, and the same ones again."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from request_boards import board, candidate, request, rung, workload
from served_records import (
    AT_S,
    DECIDED,
    PRICE,
    closed,
    held,
    marked,
    metered,
    opened,
    refused,
)

from tokenergy.company.ledger import LedgerEntry
from tokenergy.company.serving.record import Decided
from tokenergy.metering.served_entries import (
    as_entry,
    closed_rows,
    interrupted,
    metered_rows,
    moment_text,
    refused_rows,
    uses,
)
from tokenergy.routing.cost import usage_of
from tokenergy.routing.decide import decide
from tokenergy.routing.state import State
from tokenergy.store.sqlite import stamp

UNITS = {"spend:ann": "nano_usd", "budget:power": "microjoules", "budget:cost": "nano_usd"}


@given(st.floats(0.0, 4e9))
def test_a_moment_reads_as_the_ledger_writes_it(at_s: float) -> None:
    assert moment_text(at_s) == stamp(datetime.fromtimestamp(at_s, tz=UTC))


def test_rows_are_entries_of_the_ledger() -> None:
    rows, finding = closed_rows("serve", opened(), closed(), PRICE)
    assert finding is None
    entries = [as_entry(row) for row in rows]
    assert [(one.kind, one.component, one.quantity, one.unit) for one in entries] == [
        ("request", "serve", 5e-05, "Mtok"),
        ("request", "input", 1e-04, "Mtok"),
        ("request", "cached_input", 2e-05, "Mtok"),
        ("settlement", "charge_input", 8e-05, "Mtok"),
        ("settlement", "charge_cached_input", 2e-05, "Mtok"),
        ("settlement", "charge_output", 5e-05, "Mtok"),
        ("settlement", "charge_request", 1.0, "request"),
    ]
    assert [one.amount_nano_usd for one in entries] == [
        100_000, 0, 0, -12_000, -1_500, -30_000, -1_000
    ]  # fmt: skip
    assert {(one.source, one.tenant, one.board_id, one.price_version) for one in entries} == {
        ("serve", "ann", "b1", "p1")
    }
    serve = entries[0]
    assert serve.rate_nano_usd == 2_000_000_000 and serve.boundary == "meter"
    assert (serve.decision, serve.reason, serve.policy) == ("serve", "tie_by_share", "mpc")


@pytest.mark.parametrize(
    ("change", "components"),
    [
        ({"outcome": "failed", "input_tokens": 0, "cached_tokens": 0, "output_tokens": 0,
          "charge_nano_usd": 0, "usage_source": "none"}, ["failed"]),
        ({"outcome": "left_the_hold", "input_tokens": 0, "cached_tokens": 0, "output_tokens": 0,
          "charge_nano_usd": 0, "usage_source": "none"}, ["left_the_hold"]),
        ({"outcome": "cancelled"}, ["serve", "input", "cached_input", "cancelled"]),
        ({"usage_source": "estimated"}, ["serve", "input", "cached_input", "usage_estimated"]),
        ({"output_tokens": 0, "cached_tokens": 0, "charge_nano_usd": 16_000},
         ["serve", "input"]),
    ],
)  # fmt: skip
def test_what_is_unusual_says_so(change: dict, components: list[str]) -> None:
    rows, finding = closed_rows("serve", opened(), closed(**change), PRICE)
    assert finding is None
    entries = [as_entry(row) for row in rows]
    assert [one.component for one in entries if one.kind == "request"] == components


def test_what_has_no_price_has_no_line() -> None:
    free = msgspec.structs.replace(
        PRICE, input_nano_usd_per_mtok=0, cached_input_nano_usd_per_mtok=0,
        output_nano_usd_per_mtok=0, nano_usd_per_request=0,
    )  # fmt: skip
    rows, finding = closed_rows("serve", opened(), closed(charge_nano_usd=0), free)
    assert finding is None and all(as_entry(row).kind == "request" for row in rows)


def test_a_refusal_and_a_meter_window() -> None:
    (lost,) = (as_entry(row) for row in refused_rows("serve", refused()))
    assert lost.amount_nano_usd == 2_000_000 and lost.start.timestamp() == AT_S
    assert lost.reason == "marginal_cost_exceeds_value" and lost.site == ""
    (told,) = (as_entry(row) for row in metered_rows("serve", metered()))
    assert (told.quantity, told.unit, told.energy_microjoules) == (80.0, "J", 80_000_000)
    assert (told.energy_tier, told.boundary, told.part) == ("measured", "it", "1")
    assert (told.component, told.decision, told.reason) == ("request", "", "")


def test_rows_of_a_window_say_what_was_idle_failed_and_missing() -> None:
    def row(request_id: str, **more: Any) -> LedgerEntry:
        (made,) = metered_rows("serve", metered(request_id, 3, **more))
        return as_entry(made)

    nobody, ann = row("", tenant="", tier="", workload=""), row("")
    assert (nobody.kind, nobody.component, nobody.part) == ("meter", "idle", "3")
    assert (ann.component, ann.part) == ("idle", "3:ann")
    failed = row("r1", outcome="failed", low_microjoules=79_000_000, high_microjoules=81_500_000)
    assert (failed.component, failed.decision) == ("request", "failed")
    assert failed.reason == "79.000000 to 81.500000 J with half and twice the joules of prefill"
    missing = row("", tenant="", microjoules=None, reason="no permission")
    assert (missing.kind, missing.component) == ("finding", "METER_MISSING")
    assert (missing.reason, missing.quantity, missing.unit) == ("no permission", 0.0, "")
    assert (missing.energy_tier, missing.boundary) == ("", "")


@given(
    st.integers(0, 5_000), st.integers(0, 5_000), st.floats(0.1, 8.0), st.floats(0.0, 1.0),
    st.floats(0.0, 2.0),
)  # fmt: skip
def test_an_interrupted_request_costs_what_routing_says(
    read: int, written: int, high: float, kappa: float, rho: float
) -> None:
    """The same tokens at the same place by `routing.cost.usage_of`, to the nano-dollar."""
    place = candidate("m@a", high, kappa_ratio=kappa, marginal_j_per_token=1.5)
    load = workload([rung([place])], rho_ratio=rho, value_usd_per_mtok=1e6)
    made = board(load)
    decision = decide(request(), made, State.opened(made, now_s=0.0))
    usage = usage_of(decision, load, input_tokens=read, cached_tokens=0, output_tokens=written)
    decided: Decided = msgspec.structs.replace(DECIDED, rates=(high, kappa, rho, 1.5))
    names = ("spend:ann", "budget:power", "budget:cost")
    begun = opened(decided=decided, holdings=held(*((name, 10**12) for name in names)))
    told = interrupted(begun, marked("r1", written, input_tokens=read), price=PRICE, units=UNITS)
    assert abs(told.cost_nano_usd - usage.cost_usd * 1e9) <= 0.5 + 1e-6 * told.cost_nano_usd
    assert abs(told.microjoules - usage.use_j * 1e6) <= 0.5 + 1e-6 * told.microjoules
    assert told.settled == (told.charge_nano_usd, told.microjoules, told.cost_nano_usd)
    assert [name for (name, _), _ in uses(begun, told)] == list(names)
    assert interrupted(begun, marked("r1", written, input_tokens=read), price=PRICE,
                       units=UNITS) == told  # fmt: skip


def test_without_a_mark_nothing_is_charged() -> None:
    told = interrupted(opened(holdings=held(("spend:ann", 5))), None, price=PRICE, units=UNITS)
    assert (told.charge_nano_usd, told.cost_nano_usd, told.settled) == (0, 0, (0,))
    assert told.at_s == AT_S and told.outcome == "interrupted"

"""The ledger of a run closes: amounts are its cost, energies its load, tokens its work."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulate.played import Optimal, Refuser, random_company, roomy_case
from worlds import plain

from tokenergy.company.ledger import UNIQUE_KEY, LedgerEntry
from tokenergy.dispatch.world import Action, State, World
from tokenergy.simulate.account import account
from tokenergy.simulate.entries import MOST_MICROJOULES, ledger_entries
from tokenergy.simulate.replay import replay
from tokenergy.simulate.run import Run

MICROJOULES_PER_MWH = 3.6e15


def ledger_closes(made: World, run: Run) -> list[LedgerEntry]:
    rows = list(ledger_entries(made, run, "r"))
    spent_usd = sum(row.amount_nano_usd for row in rows) / 1e9
    assert spent_usd == pytest.approx(account(made, run).cost_usd, rel=1e-7, abs=1e-5)
    mwh = sum(row.energy_microjoules for row in rows) / MICROJOULES_PER_MWH
    assert mwh == pytest.approx(run.load_mwh.sum(), rel=1e-9, abs=1e-6)
    served = sum(row.quantity for row in rows if row.component == "serve")
    assert served == pytest.approx(run.serve_mtok.sum(), rel=1e-9, abs=1e-6)
    keys = Counter(tuple(getattr(row, name) for name in UNIQUE_KEY) for row in rows)
    assert max(keys.values(), default=0) <= 1, "a row would be lost on writing"
    for site, name in enumerate(made.site_names):
        here = sum(row.energy_microjoules for row in rows if row.site == name)
        assert here / MICROJOULES_PER_MWH == pytest.approx(run.load_mwh[site].sum(), abs=1e-6)
    return rows


@settings(max_examples=15)
@given(st.integers(0, 200), st.sampled_from([0.5, 1.0]))
def test_the_ledger_of_a_world_with_everything_closes(seed: int, step_h: float) -> None:
    made = roomy_case(seed, hours=8, step_h=step_h)
    for policy in (Optimal(made), Refuser(made)):
        ledger_closes(made, replay(made, policy))


@settings(max_examples=15)
@given(st.integers(0, 200))
def test_the_ledger_of_a_company_closes_and_holds_its_bill(seed: int) -> None:
    made = random_company(seed)
    run = replay(made, Optimal(made))
    rows = ledger_closes(made, run)
    spent = account(made, run)
    bill = [row for row in rows if row.kind == "settlement"]
    assert len(bill) == len(spent.lines)
    assert sum(row.amount_nano_usd for row in bill) / 1e9 == pytest.approx(spent.bill_usd, abs=1e-5)
    assert {row.site for row in bill} <= set(made.site_names)
    assert all(row.run_id == "r" and row.policy == "clairvoyant" for row in rows)
    assert all(row.energy_tier == "modelled" for row in rows if row.energy_microjoules)


def test_rows_by_hand() -> None:
    """5 Mtok at 10 Mtok/h: half a replica of 1 MW; 0.5 + 0.5 MWh x PUE 2 at 50 USD/MWh."""
    made = plain([[50.0]], [[5.0]], base_mw=1.0, pue=2.0, fixed=0.25)
    made = replace(made, routes=(replace(made.routes[0], network_usd_per_mtok=0.3),))
    rows = {row.component: row for row in ledger_closes(made, replay(made, Optimal(made)))}
    assert set(rows) == {"serve", "network", "standing", "total"}
    serve = rows["serve"]
    assert (serve.quantity, serve.unit, serve.decision) == (pytest.approx(5.0), "Mtok", "admit")
    assert serve.energy_microjoules == pytest.approx(2.0 * MICROJOULES_PER_MWH)
    assert (serve.workload, serve.site, serve.model, serve.part) == ("chat", "s0", "m", "m@f0")
    assert (serve.amount_nano_usd, rows["network"].amount_nano_usd) == (0, 1_500_000_000)
    assert rows["network"].rate_nano_usd == 300_000_000
    assert rows["standing"].energy_microjoules == pytest.approx(0.5 * MICROJOULES_PER_MWH)
    assert rows["total"].amount_nano_usd == 125_000_000_000


def test_refused_work_its_finding_and_a_fallback_are_in_the_ledger() -> None:
    class Fallback(Refuser):
        def decide(self, at: int, state: State) -> Action:
            return replace(super().decide(at, state), source="greedy")

    made = plain([[50.0]], [[5.0]])
    rows = {row.component: row for row in ledger_closes(made, replay(made, Fallback(made)))}
    refused = rows["refused"]
    assert (refused.decision, refused.reason) == ("refuse", "fallback: greedy")
    assert (refused.quantity, refused.amount_nano_usd) == (5.0, 250_000_000_000)
    assert rows["MUST_SERVE_REFUSED"].kind == "finding"


def test_energy_that_no_column_holds_is_written_in_parts() -> None:
    """3,000 MWh in one interval is more than 2^63 microjoules."""
    made = plain([[50.0]], [[30_000.0]], import_limit=5e3)
    made = replace(made, fleets=(replace(made.fleets[0], gpus_count=1e4),))
    rows = ledger_closes(made, replay(made, Optimal(made)))
    parts = [row for row in rows if row.component == "serve"]
    assert [row.part for row in parts] == ["m@f0#1/2", "m@f0#2/2"]
    assert all(row.energy_microjoules <= MOST_MICROJOULES for row in parts)

"""Golden texts: what each term of a contract adds to a program, in a case of two hours.

The texts are in `golden/`, one file a term, made by hand-checking what `UPDATE_GOLDEN=1 pytest`
on this file writes. One site at PUE 1.25; a take of 3 MW over the grid; a plant of 10 MW at 42
USD/MWh. The past: 100 MWh of load, 30 of them matched, 20 MWh taken, 7 permit hours used.
"""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from contract_cases import plant
from worlds import plain, take

from tokenergy.company.contract_state import ContractState
from tokenergy.dispatch.columns import column_rules
from tokenergy.dispatch.terms.certificate import Certificates
from tokenergy.dispatch.terms.commitment import Commitment, PermitHours
from tokenergy.dispatch.terms.matching import Matching
from tokenergy.dispatch.terms.min_take import MinimumTake
from tokenergy.dispatch.terms.periods import Periods
from tokenergy.dispatch.terms.response import AskedSpan, Response
from tokenergy.dispatch.terms.steps import PriceSteps
from tokenergy.dispatch.terms.term import Term
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import State
from tokenergy.lp.program import Program
from tokenergy.lp.text import column_lines, row_lines

GOLDEN = Path(__file__).parent / "golden"
YEAR = Periods.of_labels(["2026", "2026"])
PAST = ContractState(
    period="2026", load_mwh=100.0, matched_mwh=30.0, taken_mwh=20.0, running_h=7.0, on=True
)
SITE = plain([[50.0, 60.0]], [[0.0, 0.0]], pue=1.25, takes=(take([3.0, 3.0]),))
GAS = plant(SITE, capacity=10.0, usd=42.0, least=0.4, start=500.0, permit=9.0)
CASE = replace(SITE, generators=(GAS,))
TERMS: dict[str, Term] = {
    "response": Response(
        contract_id="dr",
        site=0,
        committed_mw=5.0,
        baseline_mw=np.array([30.0, 30.0]),
        delivered_usd_per_mwh=200.0,
        penalty_usd_per_mwh=500.0,
        spans=(AskedSpan(begin=1, announced=0, share=np.array([0.5])),),
    ),
    "steps": PriceSteps(
        contract_id="spot", site=0, widths_mw=(10.0, np.inf), adder_usd_per_mwh=(0.0, 4.0)
    ),
    "min_take": MinimumTake(
        contract_id="ppa",
        take=0,
        years=YEAR,
        minimum_mwh=60.0,
        strike_usd_per_mwh=np.array([30.0]),
        counted=np.array([1.0, 0.0]),
        paid_mw=np.array([0.0, 3.0]),
        passed_share=np.array([0.5, 1.0]),
    ),
    "matching": Matching(
        contract_id="cfe",
        site=0,
        target_share=0.8,
        premium_usd_per_mwh=12.0,
        shortfall_usd_per_mwh=40.0,
        planned_usd_per_mwh=None,
        periods=YEAR,
        takes=(0,),
        clean_mw=np.array([2.0, 0.0]),
        grid_share=np.array([0.3, 0.2]),
    ),
    "certificates": Certificates(
        contract_id="rec",
        site=0,
        price_usd_per_mwh=3.0,
        load_share=0.5,
        years=YEAR,
        takes=(0,),
        bundled_mw=np.array([1.0, 1.0]),
    ),
    "commitment": Commitment(contract_id="gas0", plant=0, spec=GAS),
    "permit": PermitHours(contract_id="gas0", plant=0, spec=GAS, years=YEAR),
}


def text_of(term: Term) -> str:
    """Return columns and rows of a term, beside those of the site that they stand on."""
    window = true_window(CASE, begin=0, count=2)
    state = replace(State.initial(CASE), contracts={term.contract_id: PAST})
    program = Program(2)
    for name, (size, _) in column_rules(CASE).items():
        program.add_columns(name, size)
    added = term.add(program, CASE, window, elastic=False)
    for each in added.moving:
        program.revalue(each.link, each.values(window))
    costs, lower, upper = (np.zeros(program.columns_count) for _ in range(3))
    for name, rule in added.columns.items():
        numbers = rule(window, state)
        for part, into in ((numbers.costs, costs), (numbers.lower, lower), (numbers.upper, upper)):
            _place(program, name, np.asarray(part, float), into, rows=False)
    row_lower, row_upper = np.zeros(program.rows_count), np.zeros(program.rows_count)
    for name, rule in added.rows.items():
        for part, into in zip(rule(window, state), (row_lower, row_upper), strict=True):
            _place(program, name, np.asarray(part, float), into, rows=True)
    columns = column_lines(program, costs, lower, upper, blocks=tuple(added.columns))
    rows = row_lines(program, row_lower, row_upper, blocks=tuple(added.rows))
    whole = [f"whole numbers: {name}" for name in added.integers]
    return "\n".join((*columns, *rows, *whole)) + "\n"


def _place(program: Program, name: str, values, into, *, rows: bool) -> None:
    block = (program.rows if rows else program.columns)[name]
    number = program.row_number if rows else program.column_number
    for slot in range(1 if block.whole else program.slots_count):
        first = number(block, slot, 0)
        into[first : first + block.size] = np.atleast_2d(values)[slot]


@pytest.mark.parametrize("name", TERMS)
def test_a_term_as_text(name: str) -> None:
    path, text = GOLDEN / f"{name}.txt", text_of(TERMS[name])
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")

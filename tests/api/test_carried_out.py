"""A plan's own dispatch, run in the company that is built of it, costs what the plan said."""

import pytest
from planning import planning_file

import tokenergy as te
from tokenergy.api import as_built as made
from tokenergy.api.as_built import as_built, built_of
from tokenergy.api.plan_search import search
from tokenergy.plan.program import plan_program


@pytest.mark.parametrize("hours", [24.0, 48.0])
def test_it_ties_without_being_solved_again(
    tmp_path, monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    monkeypatch.setattr(made, "AGAIN_ROWS", 0)
    company = te.load(planning_file(tmp_path))
    program = plan_program(company.company, company.inputs, company.catalogue, hours=hours)
    found = search(program, gap_share=1e-3, clock=lambda: 0.0)
    stands = built_of(found)
    assert stands is not None
    built = as_built(company, found, stands)
    assert not built.solved_again
    total_usd = built.clairvoyant_usd + found.annuity_usd
    assert total_usd == pytest.approx(found.cost_usd, rel=1e-6)
    assert built.marginal_usd_per_mtok is not None
    monkeypatch.undo()
    again = as_built(company, found, stands)
    assert again.solved_again
    assert again.full.allocation_usd == pytest.approx(built.full.allocation_usd, rel=1e-3)

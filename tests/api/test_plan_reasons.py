"""Whom questions about a plan are asked of: itself, or where that is too large its first hours."""

import pytest
from planning import planning_file

import tokenergy as te
from tokenergy.api.plan_reasons import asked_of, reasons, short_finding
from tokenergy.api.plan_search import Found, search
from tokenergy.errors import InfeasibleProgram
from tokenergy.plan.program import plan_program


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    company = te.load(planning_file(tmp_path_factory.mktemp("reasons")))
    program = plan_program(company.company, company.inputs, company.catalogue)
    return search(program, gap_share=1e-3, clock=lambda: 0.0)


def test_a_small_plan_answers_for_itself(found: Found) -> None:
    assert asked_of(found) is found.whole
    assert not list(short_finding(found, found.whole))


def test_of_a_large_one_the_first_days_are_asked_and_that_is_said(found: Found) -> None:
    asked = asked_of(found, most_rows=found.program.program.rows_count - 1)
    assert asked is not None
    assert asked.plan.hours_h == 24.0
    (finding,) = short_finding(found, asked)
    assert finding.code == "PLAN_EXPLAINED_SHORT"
    assert (finding.value, finding.limit) == ("24", "48")


def test_a_stop_leaves_the_rest_unasked(found: Found) -> None:
    assert found.whole is not None
    why = reasons(found.whole, (), stop=lambda: True)
    assert why.ranking is None
    assert why.to_dict()["curve"] is None


def test_a_question_without_an_answer_is_told(
    found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(answer: object) -> None:
        raise InfeasibleProgram("no point")

    for name in ("concentration_of", "make_or_buy", "plan_curve"):
        monkeypatch.setattr(f"tokenergy.api.plan_reasons.{name}", nothing)
    assert found.whole is not None
    told: list[tuple[int, int]] = []
    why = reasons(found.whole, (), told=lambda done, of: told.append((done, of)))
    assert why.ranking is not None
    assert why.concentration is None
    assert [finding.code for finding in why.findings] == ["PLAN_NOT_EXPLAINED"] * 3
    assert told[-1] == (5, 5)

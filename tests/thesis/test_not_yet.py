"""What cannot be told yet is said to be so, with what has to exist, and no number."""

import pytest

from tokenergy.thesis import not_yet
from tokenergy.thesis.result import Experiment

CASES = [
    (not_yet.own_energy, "T6", "sensitivity", "`plan`"),
]


@pytest.mark.parametrize(("experiment", "id", "label", "needs"), CASES, ids=[c[1] for c in CASES])
def test_it_says_what_is_missing(experiment: Experiment, id: str, label: str, needs: str) -> None:
    result = experiment(None, None)  # type: ignore[arg-type]  # it reads nothing
    assert (result.id, result.label, result.verdict) == (id, label, "NOT_APPLICABLE")
    assert (result.number, result.holds_share, result.draws_count) == (None, None, None)
    assert needs in result.says
    assert "this version does not have" in result.says
    assert "issue" not in result.says
    assert any(sign in result.threshold for sign in ("<", "="))

"""A company whose words are sound and whose first 48 h cannot be met: told by name and time."""

from pathlib import Path

import pytest

import tokenergy as te
from tokenergy.errors import FindingsError

FILE = Path(__file__).resolve().parents[2] / "examples" / "broken" / "infeasible.yaml"


def test_check_names_contract_time_need_and_limit() -> None:
    """5 MW at PUE 1.2 are 288 MWh in 48 h; 80 % are 230.4, and 64 sleeping GPUs ask a little more.

    2.5 MW of the project match 120 MWh.
    """
    (finding,) = te.check(FILE).findings
    assert (finding.code, finding.path) == ("CFE_TARGET_UNMET", "contracts[2].target_share")
    assert finding.severity == "error"
    assert 230.4 < float(finding.value) < 231.0
    assert (finding.limit, finding.unit) == ("120.000", "MWh")
    for word in ("virginia-247", "site virginia", "2026-03-02T00:00Z", "6.0 MW of load", "120.0"):
        assert word in finding.reason
    assert "target_share" in finding.remedy
    assert finding.line == 19


@pytest.mark.parametrize("verb", [te.dispatch, te.simulate])
def test_no_verb_answers_with_a_dispatch_that_breaks_it(verb) -> None:
    with pytest.raises(FindingsError) as raised:
        verb(te.load(FILE))
    assert [found.code for found in raised.value.findings] == ["CFE_TARGET_UNMET"]

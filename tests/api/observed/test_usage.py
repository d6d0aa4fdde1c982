"""Usage rows to hours, engines and tenants."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.api.observed.usage import hourly_mtok, own_models, whole_days
from tokenergy.api.observed.world import Placed
from tokenergy.company.observe import Engine
from tokenergy.company.usage import UsageRow

START = datetime(2026, 11, 1, tzinfo=UTC)


def row(begin_h: float, end_h: float, output: int, *, model="small", tenant="acme") -> UsageRow:
    return UsageRow(
        start=START + timedelta(hours=begin_h),
        end=START + timedelta(hours=end_h),
        model=model,
        tenant=tenant,
        input_tokens=0,
        output_tokens=output,
    )


def place(name: str, model="small") -> Placed:
    engine = Engine(name=name, metrics_url="http://here/metrics", fleet="f", model=model)
    return Placed(engine=engine, site=0, fleet=0, gpus_count=1, workload=0, deployment=0, route=0)


def spread(rows, places, weight, count=3):
    return hourly_mtok(rows, places, weight, start=START, count=count, step_h=1.0)


def test_a_row_is_spread_over_its_hours():
    """6 Mtok from 00:30 to 02:00: 2 in the half hour, 4 in the whole one, 0 after it."""
    found = spread([row(0.5, 2.0, 6_000_000)], [place("a")], {"a": 1.0})
    assert np.allclose(found["a"], [2.0, 4.0, 0.0])


def test_engines_share_as_they_share_the_present_rate():
    found = spread([row(0, 1, 4_000_000)], [place("a"), place("b")], {"a": 3.0, "b": 1.0})
    assert found["a"][0] == pytest.approx(3.0)
    assert found["b"][0] == pytest.approx(1.0)


def test_engines_share_evenly_where_nothing_runs_now():
    found = spread([row(0, 1, 4_000_000)], [place("a"), place("b")], {})
    assert found["a"][0] == found["b"][0] == pytest.approx(2.0)


def test_a_moment_falls_into_its_hour():
    assert spread([row(1.2, 1.2, 1_000_000)], [place("a")], {})["a"][1] == 1.0


@given(
    spans=st.lists(
        st.tuples(st.floats(0, 20), st.floats(0.01, 4), st.integers(0, 10**9)), max_size=8
    )
)
def test_no_token_is_lost_or_made(spans):
    """Within the horizon every output token of every row lands in some hour, once."""
    rows = [row(begin, begin + length, output) for begin, length, output in spans]
    found = spread(rows, [place("a"), place("b")], {"a": 2.0, "b": 1.0}, count=24)
    total = sum(values.sum() for values in found.values())
    assert total == pytest.approx(sum(each.output_tokens for each in rows) / 1e6, abs=1e-6)


def test_the_days_end_with_the_file_or_with_now():
    """Rows to 49.5 h and now at 60 h: 2 whole days, to 49 h; now at 40 h: 1 day, to 40 h."""
    rows = [row(0, 1, 1), row(48, 49.5, 1)]
    late = whole_days(rows, present=START + timedelta(hours=60), step_h=1.0, most_days=31)
    assert late == (START + timedelta(hours=1), 48)
    early = whole_days(rows, present=START + timedelta(hours=40), step_h=1.0, most_days=31)
    assert early == (START + timedelta(hours=16), 24)


def test_less_than_a_day_is_no_basis():
    assert whole_days([row(0, 5, 1)], present=START + timedelta(days=2), step_h=1.0,
                      most_days=31) is None  # fmt: skip
    assert whole_days([], present=START, step_h=1.0, most_days=31) is None


def test_models_are_known_by_any_of_their_names(company):
    rows = [row(0, 1, 1, model=name) for name in ("small", "LLAMA-3.1-8B", "served/it", "gone")]
    found = own_models(company, rows, {"small": ("served/it",)})
    assert [each.model for each in found.rows] == ["small"] * 3
    (finding,) = found.findings
    assert (finding.code, finding.value) == ("USAGE_MODEL_UNKNOWN", "gone")


@pytest.fixture
def company(tmp_path):
    from observed import company_file

    import tokenergy as te

    return te.load(company_file(tmp_path, "http://127.0.0.1:9")).company

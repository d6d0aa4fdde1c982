"""`te.replay`: requests generated from a company file or of a file; what is refused at once."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

import tokenergy as te
from tokenergy.company.trace import RequestTrace
from tokenergy.errors import InputError, UnknownName
from tokenergy.store.sqlite import SqliteLedger

HOURS, SAMPLE = 2.0, 600


@pytest.fixture(scope="module")
def replayed(small: te.OpenCompany, tmp_path_factory) -> te.RequestReplay:
    ledger = tmp_path_factory.mktemp("ledger") / "r.sqlite"
    return te.replay(small, hours=HOURS, sample=SAMPLE, ledger=ledger)


def some_requests(count=60, span_s=3000.0, **changes) -> RequestTrace:
    rng = np.random.default_rng(0)
    usual = {
        "start": datetime(2023, 11, 16, 18, tzinfo=UTC), "span_s": span_s, "source": "by hand",
        "workloads": ("chat-america",), "arrival_s": np.sort(rng.uniform(0.0, span_s, count)),
        "input_tokens": rng.integers(10, 2000, count),
        "output_tokens": rng.integers(1, 500, count),
    }  # fmt: skip
    return RequestTrace.of(**(usual | changes))


def test_json_has_what_the_issue_asks_for(replayed: te.RequestReplay):
    told = json.loads(json.dumps(replayed.to_dict(), allow_nan=False))
    score = told["policies"]["mpc"]
    assert {"p50", "p90", "p99"} == set(score["tiers"]["chat"]["ttft_s"])
    assert {"p50", "p90", "p99"} == set(score["tiers"]["chat"]["tpot_s"])
    assert sum(score["reasons"].values()) == pytest.approx(sum(score["decisions"].values()))
    assert 0.0 < score["value"]["share"] <= 1.0
    assert score["cost_usd"] == pytest.approx(sum(score["parts"].values()))
    joules = sum(tier["energy_j"] for tier in score["tiers"].values())
    assert joules / 3.6e9 == pytest.approx(score["requests_mwh"])
    assert told["sampled"] is True
    assert told["horizon"]["intervals_count"] == 2
    assert told["source"].startswith("synthetic")


def test_the_sample_stands_for_all_that_arrives(small: te.OpenCompany, replayed: te.RequestReplay):
    world = small.world
    span = slice(world.first, world.first + 2)
    asked = world.arrivals_mtok[:, span].sum()
    side = replayed.card.policies["mpc"].measured
    assert side.served_mtok + side.refused_mtok == pytest.approx(asked)


def test_the_same_seed_replays_alike_and_another_does_not(
    small: te.OpenCompany, replayed: te.RequestReplay
):
    again = te.replay(small, hours=HOURS, sample=SAMPLE, policies=["mpc"])
    other = te.replay(small, hours=HOURS, sample=SAMPLE, policies=["mpc"], seed=99)
    one = replayed.card.policies["mpc"]
    assert again.card.policies["mpc"].tiers == one.tiers
    assert again.card.policies["mpc"].cost_usd == one.cost_usd
    assert other.card.policies["mpc"].tiers != one.tiers


def test_the_ledger_keeps_requests_and_their_boards(replayed: te.RequestReplay):
    assert replayed.ledger is not None
    with SqliteLedger(replayed.ledger, read_only=True) as held:
        runs = held.runs()
        assert [run.rpartition("/")[2] for run in runs] == ["greedy_battery", "mpc"]
        row = next(r for r in held.entries(run_id=runs[1]) if r.component == "serve")
        assert row.kind == "request"
        found = held.board(row.board_id)
        assert found is not None
        names = [load["name"] for load in found[1]["workloads"]]
        assert row.workload in names


def test_a_trace_is_decided_request_by_request(small: te.OpenCompany):
    requests = some_requests()
    result = te.replay(small, requests, policies=["greedy"])
    card = result.card
    assert card.decided_count == card.requests_count == 60
    assert card.moved_from is not None
    assert card.horizon["intervals_count"] == 1
    tier = card.policies["greedy"].tiers["chat"]
    assert tier.served_count + tier.refused_count == 60
    assert tier.played_share == 1.0
    assert "played from 2026-03-02T00:00Z on" in str(result)
    awake = result.runs["greedy"].decided.run.awake
    assert np.array_equal(awake, np.rint(awake))  # replicas are whole


def test_rows_become_a_frame_and_a_notebooks_table(replayed: te.RequestReplay):
    frame = replayed.to_polars()
    assert frame.height == 4
    assert {"policy", "tier", "ttft_p99_s", "kept_share"} <= set(frame.columns)
    assert "<table" in replayed._repr_html_()


def test_an_hour_of_data_is_not_a_day(small: te.OpenCompany):
    with pytest.raises(InputError, match="not a day"):
        te.replay(small, some_requests(), hours=24.0)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"hours": 49.0}, "the horizon ends after 48 h"),
        ({"hours": 1.5}, "whole intervals of 1 h"),
        ({"hours": -1.0}, "above 0"),
        ({"hours": 2.0, "sample": 10}, "draw at least 160"),
        ({"hours": 2.0, "spare_share": 1.0}, "spare share"),
        ({"policies": []}, "no policy was named"),
    ],
)
def test_bad_input_is_told_before_anything_runs(small: te.OpenCompany, words, why):
    with pytest.raises(InputError, match=why):
        te.replay(small, **words)


def test_an_unknown_policy_is_told(small: te.OpenCompany):
    with pytest.raises(UnknownName, match="mpcc"):
        te.replay(small, policies=["mpcc"])


def test_findings_of_a_trace_come_at_once(small: te.OpenCompany):
    bad = some_requests(
        workloads=("chat-america", "nobody"), workload=np.ones(60, dtype=np.int64),
        output_tokens=np.zeros(60, dtype=np.int64),
    )  # fmt: skip
    with pytest.raises(te.FindingsError) as told:
        te.replay(small, bad)
    codes = {finding.code for finding in told.value.findings}
    assert "TRACE_WORKLOAD_UNKNOWN" in codes
    assert len(codes) >= 2


def test_a_request_that_fits_nowhere_is_a_finding(small: te.OpenCompany):
    tokens = np.full(60, 100)
    tokens[7] = 50_000_000
    with pytest.raises(te.FindingsError, match="REQUEST_TOO_LONG"):
        te.replay(small, some_requests(input_tokens=tokens))


def test_a_file_that_is_no_file_is_told(small: te.OpenCompany, tmp_path: Path):
    with pytest.raises(InputError):
        te.replay(small, tmp_path / "nowhere.csv")


def test_a_sample_is_for_generated_requests(small: te.OpenCompany):
    with pytest.raises(InputError, match="generated"):
        te.replay(small, some_requests(), sample=100)


def test_a_budget_is_never_exceeded_and_shows(small: te.OpenCompany, tmp_path: Path):
    """Half of what chat costs unbudgeted: lesser models and refusals, and never more than that."""
    free = te.replay(small, hours=HOURS, sample=SAMPLE, policies=["mpc"])
    asked = free.runs["mpc"].decided.outcomes.cost_usd
    chat = free.runs["mpc"].case.trace.workload == 0
    spent = float((asked * free.runs["mpc"].case.weight_ratio)[chat].sum())
    text = Path(small.path).read_text() + (
        f"\nbudgets: [{{name: half, tier: chat, usd: {spent / 2.0},"
        " window: day, time_zone: UTC}]\n"
    )
    file = tmp_path / "budgeted.yaml"
    file.write_text(text)
    held = te.replay(te.load(file), hours=HOURS, sample=SAMPLE, policies=["mpc"])
    (use,) = held.card.policies["mpc"].budgets
    assert use.used_quantity <= use.limit_quantity
    assert use.lambda_usd_per_unit > 0.0
    before, after = (each.card.policies["mpc"].tiers["chat"] for each in (free, held))
    assert after.downgraded_count + after.refused_count > before.downgraded_count
    assert after.kept_usd < before.kept_usd
    assert "Of the budget half" in str(held)

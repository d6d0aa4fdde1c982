"""The scorecard of requests and its ledger: the same sums, percentiles by hand, savings honest."""

import json
import math

import numpy as np
import pytest
from replaying import machines, promise, trace, two_sites
from worlds import workload

from tokenergy.company.ledger import UNIQUE_KEY
from tokenergy.files.trace_ledger import read_ledger_trace
from tokenergy.files.trace_read import TraceTerms
from tokenergy.simulate.request_card import request_card
from tokenergy.simulate.request_case import sampled_case, traced_case
from tokenergy.simulate.request_entries import SAMPLE, request_entries
from tokenergy.simulate.request_value import hindsight
from tokenergy.simulate.request_words import card_sentences
from tokenergy.simulate.requests_replay import replay_requests
from tokenergy.store.sqlite import SqliteLedger

HOURS = 3


def a_case(seed=1, count=400, sampled=False):
    rng = np.random.default_rng(seed)
    loads = (
        workload("chat", value=50.0),
        workload("free", value=2.0, tier_index=1, must_serve=False),
    )
    made = two_sites(prices=rng.uniform(5.0, 60.0, (2, HOURS)), workloads=loads, batch=40.0)
    requests = trace(
        np.sort(rng.uniform(0.0, HOURS * 3600.0, count)), rng.integers(1, 400, count),
        input_tokens=rng.integers(50, 400, count), span_s=HOURS * 3600.0,
        workloads=("chat", "free"), workload=rng.integers(0, 2, count),
        session=rng.integers(0, 40, count), tenants=("ann", "bob"),
        tenant=rng.integers(0, 2, count),
    )  # fmt: skip
    promises = (promise(), promise(value_usd_per_mtok=2.0, ttft_limit_s=0.031))
    if not sampled:
        return (*traced_case(made, requests, promises), promises)
    made.arrivals_mtok[:] = rng.uniform(50.0, 80.0, (2, HOURS))
    return made, sampled_case(made, requests, np.array([1e-3, 1e-3]), promises), promises


def replayed(policies=("greedy_battery", "mpc"), *, sampled=False, spare=0.0):
    made, case, promises = a_case(sampled=sampled)
    bound = hindsight(made, case, promises)
    runs = [
        replay_requests(made, case, policy, promises, machines=machines(made, most=64),
                        bound=bound, spare_share=spare)
        for policy in policies
    ]  # fmt: skip
    return made, runs, request_card(made, runs, promises, spare_share=spare)


@pytest.fixture(scope="module")
def traced():
    return replayed()


@pytest.fixture(scope="module")
def drawn():
    return replayed(sampled=True, spare=0.1)


@pytest.fixture(params=["traced", "drawn"])
def both(request):
    return request.getfixturevalue(request.param)


def test_the_ledger_sums_to_the_card(both, tmp_path):
    """To the microjoule, the nano-dollar and the token, by tier and in all."""
    world, runs, card = both
    for run in runs:
        score = card.policies[run.policy]
        file = tmp_path / f"{run.policy}.sqlite"
        rows = list(request_entries(world, run, "r"))
        with SqliteLedger(file) as ledger:
            assert ledger.append(rows) == len(rows)  # no two rows are one
            by_tier = {
                (row.group["tier"], row.group["component"]): row
                for row in ledger.sums(["kind", "tier", "component", "unit"])
                if row.group["kind"] == "request"
            }
        for name, tier in score.tiers.items():
            served = by_tier[name, "serve"]
            mine = [r for r in rows if r.tier == name and r.component == "serve"]
            assert sum(r.energy_microjoules for r in mine) == tier.energy_microjoules
            assert served.quantity == pytest.approx(tier.output_mtok)
            moved = by_tier.get((name, "moved"))
            assert (0.0 if moved is None else moved.amount_usd) == pytest.approx(
                tier.moved_usd, abs=1e-6
            )
        priced = sum(r.amount_nano_usd for r in rows if r.component == "serve")
        assert priced / 1e9 == pytest.approx(score.priced_usd, abs=1e-12)
        idle = sum(r.energy_microjoules for r in rows if r.component == "idle")
        assert idle / 3.6e15 == pytest.approx(score.idle_mwh)


def test_rows_carry_the_gateways_columns(traced):
    world, runs, _ = traced
    rows = [r for r in request_entries(world, runs[0], "r") if r.kind == "request"]
    boards = {board.board_id for board in runs[0].decided.boards}
    for row in rows:
        assert row.source == "simulate"
        assert row.board_id in boards
        assert row.tenant in ("ann", "bob")
        assert row.decision and row.reason and row.unit == "Mtok"
        assert row.part == ""
        assert row.start <= row.end
    serve = [r for r in rows if r.component == "serve"]
    prompts = [r for r in rows if r.component == "input"]
    assert len(serve) == len(prompts) == int(runs[0].decided.outcomes.served.sum())
    assert all(r.energy_microjoules > 0 and r.energy_tier == "modelled" for r in serve)
    keys = [tuple(getattr(r, name) for name in UNIQUE_KEY) for r in rows]
    assert len(set(keys)) == len(keys)


def test_a_samples_rows_say_what_they_stand_for(drawn):
    """The part is the weight, to the last bit: quantity over weight is the request's own."""
    world, runs, _ = drawn
    run = runs[0]
    for row in request_entries(world, run, "r"):
        if row.kind == "request" and row.component == "serve":
            weight = float(row.part.removeprefix(SAMPLE))
            at = int(row.request_id)
            assert weight == run.case.weight_ratio[at]
            tokens = row.quantity / weight * 1e6
            assert tokens == pytest.approx(run.decided.outcomes.output_tokens[at])


def test_a_ledger_is_a_trace_again(both):
    """What was served comes back with its own tokens, also where a row stands for many."""
    world, runs, _ = both
    run = runs[0]
    names = tuple(load.name for load in world.workloads)
    entries = request_entries(world, run, "r")
    back = read_ledger_trace(entries, "r.sqlite", TraceTerms(workloads=names)).trace
    served = run.decided.outcomes.served
    assert back.requests_count == served.sum()
    for name in ("input_tokens", "output_tokens"):
        assert sorted(getattr(back, name)) == sorted(getattr(run.case.trace, name)[served])


def test_every_request_ends_somewhere(both):
    _, runs, card = both
    for run in runs:
        tiers = card.policies[run.policy].tiers
        assert sum(t.decided_count for t in tiers.values()) == run.case.count
        for tier in tiers.values():
            ends = tier.served_count + tier.refused_count + tier.waiting_count
            assert ends == pytest.approx(tier.requests_count)
        total = math.fsum(t.requests_count for t in tiers.values())
        assert total == pytest.approx(card.requests_count)


def test_parts_sum_to_cost_and_loads_to_the_meters(both):
    _, runs, card = both
    for run in runs:
        score = card.policies[run.policy]
        assert math.fsum(score.parts.values()) == pytest.approx(score.cost_usd)
        whole = score.requests_mwh + score.idle_mwh + score.other_mwh
        assert whole == pytest.approx(score.measured.energy_mwh)
        assert score.other_mwh == pytest.approx(0.0, abs=1e-9 * max(1.0, whole))
        assert score.closes_share <= 1e-9


def test_percentiles_are_those_of_the_requests(traced):
    """Of the times of served requests, the network's 10 ms in them; limits count request by one."""
    _, runs, card = traced
    run = runs[0]
    ttft = run.played.ttft_s + 0.01
    load = run.case.trace.workload[run.rows]
    for at, name in enumerate(("tier0", "tier1")):
        tier = card.policies[run.policy].tiers[name]
        mine = np.sort(ttft[load == at])
        for word, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
            least = mine[math.ceil(share * mine.size - 1e-9) - 1]
            assert tier.ttft_s[word] == pytest.approx(least)
        tpot = run.played.tpot_s[load == at]
        kept = (ttft[load == at] <= tier.ttft_limit_s) & ~(tpot > tier.tpot_limit_s)
        assert tier.slo_kept_share == pytest.approx(kept.mean())
    assert card.policies[run.policy].tiers["tier1"].slo_kept_share < 1.0


def test_no_saving_without_its_baseline(traced):
    _, _, card = traced
    saving = card.policies["mpc"].saving
    costs = {name: score.cost_usd for name, score in card.policies.items()}
    assert card.baseline == "greedy_battery"
    assert saving.usd == pytest.approx(costs["greedy_battery"] - costs["mpc"])
    _, _, alone = replayed(("mpc",))
    assert alone.baseline is None
    assert alone.policies["mpc"].saving is None
    assert not any("saves" in line or "loses" in line for line in card_sentences(alone, "mpc"))


def test_the_fluid_run_stands_beside_what_was_measured(drawn):
    """The tokens of a sample are those of the world: both sides serve or refuse the same work."""
    _, _, card = drawn
    for score in card.policies.values():
        one, other = score.promised, score.measured
        assert one.served_mtok + one.refused_mtok == pytest.approx(
            other.served_mtok + other.refused_mtok
        )
        assert score.value.share is not None
        assert score.value.share <= 1.0 + 1e-9


def test_the_card_is_plain_json(both):
    _, _, card = both
    told = json.loads(json.dumps(card.to_dict(), allow_nan=False))
    tier = told["policies"]["mpc"]["tiers"]["tier0"]
    assert set(tier["ttft_s"]) == {"p50", "p90", "p99"}
    assert {"decisions", "reasons", "refusals", "value", "cost_usd"} <= set(told["policies"]["mpc"])


def test_what_was_not_played_is_named(drawn):
    """A deployment without a replica of ours is left out of the times, with its part of tokens."""
    made, case, promises = a_case(sampled=True)
    held = machines(made, most=64)
    only = type(held)(
        by_deployment={0: held.by_deployment[0]}, without={1: "media: an item runs alone"}
    )
    run = replay_requests(made, case, "round_robin", promises, machines=only, spare_share=0.0)
    card = request_card(made, (run,), promises, spare_share=0.0)
    score = card.policies["round_robin"]
    missing = [each for each in score.left_out if each.deployment == "m@f1"]
    sent = run.sent.weight_ratio * run.sent.output_tokens
    share = sent[run.sent.deployment == 1].sum() / sent.sum()
    assert share > 0.0
    assert missing[0].tokens_share == pytest.approx(share)
    assert missing[0].reason == "media: an item runs alone"
    assert any("m@f1" in line for line in card_sentences(card, "round_robin"))

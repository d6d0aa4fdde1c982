"""Requests through `decide` and the replicas: closure, a case by hand, one decision for all."""

import inspect
from pathlib import Path

import numpy as np
import pytest
from replaying import machine, machines, promise, trace, two_sites
from worlds import workload

from tokenergy.company.decision import REASONS
from tokenergy.errors import FindingsError, InputError
from tokenergy.routing.decide import decide
from tokenergy.simulate.request_card import request_card
from tokenergy.simulate.request_case import sampled_case, tokens_mtok, traced_case
from tokenergy.simulate.request_outcomes import ACTIONS
from tokenergy.simulate.request_play import Sent, falls_behind, play
from tokenergy.simulate.request_router import decide as simulated
from tokenergy.simulate.request_value import hindsight
from tokenergy.simulate.requests_replay import RequestRun, replay_requests, with_spare
from tokenergy.units import J_PER_MWH

PROMISES = (promise(),)


def replayed(made, requests, policy="greedy", promises=PROMISES, **changes) -> RequestRun:
    there, case = traced_case(made, requests, promises)
    return replay_requests(
        there, case, policy, promises, machines=machines(there, **changes),
        bound=hindsight(there, case, promises), spare_share=0.0,
    )  # fmt: skip


def test_the_simulator_calls_the_very_decide_that_routing_exports():
    assert simulated is decide
    assert inspect.getmodule(simulated).__name__ == "tokenergy.routing.decide"


def test_two_requests_by_hand():
    """Two requests of 300 tokens at 10 and 30 USD/MWh: both go to the cheaper site.

    Price there: 0.1 MWh/Mtok x 10 USD/MWh = 1 USD/Mtok, so 0.0003 USD each. One replica is awake
    (whole). Alone, the first takes 300 iterations of 20 ms: its prompt and first token, then 299
    more: first token after 0.02 s (and 10 ms of network), 6 s in all, 300 J. The second arrives
    after that and fares alike. Idle: 3600 - 12 s at 5 W = 17,940 J. Value 50 USD/Mtok x 600 tokens.
    """
    run = replayed(two_sites(), trace([100.0, 200.0], [300, 300], input_tokens=[100, 100]))
    made = run.decided.outcomes
    assert made.deployment.tolist() == [0, 0]
    assert [ACTIONS[at] for at in made.action] == ["serve", "serve"]
    assert made.cost_usd == pytest.approx([(300 + 0.1 * (100 - 300)) * 1e-6] * 2)
    assert run.played.ttft_s == pytest.approx([0.02, 0.02])
    assert run.played.tpot_s == pytest.approx([0.02, 0.02])
    assert run.metered.request_j == pytest.approx([300.0, 300.0])
    assert run.decided.run.awake[:, 0].tolist() == [1.0, 0.0]
    assert run.metered.idle_mwh[0, 0] * J_PER_MWH == pytest.approx(5.0 * (3600.0 - 12.0))
    drawn_mwh = (600.0 + 17_940.0) / J_PER_MWH
    assert run.metered.run.load_mwh[:, 0] == pytest.approx([drawn_mwh, 0.0])
    assert run.metered.run.bought_mwh[0, 0] == pytest.approx(drawn_mwh)
    assert run.kept.worth_usd == pytest.approx(600 * 50e-6)
    assert run.kept.served_usd == pytest.approx(600 * 50e-6)


def test_what_costs_more_than_it_is_worth_is_refused_with_its_reason():
    """At 1,000 USD/MWh a token costs 100 USD/Mtok and is worth 50."""
    run = replayed(
        two_sites(prices=((1000.0,), (1000.0,)), workloads=(workload(must_serve=False),)),
        trace([1.0, 2.0], [300, 300]),
    )
    made = run.decided.outcomes
    assert made.refused.all()
    reasons = {REASONS[at] for at in made.reason}
    assert reasons <= {"marginal_cost_exceeds_value", "no_capable_deployment", "overloaded",
                       "place_down"}  # fmt: skip
    assert run.kept.net_usd == pytest.approx(0.0)
    assert run.kept.most_usd == pytest.approx(0.0, abs=1e-12)


def batches(seed: int, count: int, hours: int):
    rng = np.random.default_rng(seed)
    arrival = np.sort(rng.uniform(0.0, hours * 3600.0, count))
    loads = (
        workload("chat", value=50.0),
        workload("nightly", value=20.0, defer=4, tier_index=1, must_serve=False),
    )
    prices = rng.uniform(5.0, 120.0, (2, hours))
    made = two_sites(prices=prices, workloads=loads, batch=40.0)
    requests = trace(
        arrival, rng.integers(1, 400, count), input_tokens=rng.integers(1, 400, count),
        span_s=hours * 3600.0, workloads=("chat", "nightly"), workload=rng.integers(0, 2, count),
        session=rng.integers(-1, 20, count),
    )  # fmt: skip
    return made, requests, (
        promise(),
        promise(service_tier="batch", deadline_s=4 * 3600.0, value_usd_per_mtok=20.0,
                ttft_limit_s=60.0),
    )  # fmt: skip


@pytest.mark.parametrize("policy", ["greedy", "mpc", "clairvoyant"])
def test_requests_tokens_and_joules_close(policy):
    made, requests, promises = batches(3, 600, 8)
    run = replayed(made, requests, policy, promises, most=64)
    outcomes, case = run.decided.outcomes, run.case
    ends = outcomes.served.astype(int) + outcomes.refused + outcomes.waiting
    assert ends.tolist() == [1] * case.count
    assert not outcomes.waiting.any()
    fluid = run.decided.run
    asked = tokens_mtok(made, case).sum()
    assert fluid.serve_mtok.sum() + fluid.refused_mtok.sum() == pytest.approx(asked)
    assert fluid.backlog_mtok[:, -1] == pytest.approx(0.0)
    for place in run.played.places:
        assert place.requests_j + place.idle_j == pytest.approx(place.replicas_j, rel=1e-9)
    own = run.metered.request_j.sum() / J_PER_MWH + run.metered.idle_mwh.sum()
    assert run.metered.run.load_mwh.sum() == pytest.approx(own)
    bought = run.metered.run.bought_mwh - run.metered.run.sold_mwh
    assert bought == pytest.approx(run.metered.run.load_mwh)
    assert np.isfinite(run.played.ttft_s).all()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("policy", ["greedy", "mpc"])
def test_nobody_keeps_more_than_hindsight_allows(policy, seed):
    made, requests, promises = batches(seed, 300, 6)
    run = replayed(made, requests, policy, promises, most=64)
    assert run.kept.most_usd is not None
    assert run.kept.net_usd <= run.kept.most_usd * (1.0 + 1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_hindsight_bounds_requests_of_unlike_worth(seed):
    """Prices between the values: what is refused is worth less than what is served."""
    rng = np.random.default_rng(seed)
    made = two_sites(
        prices=rng.uniform(100.0, 900.0, (2, 4)), workloads=(workload(must_serve=False),)
    )
    count = 200
    requests = trace(
        np.sort(rng.uniform(0.0, 4 * 3600.0, count)), rng.integers(10, 400, count),
        span_s=4 * 3600.0, value_usd=rng.lognormal(-4.5, 1.0, count),
    )  # fmt: skip
    for policy in ("greedy", "mpc"):
        run = replayed(made, requests, policy)
        assert run.kept.net_usd <= run.kept.most_usd + 1e-9
        assert run.kept.most_usd <= run.kept.worth_usd + 1e-9


def test_work_that_may_wait_waits_for_the_cheaper_hour():
    """Three hours at 90, 90 and 10 USD/MWh: what arrives in the first is served in the third."""
    loads = (workload("chat", value=50.0, defer=2, must_serve=False),)
    made = two_sites(prices=((90.0, 90.0, 10.0), (90.0, 90.0, 10.0)), workloads=loads)
    held = promise(service_tier="batch", deadline_s=3 * 3600.0, ttft_limit_s=60.0)
    run = replayed(made, trace([10.0, 20.0], [200, 200], span_s=10800.0), "mpc", (held,))
    made_of = run.decided.outcomes
    assert made_of.interval.tolist() == [2, 2]
    assert made_of.deferred_count.tolist() == [1, 1]
    assert (made_of.since_s >= 7200.0).all()


def test_the_same_seed_gives_the_same_replay_and_threads_do_not_matter():
    made, requests, promises = batches(5, 200, 3)
    one = replayed(made, requests, "mpc", promises, most=64)
    other = replayed(made, requests, "mpc", promises, most=64)
    for name in ("action", "reason", "route", "interval", "cost_usd", "affinity_usd"):
        assert np.array_equal(
            getattr(one.decided.outcomes, name), getattr(other.decided.outcomes, name)
        )
    assert np.array_equal(one.metered.request_j, other.metered.request_j)
    assert [b.board_id for b in one.decided.boards] == [b.board_id for b in other.decided.boards]


def sampled(count=400, rate_per_s=2.0, awake=10.0):
    """Draw requests of one hour on one deployment, each standing for as many as the rate says."""
    rng = np.random.default_rng(1)
    weight = rate_per_s * awake * 3600.0 / count
    sent = Sent(
        deployment=np.zeros(count, dtype=np.int64),
        interval=np.zeros(count, dtype=np.int64),
        sent_s=np.sort(rng.uniform(0.0, 3600.0, count)),
        input_tokens=np.full(count, 10, dtype=np.int64),
        cached_tokens=np.zeros(count, dtype=np.int64),
        output_tokens=np.full(count, 50, dtype=np.int64),
        weight_ratio=np.full(count, weight),
    )
    return sent, np.full((1, 1), awake)


def test_a_sample_is_played_at_the_rate_of_one_real_replica():
    """2 requests/s for 50 iterations of 20 ms each: two at a time on average, by Little's law.

    Iterations that take no longer with more of them: a replica never falls behind, each request
    takes 1 s and waits at most one iteration for its first token.
    """
    sent, awake = sampled()
    found = play(sent, awake, {0: machine(most=64)}, step_s=3600.0, sampled=True, seed=0)
    place = found.places[0]
    assert place.behind == ()
    assert place.replicas_count == 1
    assert np.isfinite(found.ttft_s).all()
    assert (found.ttft_s <= 0.04 + 1e-9).all()
    assert found.tpot_s == pytest.approx(0.02)
    # Busy where at least one of them is there: 1 - exp(-2), and an hour of ten replicas idles
    # for the rest of it at 5 W.
    idle_share = found.idle_j[0, 0] / (awake[0, 0] * 3600.0 * 5.0)
    assert idle_share == pytest.approx(np.exp(-2.0), abs=0.06)


def test_a_sample_that_asks_for_too_much_is_told():
    """Eight at a time for 1 s each: 8 requests/s at most, and 12 arrive."""
    sent, awake = sampled(rate_per_s=12.0)
    found = play(sent, awake, {0: machine(most=8)}, step_s=3600.0, sampled=True, seed=0)
    assert found.places[0].behind == (0,)
    assert np.median(found.ttft_s) > 20.0


def test_too_few_of_a_sample_are_left_out():
    sent, awake = sampled(count=20)
    found = play(sent, awake, {0: machine()}, step_s=3600.0, sampled=True, seed=0)
    assert np.isnan(found.ttft_s).all()
    assert not found.played.any()


def test_falling_behind_is_what_piles_up():
    arrival = np.arange(100.0)
    assert not falls_behind(arrival, arrival + 5.0, (20.0, 99.0), alike=True)
    assert falls_behind(arrival, 2.0 * arrival, (20.0, 99.0), alike=True)


def test_a_trace_of_another_time_is_played_from_the_horizons_start():
    from datetime import UTC, datetime

    made = two_sites()
    requests = trace([5.0], [100], start=datetime(2023, 11, 16, 18, 15, tzinfo=UTC))
    there, case = traced_case(made, requests, (promise(),))
    assert case.moved_from == requests.start
    assert case.interval.tolist() == [0]
    assert there.arrivals_mtok.tolist() == [[100e-6]]


def test_history_before_a_trace_stands_at_its_level():
    made = two_sites(prices=((10.0,) * 6, (30.0,) * 6), history=4)
    made.arrivals_mtok[0, :4] = [1.0, 2.0, 3.0, 2.0]
    there, _ = traced_case(made, trace([5.0, 4000.0], [100, 300], span_s=7200.0), (promise(),))
    level = 200e-6
    assert there.arrivals_mtok[0] == pytest.approx(
        [0.5 * level, level, 1.5 * level, level, 100e-6, 300e-6]
    )


def test_every_finding_comes_at_once():
    made = two_sites()
    bad = trace(
        [5.0, 1.0], [0, 3], span_s=9000.0, workloads=("chat", "dreams"),
        workload=np.array([0, 1]),
    )  # fmt: skip
    none = promise(value_usd_per_mtok=None)
    with pytest.raises(FindingsError) as told:
        traced_case(made, bad, (none,))
    codes = {finding.code for finding in told.value.findings}
    assert {"TRACE_WORKLOAD_UNKNOWN", "TRACE_BEYOND_HORIZON", "TIER_WITHOUT_VALUE"} <= codes
    assert any("UNSORTED" in code or "ORDER" in code for code in codes), codes


def test_a_sample_must_show_every_workload_in_every_interval():
    made = two_sites(prices=((10.0, 10.0), (30.0, 30.0)))
    made.arrivals_mtok[:] = 5.0
    only_first = trace([5.0], [100], span_s=7200.0)
    with pytest.raises(FindingsError, match="SAMPLE_TOO_SMALL"):
        sampled_case(made, only_first, np.array([0.1]), (promise(),))


def test_weights_of_a_sample_make_its_tokens_whole():
    made = two_sites(prices=((10.0, 10.0), (30.0, 30.0)))
    made.arrivals_mtok[:] = [[5.0, 7.0]]
    drawn = trace([5.0, 6.0, 4000.0], [100, 300, 50], span_s=7200.0)
    case = sampled_case(made, drawn, np.array([0.1]), (promise(),))
    assert tokens_mtok(made, case) == pytest.approx(made.arrivals_mtok)
    assert case.weight_ratio == pytest.approx([5e6 / 400, 5e6 / 400, 7e6 / 50])


def test_spare_is_a_share():
    assert with_spare(two_sites(), 0.2).routes[0].rate_mtok_per_h == pytest.approx(8.0)
    with pytest.raises(InputError, match="spare share"):
        with_spare(two_sites(), 1.0)


AZURE = Path(__file__).parents[2] / ".." / "shared" / "data" / "azure_llm_2023_conv.csv.gz"


@pytest.mark.skipif(not AZURE.exists(), reason="../shared is absent: no Azure trace")
def test_a_real_trace_closes():
    """Ten minutes of the Azure trace on two sites: each request is decided and played once."""
    from datetime import UTC, datetime

    import polars as pl

    table = pl.read_csv(AZURE)
    stamps = table[table.columns[0]].str.to_datetime(strict=False)
    since = (stamps - stamps[0]).dt.total_microseconds().to_numpy() / 1e6
    early = since < 600.0
    count = int(early.sum())
    requests = trace(
        np.sort(since[early]), table[table.columns[2]].to_numpy()[early],
        input_tokens=table[table.columns[1]].to_numpy()[early], span_s=600.0,
        start=datetime(2023, 11, 16, tzinfo=UTC),
    )  # fmt: skip
    made = two_sites(batch=64.0)
    run = replayed(made, requests, most=64, blocks=50_000)
    card = request_card(made, (run,), (promise(),), spare_share=0.0)
    tier = card.policies["greedy"].tiers["tier0"]
    assert tier.decided_count == count
    assert tier.served_count + tier.refused_count == count
    assert tier.played_share == 1.0
    assert tier.output_mtok == pytest.approx(requests.output_tokens.sum() / 1e6)

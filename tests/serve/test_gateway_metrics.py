"""Counts of workers: labelled, merged, told."""

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from tokenergy.serve.gateway_metrics import BUCKETS_S, Collector, Tally, merged


def page(*tallies: Tally) -> str:
    registry = CollectorRegistry()
    registry.register(Collector([tally.encoded() for tally in tallies]))
    return generate_latest(registry).decode()


def test_counters_of_workers_are_added() -> None:
    first, second = Tally(), Tally()
    first.add("tokenergy_requests", ("served", "affinity"), 2.0)
    second.add("tokenergy_requests", ("served", "affinity"), 3.0)
    line = 'tokenergy_requests_total{decision="served",reason="affinity"} 5.0'
    assert line in page(first, second)


def test_rows_that_are_summed_elsewhere_are_told_with_them() -> None:
    tally = Tally()
    tally.add("tokenergy_requests", ("served", "affinity"), 2.0)
    tally.rows = {("tokenergy_requests", ("served", "affinity")): 1.0}
    assert 'reason="affinity"} 3.0' in page(tally)


def test_requests_in_flight_are_added_and_the_oldest_board_is_told() -> None:
    first, second = Tally(), Tally()
    for tally, value in ((first, 4.0), (second, 6.0)):
        tally.set("tokenergy_gateway_in_flight_count", ("paris", "large"), value)
        tally.set("tokenergy_gateway_board_age_seconds", (), value)
    told = page(first, second)
    assert 'tokenergy_gateway_in_flight_count{model="large",site="paris"} 10.0' in told
    assert "tokenergy_gateway_board_age_seconds 6.0" in told


def test_a_histogram_holds_in_each_bucket_all_below_it() -> None:
    """0.1 ms, 3 ms and 400 s: 1 up to 0.1 ms, 2 up to 5 ms, 3 in all."""
    tally = Tally()
    for seconds_s in (0.0001, 0.003, 400.0):
        tally.observe("tokenergy_gateway_overhead_seconds", (), seconds_s)
    told = page(tally)
    name = "tokenergy_gateway_overhead_seconds"
    assert f'{name}_bucket{{le="0.0001"}} 1.0' in told
    assert f'{name}_bucket{{le="0.005"}} 2.0' in told
    assert f'{name}_bucket{{le="300.0"}} 2.0' in told or f'{name}_bucket{{le="300"}} 2.0' in told
    assert f'{name}_bucket{{le="+Inf"}} 3.0' in told
    assert f"{name}_count 3.0" in told


def test_buckets_rise() -> None:
    assert list(BUCKETS_S) == sorted(set(BUCKETS_S))


def test_nothing_is_told_of_nothing() -> None:
    assert merged([]).counters == {}
    assert page() == ""


def test_a_gauge_that_is_gone_is_not_told() -> None:
    tally = Tally()
    tally.set("tokenergy_gateway_board_policy", ("mpc",), 1.0)
    tally.clear("tokenergy_gateway_board_policy")
    tally.set("tokenergy_gateway_board_policy", ("reserve",), 1.0)
    told = page(tally)
    assert 'policy="reserve"' in told
    assert 'policy="mpc"' not in told

"""Operating points: queues whose answer is on paper, one request alone, a small company."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import SMALL
from operating_rows import TERMS

from tokenergy.company.inputs import Lengths
from tokenergy.errors import DoesNotFit, InputError
from tokenergy.files.catalogue import load_catalogue
from tokenergy.files.company_file import load
from tokenergy.simulate.bench import Bench, keeps_up
from tokenergy.simulate.constant_law import constant_law
from tokenergy.simulate.operating_point_row import Sample, bound_of, found_row
from tokenergy.simulate.operating_points import limits_of, operating_table
from tokenergy.simulate.operating_sample import Effort, sample_of
from tokenergy.simulate.rate_search import Bracket, Limits, Load, rate_search, searched
from tokenergy.simulate.replica import ReplicaSpec, StepEnergy
from tokenergy.simulate.replica_energy import step_energy
from tokenergy.simulate.request_mix import (
    LengthPairs,
    MixPart,
    draw_requests,
)

SERVICE_S, STEP_J, IDLE_W = 0.1, 30.0, 100.0
FEW = Effort(requests_count=4_000, seeds_count=1)
CATALOGUE = load_catalogue()


def queue_of(count: int, *, seeds_count: int = 3) -> Bench:
    """Return an M/D/1 queue: one request at a time, each one iteration of 0.1 s and 30 J."""
    one = LengthPairs(input_tokens=np.array([8]), output_tokens=np.array([1]))
    part = MixPart(lengths=Lengths(input_tokens=8.0, output_tokens=1.0), pairs=one)
    spec = ReplicaSpec(
        law=constant_law(SERVICE_S),
        energy=StepEnergy(
            base_j=np.array([0.0, STEP_J]), decode_j=0.0, prefill_j=0.0, idle_w=IDLE_W
        ),
        kv_blocks_count=10,
        watermark_blocks_count=0,
        max_batch_count=1,
    )
    return Bench(
        spec=spec,
        drawn=tuple(draw_requests([part], count=count, seed=seed) for seed in range(seeds_count)),
        parts_count=1,
        percentile_share=0.99,
    )


def sojourn_s(rate_per_s: float, share: float = 0.99) -> float:
    """Return a percentile of waiting and service in an M/D/1 queue, from Erlang's sum.

    P(W <= t) = (1 - r) sum over k <= t/D of (l (kD - t))^k / k! exp(-l (kD - t)), r = l D.
    """

    def kept_share(wait_s: float) -> float:
        terms = (
            (rate_per_s * (k * SERVICE_S - wait_s)) ** k
            / math.factorial(k)
            * math.exp(-rate_per_s * (k * SERVICE_S - wait_s))
            for k in range(int(wait_s / SERVICE_S) + 1)
        )
        return (1.0 - rate_per_s * SERVICE_S) * math.fsum(terms)

    low_s, high_s = 0.0, 30.0 * SERVICE_S
    for _ in range(60):
        middle_s = (low_s + high_s) / 2.0
        low_s, high_s = (middle_s, high_s) if kept_share(middle_s) < share else (low_s, middle_s)
    return low_s + SERVICE_S


# ---- a queue that is known on paper --------------------------------------------------------


def test_the_oracle_knows_an_empty_queue() -> None:
    """At a rate of next to nothing nobody waits, and every sojourn is the service of 0.1 s."""
    assert sojourn_s(1e-3) == pytest.approx(SERVICE_S, abs=1e-6)


@pytest.mark.parametrize("load_share", [0.3, 0.6, 0.8])
def test_the_slowest_hundredth_of_a_queue_is_the_one_on_paper(load_share: float) -> None:
    rate_per_s = load_share / SERVICE_S
    loads = queue_of(20_000).at(rate_per_s)
    mean_s = float(np.mean([load.ttft_s[0] for load in loads]))
    assert mean_s == pytest.approx(sojourn_s(rate_per_s), rel=0.08)
    assert all(load.stable for load in loads)
    assert all(math.isnan(load.tpot_s[0]) for load in loads)


def test_the_largest_rate_of_a_queue_is_the_one_on_paper() -> None:
    """The limit is what the 99th percentile is at 6 a second: so 6 a second is the answer."""
    bench = queue_of(20_000)
    limits = Limits(ttft_limit_s=(sojourn_s(6.0),), tpot_limit_s=(1.0,))
    searches = [rate_search(limits, start_per_s=5.0, first_ratio=1.1) for _ in bench.drawn]
    brackets = searched(searches, bench.simulate)
    rates = [bracket.rate_per_s for bracket in brackets]
    assert float(np.mean(rates)) == pytest.approx(6.0, rel=0.03)
    assert all(bracket.broken == "ttft" for bracket in brackets)
    assert {bound_of(bracket) for bracket in brackets} == {"batch"}


def test_a_queue_beyond_its_service_is_not_stable() -> None:
    """11 a second come, 10 are served: of 4,000 the last find 364 waiting, the middle half."""
    (load,) = queue_of(4_000, seeds_count=1).at(11.0)
    assert not load.stable
    assert load.busy_share == pytest.approx(1.0, abs=0.01)


def test_the_power_line_of_a_queue_is_exact() -> None:
    """Each request is 30 J in 0.1 s, idle 100 W: P = 100 + (30 - 0.1 x 100) x rate, a line."""
    bench = queue_of(20_000)
    terms = replace(TERMS, input_tokens=8.0, output_tokens=1.0, network_s=0.02,
                    ttft_limit_s=sojourn_s(6.0) + 0.02, host_w_per_gpu=50.0)  # fmt: skip
    row = found_row(sample_around(bench), terms, limits_of(terms))
    assert row.rate_per_s == pytest.approx(6.0, rel=0.05)
    assert row.power_w == pytest.approx(50.0 + 100.0 + 20.0 * row.rate_per_s, rel=1e-3)
    assert row.marginal_j_per_token == pytest.approx(20.0, rel=1e-2)
    assert row.base_w == pytest.approx(150.0, rel=1e-2)
    assert abs(row.half_load_error_share) < 1e-2
    assert row.busy_share == pytest.approx(0.1 * row.rate_per_s, rel=1e-2)
    assert row.mean_batch_count == pytest.approx(1.0)
    assert row.unloaded_ttft_s == pytest.approx(SERVICE_S, rel=1e-6)
    assert (row.bound, row.seeds_count, row.requests_count) == ("batch", 3, 20_000)
    line_w = row.base_w + row.marginal_j_per_token * row.rate_per_s
    assert line_w == pytest.approx(row.power_w, rel=1e-12)
    assert 0.0 <= row.rate_spread_share < 0.05


def sample_around(bench: Bench) -> Sample:
    return Sample(
        bench=bench,
        pilot=Bench(spec=bench.spec, drawn=queue_of(2_000).drawn[:1], parts_count=1,
                    percentile_share=0.99),
        board_tdp_w=700.0, host_w=50.0, lengths="one", law="constant", tier="modelled",
    )  # fmt: skip


def test_a_limit_below_one_service_is_out_of_reach() -> None:
    """0.1 s of service and 0.02 s of network cannot keep 0.11 s."""
    terms = replace(TERMS, input_tokens=8.0, output_tokens=1.0, network_s=0.02, ttft_limit_s=0.11)
    row = found_row(sample_around(queue_of(2_000)), terms, limits_of(terms))
    assert not row.reachable
    assert row.bound == "ttft"
    assert row.unloaded_ttft_s == pytest.approx(SERVICE_S, rel=1e-6)
    assert math.isnan(row.power_w)
    assert "0.1 s and 0.02 s of network (limit 0.11 s)" in row.notes[-1]


def test_another_limit_that_breaks_at_the_same_place_costs_no_simulation() -> None:
    sample = sample_around(queue_of(4_000, seeds_count=1))
    terms = replace(TERMS, input_tokens=8.0, output_tokens=1.0, network_s=0.0, ttft_limit_s=0.4)
    first = found_row(sample, terms, limits_of(terms))
    known = len(sample.bench.loads)
    near = replace(terms, network_s=1e-7, fleet="another")
    assert found_row(sample, near, limits_of(near)).rate_per_s == first.rate_per_s
    assert len(sample.bench.loads) == known
    far = replace(terms, network_s=0.2)
    assert found_row(sample, far, limits_of(far)).rate_per_s < first.rate_per_s


# ---- pieces --------------------------------------------------------------------------------


def test_completions_that_keep_up() -> None:
    arrival_s = np.arange(1000.0)
    assert keeps_up(arrival_s, arrival_s + 5.0)
    assert not keeps_up(arrival_s, arrival_s * 1.2 + 5.0)
    assert keeps_up(np.array([0.0]), np.array([1.0]))


@pytest.mark.parametrize(
    ("broken", "cache_share", "batch_share", "bound"),
    [
        ("tpot", 1.0, 1.0, "tpot"),
        ("ttft", 0.99, 0.5, "kv"),
        ("ttft", 0.5, 0.5, "batch"),
        ("ttft", 0.5, 0.01, "ttft"),
    ],
)
def test_a_bound_is_what_requests_wait_for(
    broken: str, cache_share: float, batch_share: float, bound: str
) -> None:
    beyond = Load(
        rate_per_s=2.0, ttft_s=(9.0,), tpot_s=(9.0,), stable=True, busy_share=1.0,
        mean_batch_count=1.0, board_w=1.0, cache_high_share=cache_share,
        full_batch_share=batch_share,
    )  # fmt: skip
    bracket = Bracket(within=beyond, beyond=beyond, broken=broken)  # type: ignore[arg-type]
    assert bound_of(bracket) == bound


def test_lengths_have_the_stated_means_and_gaps_a_mean_of_one() -> None:
    part = MixPart(lengths=Lengths(input_tokens=900.0, output_tokens=300.0))
    drawn = draw_requests([part], count=20_000, seed=0)
    assert float(drawn.input_tokens.mean()) == pytest.approx(900.0, rel=0.03)
    assert float(drawn.output_tokens.mean()) == pytest.approx(300.0, rel=0.03)
    assert drawn.input_tokens.min() >= 1
    assert drawn.input_tokens.max() <= 12 * 900
    assert drawn.unit_arrival_s[-1] == pytest.approx(20_000.0)
    again = draw_requests([part], count=20_000, seed=0)
    assert np.array_equal(drawn.input_tokens, again.input_tokens)
    assert not np.array_equal(
        drawn.input_tokens, draw_requests([part], count=20_000, seed=1).input_tokens
    )


def test_a_mix_has_its_classes_in_proportion_and_rows_come_from_traces() -> None:
    rows = LengthPairs(input_tokens=np.array([10, 20]), output_tokens=np.array([1, 2]))
    parts = [
        MixPart(lengths=Lengths(input_tokens=15.0, output_tokens=1.5), pairs=rows,
                weight_share=0.25),
        MixPart(lengths=Lengths(input_tokens=5000.0, output_tokens=300.0), weight_share=0.75),
    ]  # fmt: skip
    drawn = draw_requests(parts, count=10_000, seed=0)
    mine = drawn.part == 0
    assert float(mine.mean()) == pytest.approx(0.25, abs=0.02)
    pairs = set(zip(drawn.input_tokens[mine].tolist(), drawn.output_tokens[mine].tolist(),
                    strict=True))  # fmt: skip
    assert pairs == {(10, 1), (20, 2)}
    with pytest.raises(InputError, match="add up to 1"):
        draw_requests(parts[:1], count=10, seed=0)


def test_prefill_is_added_only_beyond_the_benchmarks_own() -> None:
    """900 in and 300 out: 0.39 x 300 = 117 of the 900 are in the curve; 0.87 of e_in is added.

    e_in of 8.03 billion parameters at 1 J/TFLOP is 0.016 J a token.
    """
    model, sku = CATALOGUE.language_model("llama-3.1-8b"), CATALOGUE.accelerator("H100")
    fit = CATALOGUE.fitted_coefficients("H100")
    assert fit is not None

    def energy(input_tokens: float, output_tokens: float) -> StepEnergy:
        return step_energy(
            model, sku, fit, gpus_count=1, batch_limit_count=256, input_tokens=input_tokens,
            output_tokens=output_tokens,
        )  # fmt: skip

    e_in_j = 2.0 * model.read_b / 1000.0 * fit.c_pre_j_per_tflop
    assert energy(900.0, 300.0).prefill_j == pytest.approx(e_in_j * (1.0 - 250 / 641 / 3.0))
    assert energy(250.0, 641.0).prefill_j == pytest.approx(0.0, abs=1e-12)
    assert energy(100.0, 641.0).prefill_j == 0.0
    assert energy(900.0, 300.0).base_j.shape == (257,)
    assert energy(900.0, 300.0).idle_w == sku.idle_w


def test_too_few_requests_are_refused() -> None:
    with pytest.raises(InputError, match="needs 1000 requests"):
        Effort(requests_count=10)
    with pytest.raises(InputError, match="seed"):
        Effort(seeds_count=0)


# ---- a replica of the catalogue ------------------------------------------------------------


def real_terms(**changes: object):
    facts = {"fleet": "h100", "catalogue_model": "llama-3.1-8b", "input_tokens": 500.0,
             "output_tokens": 100.0, "tpot_limit_s": 0.02, "ttft_limit_s": 2.0}  # fmt: skip
    return replace(TERMS, **{**facts, **changes})


def part_of(terms) -> MixPart:
    return MixPart(
        lengths=Lengths(input_tokens=terms.input_tokens, output_tokens=terms.output_tokens)
    )


def test_an_8b_model_on_an_h100_is_bound_by_a_tight_time_per_token() -> None:
    terms = real_terms()
    row = found_row(
        sample_of(CATALOGUE, terms, [part_of(terms)], effort=FEW), terms, limits_of(terms)
    )
    assert row.bound == "tpot"
    assert row.tpot_s <= 0.02
    assert row.ttft_s + terms.network_s <= 2.0
    # Reading 16 GB at 0.9 of 3,350 GB/s is 5.3 ms, 32 layers of 0.07 ms are 2.1 ms: no load
    # is faster, and the loaded ones are slower.
    assert 0.0074 < row.unloaded_tpot_s < row.tpot_s
    assert 0.0 < row.power_tdp_share < 1.1
    assert row.prefill_beyond_share > 0.0
    looser = replace(terms, tpot_limit_s=0.04)
    more = found_row(
        sample_of(CATALOGUE, looser, [part_of(looser)], effort=FEW), looser, limits_of(looser)
    )
    assert more.rate_per_s > 1.2 * row.rate_per_s


def test_a_request_that_never_fits_is_no_operating_point() -> None:
    """70 billion weights of 2 bytes leave 4 of 144 GB on two H100: no 100,000 tokens fit."""
    terms = real_terms(catalogue_model="llama-3.1-70b", gpus_count=2, input_tokens=20_000.0)
    with pytest.raises(DoesNotFit, match="blocks of cache"):
        sample_of(CATALOGUE, terms, [part_of(terms)], effort=FEW)
    alone = real_terms(catalogue_model="llama-3.1-70b", gpus_count=1)
    with pytest.raises(DoesNotFit, match="weights are larger"):
        sample_of(CATALOGUE, alone, [part_of(alone)], effort=FEW)


# ---- a company -----------------------------------------------------------------------------


def test_a_company_has_a_row_for_every_pair_and_its_mixes(tmp_path: Path) -> None:
    """SMALL: chat on large and small, nightly on small, three H100 fleets: 9 rows, 1 mix."""
    company, inputs, catalogue, _ = load(SMALL)
    told: list[tuple[str, int, int]] = []
    table = operating_table(
        company, inputs, catalogue, effort=Effort(requests_count=1_500, seeds_count=1),
        on_progress=lambda what, done, of: told.append((what, done, of)),
    )  # fmt: skip
    alone = [row for row in table.rows if not row.terms.also]
    assert [row.terms.key[:3] for row in alone] == [
        (fleet, model, workload)
        for workload, model in (
            ("chat-america", "large"),
            ("chat-america", "small"),
            ("nightly-europe", "small"),
        )
        for fleet in ("texas-h100", "virginia-h100", "frankfurt-h100")
    ]  # fmt: skip
    assert all(row.reachable and row.tier == "modelled" for row in alone)
    # the farther a site, the less of the limit is left: never a larger rate
    large = {row.terms.fleet: row for row in alone if row.terms.model == "large"}
    assert large["frankfurt-h100"].rate_per_s <= large["virginia-h100"].rate_per_s
    (mix,) = table.mixes
    assert {mix.workload, mix.also} == {"chat-america", "nightly-europe"}
    assert mix.promised_per_s > 0.0
    assert mix.error_share == pytest.approx(mix.promised_per_s / mix.found_per_s - 1.0)
    own = [row for row in table.rows if row.terms.also]
    assert bool(own) is (abs(mix.error_share) > 0.10)
    assert told[-1][1] == told[-1][2]


def test_a_limit_out_of_reach_is_a_finding_with_the_unloaded_times() -> None:
    company, inputs, catalogue, _ = load(SMALL)
    strict = tuple(
        tier.model_copy(update={"tpot_limit_s": 0.003}) if tier.name == "chat" else tier
        for tier in company.tiers
    )
    table = operating_table(
        company.model_copy(update={"tiers": strict}), inputs, catalogue,
        effort=Effort(requests_count=1_000, seeds_count=1), workloads=["chat-america"],
    )  # fmt: skip
    assert not any(row.reachable for row in table.rows)
    assert {finding.code for finding in table.findings} == {"OPERATING_LIMITS_MISSED"}
    for row, finding in zip(table.rows, table.findings, strict=True):
        assert f"{row.unloaded_tpot_s:.3g} s a token (limit 0.003 s)" in finding.reason
        assert f"{row.unloaded_ttft_s:.3g} s" in finding.reason
    assert table.mixes == ()

"""Where the tokens of a request fall, by what the journal knows of it."""

from itertools import pairwise

import msgspec
import served_records
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.metering.request_life import (
    DECODE_LEAST_SHARE,
    RequestLife,
    closed_life,
    marked_life,
    opened_life,
    tokens_within,
)

AT_S = served_records.AT_S


def life(**more: object) -> RequestLife:
    """100 tokens read, 20 of them cached, 50 written in 3 s, the first after 0.2 s."""
    opened = served_records.opened(stream=more.pop("stream", True))
    return closed_life(opened_life(opened), served_records.closed(**more))


def test_a_stream_writes_from_its_first_byte_to_its_end() -> None:
    """50 tokens in 2.8 s: at 1.6 s half of them; 80 read in 0.2 s, a quarter in 0.05 s."""
    whole = life()
    assert tokens_within(whole, AT_S - 1, AT_S + 5) == (50, 80)
    assert tokens_within(whole, AT_S, AT_S + 0.051) == (0, 20)
    assert tokens_within(whole, AT_S + 0.2, AT_S + 1.601) == (25, 0)
    assert tokens_within(whole, AT_S + 1.601, AT_S + 5) == (25, 0)


def test_a_whole_answer_is_spread_from_its_beginning() -> None:
    """Its first byte is its last: 3 s for 50 written and 80 read."""
    whole = life(stream=False, first_byte_s=3.0)
    assert tokens_within(whole, AT_S, AT_S + 1.5) == (25, 40)


def test_marks_bend_the_line_and_never_exceed_the_end() -> None:
    """40 of 50 at 2 s: 40 in the first 1.8 s of writing, 10 in the last one."""
    marked = marked_life(opened_life(served_records.opened()), served_records.marked(output=40))
    ended = closed_life(marked, served_records.closed())
    assert tokens_within(ended, AT_S, AT_S + 2) == (40, 80)
    assert tokens_within(ended, AT_S, AT_S + 1.101)[0] == 20
    few = closed_life(marked, served_records.closed(output_tokens=30))
    assert tokens_within(few, AT_S, AT_S + 2) == (30, 80)


def test_who_runs_on_goes_on_as_it_did() -> None:
    """10 tokens by the MARK at 2 s: 5 a second; without a MARK the rate of the others."""
    fresh = opened_life(served_records.opened())
    marked = marked_life(fresh, served_records.marked(output=10))
    assert tokens_within(marked, AT_S + 2, AT_S + 4) == (10, 0)
    assert tokens_within(marked, AT_S, AT_S + 2) == (10, 100)
    assert tokens_within(fresh, AT_S + 1, AT_S + 3, tokens_per_s=7.0) == (14, 0)
    assert (fresh.is_known_at(AT_S + 1), marked.is_known_at(AT_S + 2)) == (False, True)
    assert not marked.is_known_at(AT_S + 2.1)


def test_a_mark_that_comes_twice_counts_once() -> None:
    mark = served_records.marked(output=10)
    once = marked_life(opened_life(served_records.opened()), mark)
    assert marked_life(once, mark) == once


def test_weights_take_the_prompt_out_of_the_curve() -> None:
    """kappa 0.1, rho 2: an output token is 0.8 of the curve's, an input token 0.1 of it."""
    weights = life().weights(of_one_model=True)
    assert (round(weights.decode_j_per_token, 12), weights.prefill_j_per_token) == (0.8, 0.1)
    shared = life().weights(of_one_model=False)
    assert round(shared.decode_j_per_token, 12) == 1.2  # 1.5 J a token
    decided = msgspec.structs.replace(served_records.DECIDED, rates=(2.0, 0.5, 8.0, 1.5))
    fim = opened_life(served_records.opened(decided=decided))
    assert fim.weights(of_one_model=True).decode_j_per_token == DECODE_LEAST_SHARE


@given(
    cuts=st.lists(st.floats(-1.0, 6.0), max_size=6),
    marks=st.lists(st.tuples(st.floats(0.1, 4.0), st.integers(0, 80)), max_size=3),
    first_s=st.one_of(st.none(), st.floats(0.0, 3.0)),
    streams=st.booleans(),
    written=st.integers(0, 60),
)
def test_windows_add_up_to_the_tokens(
    cuts: list[float],
    marks: list[tuple[float, int]],
    first_s: float | None,
    streams: bool,
    written: int,
) -> None:
    """However a life is cut into windows, each token counts in one of them."""
    one = opened_life(served_records.opened(stream=streams))
    for at_s, output in sorted(marks):
        one = marked_life(one, served_records.marked(output=output, at_s=AT_S + at_s))
    one = closed_life(one, served_records.closed(output_tokens=written, first_byte_s=first_s))
    edges = [AT_S - 1.0, *(AT_S + each for each in sorted(cuts)), AT_S + 6.0]
    parts = [tokens_within(one, a, b) for a, b in pairwise(edges)]
    assert all(output >= 0 and read >= 0 for output, read in parts)
    assert (sum(p[0] for p in parts), sum(p[1] for p in parts)) == (written, 80)

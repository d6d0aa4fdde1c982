import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.serve.openai_usage import (
    USAGE_INCONSISTENT,
    UsageSeen,
    estimated,
    reported_in,
)


def seen(**usage: object) -> UsageSeen | None:
    return reported_in(json.dumps(usage).encode())


def test_the_shapes_of_chat_responses_and_embeddings() -> None:
    chat = seen(
        prompt_tokens=30,
        completion_tokens=12,
        total_tokens=42,
        prompt_tokens_details={"cached_tokens": 16, "audio_tokens": 0},
        completion_tokens_details={"reasoning_tokens": 5},
    )
    assert chat == (30, 16, 12, 5, "reported", "")
    response = seen(
        input_tokens=30,
        input_tokens_details={"cached_tokens": 16},
        output_tokens=12,
        output_tokens_details={"reasoning_tokens": 5},
        total_tokens=42,
    )
    assert response == chat
    assert seen(prompt_tokens=8, total_tokens=8) == (8, 0, 0, 0, "reported", "")
    assert seen(prompt_tokens=8, completion_tokens=2, prompt_tokens_details=None) is not None


def test_an_explicit_zero_is_a_zero_and_nothing_is_none() -> None:
    assert seen(prompt_tokens=0, completion_tokens=0, total_tokens=0) == (
        0,
        0,
        0,
        0,
        "reported",
        "",
    )
    assert seen() is None
    assert reported_in(b"null") is None
    assert reported_in(b'"x"') is None
    assert seen(prompt_tokens=-1, completion_tokens=2) is None
    assert seen(prompt_tokens=2**60, completion_tokens=2) is None


def test_what_is_left_out_follows_from_the_total() -> None:
    assert seen(prompt_tokens=8, total_tokens=11) == (8, 0, 3, 0, "reported", "")
    assert seen(completion_tokens=3, total_tokens=11) == (8, 0, 3, 0, "reported", "")
    assert seen(completion_tokens=3) is None


def test_integral_floats_and_texts_are_figures() -> None:
    assert seen(prompt_tokens=8.0, completion_tokens="3") == (8, 0, 3, 0, "reported", "")
    assert seen(prompt_tokens=8.5, completion_tokens=3) is None


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"total_tokens": 50}, (30, 0, 12, 0)),
        ({"prompt_tokens_details": {"cached_tokens": 31}}, (30, 30, 12, 0)),
        ({"completion_tokens_details": {"reasoning_tokens": 13}}, (30, 0, 12, 12)),
        # 30 + 12 + 5 = 47: reasoning stands beside the completion, and is output all the same
        (
            {"total_tokens": 47, "completion_tokens_details": {"reasoning_tokens": 5}},
            (30, 0, 17, 5),
        ),
    ],
)
def test_a_usage_that_contradicts_itself_is_a_finding(
    usage: dict[str, object], counted: tuple[int, ...]
) -> None:
    read = seen(**({"prompt_tokens": 30, "completion_tokens": 12} | usage))
    assert read is not None
    assert read[:4] == counted
    assert read.finding.startswith(USAGE_INCONSISTENT)


COUNTS = st.none() | st.integers(-5, 60)


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)
def test_parts_never_exceed_their_wholes(
    prompt: int | None,
    output: int | None,
    total: int | None,
    cached: int | None,
    thought: int | None,
) -> None:
    read = seen(
        prompt_tokens=prompt,
        completion_tokens=output,
        total_tokens=total,
        prompt_tokens_details={"cached_tokens": cached},
        completion_tokens_details={"reasoning_tokens": thought},
    )
    if read is not None:
        assert 0 <= read.cached_tokens <= read.input_tokens
        assert 0 <= read.reasoning_tokens <= read.output_tokens


@given(st.binary(max_size=60))
def test_no_bytes_whatever_raise(junk: bytes) -> None:
    reported_in(junk)


def test_estimates_are_never_negative() -> None:
    assert estimated(input_tokens=3, output_tokens=-1) == (3, 0, 0, 0, "estimated", "")

"""Endpoints that are passed on: what is read of them, and what of their streams is counted."""

import pytest

from tokenergy.company.serving.plan import LimitsPlan
from tokenergy.serve.openai_error import ApiError, cut_short
from tokenergy.serve.passing import PassedStream, passed_body, read_other, read_passed


def test_the_model_is_replaced_and_nothing_else() -> None:
    asked = read_other(b'{"model":"a","query":"q","stream":true}', LimitsPlan())
    assert (asked.model, asked.stream) == ("a", True)
    assert passed_body(asked, "b") == b'{"model":"b","query":"q","stream":true}'


@pytest.mark.parametrize("body", [b"{}", b'{"model":7}', b"[]", b'{"model":"a","stream":3}'])
def test_a_body_without_a_model_is_refused(body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        read_other(body, LimitsPlan())
    assert caught.value.status == 400


def test_a_usage_is_read_where_one_is_told() -> None:
    told = read_passed(b'{"usage":{"prompt_tokens":5,"total_tokens":5}}', b"application/json")
    assert told.usage is not None
    assert told.usage.input_tokens == 5
    assert read_passed(b"RIFF...", b"audio/wav").usage is None
    assert read_passed(b"{", b"application/json").usage is None


def test_a_stream_counts_a_token_for_each_event_and_ends_as_it_ends() -> None:
    stream = PassedStream()
    assert stream.feed(b"event: a\ndata: 1\n\ndata: 2\n\n") == b"event: a\ndata: 1\n\ndata: 2\n\n"
    stream.cut_off()
    assert stream.ended
    assert stream.error is None
    assert stream.closing() == b""
    usage = stream.counted(9)
    assert (usage.input_tokens, usage.output_tokens, usage.source) == (9, 2, "estimated")


def test_a_stream_that_breaks_says_so() -> None:
    stream = PassedStream()
    stream.cut_off(cut_short())
    assert b'"error"' in stream.closing()

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseCompletedEvent
from wire_samples import DONE, named, responses_stream

from tokenergy.serve.answer_stream import Stream
from tokenergy.serve.stream_of import stream_of

TEXTS = ["Once", " upon", ' a "time"', " 日本"]


def begun(**more: object) -> Stream:
    asked: dict[str, object] = {"served": "served", "name": "ours", "show_usage": True}
    return stream_of("responses", **(asked | more))  # type: ignore[arg-type]


def test_the_last_event_is_held_back_and_tells_usage_model_and_tier() -> None:
    events = responses_stream(TEXTS)
    stream = begun(service_tier="flex")
    told = b"".join(map(stream.feed, events))
    assert stream.ended and stream.error is None
    assert b"response.completed" not in told
    assert told.count(b".delta\n") == len(TEXTS)
    assert stream.usage == (20, 16, 4, 0, "reported", "")
    assert (stream.finish, stream.answer_id, stream.model) == ("stop", "resp_1", "served")
    last = ResponseCompletedEvent.model_validate_json(stream.closing().split(b"data: ")[1])
    assert last.response.model == "ours"
    assert last.response.service_tier == "flex"


def test_events_leave_as_they_came() -> None:
    events = responses_stream(TEXTS)
    stream = begun(name="served")
    assert b"".join(map(stream.feed, events)) + stream.closing() == b"".join(events)


@given(st.lists(st.integers(0, 3_000), max_size=9))
def test_cuts_anywhere_change_nothing(cuts: list[int]) -> None:
    body = b"".join(responses_stream(TEXTS))
    whole, parts = begun(), begun()
    ends = sorted({0, len(body), *(cut % len(body) for cut in cuts)})
    pieces = [body[a:b] for a, b in pairwise(ends)]
    assert b"".join(map(parts.feed, pieces)) == whole.feed(body)
    assert parts.closing() == whole.closing()
    assert parts.usage == whole.usage


def test_events_without_their_name_are_known_by_their_type() -> None:
    stream = begun()
    for one in responses_stream(TEXTS):
        stream.feed(b"data: " + one.split(b"data: ")[1])
    assert stream.ended and stream.usage is not None
    assert stream.counted(0).output_tokens == 4


def test_a_cut_response_counts_its_deltas() -> None:
    stream = begun()
    for one in responses_stream(TEXTS)[:4]:
        stream.feed(one)
    stream.cut_off()
    assert stream.counted(9) == (9, 0, 3, 0, "counted", "")
    error = json.loads(stream.closing().split(b"data: ")[1])
    assert (error["type"], error["code"]) == ("error", "stream_interrupted")
    assert stream.closing().startswith(b"event: error\n")


def test_incomplete_by_its_cap_finishes_with_length() -> None:
    response = {"id": "r", "model": "served", "status": "incomplete"}
    response |= {"incomplete_details": {"reason": "max_output_tokens"}}  # type: ignore[dict-item]
    stream = begun()
    assert stream.feed(named("response.incomplete", response=response)) == b""
    assert stream.ended and stream.finish == "length" and stream.error is None


def test_failed_tells_the_servers_own_event_and_is_an_error() -> None:
    response = {"id": "r", "model": "served", "status": "failed"}
    response |= {"error": {"code": "server_error", "message": "boom"}}  # type: ignore[dict-item]
    stream = begun()
    stream.feed(named("response.failed", response=response))
    assert stream.error is not None and stream.error.message == "boom"
    assert b"response.failed" in stream.closing()


@pytest.mark.parametrize("junk", [b"<html>\n\n", b'data: {"type"\n\n', b"data: 3\n\n", DONE])
def test_garbage_and_done_before_its_time_end_it_with_an_error(junk: bytes) -> None:
    stream = begun()
    stream.feed(junk)
    assert stream.ended and stream.error is not None


def test_an_error_event_ends_it() -> None:
    stream = begun()
    stream.feed(named("error", code="x", message="boom", param=None, sequence_number=3))
    assert stream.error is not None and stream.error.message == "boom"


def test_detail_goes_into_the_last_event() -> None:
    stream = begun(detail=True)
    list(map(stream.feed, responses_stream(TEXTS)))
    read = json.loads(stream.closing({"joules": 2}).split(b"data: ")[1])
    assert read["tokenergy"] == {"joules": 2} and read["response"]["usage"]["output_tokens"] == 4


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_no_bytes_whatever_raise(chunks: list[bytes]) -> None:
    stream = begun()
    for chunk in (b"event: response.", *chunks, b"}\n\n"):
        stream.feed(chunk)
    stream.cut_off()
    assert stream.ended

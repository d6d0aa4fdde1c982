import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.serve import openai_error as told
from tokenergy.serve.openai_error import ApiError


def test_the_body_is_openais_shape_with_ours_inside() -> None:
    extra = {"value_usd": 0.0021, "lambda": 0.4, "next_admitted": None}
    error = told.not_worth_it(retry_s=2_843, extra=extra)
    assert json.loads(error.body()) == {
        "error": {
            "message": "Serving this request now costs more than its tier is worth.",
            "type": "rate_limit_error",
            "param": None,
            "code": "marginal_cost_exceeds_value",
            "tokenergy": extra,
        }
    }
    assert error.headers == ((b"retry-after", b"2843"), (b"x-should-retry", b"false"))


REFUSALS = [
    (told.not_worth_it(retry_s=None, extra={}), "marginal_cost_exceeds_value", None, False),
    (told.not_worth_it(retry_s=9, extra={}, pacing=True), "budget_pacing", b"9", None),
    (told.no_room_in_time(retry_s=61), "resource_unavailable", b"61", False),
    (told.rate_limited("x", retry_s=0.2), "rate_limit_exceeded", b"1", None),
    (told.overloaded(retry_s=2.1), "server_is_overloaded", b"3", None),
]


@pytest.mark.parametrize(("error", "code", "wait", "retry"), REFUSALS)
def test_refusals_say_when_to_come_back(
    error: ApiError, code: str, wait: bytes | None, retry: bool | None
) -> None:
    headers = dict(error.headers)
    assert (error.status, error.type, error.code) == (429, "rate_limit_error", code)
    assert headers.get(b"retry-after") == wait
    assert headers.get(b"x-should-retry") == (b"false" if retry is False else None)


def test_a_spent_budget_is_never_retried() -> None:
    error = told.spend_limit("The budget is spent.")
    assert (error.status, error.type) == (429, "insufficient_quota")
    assert error.code == "project_spend_limit_exceeded"
    assert error.headers == ((b"x-should-retry", b"false"),)


def test_an_unknown_model_tells_the_known_ones_the_nearest_first() -> None:
    known = [f"model-{n:02}" for n in range(40)] + ["llama-70b"]
    error = told.unknown_model("llama-7b" + "x" * 10_000, known)
    assert (error.status, error.code, error.param) == (404, "model_not_found", "model")
    assert len(error.message) < 600
    near = told.unknown_model("llama-7b", known)
    assert "Served: llama-70b, model-00" in near.message
    assert near.message.endswith("and 21 more.")


def test_an_error_in_a_stream_is_an_event_of_its_endpoint() -> None:
    error = told.cut_short()
    chat = error.event("chat")
    assert chat == b"data: " + error.body() + b"\n\n"
    name, data = error.event("responses", sequence=4).split(b"\n")[:2]
    assert name == b"event: error"
    assert json.loads(data.removeprefix(b"data: ")) == {
        "type": "error",
        "code": "stream_interrupted",
        "message": error.message,
        "param": None,
        "sequence_number": 4,
    }


def test_headers_are_whole() -> None:
    error = told.unavailable("board_missing", "No prices yet.", retry_s=3)
    assert error.head() == [(b"content-type", b"application/json"), (b"retry-after", b"3")]


@given(st.text(max_size=30))
def test_a_spread_moment_lies_in_the_interval_and_is_the_same_again(request_id: str) -> None:
    moment = told.spread_s(100.0, 3_700.0, request_id)
    assert 100.0 <= moment < 3_700.0
    assert told.spread_s(100.0, 3_700.0, request_id) == moment


def test_moments_are_spread() -> None:
    """1,000 requests in 10 equal parts: each part holds 100 give or take a half."""
    moments = [told.spread_s(0.0, 10.0, f"req-{n:05}") for n in range(1_000)]
    counts = [sum(part <= moment < part + 1 for moment in moments) for part in range(10)]
    assert all(50 <= count <= 150 for count in counts)


EVERY = [
    (told.invalid("x"), 400),
    (told.context_exceeded(limit_tokens=8, asked_tokens=9), 400),
    (told.no_key(), 401),
    (told.wrong_key(), 401),
    (told.forbidden("x"), 403),
    (told.not_found("/x"), 404),
    (told.method_not_allowed("PUT", "POST"), 405),
    (told.too_slow("head"), 408),
    (told.conflict("x"), 409),
    (told.too_large(9), 413),
    (told.wrong_type("text/plain"), 415),
    (told.head_too_large("100 lines"), 431),
    (told.unexpected(), 500),
    (told.upstream_failed(), 502),
    (told.unavailable("x", "x"), 503),
    (told.upstream_timeout(), 504),
]


@pytest.mark.parametrize(("error", "status"), EVERY)
def test_every_status_has_its_shape(error: ApiError, status: int) -> None:
    assert error.status == status
    assert set(json.loads(error.body())["error"]) == {"message", "type", "param", "code"}

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.serve.upstream_error import upstream_refused

SHAPES = [
    {"error": {"message": "bad", "type": "invalid_request_error", "param": "n", "code": "x"}},
    {"object": "error", "message": "bad", "type": "BadRequestError", "param": "n", "code": 400},
    {"error": "bad"},
    {"detail": "bad"},
    "bad",
]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_servers_refusal_reaches_the_client_in_one_shape(shape: object) -> None:
    error = upstream_refused(400, json.dumps(shape).encode())
    assert (error.status, error.message, error.type) == (400, "bad", "invalid_request_error")
    assert isinstance(error.code, str)


def test_a_prompt_that_is_too_long_has_openais_code() -> None:
    """llama.cpp's own words for it."""
    said = {"code": 400, "message": "exceeds", "type": "exceed_context_size_error", "n_ctx": 2048}
    error = upstream_refused(400, json.dumps({"error": said}).encode())
    assert (error.status, error.code) == (400, "context_length_exceeded")


@pytest.mark.parametrize("status", [301, 401, 403, 407, 500, 505])
def test_what_lies_between_us_and_the_server_is_502_without_its_words(status: int) -> None:
    error = upstream_refused(status, b'{"error":{"message":"SECRET at 10.0.0.5"}}')
    assert error.status == 502
    assert b"SECRET" not in error.body()


def test_a_busy_server_is_told_as_busy() -> None:
    error = upstream_refused(429, b"", retry_s=7.0)
    assert (error.status, error.code) == (429, "server_is_overloaded")
    assert error.headers == ((b"retry-after", b"7"),)


@given(st.integers(201, 599), st.binary(max_size=60))
def test_no_bytes_whatever_raise(status: int, body: bytes) -> None:
    error = upstream_refused(status, body)
    assert error.status >= 400
    assert json.loads(error.body())["error"]["message"]

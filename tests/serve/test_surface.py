"""The HTTP surface under bad input: the right status, OpenAI's error shape, no fault of ours.

A real gateway with small limits gets bodies, heads and addresses that hypothesis makes up. After
each test a good request is answered, and the log holds no traceback.
"""

import json
import socket
import string
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from faulty_upstream import faulty_upstream
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serve_company import company_text
from serve_process import Answer, Gateway, serving

BODY_BYTES, HEAD_BYTES, HEADERS_COUNT = 10_000_000, 16_384, 60
SLOW_S = 1.0
WAIT_S = 20.0
REFUSED = {400, 403, 404, 405, 413, 415, 429}
MESSAGES = [{"role": "user", "content": "hello"}]
GOOD: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"model": "small", "messages": MESSAGES, "max_tokens": 5},
    "/v1/completions": {"model": "small", "prompt": "hello", "max_tokens": 5},
    "/v1/responses": {"model": "small", "input": "hello", "max_output_tokens": 16},
    "/v1/embeddings": {"model": "small", "input": ["hello"]},
    "/v1/tokenergy/decide": {"model": "small", "input_tokens": 10, "output_tokens": 20},
    "/v1/batches": {
        "input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h",
    },
}  # fmt: skip
FIELDS = sorted(
    {name for body in GOOD.values() for name in body}
    | {"stream", "n", "stream_options", "service_tier", "user", "max_completion_tokens", "tools",
       "response_format", "instructions", "previous_response_id", "metadata", "suffix", "best_of"}
)  # fmt: skip
fuzz = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("surface")
    with faulty_upstream() as near, faulty_upstream() as far:
        text: str = company_text(
            [near.url, far.url],
            served_model="m",
            limits=f"head_s: {SLOW_S}, body_grace_s: {SLOW_S}, body_bytes: {BODY_BYTES}, "
            f"head_bytes: {HEAD_BYTES}, headers_count: {HEADERS_COUNT}",
        )
        file = folder / "crowd.yaml"
        file.write_text(text, encoding="utf-8")
        with serving(file, folder=folder, tenants=("acme",)) as gateway:
            yield gateway


@pytest.fixture
def gateway(running: Gateway) -> Iterator[Gateway]:
    """The gateway, which is well afterwards."""
    yield running
    answer = running.ask(running.key("acme"), GOOD["/v1/chat/completions"])
    assert answer.status == 200
    assert "Traceback" not in running.log_text()


def _is_told(answer: Answer, *, where: Any) -> None:
    """Hold a refusal against OpenAI's shape."""
    assert answer.status in REFUSED, (answer.status, answer.body, where)
    error = answer.json["error"]
    assert set(error) - {"tokenergy"} == {"message", "type", "param", "code"}, where
    assert error["message"] and error["type"], where


# ---- bodies ----


@fuzz
@given(path=st.sampled_from(sorted(GOOD)), name=st.sampled_from(FIELDS), value=anything)
def test_a_field_of_any_type(gateway: Gateway, path: str, name: str, value: Any) -> None:
    body = json.dumps(GOOD[path] | {name: value}).encode()  # NaN too, which is no JSON
    answer = gateway.ask(gateway.key("acme"), body, path=path)
    if answer.status != 200:
        _is_told(answer, where=(path, name, value))


@fuzz
@given(path=st.sampled_from(sorted(GOOD)), body=st.binary(max_size=300) | anything.map(json.dumps))
def test_a_body_of_any_bytes(gateway: Gateway, path: str, body: bytes | str) -> None:
    sent = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
    _is_told(gateway.ask(gateway.key("acme"), sent, path=path), where=(path, body))


@fuzz
@given(path=st.sampled_from(sorted(GOOD)), at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_good_body_with_one_byte_changed(gateway: Gateway, path: str, at: int, byte: int) -> None:
    body = bytearray(json.dumps(GOOD[path]).encode())
    body[at % len(body)] = byte
    answer = gateway.ask(gateway.key("acme"), bytes(body), path=path)
    if answer.status != 200:
        _is_told(answer, where=bytes(body))


@pytest.mark.parametrize("path", sorted(GOOD))
def test_json_so_deep_that_readers_fall_over(gateway: Gateway, path: str) -> None:
    deep = b'{"model":"small","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    _is_told(gateway.ask(gateway.key("acme"), deep, path=path), where=path)


def test_ten_megabytes_and_one_byte_more(gateway: Gateway) -> None:
    """At the limit it is served, whatever the model thinks of it; beyond it nothing is read."""
    frame = json.dumps({"model": "small", "messages": [{"role": "user", "content": ""}]})
    body = frame.replace('""', '"' + "x" * (BODY_BYTES - len(frame)) + '"').encode()
    assert len(body) == BODY_BYTES
    assert gateway.ask(gateway.key("acme"), body).status == 200
    assert _raw(gateway, _head(length=BODY_BYTES + 1, key=gateway.key("acme")))[0] == 413


def test_nobody_makes_us_read_a_body_without_a_key(gateway: Gateway) -> None:
    for key in ("", "tk-unknown", "déjà"):
        assert _raw(gateway, _head(length=BODY_BYTES, key=key))[0] == 401


# ---- heads ----


@fuzz
@given(st.binary(max_size=400))
def test_a_connection_of_any_bytes(gateway: Gateway, sent: bytes) -> None:
    status, _ = _raw(gateway, sent + b"\r\n\r\n")
    assert status is None or status < 500


@fuzz
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"]),
    target=st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=40),
)
def test_an_address_of_any_letters(gateway: Gateway, method: str, target: str) -> None:
    head = f"{method} /v1/{target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    status, body = _raw(gateway, head.encode("latin-1"))
    assert status in {400, 401, 404, 405}, (status, target)
    if method != "HEAD":
        assert json.loads(body)["error"]["message"]


@fuzz
@given(
    names=st.lists(st.text(string.ascii_letters + "-", min_size=1, max_size=20), max_size=6),
    value=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40),
)
def test_headers_of_any_text(gateway: Gateway, names: list[str], value: str) -> None:
    body = json.dumps(GOOD["/v1/chat/completions"]).encode()
    more = "".join(f"x-{name}: {value}\r\n" for name in names)
    more += f"x-tokenergy-region: {value}\r\nx-tokenergy-session: {value}\r\n"
    head = _head(length=len(body), key=gateway.key("acme"), more=more)
    status, told = _raw(gateway, head + body)
    assert status in {200, 400}, (status, told)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ("".join(f"x-{at}: 1\r\n" for at in range(HEADERS_COUNT + 1)), 431),
        (f"x-long: {'y' * HEAD_BYTES}\r\n", 431),
        ("Authorization: Bearer tk-another\r\n", 400),
        ("Content-Length: 3\r\n", 400),
        ("Transfer-Encoding: chunked\r\n", 400),
        ("Content-Type: text/plain\r\n", 400),
        ("x-tokenergy-value-usd: much\r\n", 400),
        ("x-tokenergy-value-usd: 1\r\n more\r\n", 400),
        ("x-tokenergy-deadline-s: -1\r\n", 400),
        ("x-tokenergy-region: atlantis\r\n", 400),
        ("Content-Encoding: gzip\r\n", 415),
    ],
)
def test_heads_that_are_too_much_or_say_two_things(
    gateway: Gateway, more: str, status: int
) -> None:
    body = json.dumps(GOOD["/v1/chat/completions"]).encode()
    got, told = _raw(gateway, _head(length=len(body), key=gateway.key("acme"), more=more) + body)
    assert got == status, told
    assert json.loads(told)["error"]["type"] == "invalid_request_error"


# ---- slow clients ----


def test_a_head_that_never_ends(gateway: Gateway) -> None:
    """A header line every 0.2 s: the connection has a second, whatever trickles in."""
    began_s = time.monotonic()
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=WAIT_S) as door:
        door.sendall(b"POST /v1/chat/completions HTTP/1.1\r\n")
        with suppress(OSError):
            while time.monotonic() - began_s < WAIT_S:
                door.sendall(b"x-a: b\r\n")
                time.sleep(0.2)
                door.settimeout(0.01)
                with suppress(TimeoutError):
                    told = door.recv(4096)
                    break
        assert told.startswith(b"HTTP/1.1 408"), told
    assert time.monotonic() - began_s < WAIT_S


def test_a_body_that_never_ends(gateway: Gateway) -> None:
    """Ten bytes every 0.2 s are less than the 1,000 a second that a body must have."""
    began_s, told = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=WAIT_S) as door:
        door.sendall(_head(length=100_000, key=gateway.key("acme")))
        with suppress(OSError):
            while time.monotonic() - began_s < WAIT_S and not told:
                door.sendall(b"x" * 10)
                time.sleep(0.2)
                door.settimeout(0.01)
                with suppress(TimeoutError):
                    told = door.recv(4096)
    assert told.startswith(b"HTTP/1.1 408"), told


def test_many_slow_heads_keep_nobody_else_from_being_answered(gateway: Gateway) -> None:
    doors = [socket.create_connection(("127.0.0.1", gateway.port)) for _ in range(200)]
    try:
        for door in doors:
            door.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nx-a: ")
        answer = gateway.ask(gateway.key("acme"), GOOD["/v1/chat/completions"])
        assert answer.status == 200
    finally:
        for door in doors:
            door.close()


def _head(*, length: int, key: str, more: str = "") -> bytes:
    text = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {key}\r\nContent-Length: {length}\r\n"
        f"Connection: close\r\n{more}\r\n"
    )
    return text.encode("latin-1")


def _raw(gateway: Gateway, sent: bytes) -> tuple[int | None, bytes]:
    """Send bytes; return status and body of the answer, (None, b"") where the door just closed."""
    got = b""
    door = socket.create_connection(("127.0.0.1", gateway.port), timeout=WAIT_S)
    with door, suppress(ConnectionError):
        door.sendall(sent)
        while part := door.recv(65_536):
            got += part
            if (whole := _whole(got)) is not None:
                return whole
    head, _, body = got.partition(b"\r\n\r\n")
    return (int(head.split(b" ")[1]), body) if head else (None, b"")


def _whole(got: bytes) -> tuple[int, bytes] | None:
    """Return status and body once they are there, of an answer that tells its length."""
    head, end, body = got.partition(b"\r\n\r\n")
    told = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    if not end or not told or len(body) < int(told[0].partition(b":")[2]):
        return None
    return int(head.split(b" ")[1]), body

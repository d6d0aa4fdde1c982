"""Nothing that is asked, answered, or proves who asks is written down: every output is searched.

Marked prompts, answers, users, sessions and keys go through every path, the failing ones too. Then
log, journal, ledger, leases, metrics, readiness and error texts are read byte by byte. What is
kept for clients (files of batches, outcomes under an Idempotency-Key) is named, and holds no key.
"""

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import faulty_answers
import faulty_upstream
import pytest
from faulty_upstream import Server
from serve_company import SpendLimit, company_text
from serve_process import Answer, Gateway, new_key, serving

MARK = "xyzzy"
PROMPT, ANSWER, USER = f"{MARK}-prompt", f"{MARK}-answer", f"{MARK}-user"
SESSION, TOOL, TRACE = f"{MARK}-session", f"{MARK}-tool", f"{MARK}-trace"
WRONG_KEY = f"tk-{MARK}-wrong-key-of-somebody-else-0000000000"
BULK_TIER = """\
  - {name: bulk, service_tier: batch, ttft_limit_s: 60, tpot_limit_s: 0.5, deadline_s: 600,
     must_serve: true, price_usd_per_mtok: 20, value: from_price}
workloads:
  - {name: night, tier: bulk, origin: france, ladder: [small], input_tokens: 200,
     output_tokens: 64, arrivals: {mean_requests_per_s: 100}}"""
ENDS_WITHIN_S = 60.0
CHAT, BATCHES = "/v1/chat/completions", "/v1/batches"
KEPT_FOR_CLIENTS = ("files/", "batches.sqlite", "idempotency.sqlite")
"""Where prompts and answers stand because their tenant asked for it; deleted when they are over."""


@dataclass
class Told:
    """What came back, and the keys that were used."""

    gateway: Gateway
    servers: tuple[Server, Server]
    key: str
    admin: str
    errors: list[Answer] = field(default_factory=list)

    def chat(self, *, path: str = CHAT, key: str | None = None, **more: Any) -> Answer:
        headers = {"x-tokenergy-session": SESSION, "traceparent": TRACE} | more.pop("headers", {})
        body: Any = more.pop("raw", None)
        if body is None:
            body = {"model": "small", "user": USER, "prompt_cache_key": SESSION}
            body |= {"metadata": {"who": USER}, "messages": [{"role": "user", "content": PROMPT}]}
            body |= more
        told = self.gateway.ask(key or self.key, body, path=path, headers=headers, timeout_s=60)
        if told.status >= 400:
            self.errors.append(told)
        return told

    def both(self, **changes: Any) -> None:
        for server in self.servers:
            server.always(**changes)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Ask in every way, well and badly, and leave the gateway running."""
    folder = tmp_path_factory.mktemp("secrets")
    with (
        pytest.MonkeyPatch.context() as patch,
        faulty_upstream.faulty_upstream() as near,
        faulty_upstream.faulty_upstream() as far,
    ):
        patch.setattr(faulty_answers, "WORD", f" {ANSWER}")
        patch.setattr(faulty_upstream, "error_body", _echo)
        text: str = company_text(
            [near.url, far.url],
            tenants=("acme", "spent"),
            served_model="m",
            spend_limits=(SpendLimit(tenant="spent", usd=0.02),),
            limits="between_chunks_s: 1, first_byte_least_s: 1, first_byte_ratio: 0.1, "
            "breaker_failures_count: 1000, body_bytes: 100000",
        )
        text = text.replace("{synthetic: germany}", "60").replace("{synthetic: norway-like}", "50")
        text = text.replace("workloads:", BULK_TIER, 1).replace("[chat, free]", "[chat, bulk]")
        file = folder / "crowd.yaml"
        file.write_text(text, encoding="utf-8")
        (folder / "data").mkdir(mode=0o700)
        admin = new_key(file, folder / "data", "acme", scopes=("admin",))
        with serving(
            file, folder=folder, tenants=("acme", "spent"), words=("--admin-port", "0")
        ) as gateway:
            made = Told(gateway, (near, far), gateway.key("acme"), admin)
            _ask_well(made)
            _ask_badly(made)
            _fail(made)
            _settle(made)
            yield made


def _echo(status: int) -> bytes:
    """A server that repeats its prompt in its error, as some do."""
    error = {"message": f"cannot read {PROMPT}", "type": "server_error", "param": None}
    return json.dumps({"error": error, "status": status}).encode()


def _ask_well(made: Told) -> None:
    tools = [{"type": "function", "function": {"name": TOOL, "parameters": {"secret": TOOL}}}]
    assert ANSWER in made.chat(tools=tools).body.decode()
    assert ANSWER in made.chat(stream=True).body.decode()
    assert made.chat(headers={"Idempotency-Key": SESSION}).status == 200
    assert made.chat(headers={"Idempotency-Key": SESSION}).status == 200
    assert made.chat(path="/v1/completions", prompt=PROMPT).status == 200
    assert made.chat(path="/v1/responses", input=PROMPT, instructions=PROMPT).status == 200
    assert made.chat(path="/v1/responses", input=PROMPT, stream=True).status == 200
    assert made.chat(path="/v1/embeddings", input=[PROMPT]).status == 200
    _run_batch(made)


def _run_batch(made: Told) -> None:
    body = {"model": "small", "user": USER, "messages": [{"role": "user", "content": PROMPT}]}
    line = {"custom_id": "q1", "method": "POST", "url": CHAT, "body": body}
    parts = (
        f'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        f'--b\r\nContent-Disposition: form-data; name="file"; filename="in.jsonl"\r\n\r\n'
        f"{json.dumps(line)}\n\r\n--b--\r\n"
    )
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    file = made.chat(path="/v1/files", raw=parts.encode(), headers=form)
    assert file.status == 200, file.body
    asked = {"input_file_id": file.json["id"], "endpoint": CHAT, "completion_window": "24h"}
    batch = made.chat(path=BATCHES, raw=json.dumps(asked).encode())
    until_s = time.monotonic() + ENDS_WITHIN_S
    while time.monotonic() < until_s:
        found = made.gateway.ask(made.key, None, path=f"{BATCHES}/{batch.json['id']}").json
        if found["status"] == "completed":
            break
        time.sleep(0.1)
    assert found["status"] == "completed", found


def _ask_badly(made: Told) -> None:
    """Every refusal that is ours; none may repeat what it refuses but names of models."""
    bad = [
        f'{{"model": "small", "messages": "{PROMPT}"'.encode(),
        f'{{"model": "small", "messages": "{PROMPT}"}}'.encode(),
        f'{{"model": "small", "messages": [{{"role": "{PROMPT}", "content": 1}}]}}'.encode(),
        f'{{"model": "small", "max_tokens": "{PROMPT}"}}'.encode(),
        f'"{PROMPT}"'.encode(),
        PROMPT.encode() + b"\xff\xfe",
        json.dumps({"model": "small", "messages": [{"content": PROMPT * 20_000}]}).encode(),
    ]
    for raw in bad:
        assert made.chat(raw=raw).status in {400, 413}, raw[:80]
    image = {"type": "image_url", "image_url": {"url": f"http://127.0.0.1/{PROMPT}"}}
    assert made.chat(messages=[{"role": "user", "content": [image]}]).status == 400
    assert made.chat(model="nobody").status == 404
    assert made.chat(path="/v1/files/nowhere/at/all").status in {404, 405}
    assert made.chat(key=WRONG_KEY).status == 401
    assert made.chat(headers={"x-tokenergy-value-usd": PROMPT}).status == 400
    assert made.chat(headers={"Content-Type": f"text/{MARK}"}).status == 415
    spent = made.gateway.key("spent")
    assert made.chat(key=spent, max_tokens=5_001).status == 429
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    assert made.chat(path="/v1/files", raw=PROMPT.encode(), headers=form).status == 400
    for text in (f"GET /{MARK}-odd HTTP/9.9\r\n\r\n", f"{MARK} no http at all\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", made.gateway.port), timeout=10) as door:
            door.sendall(text.encode())
            door.recv(4096)


def _fail(made: Told) -> None:
    """Every way in which a server fails, whole answers and streams."""
    ways: list[dict[str, Any]] = [
        {"status": 500}, {"status": 503}, {"status": 400}, {"status": 401}, {"status": 429},
        {"fault": "reset", "at_byte": 0}, {"fault": "reset", "at_byte": 300},
        {"fault": "close", "at_byte": 250}, {"fault": "stall", "at_byte": 250, "stall_s": 2.0},
        {"fault": "garbage"}, {"fault": "half_event"}, {"fault": "half_json"},
        {"fault": "garbage_sse"}, {"fault": "no_done"}, {"usage": "inconsistent"},
        {"headers": {"x-secret": ANSWER, "set-cookie": ANSWER}},
    ]  # fmt: skip
    for way in ways:
        for stream in (False, True):
            made.both(**way)
            answer = made.chat(stream=stream)
            assert "x-secret" not in answer.headers
    made.both(token_s=0.05, completion_tokens=40)
    body = {"model": "small", "user": USER, "stream": True}
    body |= {"messages": [{"role": "user", "content": PROMPT}]}
    sent = json.dumps(body).encode()
    head = (
        f"POST {CHAT} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {made.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", made.gateway.port), timeout=10) as door:
        door.sendall(head.encode() + sent)
        assert door.recv(200)  # ... and the client leaves
    made.both()


def _settle(made: Told) -> None:
    """Wait until the ledger has the client that left."""
    query = "select count(*) from ledger where component = 'cancelled'"
    until_s = time.monotonic() + ENDS_WITHIN_S
    while time.monotonic() < until_s and made.gateway.rows(query) in ([], [(0,)]):
        time.sleep(0.1)
    assert made.gateway.rows(query) == [(1,)]


def _holding(folder: Path, needle: bytes) -> set[str]:
    """Return the files below a folder that hold some bytes."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and needle in path.read_bytes()
    }


def test_no_file_but_those_kept_for_clients_holds_what_was_asked_or_answered(told: Told) -> None:
    folder = told.gateway.log.parent
    found = _holding(folder, MARK.encode())
    kept = {name for name in found if name.removeprefix("data/").startswith(KEPT_FOR_CLIENTS)}
    assert found - kept == set()
    assert _holding(folder, b"acme")  # it does find what is there: tenants stand in the ledger


def test_no_file_holds_a_key(told: Told) -> None:
    folder = told.gateway.log.parent
    for key in (told.key, told.gateway.key("spent"), told.admin, WRONG_KEY):
        assert _holding(folder, key.encode()) == set()
        assert _holding(folder, key.removeprefix("tk-").encode()) == set()


def test_metrics_and_readiness_hold_nothing(told: Told) -> None:
    for path in ("/metrics", "/readyz", "/healthz"):
        answer = told.gateway.ask(told.admin, None, path=path)
        for at in (told.gateway.url, told.gateway.admin_url):
            seen = _asked_at(at + path, told.admin)
            assert MARK.encode() not in seen
            assert told.key.encode() not in seen
        assert MARK.encode() not in answer.body
    assert b"tokenergy_" in _asked_at(told.gateway.admin_url + "/metrics", told.admin)


def test_error_texts_of_ours_repeat_neither_prompt_nor_key(told: Told) -> None:
    """What a server says of a bad request is for the client that wrote it, and may be told."""
    ours = [one for one in told.errors if f"cannot read {PROMPT}".encode() not in one.body]
    assert len(ours) > 20
    for answer in ours:
        text = answer.body.decode()
        assert told.key not in text
        assert WRONG_KEY not in text
        assert [word for word in (PROMPT, ANSWER, USER, SESSION, TOOL) if word in text] == [], text


def test_the_words_of_a_server_that_failed_reach_nobody(told: Told) -> None:
    """5xx, 401 and 429 of a server speak of its own keys and addresses."""
    theirs = [one for one in told.errors if f"cannot read {PROMPT}".encode() in one.body]
    assert {one.status for one in theirs} <= {400}


def test_users_are_hashes(told: Told) -> None:
    rows = told.gateway.rows("select distinct user_hash from request where user_hash <> ''")
    assert len(rows) == 1
    assert len(rows[0][0]) == 16


def _asked_at(url: str, key: str) -> bytes:
    import urllib.error
    import urllib.request

    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            body: bytes = answer.read()
    except urllib.error.HTTPError as error:
        with error:
            body = error.read()
    return body

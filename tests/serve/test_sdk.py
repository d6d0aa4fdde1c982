"""The official OpenAI SDK against a real `tokenergy serve`: it must not notice that we are not it.

Two servers that do as they are told stand behind one worker; how often the SDK asks is counted
where its requests leave, what reached a model is counted by the servers themselves.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2 as httpx
import openai
import pytest
from faulty_upstream import Server, faulty_upstream
from openai import OpenAI
from serve_company import SpendLimit, bill_nano_usd, company_text
from serve_process import Gateway, serving

MODEL = "small"
TENANTS = ("acme", "spent", "busy")
BODY_BYTES = 200_000
PER_MIN_COUNT = 60
ENDS_WITHIN_S = 60.0
ASKED: list[Any] = [{"role": "user", "content": "Why is the sky blue?"}]
BULK_TIER = """\
  - {name: bulk, service_tier: batch, ttft_limit_s: 60, tpot_limit_s: 0.5, deadline_s: 600,
     must_serve: true, price_usd_per_mtok: 20, value: from_price}
workloads:
  - {name: night, tier: bulk, origin: france, ladder: [small], input_tokens: 200,
     output_tokens: 64, arrivals: {mean_requests_per_s: 100}}"""


def company() -> str:
    """Return the company of the gateway's tests, with a batch tier and a tenant over each limit."""
    text: str = company_text(
        ["http://127.0.0.1:1", "http://127.0.0.1:2"],  # put right by the fixture
        tenants=TENANTS,
        served_model="m",
        spend_limits=(SpendLimit(tenant="spent", usd=0.02),),
        limits=f"body_bytes: {BODY_BYTES}, head_s: 5",
    )
    text = text.replace("{synthetic: germany}", "60").replace("{synthetic: norway-like}", "50")
    text = text.replace("workloads:", BULK_TIER, 1).replace("[chat, free]", "[chat, bulk]")
    line = "{name: busy, tiers: [chat, bulk], origin: france}"
    return text.replace(line, line.replace("}", f", requests_per_min: {PER_MIN_COUNT}}}"))


class World:
    """The gateway, its two servers, and clients of it."""

    def __init__(self, gateway: Gateway, near: Server, far: Server) -> None:
        self.gateway, self.servers = gateway, (near, far)

    @contextmanager
    def client(self, tenant: str = "acme", **more: Any) -> Iterator["Counted"]:
        """A client with a key of the tenant; without retries unless they are asked for."""
        sent: list[httpx.Request] = []
        http = httpx.Client(event_hooks={"request": [sent.append]}, trust_env=False)
        key = more.pop("api_key", None) or self.gateway.key(tenant)
        options = {"max_retries": 0, "timeout": 30.0} | more
        with OpenAI(
            base_url=f"{self.gateway.url}/v1", api_key=key, http_client=http, **options
        ) as made:
            yield Counted(made, sent)

    def served_count(self) -> int:
        """Return how many requests reached a model."""
        return sum(one.counters.requests for one in self.servers)

    def seen(self) -> dict[str, Any]:
        """Return the body of the one request that has reached a model since `forget`."""
        [only] = [seen for one in self.servers for seen in one.seen]
        body: dict[str, Any] = json.loads(only.body)
        return body

    def forget(self) -> None:
        """Forget what the servers were told to do, and what they saw."""
        for one in self.servers:
            one.always()
            one.script.clear()
            one.seen.clear()

    def always(self, **changes: Any) -> None:
        for one in self.servers:
            one.always(**changes)


class Counted:
    """A client and what it has sent."""

    def __init__(self, sdk: OpenAI, sent: list[httpx.Request]) -> None:
        self.sdk, self.sent = sdk, sent

    def chat(self, **more: Any) -> Any:
        return self.sdk.chat.completions.create(**({"model": MODEL, "messages": ASKED} | more))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("sdk")
    with faulty_upstream() as near, faulty_upstream() as far:
        text = company()
        for at, server in enumerate((near, far), start=1):
            text = text.replace(f"http://127.0.0.1:{at}'", f"{server.url}'")
        file = folder / "crowd.yaml"
        file.write_text(text, encoding="utf-8")
        with serving(file, folder=folder, tenants=TENANTS) as gateway:
            yield World(gateway, near, far)


@pytest.fixture
def world(running: World) -> World:
    running.forget()
    return running


# ---- answers ----


def test_a_chat_says_where_it_ran_and_what_it_cost(world: World) -> None:
    """The fake server counts 10 input and 7 output tokens; the headers tell the rest."""
    with world.client() as client:
        raw = client.sdk.chat.completions.with_raw_response.create(model=MODEL, messages=ASKED)
        answer = raw.parse()
    assert answer.choices[0].message.content == " tok" * 7
    assert answer.model == MODEL
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (10, 7)
    told = raw.headers
    assert told["x-tokenergy-site"] in {"paris", "oslo"}
    assert told["x-tokenergy-model"] == MODEL
    assert told["x-tokenergy-decision"] == "serve"
    assert told["x-tokenergy-reason"] in {"value_above_cost", "tie_by_share", "affinity"}
    assert told["x-tokenergy-meter-tier"] == "modelled"
    assert float(told["x-tokenergy-joules"]) > 0.0
    assert float(told["x-tokenergy-cost-usd"]) > 0.0
    marginal_usd_per_mtok = float(told["x-tokenergy-marginal-usd-per-mtok"])
    assert float(told["x-tokenergy-cost-usd"]) <= marginal_usd_per_mtok * 17e-6 * 1.01
    assert told["x-tokenergy-request-id"].startswith("req-")


def test_what_an_answer_cost_can_be_asked_later(world: World) -> None:
    """The bill of 10 input and 7 output tokens is 10 x 1,000 + 7 x 4,000 = 38,000 nano-dollars."""
    with world.client() as client:
        raw = client.sdk.chat.completions.with_raw_response.create(model=MODEL, messages=ASKED)
        at = f"/v1/tokenergy/requests/{raw.headers['x-tokenergy-request-id']}"
        until_s = time.monotonic() + ENDS_WITHIN_S
        while True:
            told = world.gateway.ask(client.sdk.api_key, None, path=at)
            if told.status == 200 or time.monotonic() > until_s:
                break
            time.sleep(0.05)
    assert told.status == 200, told.body
    assert bill_nano_usd(prompt_tokens=10, cached_tokens=0, completion_tokens=7) == 38_000
    assert told.json["charge_nano_usd"] == 38_000
    assert told.json["outcome"] == "completed"
    assert told.json["joules"] > 0.0


def test_a_stream_comes_in_chunks_and_hides_the_usage_nobody_asked_for(world: World) -> None:
    with world.client() as client, client.chat(stream=True) as stream:
        chunks = list(stream)
    assert "".join(one.choices[0].delta.content or "" for one in chunks) == " tok" * 7
    assert [one for one in chunks if one.usage is not None] == []
    assert {one.model for one in chunks} == {MODEL}
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_a_stream_with_usage_ends_with_it_and_with_what_it_cost(world: World) -> None:
    with (
        world.client() as client,
        client.chat(
            stream=True,
            stream_options={"include_usage": True},
            extra_headers={"x-tokenergy-detail": "1"},
        ) as stream,
    ):
        last = list(stream)[-1]
    assert last.choices == []
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (10, 7)
    detail = last.model_extra["tokenergy"]
    assert float(detail["joules"]) > 0.0
    assert float(detail["cost_usd"]) > 0.0


def test_the_helper_for_streams_adds_one_up(world: World) -> None:
    with (
        world.client() as client,
        client.sdk.chat.completions.stream(model=MODEL, messages=ASKED) as stream,
    ):
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert final.choices[0].message.content == " tok" * 7


def test_responses_whole_and_as_a_stream(world: World) -> None:
    with world.client() as client:
        whole = client.sdk.responses.create(model=MODEL, input="Why?")
        with client.sdk.responses.create(model=MODEL, input="Why?", stream=True) as stream:
            events = list(stream)
    assert whole.output_text == " tok" * 7
    assert whole.usage is not None
    assert (whole.usage.input_tokens, whole.usage.output_tokens) == (10, 7)
    assert next(one.type for one in events) == "response.created"
    assert [one.type for one in events][-1] == "response.completed"
    assert sum(one.type == "response.output_text.delta" for one in events) == 7


def test_completions_and_embeddings(world: World) -> None:
    with world.client() as client:
        text = client.sdk.completions.create(model=MODEL, prompt="Once")
        vectors = client.sdk.embeddings.create(
            model=MODEL, input=["one", "two"], encoding_format="float"
        )
    assert text.choices[0].text == " tok" * 7
    assert vectors.data[0].embedding == [0.25, -0.5, 1.0]
    assert vectors.usage.prompt_tokens == 10


def test_models_are_listed_and_looked_up(world: World) -> None:
    with world.client() as client:
        assert {one.id for one in client.sdk.models.list()} == {"auto", MODEL}
        assert client.sdk.models.retrieve(MODEL).owned_by == "Crowd"
        with pytest.raises(openai.NotFoundError, match="Served: "):
            client.sdk.models.retrieve("large")


def test_tools_and_fields_nobody_knows_reach_the_model_untouched(world: World) -> None:
    """Whatever the gateway does not govern is the business of the client and the model."""
    tools: list[Any] = [
        {
            "type": "function",
            "function": {
                "name": "power_price",
                "description": "USD per MWh at a place",
                "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
            },
        }
    ]
    with world.client() as client:
        client.chat(
            tools=tools,
            tool_choice={"type": "function", "function": {"name": "power_price"}},
            extra_body={"mirostat": 2, "nobody_knows": {"déjà": [1, 2.50, None]}},
        )
    seen = world.seen()
    assert seen["tools"] == tools
    assert seen["tool_choice"] == {"type": "function", "function": {"name": "power_price"}}
    assert seen["mirostat"] == 2
    assert seen["nobody_knows"] == {"déjà": [1, 2.5, None]}
    assert seen["messages"] == ASKED


def test_the_client_s_key_never_reaches_a_model(world: World) -> None:
    with world.client() as client:
        client.chat(user="ann@example.org")
        told = [str(one.headers) for server in world.servers for one in server.seen]
        assert told
        assert [text for text in told if client.sdk.api_key in text] == []


# ---- files and batches ----


def test_a_batch_runs_from_file_to_file(world: World) -> None:
    """Four lines of 10 and 7 tokens, one that asks for a model which nobody serves."""
    lines = [_line(f"q{at}", MODEL) for at in range(4)]
    before = world.served_count()
    with world.client() as client:
        file = client.sdk.files.create(file=("in.jsonl", _jsonl(lines)), purpose="batch")
        assert client.sdk.files.retrieve(file.id).bytes == len(_jsonl(lines))
        batch = client.sdk.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
        )
        batch = _ended(client.sdk, batch.id)
        assert batch.status == "completed", batch
        assert batch.request_counts.to_dict() == {"total": 4, "completed": 4, "failed": 0}
        told = client.sdk.files.content(batch.output_file_id).text.splitlines()
        assert batch.id in {one.id for one in client.sdk.batches.list(limit=10)}
        assert client.sdk.files.delete(file.id).deleted
    rows = {row["custom_id"]: row["response"] for row in map(json.loads, told)}
    assert sorted(rows) == ["q0", "q1", "q2", "q3"]
    assert {row["status_code"] for row in rows.values()} == {200}
    assert rows["q2"]["body"]["usage"]["completion_tokens"] == 7
    assert rows["q2"]["body"]["service_tier"] == "flex"  # the SDK has no other word
    assert world.served_count() == before + 4


def test_a_batch_file_with_broken_lines_is_told_whole(world: World) -> None:
    lines = [_line("a", MODEL), _line("a", MODEL), _line("b", "gpt-9")]
    with world.client() as client:
        text = _jsonl(lines) + b"{no json\n"
        file = client.sdk.files.create(file=("in.jsonl", text), purpose="batch")
        batch = client.sdk.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
        )
        batch = _ended(client.sdk, batch.id)
    assert batch.status == "failed"
    assert [one.line for one in batch.errors.data] == [2, 3, 4]


def _line(name: str, model: str) -> dict[str, Any]:
    body = {"model": model, "messages": ASKED}
    return {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body}


def _jsonl(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def _ended(sdk: OpenAI, batch_id: str) -> Any:
    until_s = time.monotonic() + ENDS_WITHIN_S
    while True:
        batch = sdk.batches.retrieve(batch_id)
        if batch.status in {"completed", "failed", "expired", "cancelled"}:
            return batch
        assert time.monotonic() < until_s, batch
        time.sleep(0.1)


# ---- errors ----


def test_a_wrong_key_and_none(world: World) -> None:
    with (
        world.client(api_key="tk-" + "x" * 43) as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        client.chat()
    assert caught.value.code == "invalid_api_key"
    assert len(client.sent) == 1
    told = world.gateway.ask(None, {"model": MODEL, "messages": ASKED})
    assert told.status == 401


def test_a_key_that_may_not(world: World) -> None:
    reader = world.gateway.key("acme", scopes=("usage",))
    with world.client(api_key=reader) as client, pytest.raises(openai.PermissionDeniedError):
        client.chat()


def test_an_unknown_model_is_told_with_those_that_are_known(world: World) -> None:
    with world.client() as client, pytest.raises(openai.NotFoundError) as caught:
        client.chat(model="gpt-9")
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"
    assert "Served: auto, small." in caught.value.message


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"messages": "hello"}, "messages"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"n": 0}, "n"),
        ({"stream": "yes"}, "stream"),
    ],
)
def test_a_bad_request_names_the_field(world: World, wrong: dict[str, Any], param: str) -> None:
    before = world.served_count()
    with world.client() as client, pytest.raises(openai.BadRequestError) as caught:
        client.chat(extra_body=wrong)
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"
    assert world.served_count() == before


def test_a_model_s_own_refusal_comes_through_once(world: World) -> None:
    """4xx of a server are the client's business: told as they are, tried nowhere else."""
    world.always(status=400)
    before = world.served_count()
    with world.client(max_retries=2) as client, pytest.raises(openai.BadRequestError):
        client.chat()
    assert world.served_count() == before + 1
    assert len(client.sent) == 1


def test_a_body_over_the_limit(world: World) -> None:
    with world.client() as client, pytest.raises(openai.APIStatusError) as caught:
        client.chat(messages=[{"role": "user", "content": "x" * BODY_BYTES}])
    assert caught.value.status_code == 413
    assert caught.value.code == "request_too_large"


def test_where_every_server_fails_the_error_is_ours_and_told_once(world: World) -> None:
    """Each place is tried once, before the first byte; then the SDK may try as it likes."""
    for one in world.servers:
        one.once(status=500)
    before = world.served_count()
    with world.client() as client, pytest.raises(openai.InternalServerError) as caught:
        client.chat()
    assert world.served_count() == before + 2
    assert caught.value.type == "server_error"
    with world.client() as client:
        assert client.chat().choices


def test_a_server_that_fails_is_left_for_the_other(world: World) -> None:
    """One is down: the answer comes from the other, and the SDK notices nothing."""
    failing, well = world.servers
    failing.always(status=500)
    before = well.counters.answered
    with world.client() as client:
        for _ in range(4):
            assert client.chat().choices
    assert well.counters.answered == before + 4
    assert len(client.sent) == 4


# ---- retries ----


def test_a_spent_limit_is_never_retried(world: World) -> None:
    """5,001 tokens of output may cost 0.020004 USD, more than the 0.02 that the month has."""
    before = world.served_count()
    with (
        world.client("spent", max_retries=5) as client,
        pytest.raises(openai.RateLimitError) as caught,
    ):
        client.chat(max_tokens=5_001)
    assert caught.value.code == "project_spend_limit_exceeded"
    assert caught.value.type == "insufficient_quota"
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert len(client.sent) == 1
    assert world.served_count() == before


def test_over_its_rate_the_sdk_waits_as_long_as_we_say_and_is_answered(world: World) -> None:
    """One request a second comes back: as long after a refusal as we say there is room again."""
    with world.client("busy") as hasty, pytest.raises(openai.RateLimitError) as caught:
        for _ in range(4 * PER_MIN_COUNT):
            hasty.chat()
    assert caught.value.code == "rate_limit_exceeded"
    wait_s = int(caught.value.response.headers["retry-after"])
    assert 1 <= wait_s <= 60
    assert "x-should-retry" not in caught.value.response.headers
    assert PER_MIN_COUNT <= len(hasty.sent) < 4 * PER_MIN_COUNT
    before = world.served_count()
    with world.client("busy", max_retries=4) as patient:
        began_s = time.monotonic()
        answers = [patient.chat() for _ in range(2)]
        took_s = time.monotonic() - began_s
    assert len(answers) == 2
    assert world.served_count() == before + 2
    retries_count = len(patient.sent) - 2
    assert 1 <= retries_count <= 8
    assert took_s >= 0.9 * retries_count, "it did not wait"

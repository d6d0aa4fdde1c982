"""The simulated upstream: shapes that the official SDK reads, exact counters, its own label."""

import asyncio
import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.completion import Completion
from openai.types.responses import Response

from tokenergy.serve.simulated_answer import FINGERPRINT
from tokenergy.serve.upstream import Call, Exchange, UpstreamFault
from tokenergy.serve.upstream_simulated import SimulatedUpstream

CHAT = {"messages": [{"role": "user", "content": "x" * 41}]}


class Speed:
    def __init__(self, ttft_s: float = 0.0, tpot_s: float = 0.0) -> None:
        self.told = ttft_s, tpot_s
        self.in_flight_counts: list[int] = []

    def of(self, in_flight_count: int) -> tuple[float, float]:
        self.in_flight_counts.append(in_flight_count)
        return self.told


def call(path: str, body: dict[str, Any], *, whole: bool = True, first_byte_s: float = 9.0) -> Call:
    text = json.dumps({"model": "m", **body}).encode()
    return Call("POST", "/v1/" + path, (), text, whole, first_byte_s, 9.0)


async def pieces_of(exchange: Exchange) -> list[bytes]:
    pieces = []
    while piece := await exchange.chunk():
        pieces.append(piece)
    return pieces


def asked(client: SimulatedUpstream, path: str, **body: Any) -> Any:
    async def main() -> Any:
        exchange = await client.open(call(path, body))
        assert exchange.status == 200, exchange.body
        assert dict(exchange.headers)[b"x-simulated"] == b"tokenergy"
        return json.loads(exchange.body or b"")

    return asyncio.run(main())


def streamed(client: SimulatedUpstream, path: str, **body: Any) -> list[Any]:
    """The events of a stream, parsed; `[DONE]` as it is."""

    async def main() -> bytes:
        exchange = await client.open(call(path, {**body, "stream": True}, whole=False))
        assert exchange.body is None
        return b"".join(await pieces_of(exchange))

    found = []
    for event in asyncio.run(main()).decode().split("\n\n")[:-1]:
        data = event.rpartition("data: ")[2]
        found.append(data if data == "[DONE]" else json.loads(data))
    return found


@pytest.fixture
def client() -> SimulatedUpstream:
    return SimulatedUpstream("m", Speed(), answer_tokens=20)


def test_a_chat_answer(client: SimulatedUpstream) -> None:
    """41 bytes of text and "user" is no text: 11 tokens in; the cap of 8 x 2 answers: 16 out."""
    told = asked(client, "chat/completions", **CHAT, max_completion_tokens=8, n=2)
    answer = ChatCompletion.model_validate(told)
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (11, 16)
    assert answer.system_fingerprint == FINGERPRINT
    assert [choice.finish_reason for choice in answer.choices] == ["length", "length"]
    assert "simulated by Tokenergy" in (answer.choices[0].message.content or "")
    counters = client.counters
    assert (counters.prompt_tokens, counters.completion_tokens) == (11, 16)
    assert (counters.requests_count, counters.in_flight_count) == (1, 0)


def test_the_other_whole_answers(client: SimulatedUpstream) -> None:
    completion = Completion.model_validate(asked(client, "completions", prompt="x" * 40))
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == 10
    assert 10 <= completion.usage.completion_tokens <= 30
    assert completion.choices[0].finish_reason == "stop"
    response = Response.model_validate(
        asked(client, "responses", input="x" * 40, max_output_tokens=3)
    )
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (10, 3)
    assert response.status == "incomplete"
    assert response.output_text == "This answer is"


def test_embeddings(client: SimulatedUpstream) -> None:
    body = {"input": ["a", "bcd", "e" * 8], "dimensions": 5}
    told = CreateEmbeddingResponse.model_validate(asked(client, "embeddings", **body))
    assert [len(one.embedding) for one in told.data] == [5, 5, 5]
    assert told.usage.prompt_tokens == 3
    again = asked(client, "embeddings", **body, encoding_format="base64")
    text = base64.b64decode(again["data"][0]["embedding"])
    assert len(struct.unpack("<5f", text)) == 5
    assert client.counters.completion_tokens == 0


def test_a_chat_stream(client: SimulatedUpstream) -> None:
    options = {"include_usage": True}
    events = streamed(client, "chat/completions", **CHAT, max_tokens=6, stream_options=options)
    assert events[-1] == "[DONE]"
    chunks = [ChatCompletionChunk.model_validate(event) for event in events[:-1]]
    assert len(chunks) == 6 + 1 + 1
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == client.counters.completion_tokens == 6
    assert [chunk.choices for chunk in chunks[-1:]] == [[]]
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert chunks[-2].choices[0].finish_reason == "length"
    quiet = streamed(client, "chat/completions", **CHAT, max_tokens=6)
    assert len(quiet) == 6 + 1 + 1
    assert all("usage" not in event for event in quiet[:-1])


def test_usage_all_along(client: SimulatedUpstream) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    events = streamed(client, "completions", prompt="x", max_tokens=3, stream_options=options)
    told = [event["usage"]["completion_tokens"] for event in events[:-1]]
    assert told == [1, 2, 3, 3, 3]


def test_a_stream_of_the_responses_api(client: SimulatedUpstream) -> None:
    events = streamed(client, "responses", input="x", max_output_tokens=4)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["type"] == "response.incomplete"
    last = Response.model_validate(events[-1]["response"])
    assert last.usage is not None
    assert last.usage.output_tokens == 4
    deltas = [event["delta"] for event in events if event["type"].endswith("delta")]
    assert "".join(deltas) == last.output_text
    whole = streamed(client, "responses", input="x")
    assert whole[-1]["type"] == "response.completed"


@pytest.mark.parametrize(
    ("path", "body", "status", "param"),
    [
        ("chat/completions", {"messages": []}, 400, "messages"),
        ("chat/completions", {**CHAT, "model": "other"}, 404, "model"),
        ("images/generations", {"prompt": "x"}, 404, None),
    ],
)
def test_refusals(
    client: SimulatedUpstream, path: str, body: dict[str, Any], status: int, param: str | None
) -> None:
    async def main() -> None:
        for whole in (True, False):
            exchange = await client.open(call(path, body, whole=whole))
            assert exchange.status == status
            text = exchange.body if whole else b"".join(await pieces_of(exchange))
            assert json.loads(text or b"")["error"]["param"] == param

    asyncio.run(main())
    assert client.counters.refused_count == 2
    assert client.counters.requests_count == client.counters.in_flight_count == 0


def test_the_law_of_time_is_asked_with_what_is_in_flight() -> None:
    speed = Speed(ttft_s=0.001, tpot_s=0.0001)
    client = SimulatedUpstream("m", speed)

    async def main() -> None:
        await asyncio.gather(*(client.open(call("chat/completions", CHAT)) for _ in range(4)))

    asyncio.run(main())
    assert speed.in_flight_counts == [1, 2, 3, 4]


def test_whoever_leaves_is_counted_with_the_tokens_handed_over() -> None:
    client = SimulatedUpstream("m", Speed(tpot_s=0.0), answer_tokens=100)

    async def main() -> None:
        body = {**CHAT, "stream": True}
        exchange = await client.open(call("chat/completions", body, whole=False))
        for _ in range(3):
            await exchange.chunk()
        exchange.close()
        with pytest.raises(UpstreamFault):
            await exchange.chunk()

    asyncio.run(main())
    assert client.counters.completion_tokens == 3
    assert (client.counters.left_count, client.counters.requests_count) == (1, 0)


NAMES = st.sampled_from(["model", "messages", "input", "prompt", "n", "type"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
    max_leaves=12,
)


@given(st.binary(max_size=200) | VALUES.map(lambda told: json.dumps(told).encode()))
def test_no_body_breaks_it(body: bytes) -> None:
    client = SimulatedUpstream("m", Speed())

    async def main() -> None:
        for path in ("chat/completions", "completions", "responses", "embeddings"):
            exchange = await client.open(Call("POST", "/v1/" + path, (), body, True, 1.0, 1.0))
            assert exchange.status in (200, 400, 404)

    asyncio.run(main())

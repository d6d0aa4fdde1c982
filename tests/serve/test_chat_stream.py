import json
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import Completion
from openai.types.chat import ChatCompletionChunk
from wire_samples import DONE, event, llama_chat, openai_chat, sglang_chat, vllm_chat, vllm_usage

from tokenergy.serve.answer_stream import Stream
from tokenergy.serve.stream_of import stream_of

TEXTS = ["Once", " upon", " a", ' "time"', "\n", " 日本", " \\", " end"]
SERVERS: dict[str, Callable[[list[str]], list[bytes]]] = {
    "vllm": vllm_chat,
    "vllm continuous": lambda texts: vllm_chat(texts, continuous=True),
    "llama.cpp": llama_chat,
    "openai": openai_chat,
    "sglang": sglang_chat,
}


def begun(**more: object) -> Stream:
    asked: dict[str, object] = {"served": "served", "name": "ours", "show_usage": True}
    return stream_of("chat", **(asked | more))  # type: ignore[arg-type]


def chunks_of(told: bytes) -> list[ChatCompletionChunk]:
    """Parse what was forwarded, as the official SDK does."""
    return [
        ChatCompletionChunk.model_validate_json(part.removeprefix(b"data: "))
        for part in told.split(b"\n\n")
        if part.startswith(b"data: {")
    ]


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("show_usage", [True, False])
def test_every_servers_stream_reaches_the_client_with_our_names(
    server: str, show_usage: bool
) -> None:
    events = SERVERS[server](TEXTS)
    hides = server == "vllm continuous"
    stream = begun(show_usage=show_usage, hide_continuous=hides, service_tier="flex")
    told = b"".join(map(stream.feed, events))

    chunks = chunks_of(told)
    assert text_of(chunks) == "".join(TEXTS)
    assert {chunk.model for chunk in chunks} == {"ours"}
    assert {chunk.service_tier for chunk in chunks} == {"flex"}
    assert [chunk.usage.completion_tokens for chunk in chunks if chunk.usage] == (
        [len(TEXTS)] if show_usage else []
    )
    assert DONE not in told
    assert stream.ended and stream.error is None
    assert stream.closing() == DONE
    assert stream.usage is not None
    assert stream.usage[:3] == (20, 12 if server == "llama.cpp" else 0, len(TEXTS))
    assert stream.usage.source == "reported"
    assert stream.finish == ("length" if server == "llama.cpp" else "stop")


@pytest.mark.parametrize("server", SERVERS)
def test_a_stream_leaves_as_it_came_where_nothing_is_to_be_changed(server: str) -> None:
    events = SERVERS[server](TEXTS)
    stream = begun(name="served")
    assert b"".join(map(stream.feed, events)) + stream.closing() == b"".join(events)


@pytest.mark.parametrize("server", SERVERS)
@given(cuts=st.lists(st.integers(0, 4_000), max_size=12))
def test_what_is_told_does_not_depend_on_where_the_bytes_were_cut(
    server: str, cuts: list[int]
) -> None:
    """Chunks end anywhere: inside a key, a text, an escape or between the two line ends."""
    body = b"".join(SERVERS[server](TEXTS))
    whole, parts = begun(show_usage=False), begun(show_usage=False)
    told = whole.feed(body)
    ends = sorted({0, len(body), *(cut % len(body) for cut in cuts)})
    pieces = [body[a:b] for a, b in pairwise(ends)]
    assert b"".join(map(parts.feed, pieces)) == told
    assert parts.closing() == whole.closing() == DONE
    assert parts.usage == whole.usage
    assert parts.finish == whole.finish


@given(texts=st.lists(st.text(min_size=1), max_size=9), joined=st.integers(1, 4))
def test_any_texts_pass_unchanged_and_each_counts_once(texts: list[str], joined: int) -> None:
    """The short way (bytes around a text) and the long way (parsing) tell the same."""
    events = vllm_chat(texts, usage=False)
    together = [b"".join(events[at : at + joined]) for at in range(0, len(events), joined)]
    stream = begun()
    chunks = chunks_of(b"".join(map(stream.feed, together)))
    assert text_of(chunks) == "".join(texts)
    assert stream.closing() == DONE
    assert stream.usage is None
    if sum(len(text.encode()) for text in texts) <= 8 * len(texts):
        assert stream.counted(20)[2:5] == (len(texts), 0, "counted")


def test_lines_may_end_with_carriage_returns() -> None:
    events = [one.replace(b"\n", b"\r\n") for one in vllm_chat(TEXTS)]
    body = b"".join(events)
    for step in (1, 2, 3, 50, len(body)):
        stream = begun()
        told = b"".join(stream.feed(body[at : at + step]) for at in range(0, len(body), step))
        assert text_of(chunks_of(told)) == "".join(TEXTS)
        assert stream.closing() == DONE


def test_comments_pass_and_several_choices_are_counted() -> None:
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "served"}
    two = [{"index": n, "delta": {"content": "x"}, "finish_reason": None} for n in range(2)]
    stream = begun()
    assert stream.feed(b": ping\n\n") == b": ping\n\n"
    stream.feed(event(chunk | {"choices": two}))
    assert stream.output_tokens_so_far == 2


def test_tool_calls_count_a_token_a_piece() -> None:
    stream = begun()
    for text in ('{"ci', 'ty":', '"Rome"}'):
        call = {"index": 0, "function": {"arguments": text}}
        choice = {"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}
        stream.feed(event({"id": "1", "model": "served", "choices": [choice]}))
    assert stream.output_tokens_so_far == 3


def test_continuous_usage_counts_to_the_token_when_the_stream_is_cut() -> None:
    """Two tokens a chunk: chunks alone would count half."""
    stream = begun(show_usage=False, hide_continuous=True)
    events = vllm_chat(["a b"] * 5, continuous=True)
    for n, one in enumerate(events[:5]):
        told = stream.feed(one.replace(b'completion_tokens":%d' % n, b'completion_tokens":%d' % n))
        assert b"usage" not in told
    assert stream.output_tokens_so_far == 4
    stream.cut_off()
    assert stream.counted(1)[:5] == (20, 0, 4, 0, "counted")


def test_several_answers_have_a_usage_each_until_the_last_one() -> None:
    """Answer 0 has 3 tokens, answer 1 has 5; the prompt of 20 counts once: 8 of output."""
    stream = begun(show_usage=False, hide_continuous=True)
    for index, count in ((0, 2), (1, 5), (0, 3)):
        choice = {"index": index, "delta": {"content": "x"}, "finish_reason": None}
        stream.feed(event({"model": "served", "choices": [choice], "usage": vllm_usage(count)}))
    assert stream.counted(0)[:5] == (20, 0, 8, 0, "counted")


def test_usage_beside_the_last_choice_is_hidden_or_shown() -> None:
    """llama.cpp's completions: no event of its own for the usage."""
    choice = {"text": "", "index": 0, "logprobs": None, "finish_reason": "length"}
    last = event(
        {"choices": [choice], "created": 1, "model": "served", "object": "text_completion"}
        | {"usage": vllm_usage(4), "id": "c"}
    )
    for shown in (True, False):
        stream = stream_of("completions", served="served", name="ours", show_usage=shown)
        told = stream.feed(last)
        read = Completion.model_validate_json(told.removeprefix(b"data: "))
        assert (read.usage is not None) == shown
        assert stream.usage is not None and stream.usage.output_tokens == 4
        assert stream.usage.source == "reported"


def test_wide_chunks_are_estimated_by_their_bytes() -> None:
    """Three chunks of 40 bytes are no three tokens: 120 / 4 = 30, and that is an estimate."""
    stream = begun()
    for one in vllm_chat(["x" * 40] * 3, usage=False)[:4]:
        stream.feed(one)
    assert stream.counted(7) == (7, 0, 30, 0, "estimated", "")


def test_an_explicit_zero_stays_zero_and_an_unusable_usage_is_none() -> None:
    stream = begun()
    stream.feed(event({"model": "served", "choices": [], "usage": vllm_usage(0)}))
    assert stream.counted(7)[:5] == (20, 0, 0, 0, "reported")
    stream = begun()
    stream.feed(event({"model": "served", "choices": [], "usage": {"completion_tokens": -1}}))
    assert stream.usage is None


# ---- how it ends ---------------------------------------------------------------------------


def test_a_missing_done_is_an_error_event() -> None:
    stream = begun()
    told = b"".join(map(stream.feed, vllm_chat(TEXTS)[:-1]))
    assert not stream.ended
    stream.cut_off()
    assert stream.ended and stream.error is not None
    assert DONE not in told + stream.closing()
    error = json.loads(stream.closing().removeprefix(b"data: "))["error"]
    assert error["code"] == "stream_interrupted"


def test_nothing_goes_out_after_the_end() -> None:
    stream = begun()
    list(map(stream.feed, vllm_chat(TEXTS)))
    assert stream.feed(vllm_chat(TEXTS)[1]) == b""
    stream.cut_off()
    assert stream.closing() == DONE and stream.error is None


GARBAGE = [
    b"<html>502</html>\n\n",
    b'data: {"choices":[{"delta":{"con\n\n',
    b'data: {"choices"}\n\n',
    b"data: [1,2]\n\n",
    b'data: "text"\n\n',
    b"data: \xff\xfe\n\n",
    b"whatever: x\n\n",
]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_ends_the_stream_with_an_error(garbage: bytes) -> None:
    stream = begun()
    stream.feed(vllm_chat(TEXTS)[1])
    assert stream.feed(garbage) == b""
    assert stream.ended and stream.error is not None
    assert stream.error.code == "upstream_garbage"
    assert stream.feed(DONE) == b""


ERRORS = [
    event({"error": {"message": "boom", "type": "X", "param": None, "code": 400}}),
    event({"error": "boom"}),
    b'event: error\ndata: {"message": "boom"}\n\n',
    b'error: {"code":500,"message":"boom","type":"server_error"}\n\n',
]


@pytest.mark.parametrize("told", ERRORS)
def test_a_servers_error_event_becomes_ours(told: bytes) -> None:
    stream = begun()
    assert stream.feed(told) == b""
    assert stream.ended and stream.error is not None
    assert json.loads(stream.closing().removeprefix(b"data: "))["error"]["message"] == "boom"


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_no_bytes_whatever_raise(chunks: list[bytes]) -> None:
    stream = begun()
    for chunk in (b"data: ", *chunks, b"\n\n"):
        stream.feed(chunk)
    stream.cut_off()
    assert stream.ended and isinstance(stream.closing(), bytes)


@given(st.binary(max_size=40), st.integers(0, 300))
def test_bytes_written_over_a_usual_chunk_never_raise(junk: bytes, at: int) -> None:
    usual = vllm_chat(TEXTS, continuous=True)[2]
    stream = begun(hide_continuous=True)
    stream.feed(vllm_chat(TEXTS, continuous=True)[1])
    at = min(at, len(usual))
    stream.feed(usual[:at] + junk + usual[at + len(junk) :])
    stream.cut_off()
    assert stream.ended


# ---- the object `tokenergy` ----------------------------------------------------------------


def test_detail_goes_into_the_usage_chunk_once_the_record_is_written() -> None:
    stream = begun(show_usage=False, detail=True)
    told = b"".join(map(stream.feed, vllm_chat(TEXTS)))
    assert all(chunk.usage is None for chunk in chunks_of(told))
    closing = stream.closing({"cost_usd": 0.5})
    read = json.loads(closing.split(b"\n\n")[0].removeprefix(b"data: "))
    assert read["tokenergy"] == {"cost_usd": 0.5}
    assert read["usage"]["completion_tokens"] == len(TEXTS)
    assert closing.endswith(b"\n\n" + DONE)


def test_detail_makes_a_chunk_where_the_server_sends_no_usage() -> None:
    stream = begun(detail=True)
    list(map(stream.feed, vllm_chat(TEXTS, usage=False)))
    (chunk,) = chunks_of(stream.closing({"joules": 3}))
    assert chunk.choices == [] and chunk.id == "chatcmpl-1"
    assert chunk.model_extra == {"tokenergy": {"joules": 3}}

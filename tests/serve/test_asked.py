import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_samples import chat_body

from tokenergy.company.serving.plan import LimitsPlan
from tokenergy.serve.asked import Asked, read_asked
from tokenergy.serve.governed import Endpoint
from tokenergy.serve.openai_error import ApiError

LIMITS = LimitsPlan()


def asked(endpoint: Endpoint = "chat", **fields: Any) -> Asked:
    if endpoint == "chat":
        return read_asked("chat", chat_body(**fields), LIMITS)
    body = {"model": "m", **fields}
    return read_asked(endpoint, json.dumps(body).encode(), LIMITS)


def refused(endpoint: Endpoint, body: bytes, limits: LimitsPlan = LIMITS) -> ApiError:
    with pytest.raises(ApiError) as caught:
        read_asked(endpoint, body, limits)
    return caught.value


# ---- what is read --------------------------------------------------------------------------


def test_a_chat_is_read() -> None:
    """Text: 4 bytes of system, 5 of the user, 3 of 日: 12 UTF-8 bytes."""
    messages = [
        {"role": "system", "content": "Be日"[:2] + "as"},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "日"},
    ]
    read = asked(
        messages=messages,
        stream=True,
        stream_options={"include_usage": True},
        max_completion_tokens=64,
        n=3,
        service_tier="flex",
        safety_identifier="u1",
        user="old",
    )
    assert (read.model, read.stream, read.client_wants_usage) == ("chat-auto", True, True)
    assert (read.cap_tokens, read.answers_count, read.service_tier) == (64, 3, "flex")
    assert (read.text_bytes_count, read.other_tokens, read.user) == (12, 0, "u1")
    assert read.needs == frozenset()


def test_head_is_the_cache_key_else_the_beginning_of_the_conversation() -> None:
    first = [{"role": "system", "content": "S"}, {"role": "user", "content": "one"}]
    more = [*first, {"role": "assistant", "content": "x"}, {"role": "user", "content": "two"}]
    assert asked(messages=first).head == asked(messages=more).head
    assert asked(messages=first).head != asked(messages=more[3:]).head
    assert asked(messages=first, prompt_cache_key="k").head == asked(prompt_cache_key="k").head
    assert asked("responses", input="x", previous_response_id="r").head == b"pr"
    assert asked("responses", input="x", conversation={"id": "c"}).head == b"cc"
    assert asked("responses", input="x", conversation="c").head == b"cc"
    assert asked("responses", input="x", previous_response_id="r").previous == "r"


def test_needs_are_what_a_server_must_be_able_to_do() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    read = asked(tools=[tool], logprobs=True, response_format={"type": "json_schema"})
    assert read.needs == {"tools", "logprobs", "json_schema"}
    assert asked(tools=[], logprobs=False, response_format={"type": "text"}).needs == frozenset()
    assert asked(modalities=["text", "audio"]).needs == {"audio"}
    read = asked("responses", input="x", tools=[tool], text={"format": {"type": "json_schema"}})
    assert read.needs == {"tools", "json_schema"}
    assert asked("completions", prompt="x", logprobs=0).needs == {"logprobs"}


def test_tools_are_text_that_the_model_reads() -> None:
    tools = [{"type": "function", "function": {"name": "f" * 500}}]
    more = asked(tools=tools).text_bytes_count - asked().text_bytes_count
    assert more == len(json.dumps(tools))


def png(width: int, height: int) -> str:
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)
    return "data:image/png;base64," + base64.b64encode(head + b"\0" * 3_000).decode()


def test_an_image_counts_by_its_tiles_and_never_by_its_base64() -> None:
    """1024 x 1024 becomes 768 x 768: 2 x 2 tiles: 85 + 4 x 170 = 765 tokens."""
    parts = [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": png(1024, 1024)}},
    ]
    read = asked(messages=[{"role": "user", "content": parts}])
    assert (read.text_bytes_count, read.other_tokens) == (4, 765)
    assert (read.needs, read.remote_urls_count) == ({"vision"}, 0)
    parts = [{"type": "input_image", "image_url": png(1024, 1024), "detail": "low"}]
    read = asked("responses", input=[{"role": "user", "content": parts}])
    assert (read.other_tokens, read.needs) == (85, {"vision"})


REMOTE = [
    {"type": "image_url", "image_url": {"url": "http://10.0.0.1/x.png"}},
    {"type": "image_url", "image_url": "https://a.example/x.png"},
    {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}},
    {"type": "image_url", "image_url": {"url": "/etc/passwd"}},
    {"type": "video_url", "video_url": {"url": "http://a.example/v"}},
    {"type": "new_kind", "where": {"deep": ["ftp://a.example/v"]}},
    {"image_url": "http://a.example/x"},
    {"type": "text", "text": "x", "image_url": "http://a.example/x"},
]


@pytest.mark.parametrize("part", REMOTE)
def test_addresses_inside_messages_are_counted(part: dict[str, Any]) -> None:
    assert asked(messages=[{"role": "user", "content": [part]}]).remote_urls_count == 1


def test_addresses_of_a_response_are_counted_and_those_in_text_are_not() -> None:
    parts = [{"type": "input_file", "file_url": "https://a.example/f.pdf"}]
    read = asked("responses", input=[{"role": "user", "content": parts}])
    assert (read.remote_urls_count, read.needs) == (1, {"files"})
    text = [{"type": "text", "text": "see http://a.example"}]
    assert asked(messages=[{"role": "user", "content": text}]).remote_urls_count == 0


def test_a_prompt_with_media_is_written_anew_so_that_one_address_is_read() -> None:
    url = png(8, 8)
    raw = (
        b'{"model":"m","messages":[{"role":"user","content":[{"type":"image_url",'
        b'"image_url":{"url":"http://evil.example","url":"' + url.encode() + b'"}}]}]}'
    )
    read = read_asked("chat", raw, LIMITS)
    assert read.remote_urls_count == 0
    assert b"evil" not in read.rebuilt(model="m")


def test_completions_multiply_by_prompts_and_count_ids() -> None:
    read = asked("completions", prompt=["ab", "cde"], n=2, best_of=4, max_tokens=9, suffix="x")
    assert (read.answers_count, read.text_bytes_count, read.cap_tokens) == (8, 6, 9)
    read = asked("completions", prompt=[1, 2, 3])
    assert (read.answers_count, read.text_bytes_count, read.other_tokens) == (1, 0, 3)
    assert asked("completions", prompt=[[1, 2], [3]]).other_tokens == 3


def test_embeddings_have_no_stream_and_an_answer_for_each_text() -> None:
    read = asked("embeddings", input=["ab", "c"])
    assert (read.answers_count, read.text_bytes_count, read.stream) == (2, 3, False)


def test_a_response_counts_its_items() -> None:
    """2 + 5 bytes of text, 4 of a tool's output, 7 of arguments."""
    items = [
        {"role": "developer", "content": "Be"},
        {"role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a":1}'},
        {"type": "function_call_output", "call_id": "c1", "output": "done"},
    ]
    read = asked("responses", input=items, max_output_tokens=5)
    assert (read.text_bytes_count, read.cap_tokens, read.client_wants_usage) == (18, 5, True)


# ---- what is refused -----------------------------------------------------------------------

BAD: list[tuple[Endpoint, dict[str, Any], str | None]] = [
    ("chat", {"model": None}, "model"),
    ("chat", {"model": ""}, "model"),
    ("chat", {"model": 3}, "model"),
    ("chat", {"model": "m" * 257}, "model"),
    ("chat", {"messages": None}, "messages"),
    ("chat", {"messages": []}, "messages"),
    ("chat", {"messages": "Hello"}, "messages"),
    ("chat", {"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
    ("chat", {"messages": [{"content": "x"}]}, "messages[0].role"),
    ("chat", {"max_tokens": 0}, "max_tokens"),
    ("chat", {"max_tokens": 1.5}, "max_tokens"),
    ("chat", {"max_tokens": True}, "max_tokens"),
    ("chat", {"max_tokens": 10**30}, "max_tokens"),
    ("chat", {"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens"),
    ("chat", {"max_tokens": 5, "n_predict": -1}, "n_predict"),
    ("chat", {"n": 0}, "n"),
    ("chat", {"n": 129}, "n"),
    ("chat", {"stream": "yes"}, "stream"),
    ("chat", {"stream_options": {"include_usage": True}}, "stream_options"),
    ("chat", {"stream": True, "stream_options": [1]}, "stream_options"),
    ("chat", {"service_tier": 1}, "service_tier"),
    ("completions", {}, "prompt"),
    ("completions", {"prompt": []}, "prompt"),
    ("completions", {"prompt": ["a", 1]}, "prompt"),
    ("completions", {"prompt": ["a"] * 2_049}, "prompt"),
    ("responses", {}, "input"),
    ("responses", {"input": [3]}, "input[0]"),
    ("responses", {"input": "x", "background": True}, "background"),
    ("responses", {"input": "x", "max_output_tokens": 0}, "max_output_tokens"),
    ("embeddings", {}, "input"),
    ("embeddings", {"input": []}, "input"),
    ("embeddings", {"input": "x", "stream": True}, "stream"),
]  # fmt: skip


@pytest.mark.parametrize(("endpoint", "fields", "param"), BAD)
def test_a_bad_field_is_named(endpoint: Endpoint, fields: dict[str, Any], param: str) -> None:
    body = chat_body(**fields) if endpoint == "chat" else json.dumps({"model": "m"} | fields)
    error = refused(endpoint, body if isinstance(body, bytes) else body.encode())
    assert (error.status, error.param) == (400, param)
    assert json.loads(error.body())["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"model":"m"} x',
        b"\xef\xbb\xbf{}",
        b'{"model":"\xff","messages":[]}',
        b'{"model":"m","x":"\xff"}',
        b'{"model":"m","x":NaN}',
        b'{"model":"\\ud800","messages":[{"role":"user","content":""}]}',
        b'{"x":' + b"[" * 3_000 + b"]" * 3_000 + b"}",
    ],
)
def test_what_is_no_json_is_told_so(body: bytes) -> None:
    assert refused("chat", body).status == 400


def test_one_byte_over_the_limit_is_too_large() -> None:
    body = chat_body()
    assert read_asked("chat", body, LimitsPlan(body_bytes=len(body))).model == "chat-auto"
    assert refused("chat", body, LimitsPlan(body_bytes=len(body) - 1)).status == 413


@pytest.mark.parametrize(("depth", "passes"), [(98, True), (99, True), (100, False), (500, False)])
def test_depth_is_bounded_and_brackets_in_strings_do_not_count(depth: int, passes: bool) -> None:
    """The body's own object is one level more."""
    text = '\\"[{' * 300 + "\\\\"
    deep = b"[" * depth + b'"' + text.encode() + b'"' + b"]" * depth
    body = chat_body()[:-1] + b',"metadata":' + deep + b"}"
    if passes:
        assert read_asked("chat", body, LIMITS).text_bytes_count == 5
    else:
        assert refused("chat", body).code == "json_too_deep"


def test_no_text_of_a_prompt_is_in_an_error() -> None:
    body = chat_body(
        messages=[{"role": "user", "content": ["MARKER", 3, {"text": "MARKER"}]}], n=-1
    )
    assert b"MARKER" not in refused("chat", body).body()
    assert b"MARKER" not in refused("chat", body[:-5]).body()


# ---- what goes on --------------------------------------------------------------------------


def rebuilt(read: Asked, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(read.rebuilt(**({"model": "served"} | more)))
    return body


def test_only_governed_fields_change() -> None:
    extra = {"temperature": 0.25, "guided_json": {"a": [1, {"b": None}]}, "unknown": "日\u2028"}
    body = rebuilt(asked(**extra, service_tier="flex"), service_tier=None)
    assert body == json.loads(chat_body(**extra)) | {"model": "served"}
    assert (
        rebuilt(asked(service_tier="flex"), service_tier="priority")["service_tier"] == "priority"
    )


def test_the_cap_keeps_the_clients_name_for_it() -> None:
    assert rebuilt(asked(), cap_tokens=5)["max_completion_tokens"] == 5
    body = rebuilt(asked(max_tokens=9, max_completion_tokens=None), cap_tokens=5)
    assert body["max_tokens"] == 5 and "max_completion_tokens" not in body
    both = rebuilt(asked(max_tokens=9, max_completion_tokens=9), cap_tokens=5)
    assert (both["max_tokens"], both["max_completion_tokens"]) == (5, 5)
    assert rebuilt(asked(n_predict=9), cap_tokens=5)["n_predict"] == 5
    assert rebuilt(asked("completions", prompt="x"), cap_tokens=5)["max_tokens"] == 5
    assert rebuilt(asked("responses", input="x"), cap_tokens=5)["max_output_tokens"] == 5
    assert "max_tokens" not in rebuilt(asked("embeddings", input="x"), cap_tokens=5)
    assert rebuilt(asked(max_tokens=9))["max_tokens"] == 9


def test_a_null_cap_does_not_stay_beside_ours() -> None:
    body = json.loads(chat_body())
    raw = json.dumps(body | {"max_tokens": None}).encode()
    read = read_asked("chat", raw, LIMITS)
    assert rebuilt(read, cap_tokens=5) == body | {"model": "served", "max_completion_tokens": 5}


def test_a_stream_is_asked_for_its_usage() -> None:
    assert "stream_options" not in rebuilt(asked())
    assert rebuilt(asked(stream=True))["stream_options"] == {"include_usage": True}
    options = {"include_usage": False, "include_obfuscation": False}
    read = asked(stream=True, stream_options=options)
    assert not read.client_wants_usage
    assert rebuilt(read, continuous_usage=True)["stream_options"] == {
        "include_usage": True,
        "include_obfuscation": False,
        "continuous_usage_stats": True,
    }
    assert "stream_options" not in rebuilt(asked("responses", input="x", stream=True))


def test_a_salt_of_the_client_never_replaces_the_tenants() -> None:
    assert rebuilt(asked(), cache_salt="t1")["cache_salt"] == "t1"
    assert rebuilt(asked(cache_salt="t2"), cache_salt="t1")["cache_salt"].startswith("t1:")
    assert rebuilt(asked(cache_salt="own"))["cache_salt"] == "own"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
OTHER_KEYS = st.text(max_size=6).filter(lambda key: key not in chat_body().decode())


@given(st.dictionaries(OTHER_KEYS, JSON, max_size=5))
def test_any_other_field_passes_untouched(extra: dict[str, Any]) -> None:
    raw = json.dumps(json.loads(chat_body()) | extra).encode()
    known = {key for key in extra if key in ("n", "user", "stream", "tools")}
    if not known:
        body = rebuilt(read_asked("chat", raw, LIMITS))
        assert body == json.loads(raw) | {"model": "served"}


def test_a_key_that_stands_twice_is_read_once_and_sent_once() -> None:
    """Whatever parser the server has, it reads what was priced."""
    body = (
        b'{"model":"cheap","max_tokens":1,"messages":[{"role":"user","content":"Hello"}],'
        b'"m\\u006fdel":"dear","max_tokens":9,"stream":false,"stream":true,'
        b'"stream_options":{"include_usage":true,"include_usage":false}}'
    )
    read = read_asked("chat", body, LIMITS)
    assert (read.model, read.cap_tokens, read.stream) == ("dear", 9, True)
    pairs: list[list[str]] = []

    def keep(found: list[tuple[str, Any]]) -> dict[str, Any]:
        pairs.append([key for key, _ in found])
        return dict(found)

    sent = json.loads(read.rebuilt(model="served"), object_pairs_hook=keep)
    assert all(len(keys) == len(set(keys)) for keys in pairs)
    assert (sent["model"], sent["max_tokens"]) == ("served", 9)


ENDPOINTS = st.sampled_from(["chat", "completions", "responses", "embeddings"])


@given(ENDPOINTS, st.binary(max_size=200))
def test_bytes_whatever_raise_nothing_but_an_api_error(endpoint: Endpoint, body: bytes) -> None:
    try:
        read_asked(endpoint, body, LIMITS).rebuilt(model="x")
    except ApiError as error:
        assert error.status == 400


GOVERNED = st.sampled_from(
    [
        "model",
        "messages",
        "prompt",
        "input",
        "stream",
        "stream_options",
        "max_tokens",
        "n",
        "tools",
        "service_tier",
        "text",
        "response_format",
        "conversation",
        "instructions",
        "user",
        "include",
        "cache_salt",
        "previous_response_id",
        "max_output_tokens",
        "background",
        "logprobs",
    ]
)
PARTS = st.fixed_dictionaries(
    {"role": JSON | st.just("user")}, optional={"content": JSON, "type": JSON, "output": JSON}
)


@given(
    ENDPOINTS,
    st.dictionaries(GOVERNED, JSON | st.lists(PARTS, max_size=2), max_size=6),
    st.booleans(),
)
def test_any_json_raises_nothing_but_an_api_error(
    endpoint: Endpoint, fields: dict[str, Any], named: bool
) -> None:
    body = json.dumps(fields | ({"model": "m"} if named else {})).encode()
    try:
        read = read_asked(endpoint, body, LIMITS)
    except ApiError as error:
        assert error.status == 400
        return
    assert read.text_bytes_count <= len(body)
    assert json.loads(read.rebuilt(model="x", cap_tokens=1, cache_salt="s"))["model"] == "x"

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion
from wire_samples import vllm_usage

from tokenergy.serve.answer_json import read_answer, renamed
from tokenergy.serve.openai_error import ApiError


def chat(*reasons: str, **more: Any) -> dict[str, Any]:
    choices = [
        {
            "index": n,
            "message": {"role": "assistant", "content": "Hi 日", "tool_calls": None},
            "logprobs": None,
            "finish_reason": reason,
        }
        for n, reason in enumerate(reasons)
    ]
    head = {"id": "c1", "object": "chat.completion", "created": 1, "model": "served"}
    return head | {"choices": choices, "usage": vllm_usage(4)} | more


def raw(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def test_a_chat_answer_tells_usage_reason_and_model() -> None:
    read = read_answer("chat", raw(chat("stop")))
    assert read.usage == (20, 0, 4, 0, "reported", "")
    assert (read.finish, read.model, read.answer_id) == ("stop", "served", "c1")
    assert (read.text_bytes_count, read.answers_count) == (0, 1)


def test_one_cut_answer_makes_the_whole_a_cut_one() -> None:
    assert read_answer("chat", raw(chat("stop", "length"))).finish == "length"
    assert read_answer("chat", raw(chat("tool_calls", "stop"))).finish == "tool_calls"


def test_without_usage_the_length_of_the_texts_is_told() -> None:
    """`Hi 日` are 6 bytes, twice."""
    read = read_answer("chat", raw(chat("stop", "stop", usage=None)))
    assert (read.usage, read.text_bytes_count) == (None, 12)
    calls = chat("tool_calls", usage=None)
    calls["choices"][0]["message"] = {"content": None, "tool_calls": [{"id": "123"}]}
    assert read_answer("chat", raw(calls)).text_bytes_count == len('[{"id": "123"}]') - 2
    completion = {"choices": [{"text": "abc", "finish_reason": "stop"}], "model": "served"}
    assert read_answer("completions", raw(completion)).text_bytes_count == 3


def test_a_response_and_embeddings() -> None:
    usage = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
    body = {"id": "resp_1", "model": "served", "status": "completed", "usage": usage, "output": []}
    read = read_answer("responses", raw(body))
    assert (read.usage, read.finish, read.answer_id) == (
        (5, 0, 2, 0, "reported", ""),
        "stop",
        "resp_1",
    )
    body |= {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    assert read_answer("responses", raw(body)).finish == "length"
    body = {"object": "list", "data": [{"embedding": [0.5]}], "model": "served"}
    read = read_answer("embeddings", raw(body | {"usage": {"prompt_tokens": 3, "total_tokens": 3}}))
    assert read.usage == (3, 0, 0, 0, "reported", "")


def test_a_shape_of_its_own_still_tells_its_usage() -> None:
    read = read_answer("chat", raw(chat("stop", created="now", choices={"a": 1})))
    assert read.usage == (20, 0, 4, 0, "reported", "")
    assert read_answer("chat", raw({"choices": 3})).text_bytes_count > 0


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"a":', b'{"model":"\xff"}'])
@pytest.mark.parametrize("endpoint", ["chat", "completions", "responses", "embeddings"])
def test_garbage_is_the_servers_fault(endpoint: str, body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        read_answer(endpoint, body)
    assert (caught.value.status, caught.value.code) == (502, "upstream_garbage")


def test_an_answer_is_renamed_and_tells_its_tier() -> None:
    body = raw(chat("stop", extra={"a": 1.5}))
    told = renamed(body, served="served", name='our "name"', service_tier="flex")
    assert json.loads(told) == json.loads(body) | {"model": 'our "name"', "service_tier": "flex"}
    ChatCompletion.model_validate_json(told)
    assert renamed(body, served="served", name="served") == body


def test_a_key_of_the_same_name_further_in_is_left_alone() -> None:
    inner = {"a": [{"model": "served", "service_tier": "x"}]}
    body = raw(inner | chat("stop", service_tier=None))
    told = json.loads(renamed(body, served="served", name="ours", service_tier="flex"))
    assert told == json.loads(body) | {"model": "ours", "service_tier": "flex"}


def test_a_text_that_looks_like_a_key_is_left_alone() -> None:
    answer = chat("stop")
    answer["choices"][0]["message"]["content"] = '{"model":"served","service_tier":"x"}'
    body = raw(answer)
    told = json.loads(renamed(body, served="served", name="ours", service_tier="flex"))
    assert told == answer | {"model": "ours", "service_tier": "flex"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["model", "service_tier", "usage", "x"]), inner)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["id", "usage", "choices", "x", "output"]), JSON))
def test_renaming_changes_two_fields_of_any_answer(answer: dict[str, Any]) -> None:
    body = raw(answer | {"model": "served"})
    told = renamed(body, served="served", name="ours", service_tier="flex")
    assert json.loads(told) == answer | {"model": "ours", "service_tier": "flex"}


@given(st.sampled_from(["chat", "completions", "responses", "embeddings"]), JSON)
def test_any_json_raises_nothing_but_an_api_error(endpoint: str, answer: object) -> None:
    try:
        read = read_answer(endpoint, raw(answer))
    except ApiError as error:
        assert error.status == 502
        return
    assert isinstance(answer, dict)
    assert read.text_bytes_count <= len(raw(answer))


@given(st.binary(max_size=80))
def test_no_bytes_whatever_raise_anything_else(body: bytes) -> None:
    for act in (
        lambda: read_answer("chat", body),
        lambda: renamed(body, served="a", name="b", service_tier="flex"),
    ):
        try:
            act()
        except ApiError as error:
            assert error.status == 502

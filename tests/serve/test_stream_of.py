"""The streams of a real server: llama.cpp with a small model, read in pieces of all sizes."""

import json
import urllib.request

import pytest
from small_llm import ANSWERS_WITHIN_S, RunningLlm

from tokenergy.company.serving.plan import LimitsPlan
from tokenergy.serve.asked import ENDPOINT_PATHS, read_asked
from tokenergy.serve.stream_of import stream_of

BODIES = {
    "chat": {"messages": [{"role": "user", "content": "Say something"}], "max_tokens": 9},
    "completions": {"prompt": "Once upon", "max_tokens": 9},
    "responses": {"input": "Say something", "max_output_tokens": 9},
}
PATHS = {endpoint: path for path, endpoint in ENDPOINT_PATHS.items()}


@pytest.mark.parametrize("endpoint", BODIES)
def test_a_real_servers_stream_is_read_to_the_token(endpoint: str, small_llm: RunningLlm) -> None:
    """Nobody asks for usage but us: it is counted and hidden; the cap of 4 is ours."""
    body = json.dumps(BODIES[endpoint] | {"model": "ours", "stream": True, "ignore_eos": True})
    asked = read_asked(endpoint, body.encode(), LimitsPlan())  # type: ignore[arg-type]
    request = urllib.request.Request(
        small_llm.url + PATHS[endpoint],  # type: ignore[index]
        data=asked.rebuilt(model="smollm2-135m", cap_tokens=4),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=ANSWERS_WITHIN_S) as answer:
        text = answer.read()
    for step in (1, 7, 1_000, len(text)):
        stream = stream_of(endpoint, served="smollm2-135m", name="ours", show_usage=False)
        told = b"".join(stream.feed(text[at : at + step]) for at in range(0, len(text), step))
        assert stream.ended and stream.error is None
        assert stream.usage is not None
        assert (stream.usage.output_tokens, stream.usage.source) == (4, "reported")
        assert stream.usage.input_tokens > 0
        assert b"smollm2" not in told + stream.closing()
        assert endpoint == "responses" or b'"usage"' not in told + stream.closing()

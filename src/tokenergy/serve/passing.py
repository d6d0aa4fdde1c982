"""Endpoints that we do not govern: passed on to the model's server, and metered by what it tells.

`/v1/rerank`, `/v1/tokenize`, `/v1/score` and whatever an engine offers beside OpenAI's API: the
body is JSON with a `model` of ours, and goes through decision, budget and journal like any other.
What it takes is known where the server reports a `usage`; else its input is estimated from the
body's length, and its output, of a stream, as a token an event; of a whole answer it is 0.
"""

import re
from typing import Final

import msgspec

from tokenergy.company.serving.plan import LimitsPlan
from tokenergy.serve.answer_json import Answered, read_answer
from tokenergy.serve.asked import ENDPOINT_PATHS
from tokenergy.serve.body import checked_model, fields_of
from tokenergy.serve.governed import Asked
from tokenergy.serve.openai_error import ApiError, invalid, missing
from tokenergy.serve.openai_usage import UsageSeen

PASSED: Final = re.compile(r"/v1(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+", re.ASCII)
"""Addresses that are passed on: a server must not read another one into it than we do."""
MOST_PATH_CHARS_COUNT: Final = 128
EVENT: Final = b"data:"
"""How the data of an event begins."""
KEPT_BACK: Final = frozenset({"/v1/load_lora_adapter", "/v1/unload_lora_adapter"})
"""What changes a server for all its clients is not for one of them."""


def may_pass(path: str) -> bool:
    """Tell whether an address is one that we pass on.

    Not those that we govern in another spelling, such as `/v1/chat/completions/`: a server might
    answer them all the same, without cap and budget. An address with what is no plain path in it,
    be it percent-encoded, might be read as another one.
    """
    if len(path) > MOST_PATH_CHARS_COUNT or PASSED.fullmatch(path) is None:
        return False
    return path.lower() not in ENDPOINT_PATHS and path.lower() not in KEPT_BACK


def is_passed(endpoint: str) -> bool:
    """Tell whether an endpoint is one that is passed on: then it is named by its path."""
    return endpoint.startswith("/")


def read_other(body: bytes, limits: LimitsPlan) -> Asked:
    """Return what a body asks for whose endpoint is not known: its model, and whether it streams.

    Raises:
        ApiError: 413; 400 for what is no JSON object, or has no model.
    """
    fields = fields_of(body, limits.body_bytes)
    if "model" not in fields:
        raise missing("model")
    try:
        model = msgspec.json.decode(fields["model"], type=str)
        stream = msgspec.json.decode(fields.get("stream", b"false"), type=bool | None)
    except msgspec.DecodeError:
        raise invalid(
            "'model' must be a text, and 'stream' true or false.", param="model"
        ) from None
    return Asked(
        endpoint="completions",
        model=checked_model(model),
        fields=fields,
        stream=bool(stream),
        client_wants_usage=True,
        text_bytes_count=len(body),
    )


def passed_body(asked: Asked, model: str) -> bytes:
    """Return the body for a server: nothing but the model's name is another."""
    return msgspec.json.encode({**asked.fields, "model": model})


def read_passed(body: bytes, content_type: bytes) -> Answered:
    """Return what a whole answer says of itself; one that is no JSON says nothing."""
    if b"json" not in content_type:
        return Answered(usage=None)
    try:
        return read_answer("embeddings", body)
    except ApiError:
        return Answered(usage=None)


class PassedStream:
    """A stream of unknown events: every byte leaves as it came, and its end is its end."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.ended = False
        self.ending = b""
        self.error: ApiError | None = None
        self.finish = self.model = self.answer_id = ""
        self._events_count = 0

    @property
    def output_tokens_so_far(self) -> int:
        """A token for each event."""
        return self._events_count

    @property
    def usage(self) -> UsageSeen | None:
        """Nothing is reported."""
        return None

    def feed(self, chunk: bytes) -> bytes:
        """Return the bytes that came."""
        self._events_count += chunk.count(EVENT)
        return chunk

    def cut_off(self, error: ApiError | None = None) -> None:
        """End it; without an error that is its usual end."""
        if not self.ended:
            self.ended, self.error = True, error
            self.ending = b"" if error is None else error.event("completions")

    def closing(self, _detail: object = None) -> bytes:
        """Return what is left to send."""
        return self.ending

    def counted(self, input_tokens: int) -> UsageSeen:
        """Return the input that was expected, and a token for each event."""
        return UsageSeen(input_tokens, 0, self._events_count, 0, "estimated")

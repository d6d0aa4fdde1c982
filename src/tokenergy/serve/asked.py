"""Verb: read a request's body, with all that the gateway must know of it before it decides."""

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Raw

from tokenergy.company.serving.plan import LimitsPlan
from tokenergy.serve.body import fields_of
from tokenergy.serve.governed import Asked, Endpoint
from tokenergy.serve.openai_chat import read_chat
from tokenergy.serve.openai_completions import read_completions
from tokenergy.serve.openai_embeddings import read_embeddings
from tokenergy.serve.openai_responses import read_responses

__all__ = ["ENDPOINT_PATHS", "Asked", "Endpoint", "read_asked"]

ENDPOINT_PATHS: Final[Mapping[str, Endpoint]] = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "completions",
    "/v1/responses": "responses",
    "/v1/embeddings": "embeddings",
}

_READERS: Final[Mapping[str, Callable[[bytes, dict[str, Raw]], Asked]]] = {
    "chat": read_chat,
    "completions": read_completions,
    "responses": read_responses,
    "embeddings": read_embeddings,
}


def read_asked(endpoint: Endpoint, body: bytes, limits: LimitsPlan) -> Asked:
    """Return what a body asks for.

    A few microseconds for a short prompt, and some 20 for 50 KB; bodies above
    `limits.decode_apart_bytes` are better read in a thread.

    Raises:
        ApiError: 413 for a body over its limit; 400 for one that is no JSON object in UTF-8, is
            nested too deep, or has a governed field of a wrong type or value, which `param` names.
    """
    return _READERS[endpoint](body, fields_of(body, limits.body_bytes))

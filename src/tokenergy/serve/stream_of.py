"""Verb: begin to read a stream."""

from tokenergy.serve.answer_stream import Stream
from tokenergy.serve.chat_stream import ChatStream
from tokenergy.serve.responses_stream import ResponsesStream

__all__ = ["Stream", "stream_of"]


def stream_of(
    endpoint: str,
    *,
    served: str,
    name: str,
    show_usage: bool,
    hide_continuous: bool = False,
    service_tier: str | None = None,
    detail: bool = False,
) -> Stream:
    """Return a stream that has not begun.

    Args:
        endpoint: `chat`, `completions` or `responses`.
        served: the name that the server was asked for.
        name: the company's name of the same model: the client is told that.
        show_usage: whether the client asked for usage (`Asked.client_wants_usage`).
        hide_continuous: whether usage in every chunk was asked for by us and not by the client.
        service_tier: the tier that was really given; None: the field stays as it comes.
        detail: whether the client wants the object `tokenergy` (`x-tokenergy-detail: 1`): then the
            usage chunk is held back with the ending, and `closing` takes the object.
    """
    if endpoint == "responses":
        return ResponsesStream(served=served, name=name, service_tier=service_tier, detail=detail)
    return ChatStream(
        endpoint,
        served=served,
        name=name,
        show_usage=show_usage,
        hide_continuous=hide_continuous,
        service_tier=service_tier,
        detail=detail,
    )

"""Noun: a request as the gateway reads it: what it governs is typed, the rest stays raw bytes.

Only `model`, the cap, `stream_options`, `service_tier` and `cache_salt` are ever rewritten. The
body that goes to a server is always made anew from its top level, key by key: where a key stands
twice two parsers may read two requests: the gateway would price one and the server run the other.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

Endpoint = Literal["chat", "completions", "responses", "embeddings"]
NOTHING: Final[frozenset[str]] = frozenset()
CAP_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "chat": ("max_completion_tokens", "max_tokens", "n_predict"),
    "completions": ("max_tokens", "max_completion_tokens", "n_predict"),
    "responses": ("max_output_tokens", "n_predict"),
    "embeddings": (),
}
"""Names of the cap, the first is written where the client wrote none; `n_predict` is llama.cpp's,
which takes it before all others."""
ASKS_USAGE: Final = frozenset({"chat", "completions"})
"""Endpoints whose streams tell their usage only if asked."""

_encode = msgspec.json.Encoder().encode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_USAGE: Final = msgspec.Raw(b'{"include_usage":true}')
_CONTINUOUS: Final = msgspec.Raw(b'{"include_usage":true,"continuous_usage_stats":true}')
_TRUE: Final = msgspec.Raw(b"true")
_NULL: Final = b"null"


class Asked(msgspec.Struct, kw_only=True, gc=False):
    """One request, read and checked.

    Attributes:
        endpoint: of OpenAI's API.
        model: as the client named it.
        fields: top level of the body: key to raw JSON; of a key that stood twice, the last.
        stream: whether events are wanted.
        client_wants_usage: whether the client itself asked for the usage of its stream; always
            true for `responses`, whose events carry it.
        client_wants_continuous: whether it asked for usage in every chunk.
        cap_tokens: the client's cap of output tokens, of each answer; None: it states none.
        answers_count: answers at once: `n`, or `best_of`, times the number of prompts.
        service_tier: as the client wrote it; None: not at all.
        text_bytes_count: UTF-8 bytes of all text that the model reads, tools and schemas included.
        messages_count: messages, or items of the input: a server writes a frame around each.
        other_tokens: input tokens that are no text: images, audio and files by rule, or ids.
        needs: features without which it cannot be answered.
        head: what tells conversations apart, to be hashed with the tenant's key; b"": nothing.
        previous: id of the answer that this request goes on from (`responses`); "": none.
        user: the client's own safety or user identifier; "": none. Never stored but as a hash.
        remote_urls_count: URLs inside messages that the model server would fetch.
    """

    endpoint: Endpoint
    model: str
    fields: dict[str, msgspec.Raw]
    stream: bool = False
    client_wants_usage: bool = False
    client_wants_continuous: bool = False
    cap_tokens: int | None = None
    answers_count: int = 1
    service_tier: str | None = None
    text_bytes_count: int = 0
    messages_count: int = 1
    other_tokens: int = 0
    needs: frozenset[str] = NOTHING
    head: bytes = b""
    previous: str = ""
    user: str = ""
    remote_urls_count: int = 0

    def rebuilt(
        self,
        *,
        model: str,
        cap_tokens: int | None = None,
        ask_usage: bool = True,
        continuous_usage: bool = False,
        cache_salt: str | None = None,
        service_tier: str | None = None,
    ) -> bytes:
        """Return the body for a server.

        Args:
            model: the name that the server knows the model by.
            cap_tokens: cap of output tokens of each answer, under the client's own name for it;
                None: the client's stays.
            ask_usage: whether a stream shall end with its usage.
            continuous_usage: whether each of its chunks shall carry it (vLLM).
            cache_salt: keeps a tenant's prefix cache apart (vLLM); a salt of the client's own
                splits it further; None: the client's stays.
            service_tier: for servers that know tiers themselves; None: the field is left out.
        """
        fields: dict[str, object] = dict(self.fields)
        fields["model"] = model
        if service_tier is not None:
            fields["service_tier"] = service_tier
        elif "service_tier" in fields:
            del fields["service_tier"]
        if cap_tokens is not None:
            self._cap(fields, cap_tokens)
        if self.stream and self.endpoint in ASKS_USAGE:
            fields["stream_options"] = self._stream_options(ask_usage, continuous_usage)
        if cache_salt is not None:
            own = self.fields.get("cache_salt")
            fields["cache_salt"] = cache_salt if own is None else _joined_salt(cache_salt, own)
        return _encode(fields)

    def _cap(self, fields: dict[str, object], cap_tokens: int) -> None:
        """Write a cap under each name that the client gave one, else under the usual name."""
        names = CAP_NAMES[self.endpoint]
        written = False
        for name in names:
            own = self.fields.get(name)
            if own is None:
                continue
            if bytes(own) == _NULL:
                del fields[name]
            else:
                fields[name] = cap_tokens
                written = True
        if not written and names:
            fields[names[0]] = cap_tokens

    def _stream_options(self, ask_usage: bool, continuous_usage: bool) -> object:
        own = self.fields.get("stream_options")
        if own is None or bytes(own) == _NULL:
            if not ask_usage:
                return None
            return _CONTINUOUS if continuous_usage else _USAGE
        options = _decode_fields(own)
        if ask_usage:
            options["include_usage"] = _TRUE
            if continuous_usage:
                options["continuous_usage_stats"] = _TRUE
        return options


def _joined_salt(salt: str, own: msgspec.Raw) -> str:
    """Return a salt of both: the tenant's comes first, so that no client reaches another's."""
    text = bytes(own).decode("utf-8", "replace")
    return salt if text == "null" else f"{salt}:{text}"

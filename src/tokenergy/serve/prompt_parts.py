"""Noun: what was seen of a prompt so far: its text in bytes, its media in tokens, what it needs."""

from collections.abc import Mapping
from typing import Any, Final

from tokenergy.serve.media_tokens import RULES, remote_urls_count

HEAD_CHARS_COUNT: Final = 1_024
"""So much of the system text and of the first message tells conversations apart."""
DEEPEST_COUNT: Final = 32
PLAIN_KEYS: Final = frozenset(
    {"type", "text", "annotations", "logprobs", "prompt_cache_breakpoint", "refusal"}
)
UNREAD_KEYS: Final = frozenset({"type", "id", "call_id", "status", "role", "encrypted_content"})
"""Strings under them are no text of the prompt."""


def bytes_of(text: str) -> int:
    """Return the length of a text in UTF-8 bytes."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


class PromptSeen:
    """Gathers what parts of a prompt amount to; made for prompts that are not plain text.

    Attributes:
        text_bytes_count: UTF-8 bytes of text.
        other_tokens: tokens of media, by rule.
        remote_urls_count: addresses that the server would fetch.
        needs: features that the media want.
        media: whether there was any part that is no text.
    """

    __slots__ = ("media", "needs", "other_tokens", "remote_urls_count", "text_bytes_count")

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.text_bytes_count = 0
        self.other_tokens = 0
        self.remote_urls_count = 0
        self.needs: set[str] = set()
        self.media = False

    def content(self, content: object) -> str:
        """Take the content of a message; return its first text."""
        if isinstance(content, str):
            self.text_bytes_count += bytes_of(content)
            return content
        first = ""
        if isinstance(content, list):
            for part in content:
                text = self.part(part)
                first = first or text
        elif content is not None:
            self.tree(content)
        return first

    def part(self, part: object) -> str:
        """Take one part of a content; return its text."""
        if isinstance(part, str):
            self.text_bytes_count += bytes_of(part)
            return part
        if not isinstance(part, dict):
            return ""
        text = part.get("text")
        if isinstance(text, str):
            self.text_bytes_count += bytes_of(text)
        else:
            text = ""
        if not part.keys() <= PLAIN_KEYS:
            self._media(part)
        return text

    def _media(self, part: Mapping[str, Any]) -> None:
        """Take a part that has more than text: by its type, or by the key that gives it away."""
        self.media = True
        rest = {key: value for key, value in part.items() if key not in PLAIN_KEYS}
        self.remote_urls_count += remote_urls_count(rest)
        kind = part.get("type")
        rule = RULES.get(kind) if isinstance(kind, str) else None
        if rule is None:
            rule = next((RULES[key] for key in rest if key in RULES), None)
        if rule is None:
            self.tree(rest)
        else:
            self.needs.add(rule[0])
            self.other_tokens += rule[1](part)

    def tree(self, value: object, depth: int = 0) -> None:
        """Take whatever else may hold text, such as a tool's output."""
        if isinstance(value, str):
            if value[:5].lower() != "data:":
                self.text_bytes_count += bytes_of(value)
        elif depth < DEEPEST_COUNT:
            if isinstance(value, dict):
                for key, inner in value.items():
                    if key not in UNREAD_KEYS:
                        self.tree(inner, depth + 1)
            elif isinstance(value, list):
                for inner in value:
                    self.tree(inner, depth + 1)


def head_of(system: str, first: str) -> bytes:
    """Return what tells a conversation by its beginning; b"" where it has none."""
    if not system and not first:
        return b""
    text = f"m{system[:HEAD_CHARS_COUNT]}\0{first[:HEAD_CHARS_COUNT]}"
    return text.encode("utf-8", "surrogatepass")

"""What a source answered, and the key that it was asked with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from tokenergy.company.finding import Finding
from tokenergy.company.refusal import refuse
from tokenergy.errors import FindingsError


@dataclass(frozen=True, slots=True)
class Secret:
    """A key, and where a request carries it; it stands in no repr, error, log or cache file."""

    where: Literal["header", "param"]
    name: str
    value: str = field(repr=False)
    prefix: str = ""
    """What precedes the key in its header, e.g. `Bearer `."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a source answered (status 2xx).

    Attributes:
        headers: by lower-case name.
        fetched_at: when the source gave it, also where it comes from the cache.
        from_cache: whether it was read from the disk.
        failed: why the source itself could not be read, where an old copy stands in; else "".
        url: the address asked, without any key.
    """

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str]
    fetched_at: datetime
    from_cache: bool = False
    failed: str = ""
    url: str = ""

    @property
    def content_type(self) -> str:
        """The media type, without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def text(self) -> str:
        """Return the body as UTF-8 text without a byte-order mark.

        Raises:
            FindingsError: FEED_NOT_TEXT.
        """
        try:
            return self.body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            refuse(
                "FEED_NOT_TEXT",
                path=self.url,
                value=f"byte {error.start}",
                reason="the answer is no UTF-8 text",
                remedy="Check the address: it may name an archive or a picture",
            )

    def json(self) -> Any:
        """Return the body as JSON.

        Raises:
            FindingsError: FEED_NOT_JSON, with what came instead.
        """
        text = self.text()
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            page = self.content_type == "text/html" or text.lstrip()[:1] == "<"
            told = "an HTML or XML page" if page else "no JSON, or half of it"
            refuse(
                "FEED_NOT_JSON",
                path=self.url,
                value=" ".join(text[:80].split()),
                reason=f"the answer is {told} ({self.content_type or 'no content type'}, "
                f"{len(self.body)} bytes)",
                remedy="Check the address; a page often means a login, a proxy or a moved service",
            )


class Refused(FindingsError):
    """The source said no (4xx); the finding is FEED_REFUSED."""

    def __init__(self, finding: Finding, *, status: int, body: bytes) -> None:
        """Keep what the source said (its key taken out) for feeds that read it."""
        super().__init__([finding])
        self.status = status
        self.body = body

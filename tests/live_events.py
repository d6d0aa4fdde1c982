"""A listener of the live page for tests: reads server-sent events one by one.

with listening(url, key="tk-root") as stream:
stream.next("standing")          {"now": ..., "alarms": [...]}
"""

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

STREAM = "/v1/tokenergy/live"
WAITS_S = 20.0


class Event(NamedTuple):
    name: str
    id: str
    data: Any


class Stream:
    """One stream; `status` and `headers` of its answer, and its events as they come."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status, self.headers = answer.status, answer.headers
        self.comments_count, self.retry, self.last_id = 0, "", ""
        self._answer = answer

    def body(self) -> Any:
        """Return the whole answer of one that is no stream."""
        return json.loads(self._answer.read())

    def events(self) -> Iterator[Event]:
        """Yield events until the stream ends as a whole answer does."""
        fields: dict[str, str] = {}
        for line in self._answer:
            text = line.decode().rstrip("\n")
            if text.startswith(":"):
                self.comments_count += 1
            elif text:
                name, _, value = text.partition(": ")
                if name == "retry":
                    self.retry = value
                assert name not in fields, "data of an event is one line"
                fields[name] = value
            elif "event" in fields:
                self.last_id = fields["id"]
                yield Event(fields["event"], fields["id"], json.loads(fields["data"]))
                fields = {}
            else:
                fields = {}

    def next(self, name: str, fits: Callable[[Any], Any] = lambda _: True) -> Any:
        """Return the data of the next event of a name that fits."""
        for event in self.events():
            if event.name == name and fits(event.data):
                return event.data
        raise AssertionError(f"the stream ended without such a {name!r}")


@contextmanager
def listening(
    url: str,
    *,
    key: str | None = None,
    after: str | None = None,
    path: str = STREAM,
    headers: Mapping[str, str] | None = None,
    method: str = "GET",
    waits_s: float = WAITS_S,
) -> Iterator[Stream]:
    """Listen until the block ends; `after` is told as `Last-Event-ID`."""
    told = dict(headers or {})
    if key is not None:
        told["Authorization"] = f"Bearer {key}"
    if after is not None:
        told["Last-Event-ID"] = after
    parts = urlsplit(url)
    assert parts.hostname is not None
    line = http.client.HTTPConnection(parts.hostname, parts.port, timeout=waits_s)
    try:
        line.request(method, path, headers=told)
        yield Stream(line.getresponse())
    finally:
        line.close()

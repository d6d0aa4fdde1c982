"""The one door to the outside: a GET with retries, a limit on its size, and a copy on disk."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, NoReturn, Self
from urllib.parse import urljoin, urlsplit

import urllib3

from tokenergy.company.finding import Finding
from tokenergy.company.refusal import refuse
from tokenergy.feeds.address import HIDDEN, Request, request_of, same_place, without_keys
from tokenergy.feeds.answer import Answer, Refused, Secret
from tokenergy.feeds.cache import Cache

__all__ = ["Answer", "Http", "Refused", "Secret", "utc_now"]

BODY_LIMIT_BYTES: Final = 64 * 1024 * 1024
"""Most bytes of one answer, after decompression."""
CHUNK_BYTES: Final = 64 * 1024
WAIT_LIMIT_S: Final = 60.0
"""Longest Retry-After that is waited for."""
FIRST_WAIT_S: Final = 0.5
"""Wait before the second try; doubled before each further one."""
REDIRECTS_COUNT: Final = 4
WHOLE_ANSWER_TIMEOUTS: Final = 6.0
"""An answer that trickles in for this many timeouts is given up."""
TOLD_CHARACTERS: Final = 200
NO_FIELDS: Final[Mapping[str, str]] = MappingProxyType({})
_REMEDIES: Final = {
    401: "Check the key in the environment: it is missing, mistyped or has run out",
    403: "Check the key in the environment, and what it is allowed to read",
    404: "Check the address and the zone: the source knows no such thing",
}


def utc_now() -> datetime:
    """Return this moment in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """One try that gave nothing; `wait_s` is what the source asked us to wait."""

    code: Literal["FEED_UNREACHABLE", "FEED_RATE_LIMITED"]
    told: str
    wait_s: float | None = None


class _NoKeysInLogs(logging.Filter):
    """Takes keys out of the lines that urllib3 logs for its debuggers."""

    def __init__(self) -> None:
        super().__init__()
        self.values: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        told = record.getMessage()
        scrubbed = told
        for value in self.values:
            scrubbed = scrubbed.replace(value, HIDDEN)
        if scrubbed != told:
            record.msg, record.args = scrubbed, None
        return True


class Http:
    """Reads addresses over HTTP: keep-alive, gzip, retries, and a cache where one is named.

    A `cache_s` above 0 answers from the disk while a copy is younger. When the source fails,
    a copy of any age is given back with `failed` set, so that the feed can say FEED_STALE.
    """

    def __init__(
        self,
        *,
        cache_dir: Path | None = None,
        cache_s: float = 0.0,
        timeout_s: float = 20.0,
        tries_count: int = 4,
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Open no connection yet."""
        self._cache = None if cache_dir is None else Cache(cache_dir)
        self._cache_s = cache_s
        self._timeout_s = timeout_s
        self._tries_count = tries_count
        self._clock = clock
        self._sleep = sleep
        self._log_filter = _NoKeysInLogs()
        logging.getLogger("urllib3.connectionpool").addFilter(self._log_filter)
        self._pool = urllib3.PoolManager(
            num_pools=128,
            maxsize=4,
            retries=False,
            timeout=urllib3.Timeout(connect=timeout_s, read=timeout_s),
        )

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._pool.clear()
        logging.getLogger("urllib3.connectionpool").removeFilter(self._log_filter)

    def now(self) -> datetime:
        """Return this moment, by the clock that was handed in."""
        return self._clock()

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, str] = NO_FIELDS,
        headers: Mapping[str, str] = NO_FIELDS,
        secret: Secret | None = None,
        accept: str = "*/*",
    ) -> Answer:
        """Return what the source answers.

        Raises:
            Refused: if the source says no (4xx other than 408 and 429).
            FindingsError: FEED_UNREACHABLE or FEED_RATE_LIMITED after the last try where no
                copy stands in; FEED_BAD_URL, FEED_BAD_KEY, FEED_TOO_LARGE, FEED_REDIRECTED.
        """
        request = request_of(url, params=params, headers=headers, secret=secret, accept=accept)
        self._log_filter.values.update(request.hidden)
        name = f"GET {request.shown} {accept} {sorted(headers)}"
        kept = None if self._cache is None else self._cache.read(name)
        copy = None
        if kept is not None:
            copy = Answer(
                status=200,
                body=kept.body,
                headers=kept.headers,
                fetched_at=kept.fetched_at,
                from_cache=True,
                url=request.shown,
            )
            if 0.0 <= (self._clock() - kept.fetched_at).total_seconds() < self._cache_s:
                return copy
        outcome = self._asked(request)
        if isinstance(outcome, _Failure):
            if copy is not None:
                return replace(copy, failed=outcome.told)
            _refuse_failed(request, outcome, tries_count=self._tries_count)
        if self._cache is not None and not request.is_repeated_in(outcome.body):
            self._cache.write(
                name, body=outcome.body, headers=outcome.headers, fetched_at=outcome.fetched_at
            )
        return outcome

    def _asked(self, request: Request) -> Answer | _Failure:
        """Try until there is an answer, or no try is left.

        Nothing is raised inside a handler, so that no traceback drags a key along.
        """
        wait_s = FIRST_WAIT_S
        failure = _Failure(code="FEED_UNREACHABLE", told="no try was made")
        for left in reversed(range(max(1, self._tries_count))):
            outcome = self._followed(request)
            if isinstance(outcome, Answer):
                return outcome
            failure = outcome
            asked_s = failure.wait_s
            if left == 0 or (asked_s is not None and asked_s > WAIT_LIMIT_S):
                break
            self._sleep(wait_s if asked_s is None else asked_s)
            wait_s *= 2.0
        return failure

    def _followed(self, request: Request) -> Answer | _Failure:
        """One try, along the redirects of one host."""
        url = request.url
        for _ in range(REDIRECTS_COUNT + 1):
            outcome = self._once(url, request)
            if not isinstance(outcome, str):
                return outcome
            target = urljoin(url, outcome)
            _check_redirect(url, target, request)
            url = target
        refuse(
            "FEED_REDIRECTED",
            path=request.shown,
            limit=f"{REDIRECTS_COUNT}",
            unit="redirects",
            reason="the source sends us around in circles",
            remedy="Name the final address",
        )

    def _once(self, url: str, request: Request) -> Answer | _Failure | str:
        """One exchange: an answer, a failure worth another try, or where we are sent."""
        body, too_large = b"", False
        began_s = time.monotonic()
        try:
            response = self._pool.request(
                "GET", url, headers=dict(request.headers), redirect=False, preload_content=False
            )
            try:
                parts, size = [], 0
                for chunk in response.stream(CHUNK_BYTES, decode_content=True):
                    size += len(chunk)
                    too_large = size > BODY_LIMIT_BYTES
                    if too_large:
                        break
                    if time.monotonic() - began_s > self._timeout_s * WHOLE_ANSWER_TIMEOUTS:
                        return _Failure(code="FEED_UNREACHABLE", told="the answer trickled in")
                    parts.append(chunk)
                body = b"".join(parts)
                complete = not too_large
            finally:
                if response.length_remaining in (0, None) and not too_large:
                    response.release_conn()
                else:
                    response.close()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return _Failure(code="FEED_UNREACHABLE", told=_told(error))
        if not complete:
            refuse(
                "FEED_TOO_LARGE",
                path=request.shown,
                limit=f"{BODY_LIMIT_BYTES // 1024**2}",
                unit="MiB",
                reason="the answer is larger than any series we read",
                remedy="Ask for a shorter span, or check the address",
            )
        headers = {name.lower(): value for name, value in response.headers.items()}
        return self._sorted(response.status, headers, body, request)

    def _sorted(
        self, status: int, headers: dict[str, str], body: bytes, request: Request
    ) -> Answer | _Failure | str:
        """Tell an answer from a failure, a redirect and a refusal."""
        if 200 <= status < 300:
            return Answer(
                status=status,
                body=body,
                headers=headers,
                fetched_at=self._clock(),
                url=request.shown,
            )
        if status in (301, 302, 303, 307, 308) and "location" in headers:
            return headers["location"]
        if status in (408, 429) or status >= 500:
            wait_s = _retry_after_s(headers.get("retry-after"), now=self._clock())
            told = f"it answers {status}"
            if wait_s is not None:
                told += f" and asks to wait {wait_s:.0f} s"
            if status == 429:
                return _Failure(code="FEED_RATE_LIMITED", told=told, wait_s=wait_s)
            return _Failure(code="FEED_UNREACHABLE", told=told, wait_s=wait_s)
        text = request.scrubbed(body.decode("utf-8", errors="replace"))
        finding = Finding(
            code="FEED_REFUSED",
            path=request.shown,
            value=f"{status}",
            reason=f"the source refuses: {' '.join(text.split())[:TOLD_CHARACTERS] or 'no reason'}",
            remedy=_REMEDIES.get(status, "Check the zone, the span and the address"),
        )
        raise Refused(finding, status=status, body=text.encode())


def _told(error: Exception) -> str:
    """Say in plain words what went wrong, without the address (it may hold a key)."""
    match error:
        case urllib3.exceptions.NameResolutionError():
            return "its name is not known"
        case urllib3.exceptions.NewConnectionError():
            return "it takes no connection"
        case urllib3.exceptions.ConnectTimeoutError() | urllib3.exceptions.TimeoutError():
            return "it does not answer in time"
        case urllib3.exceptions.SSLError():
            return "its certificate is not accepted"
        case urllib3.exceptions.DecodeError():
            return "its answer cannot be unpacked"
        case urllib3.exceptions.ProtocolError():
            return "the connection breaks off"
        case _:
            return f"the exchange fails ({type(error).__name__})"


def _retry_after_s(text: str | None, *, now: datetime) -> float | None:
    """Read a Retry-After, in seconds or as a date; None where there is none to read."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text.strip())
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())


def _check_redirect(url: str, target: str, request: Request) -> None:
    if not same_place(url, target):
        refuse(
            "FEED_REDIRECTED",
            path=request.shown,
            value=request.scrubbed(without_keys(target)),
            limit=urlsplit(url).netloc,
            reason="the source sends us to another host, which nobody named",
            remedy="Name the final address yourself if you trust it",
        )


def _refuse_failed(request: Request, failure: _Failure, *, tries_count: int) -> NoReturn:
    limited = failure.code == "FEED_RATE_LIMITED"
    tried = f" (up to {tries_count} tries)" if tries_count > 1 else ""
    refuse(
        failure.code,
        path=request.shown,
        reason=f"the source cannot be read: {failure.told}{tried}",
        remedy="Ask less often or for a shorter span, and keep answers with a cache"
        if limited
        else "Check the address and the network, or try again later; a cache folder would let an "
        "earlier answer stand in",
    )

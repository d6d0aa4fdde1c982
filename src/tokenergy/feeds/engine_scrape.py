"""One reading of an engine's `/metrics`: a GET, the page, and the sample that it holds."""

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, NoReturn
from urllib.parse import unquote, urlsplit, urlunsplit

from tokenergy import __version__
from tokenergy.company.finding import Finding
from tokenergy.company.observe import Engine
from tokenergy.company.refusal import refuse
from tokenergy.errors import FindingsError
from tokenergy.feeds.engine_counts import Moment, sample_of
from tokenergy.feeds.engine_names import STARTED, EngineVersion, recognise, wanted_of
from tokenergy.feeds.engine_text import Page, looks_like_metrics, names_on, read_page
from tokenergy.feeds.http import Answer, Http, Secret
from tokenergy.metering.sample import EngineSample

USER_AGENT: Final = f"tokenergy-observe/{__version__}"
"""What an engine sees in its log; we send nothing but GET."""
ACCEPT: Final = "text/plain;version=0.0.4;q=0.9, application/openmetrics-text;version=1.0.0;q=0.5"
_CODES: Final = {
    "FEED_UNREACHABLE": "METRICS_UNREACHABLE",
    "FEED_RATE_LIMITED": "METRICS_UNREACHABLE",
    "FEED_REFUSED": "METRICS_REFUSED",
    "FEED_REDIRECTED": "METRICS_REDIRECTED",
    "FEED_TOO_LARGE": "METRICS_TOO_LARGE",
    "FEED_BAD_URL": "METRICS_BAD_URL",
    "FEED_CUT_OFF": "METRICS_HALF",
}
_REMEDIES: Final = {
    "METRICS_UNREACHABLE": "Check that the engine runs, that its port is open to this machine, "
    "and that it was started with metrics on (llama.cpp: --metrics; SGLang: --enable-metrics)",
    "METRICS_REFUSED": "Check the path (usually /metrics); llama.cpp needs --metrics and SGLang "
    "--enable-metrics; behind a key, write it as user:password before the host",
    "METRICS_REDIRECTED": "Name the engine's own address: we follow no redirect to another host",
}
_CUT: Final = "breaks off"
"""The port's words for a connection that ended before its answer did."""
SHOWN_CHARACTERS: Final = 60


class EngineScraper:
    """Reads one engine's page; keeps which engine it is from one reading to the next."""

    def __init__(
        self,
        http: Http,
        engine: Engine,
        clock: Callable[[], datetime],
        ticks: Callable[[], float],
        *,
        served_model: str | None = None,
    ) -> None:
        """Ask nothing yet.

        Args:
            http: a port without a cache; its time-out is the longest that a reading takes.
            engine: whose `metrics_url` is read.
            clock: this moment in UTC.
            ticks: a monotonic clock in seconds.
            served_model: one of several models at this address, in the engine's words.
        """
        self.engine = engine
        self._http = http
        self._clock = clock
        self._ticks = ticks
        self._served_model = served_model
        self._url, self._secret, self._shown = without_credentials(engine.metrics_url)
        self._engine_kind = ""

    def sample(self) -> EngineSample:
        """Return what the engine counts now.

        Raises:
            FindingsError: METRICS_UNREACHABLE, METRICS_REFUSED, METRICS_REDIRECTED,
                METRICS_TOO_LARGE, METRICS_NOT_TEXT, METRICS_EMPTY, METRICS_HALF,
                METRICS_STALE, METRICS_BAD_LINE, ENGINE_NAMES_UNKNOWN, ENGINE_MODEL_UNKNOWN.
        """
        began_at, began_s = self._clock(), self._ticks()
        answer = self._get()
        half_s = max(self._ticks() - began_s, 0.0) / 2.0
        body = self._checked(answer)
        version, page = self._read(body, openmetrics=_is_openmetrics(answer))
        moment = Moment(
            at=began_at + timedelta(seconds=half_s),
            ticks_s=began_s + half_s,
            engine_at=_date_of(answer),
        )
        return sample_of(
            version,
            page.series,
            moment=moment,
            helps=page.helps,
            served_model=self._served_model,
            path=self._shown,
        )

    def _get(self) -> Answer:
        try:
            return self._http.get(
                self._url,
                headers={"User-Agent": USER_AGENT},
                secret=self._secret,
                accept=ACCEPT,
            )
        except FindingsError as error:
            findings = tuple(_as_metrics(finding, self._shown) for finding in error.findings)
        # Raised out here, so that no traceback drags the address along.
        raise FindingsError(findings)

    def _checked(self, answer: Answer) -> bytes:
        """Return the body if it may be a page of metrics."""
        body = answer.body
        if answer.from_cache:
            refuse(
                "METRICS_STALE",
                path=self._shown,
                reason="the answer is an old copy: counters must be read, never remembered",
                remedy="Take the cache between us and the engine away",
            )
        if not body.strip():
            refuse(
                "METRICS_EMPTY",
                path=self._shown,
                value=f"{len(body)}",
                unit="bytes",
                reason="the answer is empty",
                remedy="Check that the engine has finished loading, and that the path is right",
            )
        length = answer.headers.get("content-length", "")
        if (
            "content-encoding" not in answer.headers
            and length.isdigit()
            and int(length) > len(body)
        ):
            self._half(f"{len(body)} of {length} bytes came")
        kind = answer.content_type
        begin = body.lstrip()[:1]
        if kind == "text/html" or begin == b"<":
            self._not_text(body, "an HTML or XML page")
        if kind == "application/json" or begin in (b"{", b"["):
            self._not_text(body, "JSON")
        if b"\x00" in body or not looks_like_metrics(body):
            self._not_text(body, "no page of metrics: it has no line of a name and a number")
        return body

    def _read(self, body: bytes, *, openmetrics: bool) -> tuple[EngineVersion, Page]:
        """Read the names of the engine of last time, and every known name where none stands.

        Which version it is is asked anew each time: some names come with the first request.
        """
        page = read_page(body, wanted_of(self._engine_kind), path=self._shown)
        if self._engine_kind and not _names_of(page):
            page = read_page(body, wanted_of(""), path=self._shown)
        seen = _names_of(page)
        if not page.whole or (openmetrics and not page.closed):
            self._half(f"{len(body)} bytes, and the end is not one")
        # Every name on the page is looked up only for an error.
        version = recognise(seen, path=self._shown, others=lambda: names_on(body))
        self._engine_kind = version.engine
        return version, page

    def _half(self, value: str) -> NoReturn:
        refuse(
            "METRICS_HALF",
            path=self._shown,
            value=value,
            reason="the answer broke off: what is missing of it nobody knows",
            remedy="It is read again at the next beat; if it stays, look for a proxy with a limit",
        )

    def _not_text(self, body: bytes, told: str) -> NoReturn:
        refuse(
            "METRICS_NOT_TEXT",
            path=self._shown,
            value=" ".join(body[:200].decode("utf-8", "replace").split())[:SHOWN_CHARACTERS],
            reason=f"the answer is {told}",
            remedy="Name the engine's own /metrics; a page often means a login, a proxy or the "
            "wrong port",
        )


def without_credentials(url: str) -> tuple[str, Secret | None, str]:
    """Return an address without its user, the user as a header, and the address to show."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    bare = urlunsplit(parts._replace(netloc=host))
    # A key may stand in the query too; what is shown has neither.
    shown = urlunsplit(parts._replace(netloc=host, query="", fragment=""))
    if host == parts.netloc:
        return bare, None, shown
    user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    value = b64encode(user.encode()).decode()
    return bare, Secret("header", "Authorization", value, "Basic "), shown


def _as_metrics(finding: Finding, shown: str) -> Finding:
    """Tell a finding of the port in the words of an engine's page."""
    code = _CODES.get(finding.code, finding.code.replace("FEED_", "METRICS_"))
    if code == "METRICS_UNREACHABLE" and _CUT in finding.reason:
        code = "METRICS_HALF"
    return Finding(
        code=code,
        path=shown,
        value=finding.value,
        limit=finding.limit,
        unit=finding.unit,
        reason=finding.reason,
        remedy=_REMEDIES.get(code, finding.remedy),
    )


def _names_of(page: Page) -> frozenset[str]:
    """The names of an engine that a page has, with a value or only declared."""
    return (frozenset(page.series) | page.declared) - {STARTED}


def _is_openmetrics(answer: Answer) -> bool:
    return answer.content_type == "application/openmetrics-text"


def _date_of(answer: Answer) -> datetime | None:
    """The engine's own clock, to the second; None where it does not tell."""
    try:
        stamp = parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError, TypeError):
        return None
    return stamp.astimezone(UTC) if stamp.tzinfo else stamp.replace(tzinfo=UTC)

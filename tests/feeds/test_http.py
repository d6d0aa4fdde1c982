"""The one door outside: tries, waits, limits, redirects, the cache, and keys that stay in."""

import gzip
import json
import logging
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from feed_server import Asked, FeedServer, Told, after, code_of, in_json
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.errors import FindingsError
from tokenergy.feeds import http as http_module
from tokenergy.feeds.address import without_keys
from tokenergy.feeds.http import Http, Refused, Secret

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = "se&same=42"
DOWN = Told(b"down", status=503)
OK = in_json({"fine": True})


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as running:
        yield running


class Clock:
    """A clock that moves only when someone waits."""

    def __init__(self) -> None:
        self.now = NOW
        self.waits: list[float] = []

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, wait_s: float) -> None:
        self.waits.append(wait_s)
        self.now += timedelta(seconds=wait_s)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def opened(clock: Clock, **more: Any) -> Http:
    return Http(clock=clock, sleep=clock.sleep, **more)


def refused(http: Http, url: str, **more: Any) -> str:
    with pytest.raises(FindingsError) as caught:
        http.get(url, **more)
    return code_of(caught.value)


def test_an_answer_has_its_headers_in_lower_case_and_its_moment(
    server: FeedServer, clock: Clock
) -> None:
    server.say("/a", OK)
    with opened(clock) as http:
        answer = http.get(f"{server.url}/a", params={"zone": "DE LU"}, headers={"X-More": "1"})
    assert answer.json() == {"fine": True}
    assert answer.headers["content-type"] == "application/json"
    assert (answer.fetched_at, answer.from_cache, answer.failed) == (NOW, False, "")
    assert server.asked[0].query == {"zone": "DE LU"}
    assert server.asked[0].headers["x-more"] == "1"


def test_gzip_is_unpacked(server: FeedServer, clock: Clock) -> None:
    server.say("/a", Told(gzip.compress(b"plain"), headers={"Content-Encoding": "gzip"}))
    with opened(clock) as http:
        assert http.get(f"{server.url}/a").body == b"plain"
    assert server.asked[0].headers["accept-encoding"] == "gzip"


def test_503_then_success_waits_longer_each_time(server: FeedServer, clock: Clock) -> None:
    server.say("/a", after([DOWN, DOWN, DOWN], lambda _: OK))
    with opened(clock) as http:
        assert http.get(f"{server.url}/a").status == 200
    assert clock.waits == [0.5, 1.0, 2.0]


def test_tries_end(server: FeedServer, clock: Clock) -> None:
    server.say("/a", DOWN)
    with opened(clock, tries_count=3) as http:
        assert refused(http, f"{server.url}/a") == "FEED_UNREACHABLE"
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("header", "waits"),
    [("7", [7.0]), ("Sun, 01 Mar 2026 12:00:30 GMT", [30.0]), ("soon", [0.5])],
)
def test_retry_after_is_honoured(
    server: FeedServer, clock: Clock, header: str, waits: list[float]
) -> None:
    limited = Told(b"", status=429, headers={"Retry-After": header})
    server.say("/a", after([limited], lambda _: OK))
    with opened(clock) as http:
        assert http.get(f"{server.url}/a").status == 200
    assert clock.waits == waits


def test_a_wait_above_a_minute_is_not_waited_for(server: FeedServer, clock: Clock) -> None:
    server.say("/a", Told(b"", status=429, headers={"Retry-After": "61"}))
    with opened(clock) as http:
        assert refused(http, f"{server.url}/a") == "FEED_RATE_LIMITED"
    assert (clock.waits, len(server.asked)) == ([], 1)


def test_a_connection_cut_is_tried_again(server: FeedServer, clock: Clock) -> None:
    half = Told(b'{"fine"', cut=True)
    server.say("/a", after([half], lambda _: OK))
    server.say("/b", half)
    with opened(clock) as http:
        assert http.get(f"{server.url}/a").json() == {"fine": True}
        assert refused(http, f"{server.url}/b") == "FEED_UNREACHABLE"


def test_nobody_listens(server: FeedServer, clock: Clock) -> None:
    with FeedServer() as gone:
        url = gone.url
    with opened(clock, tries_count=2) as http:
        assert refused(http, f"{url}/a", secret=Secret("param", "k", KEY)) == "FEED_UNREACHABLE"


def test_other_refusals_are_told_at_once_in_200_characters(
    server: FeedServer, clock: Clock
) -> None:
    server.say("/a", Told(b"no " * 200, status=400))
    with opened(clock) as http, pytest.raises(Refused) as caught:
        http.get(f"{server.url}/a")
    (finding,) = caught.value.findings
    assert (finding.code, finding.value, caught.value.status) == ("FEED_REFUSED", "400", 400)
    assert len(finding.reason) < 240
    assert len(server.asked) == 1


def test_a_body_above_the_limit_is_not_read(
    server: FeedServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """5,000 zeros are a few dozen bytes in gzip: the limit holds after unpacking."""
    monkeypatch.setattr(http_module, "BODY_LIMIT_BYTES", 4_000)
    server.say("/a", Told(gzip.compress(bytes(5_000)), headers={"Content-Encoding": "gzip"}))
    with opened(clock) as http:
        assert refused(http, f"{server.url}/a") == "FEED_TOO_LARGE"


def test_redirects_stay_with_the_host(server: FeedServer, clock: Clock) -> None:
    server.say("/a", Told(b"", status=302, headers={"Location": "/b?page=2"}))
    server.say("/b", OK)
    server.say("/c", Told(b"", status=301, headers={"Location": "http://elsewhere.test/b"}))
    server.say("/d", Told(b"", status=307, headers={"Location": "/d"}))
    with opened(clock) as http:
        assert http.get(f"{server.url}/a").status == 200
        assert server.asked[-1].query == {"page": "2"}
        assert refused(http, f"{server.url}/c") == "FEED_REDIRECTED"
        assert refused(http, f"{server.url}/d") == "FEED_REDIRECTED"


@pytest.mark.parametrize(
    "url",
    ["ftp://host/a", "file:///etc/passwd", "host/a", "http:///a", "http://host/a b", "",
     "http://user:sesame@host/", "http://host:0/", "http://host:99999/", "http://host/\r\nX: 1"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(clock: Clock, url: str) -> None:
    with opened(clock) as http, pytest.raises(FindingsError) as caught:
        http.get(url)
    assert code_of(caught.value) == "FEED_BAD_URL"
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("key", ["", "sesame\n", "ses ame", "sésame"])
def test_a_key_that_no_header_can_carry_is_refused_unseen(
    server: FeedServer, clock: Clock, key: str
) -> None:
    with opened(clock) as http, pytest.raises(FindingsError) as caught:
        http.get(server.url, secret=Secret("header", "x-api-key", key))
    assert code_of(caught.value) == "FEED_BAD_KEY"
    assert "same" not in str(caught.value).replace("set it again", "")
    assert server.asked == []


# ---- the cache ------------------------------------------------------------------------------


def test_a_fresh_copy_is_not_asked_for_again(
    server: FeedServer, clock: Clock, tmp_path: Path
) -> None:
    server.say("/a", OK)
    with opened(clock, cache_dir=tmp_path / "new" / "cache", cache_s=60.0) as http:
        first = http.get(f"{server.url}/a", params={"day": "1"})
        clock.now += timedelta(seconds=59)
        again = http.get(f"{server.url}/a", params={"day": "1"})
        assert (again.body, again.from_cache, again.fetched_at) == (first.body, True, NOW)
        assert again.failed == ""
        http.get(f"{server.url}/a", params={"day": "2"})
        clock.now += timedelta(seconds=2)
        assert not http.get(f"{server.url}/a", params={"day": "1"}).from_cache
    assert len(server.asked) == 3


def test_an_old_copy_stands_in_when_the_source_fails_and_says_so(
    server: FeedServer, clock: Clock, tmp_path: Path
) -> None:
    server.say("/a", OK)
    with opened(clock, cache_dir=tmp_path) as http:
        http.get(f"{server.url}/a")
        clock.now += timedelta(days=2)
        server.say("/a", DOWN)
        old = http.get(f"{server.url}/a")
        assert (old.from_cache, old.fetched_at, old.json()) == (True, NOW, {"fine": True})
        assert "503" in old.failed
        server.say("/a", Told(b"who are you", status=401))
        assert refused(http, f"{server.url}/a") == "FEED_REFUSED"


def test_a_damaged_copy_is_no_copy(server: FeedServer, clock: Clock, tmp_path: Path) -> None:
    server.say("/a", OK)
    with opened(clock, cache_dir=tmp_path, cache_s=1e6) as http:
        http.get(f"{server.url}/a")
        (file,) = tmp_path.iterdir()
        for damage in (file.read_bytes()[:-1], b"", b"\n", b"{}\nx"):
            file.write_bytes(damage)
            assert not http.get(f"{server.url}/a").from_cache
    assert [file.suffix for file in tmp_path.iterdir()] == [".answer"]


def test_a_cache_that_cannot_be_made_is_refused(clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FindingsError, match="FEED_CACHE"):
        opened(clock, cache_dir=tmp_path / "file" / "cache")


# ---- keys -----------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["header", "param"])
def test_a_key_never_leaves_but_to_its_source(
    server: FeedServer, clock: Clock, tmp_path: Path, where: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the errors, the log at its loudest, the cache nor any repr holds it."""
    caplog.set_level(logging.DEBUG)
    secret = Secret(where, "Token", KEY, "Bearer " if where == "header" else "")
    said: list[str] = [repr(secret)]

    def echo(asked: Asked) -> Told:
        got = asked.headers["token"] if where == "header" else asked.query["Token"]
        assert got.endswith(KEY)
        return Told(f"your key is {got}".encode(), status=403 if asked.path == "/no" else 200)

    server.say("/yes", OK)
    server.say("/echo", echo)
    server.say("/no", echo)
    server.say("/down", DOWN)
    server.say("/away", Told(b"", status=302, headers={"Location": f"//other.test/?k={KEY}"}))
    with opened(clock, cache_dir=tmp_path, cache_s=60.0) as http:
        said.append(repr(http.get(f"{server.url}/yes", secret=secret)))
        assert not http.get(f"{server.url}/echo", secret=secret).from_cache
        assert not http.get(f"{server.url}/echo", secret=secret).from_cache
        for path in ("/no", "/down", "/away"):
            with pytest.raises(FindingsError) as caught:
                http.get(f"{server.url}{path}", secret=secret)
            said += ["".join(traceback.format_exception(caught.value))]
            said += [json.dumps([finding.to_dict() for finding in caught.value.findings])]
            if isinstance(caught.value, Refused):
                said.append(caught.value.body.decode())
    said += [file.read_text() for file in tmp_path.iterdir()]
    said.append(caplog.text)
    assert len(list(tmp_path.iterdir())) == 1
    assert "GET /yes" in caplog.text
    for text in said:
        assert KEY not in text and "se%26same" not in text


def test_two_keys_share_the_cached_answer(server: FeedServer, clock: Clock, tmp_path: Path) -> None:
    server.say("/a", OK)
    with opened(clock, cache_dir=tmp_path, cache_s=60.0) as http:
        http.get(f"{server.url}/a", secret=Secret("param", "t", "one"))
        assert http.get(f"{server.url}/a", secret=Secret("param", "t", "two")).from_cache


def test_a_key_in_an_address_is_hidden(server: FeedServer, clock: Clock, tmp_path: Path) -> None:
    server.say("/a", Told(b"token sesame is unknown", status=400))
    with opened(clock, cache_dir=tmp_path) as http, pytest.raises(Refused) as caught:
        http.get(f"{server.url}/a?zone=DE&api_key=sesame")
    assert server.asked[0].query == {"zone": "DE", "api_key": "sesame"}
    assert "sesame" not in str(caught.value)
    assert "zone=DE&api_key=***" in str(caught.value)


@given(st.sampled_from(["token", "api_key", "securityToken", "sig"]), st.text(min_size=4))
def test_no_key_like_field_is_shown(name: str, value: str) -> None:
    from urllib.parse import parse_qs, urlencode, urlsplit

    shown = without_keys(f"https://host/a?{urlencode({'zone': 'x', name: value})}")
    assert parse_qs(urlsplit(shown).query) == {"zone": ["x"], name: ["***"]}


# ---- what an answer is ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"<html>", "text/html"), (b'{"a": 1', "application/json"), (b"", ""), (b"[" * 99_999, "x")],
)
def test_what_is_no_json_is_told(server: FeedServer, clock: Clock, body: bytes, kind: str) -> None:
    server.say("/a", Told(body, headers={"Content-Type": kind}))
    with opened(clock) as http, pytest.raises(FindingsError, match="FEED_NOT_JSON"):
        http.get(f"{server.url}/a").json()


def test_a_byte_order_mark_is_no_text(server: FeedServer, clock: Clock) -> None:
    server.say("/a", Told(b"\xef\xbb\xbf[1]"))
    server.say("/b", Told(b"\xff\xfe"))
    with opened(clock) as http:
        assert http.get(f"{server.url}/a").json() == [1]
        with pytest.raises(FindingsError, match="FEED_NOT_TEXT"):
            http.get(f"{server.url}/b").text()

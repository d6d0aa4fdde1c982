"""An address to ask, and how it reads without its key."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urlsplit, urlunsplit

from tokenergy.company.refusal import refuse
from tokenergy.feeds.answer import Secret

HIDDEN: Final = "***"
_KEY_LIKE: Final = re.compile(
    r"(key|token|secret|password|passwd|pwd|signature|credentials?)$"
    r"|(^|[-_.])(sig|auth|code|sas|authorization)$",
    re.IGNORECASE,
)
"""Names of query fields whose values are not shown."""
_CONTROL: Final = re.compile(r"[\x00-\x20\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An address with everything sent along; `shown` is the address without any key."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    shown: str
    hidden: tuple[str, ...] = field(repr=False)
    """Every spelling of a key in it."""

    def scrubbed(self, text: str) -> str:
        """Return the text without the keys."""
        for written in self.hidden:
            text = text.replace(written, HIDDEN)
        return text

    def is_repeated_in(self, body: bytes) -> bool:
        """Tell whether a body holds one of the keys."""
        return any(written.encode() in body for written in self.hidden)


def request_of(
    url: str,
    *,
    params: Mapping[str, str],
    headers: Mapping[str, str],
    secret: Secret | None,
    accept: str,
) -> Request:
    """Return what to send.

    Raises:
        FindingsError: FEED_BAD_URL or FEED_BAD_KEY.
    """
    shown_base = without_keys(url)
    _check(url, shown_base)
    values = _values_hidden_in(url)
    sent = {"accept": accept, "accept-encoding": "gzip", "user-agent": "tokenergy"}
    sent |= {name.lower(): value for name, value in headers.items()}
    fields = dict(params)
    if secret is not None:
        _check_key(secret, shown_base)
        values.append(secret.value)
        if secret.where == "header":
            sent[secret.name.lower()] = secret.prefix + secret.value
        else:
            fields[secret.name] = secret.value
    hidden = {written for value in values for written in _spellings(value)}
    return Request(
        url=_with_fields(url, fields),
        headers=sent,
        shown=_with_fields(shown_base, params),
        hidden=tuple(sorted(hidden, key=len, reverse=True)),
    )


def without_keys(url: str) -> str:
    """Return an address with the password, and the values of key-like fields, hidden."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    pairs = [
        (name, HIDDEN if _KEY_LIKE.search(name) and value else value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    ]
    query = parts.query
    if any(value == HIDDEN for _, value in pairs):
        query = urlencode(pairs, safe="*:,")
    return urlunsplit((parts.scheme, place, parts.path, query, ""))


def same_place(url: str, target: str) -> bool:
    """Tell whether a redirect stays with the host that was named, and as safe as it was."""
    here, there = urlsplit(url), urlsplit(target)
    if here.hostname != there.hostname or there.username is not None:
        return False
    if (here.scheme, here.port) == (there.scheme, there.port):
        return True
    upgraded = (here.scheme, there.scheme) == ("http", "https")
    return upgraded and here.port in (None, 80) and there.port in (None, 443)


def _check(url: str, shown: str) -> None:
    parts = urlsplit(url)
    told = ""
    try:
        bad_port = parts.port == 0
    except ValueError:
        bad_port = True
    if parts.scheme not in ("http", "https") or not parts.hostname or bad_port:
        told = "is no http or https address"
    elif _CONTROL.search(url):
        told = "holds a blank or a control character"
    elif parts.username is not None or parts.password is not None:
        told = "holds a user name or a password"
    if told:
        refuse(
            "FEED_BAD_URL",
            path="url",
            value=_CONTROL.sub("?", shown),
            reason=f"the address {told}",
            remedy="Write it like https://host/path; keys come from the environment",
        )


def _check_key(secret: Secret, shown: str) -> None:
    """Refuse a key that no header can carry, before a library prints it in its complaint."""
    if not secret.value or not secret.value.isascii() or _CONTROL.search(secret.value):
        refuse(
            "FEED_BAD_KEY",
            path=shown,
            value="",
            reason=f"the key for {secret.name!r} is empty, or holds a blank, a line end or a "
            "letter outside ASCII",
            remedy="Set it again in the environment, without quotes or line ends",
        )


def _values_hidden_in(url: str) -> list[str]:
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=False)
    return [value for name, value in pairs if _KEY_LIKE.search(name)]


def _spellings(value: str) -> set[str]:
    """Return the ways in which a key may stand in an address or a text."""
    return {value, quote(value, safe=""), quote(value), quote_plus(value)} - {""}


def _with_fields(url: str, fields: Mapping[str, str]) -> str:
    if not fields:
        return url
    parts = urlsplit(url)
    added = urlencode(fields, safe="*:,")
    query = f"{parts.query}&{added}" if parts.query else added
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))

"""A page of metrics, read for a few wanted names only: strict, and fast enough for fifty engines.

The format is Prometheus' text format 0.0.4, and OpenMetrics 1.0 as far as counters and gauges
go. A line is looked at only if a wanted name stands on it: everything else is never split.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NoReturn

from tokenergy.company.refusal import refuse

Labels = tuple[tuple[str, str], ...]

_VALUE: Final = re.compile(
    rb"[ \t]*([+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[Ii]nf(?:inity)?|[Nn]a[Nn]))"
    rb"(?:[ \t]+[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)?(?:[ \t]+#[ \t]*\{.*)?[ \t\r]*\Z"
)
_LABEL: Final = re.compile(
    r'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*(,|\Z)', re.DOTALL
)
_IN_BRACES: Final = re.compile(rb'\{((?:[^"{}]|"(?:[^"\\]|\\.)*")*)\}')
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_MEANT: Final = {"n": "\n", "\\": "\\", '"': '"'}
_ANY_SAMPLE: Final = re.compile(
    rb"^[ \t]*[a-zA-Z_:][a-zA-Z0-9_:]*(?:[ \t]*\{[^\n]*\})?[ \t]+[-+]?[0-9.INin]", re.MULTILINE
)
_NAME: Final = re.compile(rb"^[ \t]*(?:#[ \t]+TYPE[ \t]+)?([a-zA-Z_:][a-zA-Z0-9_:]*)", re.MULTILINE)
_EOF: Final = b"# EOF"
SHOWN_CHARACTERS: Final = 80


@dataclass(frozen=True, slots=True)
class Series:
    """One line: labels sorted by name, and a value; None where the engine said NaN or Inf."""

    labels: Labels
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page says of the wanted names.

    Attributes:
        series: by name as it stands on the page, in its order.
        helps: the HELP text of wanted names that have one, `_total` or not.
        declared: wanted names that a TYPE line declares, whether or not a value follows.
        closed: whether the page ends with `# EOF`.
        whole: whether its last line is ended; an unended one may have lost digits, and is
            left out.
    """

    series: Mapping[str, tuple[Series, ...]]
    helps: Mapping[str, str]
    declared: frozenset[str]
    closed: bool
    whole: bool


def read_page(body: bytes, wanted: Collection[str], *, path: str = "") -> Page:
    """Return the series of the wanted names.

    Raises:
        FindingsError: METRICS_BAD_LINE for a wanted line that is no sample, or stands twice.
    """
    text = body.rstrip(b" \t\r")
    closed = text.rstrip(b"\n\r \t").endswith(_EOF)
    whole = closed or text.endswith(b"\n") or not text
    if not whole:
        text = text[: text.rfind(b"\n") + 1]
    series: dict[str, tuple[Series, ...]] = {}
    helps: dict[str, str] = {}
    declared: set[str] = set()
    for name in wanted:
        found = _lines_of(text, name, helps, declared, path)
        if found:
            series[name] = tuple(Series(labels, value) for labels, value in found.items())
    return Page(
        series=series, helps=helps, declared=frozenset(declared), closed=closed, whole=whole
    )


def looks_like_metrics(body: bytes) -> bool:
    """Tell whether any line of a page is a sample, whatever its name."""
    return _ANY_SAMPLE.search(body) is not None


def names_on(body: bytes) -> tuple[str, ...]:
    """Return every name on a page, once each: for errors, never on the way of a reading."""
    return tuple(dict.fromkeys(match.decode() for match in _NAME.findall(body)))


def _lines_of(
    text: bytes, name: str, helps: dict[str, str], declared: set[str], path: str
) -> dict[Labels, float | None]:
    """Find the lines that begin with `name`, jumping from one occurrence of it to the next."""
    key = name.encode()
    family = key.removesuffix(b"_total")
    found: dict[Labels, float | None] = {}
    at = text.find(family)
    while at >= 0:
        begin = text.rfind(b"\n", 0, at) + 1
        end = text.find(b"\n", at)
        end = len(text) if end < 0 else end
        head = text[begin:at].strip(b" \t")
        follows = text[at + len(key) : at + len(key) + 1]
        if head:
            _keep_comment(head, text[at:end], name, helps, declared)
        elif text.startswith(key, at) and follows in (b"{", b" ", b"\t"):
            labels, value = _sample(text[at + len(key) : end], name, path)
            if labels in found:
                _bad_line(path, text[at:end], "the same series stands on the page twice")
            found[labels] = value
        at = text.find(family, end)
    return found


def _keep_comment(
    head: bytes, rest: bytes, name: str, helps: dict[str, str], declared: set[str]
) -> None:
    """Keep what a HELP or TYPE line says of a wanted name; OpenMetrics leaves `_total` out."""
    words = head.split()
    if len(words) != 2 or words[0] != b"#" or words[1] not in (b"HELP", b"TYPE"):
        return
    told, _, about = rest.partition(b" ")
    if told.decode("utf-8", "replace").strip() not in (name, name.removesuffix("_total")):
        return
    if words[1] == b"HELP":
        helps[name] = about.decode("utf-8", "replace").strip()
    else:
        declared.add(name)


def _sample(rest: bytes, name: str, path: str) -> tuple[Labels, float | None]:
    rest = rest.lstrip(b" \t")
    labels: Labels = ()
    if rest.startswith(b"{"):
        braces = _IN_BRACES.match(rest)
        if braces is None:
            _bad_line(path, name.encode() + rest, "its labels do not end")
        try:
            parsed = _labels(braces.group(1))
        except UnicodeDecodeError:
            parsed = None
        if parsed is None:
            _bad_line(path, name.encode() + rest, "its labels cannot be read")
        labels, rest = parsed, rest[braces.end() :]
    match = _VALUE.match(rest)
    if match is None:
        _bad_line(path, name.encode() + b" " + rest, "no number follows the name")
    value = float(match.group(1))
    return labels, value if abs(value) < float("inf") else None


@lru_cache(maxsize=8192)
def _labels(raw: bytes) -> Labels | None:
    """Read what stands between braces; pages repeat it from reading to reading."""
    text = raw.decode("utf-8").strip(" \t")
    pairs: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _LABEL.match(text, at)
        if match is None or match.group(1) in pairs:
            return None
        pairs[match.group(1)] = _ESCAPED.sub(_unescaped, match.group(2))
        at = match.end()
        if match.group(3) == "" and at < len(text):
            return None
    return tuple(sorted(pairs.items()))


def _unescaped(match: re.Match[str]) -> str:
    return _MEANT.get(match.group(1), match.group(0))


def _bad_line(path: str, line: bytes, reason: str) -> NoReturn:
    shown = line.decode("utf-8", "replace").strip()[:SHOWN_CHARACTERS]
    refuse(
        "METRICS_BAD_LINE",
        path=path,
        value=shown,
        reason=f"a line of the metrics cannot be used: {reason}",
        remedy="Open the address in a browser: something between us and the engine rewrites it, "
        "or the address is not the engine's",
    )

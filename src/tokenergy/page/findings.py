"""A finding on a page: what is wrong, where it is, and what to do about it."""

from collections.abc import Mapping
from html import escape
from pathlib import PurePath
from typing import Any


def finding_html(finding: Mapping[str, Any]) -> str:
    """Return a finding as a sentence, where it is, and what to do about it."""
    unit = f" {finding['unit']}" if finding.get("unit") else ""
    held = [f"{word} {finding[word]}{unit}" for word in ("value", "limit") if finding.get(word)]
    line = f":{finding['line']}" if finding.get("line") else ""
    place = " at ".join(
        f"<code>{escape(str(part))}</code>" for part in (finding["code"], finding["path"]) if part
    )
    # a page is forwarded: the folders of who made it are nobody's business
    name = PurePath(str(finding.get("file") or "")).name
    file = f" in {escape(name)}{line}" if name else ""
    tail = f" ({escape(', '.join(held))})" if held else ""
    kind = "finding fault" if finding.get("severity") == "error" else "finding"
    return (
        f'<div class="{kind}"><p>{escape(_sentence(finding["reason"]))}{tail}.</p>'
        f'<p>{escape(_sentence(finding["remedy"]))}.</p><p class="facts">{place}{file}</p></div>'
    )


def _sentence(text: object) -> str:
    return str(text).rstrip(". ")

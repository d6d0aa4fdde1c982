"""The report of a failed run: what failed, with its remedy, before what was computed until then."""

from collections.abc import Callable

import pytest
import telling

from tokenergy.page.report import ReportData, report_html

NOTHING = {
    "full_cost": {}, "scorecard": {"policies": {}}, "balance": (), "prices": (), "supply": {},
    "demand_mtok": {}, "policy": "", "message": "", "economics": None, "split": None,
    "settlement": None, "decisions": (), "thesis": None,
}  # fmt: skip


@pytest.fixture(scope="module")
def text(make_data: Callable[..., ReportData]) -> str:
    return report_html(make_data(**NOTHING, failed=telling.failed()))


def test_it_says_what_failed_and_what_to_do(text: str) -> None:
    assert "<title>Meridian: this run failed</title>" in text
    assert "simulating the policies" in text
    assert (
        "frankfurt cannot carry &lt;b&gt;chat-europe&lt;/b&gt; (value 6.4 MW, limit 6 MW)." in text
    )
    assert "Raise import_limit_mw." in text
    assert 'role="alert"' in text
    assert "<figure" not in text
    assert " in meridian.yaml:12" in text
    assert "/home/me" not in text, "a page is forwarded"
    assert "Then run it again: <code>tokenergy report meridian.yaml</code>" in text


def test_nothing_is_shown_as_a_figure_that_was_not_computed(text: str) -> None:
    assert '<section id="failed"' in text
    for absent in ('id="now"', 'id="scorecard"', 'id="full"', 'class="tiles'):
        assert absent not in text


def test_what_was_computed_before_it_is_shown(make_data: Callable[..., ReportData]) -> None:
    text = report_html(make_data(economics=None, failed=telling.failed()))
    assert text.index('id="failed"') < text.index('id="now"') < text.index('id="scorecard"')
    assert "what had been computed until then" in text


def test_a_fault_of_ours_says_so(make_data: Callable[..., ReportData]) -> None:
    ours = telling.failed() | {"findings": [], "error": "bills <differ>", "ours": True}
    text = report_html(make_data(**NOTHING, failed=ours))
    assert "<pre>bills &lt;differ&gt;</pre>" in text
    assert "please report it" in text

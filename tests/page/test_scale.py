"""A company of sixty sites and a year of hours: its report stays one that a reader can use.

What keeps a reader waiting is counted, never clocked: the long tasks of the browser, beside those
of the report of six sites and a fortnight, in the same run on the same machine.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from browsing import LongTasks, Looked, browsing, needs_browser
from large_report import SITES_COUNT, YEAR_H, carbon, large_report

from tokenergy.page.report import ReportData, write_report

pytestmark = [
    needs_browser,
    pytest.mark.slow,  # half a million rows by hand, a report of them, and two pages to draw
]
LARGEST_BYTES = 6_000_000
MORE_RATIO, MORE_COUNT = 3.0, 15
"""So many times the long tasks of the small report, and so many more, may the large one have."""
LONGER_RATIO = 5.0
"""So many times the longest task of the small report may that of the large one last."""
TURNS_COUNT = 30
FIRST_CHART = """
new MutationObserver((found, observer) => {
  if (!document.querySelector('figure[data-state="drawn"]')) return;
  window.firstChartMs = performance.now();
  observer.disconnect();
}).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-state"] });
"""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """How a report opened, and how it was to read in it afterwards."""

    opening: LongTasks
    reading: LongTasks
    first_paint_ms: float
    first_chart_ms: float
    console: list[str]
    asked: list[str]
    too_wide: list[str]
    drawn_count: int
    figures_count: int


@pytest.fixture(scope="module")
def large(make_data: Callable[..., ReportData], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    return write_report(large_report(make_data), folder / "report.html")


@pytest.fixture(scope="module")
def seen_large(large: Path) -> Seen:
    return seen(large)


@pytest.fixture(scope="module")
def seen_small(
    make_data: Callable[..., ReportData], tmp_path_factory: pytest.TempPathFactory
) -> Seen:
    """Return the same charts of six sites and a fortnight."""
    data = make_data(**carbon(make_data().balance))
    return seen(write_report(data, tmp_path_factory.mktemp("small") / "report.html"))


def seen(path: Path) -> Seen:
    """Open a report, wait until it is drawn, then read in it: scroll, open folds, press keys."""
    with browsing(1440) as looked:
        looked.page.add_init_script(FIRST_CHART)
        looked.open(path)
        opening = looked.long_tasks()
        figures = looked.page.locator("figure[data-chart]")
        return Seen(
            opening=opening,
            reading=reading(looked),
            first_paint_ms=looked.page.evaluate(
                "performance.getEntriesByName('first-contentful-paint')[0].startTime"
            ),
            first_chart_ms=looked.page.evaluate("window.firstChartMs"),
            console=looked.console,
            asked=looked.asked,
            too_wide=looked.too_wide(),
            drawn_count=looked.page.locator("figure[data-state=drawn]").count(),
            figures_count=figures.count(),
        )


def reading(looked: Looked) -> LongTasks:
    page = looked.page
    page.evaluate("window.longTasks = []")
    for _ in turns():
        page.mouse.wheel(0, 900)
        page.wait_for_timeout(20)
    page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
    for _ in turns():
        page.keyboard.press("Tab")
    page.wait_for_timeout(200)
    return looked.long_tasks()


def turns() -> Iterator[int]:
    yield from range(TURNS_COUNT)


def test_the_file_stays_small(large: Path) -> None:
    assert large.stat().st_size <= LARGEST_BYTES
    assert SITES_COUNT * YEAR_H == 525_600


def test_everything_is_drawn_and_nobody_complains(seen_large: Seen) -> None:
    assert seen_large.console == []
    assert seen_large.asked == []
    assert seen_large.too_wide == []
    assert seen_large.drawn_count == seen_large.figures_count > 10


def test_the_words_are_painted_before_the_first_chart(seen_large: Seen, seen_small: Seen) -> None:
    for each in (seen_large, seen_small):
        assert 0.0 < each.first_paint_ms < each.first_chart_ms


def test_it_keeps_a_reader_waiting_little_more_often_than_a_small_report(
    seen_large: Seen, seen_small: Seen
) -> None:
    for large, small in (
        (seen_large.opening, seen_small.opening),
        (seen_large.reading, seen_small.reading),
    ):
        assert large.count <= MORE_RATIO * small.count + MORE_COUNT
    longest_ms = max(seen_small.opening.longest_ms, seen_small.reading.longest_ms)
    assert seen_large.opening.longest_ms <= LONGER_RATIO * longest_ms
    assert seen_large.reading.longest_ms <= LONGER_RATIO * longest_ms

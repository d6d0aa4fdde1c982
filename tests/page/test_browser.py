"""The page as a browser draws it, with the network off. Skips where no chromium is installed."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tokenergy.page.report import ReportData, write_report

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHARTS_COUNT = 15
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium"),
]
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--hide-scrollbars",
    "--virtual-time-budget=30000", "--dump-dom",
)  # fmt: skip


def drawn(path: Path, folder: Path, *more: str) -> tuple[str, list[str]]:
    """Return the document after its script ran, and what the console said."""
    assert CHROMIUM is not None
    answer = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", *more, path.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=180,
    )
    return answer.stdout, re.findall(r"^.*CONSOLE.*$", answer.stderr, re.MULTILINE)


@pytest.mark.parametrize("size", ["1280,1000", "500,900"])
def test_every_chart_is_drawn_within_the_page_and_nobody_complains(
    data: ReportData, tmp_path: Path, size: str
) -> None:
    path = write_report(data, tmp_path / "report.html")
    dom, console = drawn(path, tmp_path, f"--window-size={size}")
    assert console == []
    assert 'data-charts="done"' in dom
    figures = re.findall(r"<figure.*?</figure>", dom, re.DOTALL)
    assert len(figures) == CHARTS_COUNT
    assert all('data-state="drawn"' in figure and "<svg" in figure for figure in figures)
    widths = {
        re.findall(r'data-chart="([^"]*)"', figure)[0]: float(width)
        for figure in figures
        for width in re.findall(r'<svg[^>]*? width="([0-9.]+)"', figure)
    }
    most = float(size.partition(",")[0])
    wide = {name for name, width in widths.items() if width > most}
    assert wide <= {"scorecard"}  # three panels side by side: it scrolls in its own frame
    for site in ("texas", "frankfurt", "sydney"):
        assert re.search(rf"<text[^>]*>{site}</text>", dom)


def test_a_name_with_markup_is_drawn_as_a_name(
    make_data: Callable[..., ReportData], tmp_path: Path
) -> None:
    name = "<img src=x onerror=document.title='run'><script>document.title='run'</script>"
    data = make_data()
    evil = make_data(
        balance=[dict(row) | {"site": name} for row in data.balance[::6]],
        prices=[dict(row) | {"workload": name} for row in data.prices[::42]],
        supply={name: data.supply["films"]},
        demand_mtok={name: 120.0},
        heading=dict(data.heading) | {"company": name},
    )
    dom, console = drawn(write_report(evil, tmp_path / "report.html"), tmp_path)
    assert console == []
    assert "<title>run" not in dom
    assert "<img" not in re.sub(r"<script.*?</script>", "", dom, flags=re.DOTALL)
    assert dom.count('data-state="drawn"') == CHARTS_COUNT


def test_a_run_of_one_hour_is_drawn(make_data: Callable[..., ReportData], tmp_path: Path) -> None:
    data = make_data()
    one = make_data(balance=data.balance[:6], prices=data.prices[:42])
    dom, console = drawn(write_report(one, tmp_path / "report.html"), tmp_path)
    assert console == []
    assert dom.count('data-state="drawn"') == CHARTS_COUNT

"""The pictures of a report: names, an index, and a folder that is never half new."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tokenergy.errors import InputError
from tokenergy.page import gallery
from tokenergy.page.gallery import INDEX, refuse_no_gallery, write_gallery
from tokenergy.page.report import ReportData


@pytest.fixture(scope="module")
def few(make_data: Callable[..., ReportData]) -> ReportData:
    """Return a report with few charts: drawing them costs most of these tests' time."""
    return make_data(
        economics=None, split=None, balance=(), prices=(), thesis=None, settlement=None
    )


@pytest.mark.slow  # renders twenty charts twice
def test_every_chart_is_a_file_in_each_format_and_stands_in_the_index(
    few: ReportData, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    told: list[tuple[str, int, int]] = []
    written = write_gallery(few, folder, on_progress=lambda *step: told.append(step))
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    names = [chart["name"] for chart in index["charts"]]
    assert {"supply", "scorecard"} <= set(names)
    assert {path.name for path in written} == {
        f"{name}.{kind}" for name in names for kind in ("svg", "png")
    }
    assert {path.name for path in folder.iterdir()} == {path.name for path in written} | {INDEX}
    assert all("UTC" in chart["states"] for chart in index["charts"])
    assert (folder / "scorecard.svg").read_bytes().startswith(b"<svg")
    assert (folder / "scorecard.png").read_bytes().startswith(b"\x89PNG")
    assert told[-1][1:] == (len(names), len(names))
    again = write_gallery(few, folder, ["svg"])
    assert {path.name for path in folder.iterdir()} == {path.name for path in again} | {INDEX}
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_a_chart_that_cannot_be_drawn_leaves_the_folder_as_it_was(
    few: ReportData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / INDEX).write_text('{"charts": [{"files": ["old.svg"]}]}')
    (folder / "old.svg").write_text("old")

    def fail(chart: object, path: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(gallery.FORMATS, "png", fail)
    with pytest.raises(InputError, match="No space left on device"):
        write_gallery(few, folder, ["png"])
    assert {path.name for path in folder.iterdir()} == {INDEX, "old.svg"}
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_what_no_report_wrote_is_never_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="this shell stands in it"):
        refuse_no_gallery(Path(), ["svg"])
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds mine\.txt, which no report wrote"):
        refuse_no_gallery(tmp_path, ["svg"])
    with pytest.raises(InputError, match="it is a file"):
        refuse_no_gallery(tmp_path / "mine.txt", ["svg"])
    with pytest.raises(InputError, match="there is no folder"):
        refuse_no_gallery(tmp_path / "a" / "b", ["svg"])
    with pytest.raises(InputError, match="svg or png, not as 'pdf'"):
        refuse_no_gallery(tmp_path / "new", ["svg", "pdf"])

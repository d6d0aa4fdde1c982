"""The charts of a report as pictures in a folder: all of them, or the folder stays as it was."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tokenergy.errors import InputError
from tokenergy.page.data import ReportData
from tokenergy.page.picture import chart_png, chart_svg
from tokenergy.page.sections import sections

INDEX: Final = "charts.json"
"""Lists the pictures of a folder, and makes it one of ours."""
FORMATS: Final = {"svg": chart_svg, "png": chart_png}


def refuse_no_gallery(folder: Path, formats: Sequence[str]) -> None:
    """Refuse, before any work, a folder that holds something else, and formats nobody can write.

    Raises:
        InputError: saying what is in the way.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        named = ", ".join(map(repr, unknown)) or "none"
        raise InputError(f"pictures are written as {' or '.join(FORMATS)}, not as {named}")
    if not folder.parent.is_dir():
        raise InputError(
            f"cannot write {folder}: there is no folder {folder.parent}; make it first"
        )
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"cannot write {folder}: it is a file; name a folder")
    strange = sorted({path.name for path in folder.iterdir()} - _ours(folder))
    if strange:
        raise InputError(
            f"{folder} holds {', '.join(strange[:3])}{' and more' if len(strange) > 3 else ''}, "
            "which no report wrote: name another folder"
        )
    if Path.cwd().is_relative_to(folder.resolve()):
        raise InputError(
            f"cannot write {folder}: this shell stands in it; name a folder of its own"
        )


def _ours(folder: Path) -> set[str]:
    """Return the names that an older report wrote into a folder, its index among them."""
    try:
        told = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        return {INDEX, *(file for chart in told["charts"] for file in chart["files"])}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def write_gallery(
    data: ReportData,
    folder: Path,
    formats: Sequence[str] = tuple(FORMATS),
    *,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> tuple[Path, ...]:
    """Write every chart of a report as NAME.svg and NAME.png, and an index of them.

    A name is that of the chart in the page and stays the same from report to report. The
    pictures are drawn beside the folder and take its place when all are there.

    Returns:
        the pictures, in the order of the report.

    Raises:
        InputError: if the folder holds something else, or cannot be written.
    """
    refuse_no_gallery(folder, formats)
    charts = [each for section in sections(data) for each in section.charts.items()]
    try:
        part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".part"))
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from error
    try:
        told = []
        for at, (name, chart) in enumerate(charts):
            if on_progress is not None:
                on_progress("drawing", at, len(charts))
            files = [FORMATS[kind](chart, part / f"{name}.{kind}").name for kind in formats]
            told.append(_entry(name, chart, files))
        index = {"company": data.heading.get("company"), "charts": told}
        (part / INDEX).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
        part.chmod(0o755)
        _take_place(part, folder)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    if on_progress is not None:
        on_progress("drawing", len(charts), len(charts))
    return tuple(_pictures(folder, told))


def _entry(name: str, chart: Any, files: Sequence[str]) -> dict[str, Any]:
    """Return what the index says of a chart: name, title, what it states, its files."""
    title = chart.title
    return {"name": name, "title": title.text, "states": title.subtitle[0], "files": list(files)}


def _pictures(folder: Path, told: Sequence[dict[str, Any]]) -> Iterator[Path]:
    for chart in told:
        yield from (folder / file for file in chart["files"])


def _take_place(part: Path, folder: Path) -> None:
    """Put a folder where another one was; where that fails, the old one is there again."""
    if not folder.exists():
        part.rename(folder)
        return
    old = part.with_suffix(".old")
    folder.rename(old)
    try:
        part.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)

"""A chart as a picture: PNG or SVG through vl-convert, nothing fetched."""

import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from tokenergy.errors import InputError
from tokenergy.page.palette import config


def chart_png(chart: Any, path: Path, *, scale_ratio: float = 2.0, dark: bool = False) -> Path:
    """Write an altair chart as PNG.

    Raises:
        InputError: if the file cannot be written.
    """
    import vl_convert

    spec = _pictured(chart, dark=dark)
    picture = vl_convert.vegalite_to_png(spec, vl_version=bundled_version(), scale=scale_ratio)
    return write_whole(path, picture)


def chart_svg(chart: Any, path: Path, *, dark: bool = False) -> Path:
    """Write an altair chart as SVG.

    Raises:
        InputError: if the file cannot be written.
    """
    import vl_convert

    spec = _pictured(chart, dark=dark)
    picture = vl_convert.vegalite_to_svg(spec, vl_version=bundled_version())
    return write_whole(path, picture.encode())


def _pictured(chart: Any, *, dark: bool) -> dict[str, Any]:
    spec: dict[str, Any] = chart.to_dict()
    ground = "#15151B" if dark else "#FFFFFF"
    spec["config"] = config(dark=dark) | {"background": ground, "padding": 16}
    return spec


@cache
def bundled_version() -> str:
    """Return the version of Vega-Lite that vl-convert holds for altair's specifications."""
    import altair
    import vl_convert

    wanted = altair.SCHEMA_VERSION.removeprefix("v")
    major = wanted.split(".")[0]
    held = [name for name in vl_convert.get_vegalite_versions() if name.split(".")[0] == major]
    exact = ".".join(wanted.split(".")[:2])
    return exact if exact in held else held[-1]


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file so that it is there whole or not at all.

    Raises:
        InputError: if it cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        part.chmod(0o644)
        part.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    return path

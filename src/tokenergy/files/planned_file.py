"""The company file of a plan: what a person wrote, with the sizes that the plan chose.

Whatever differs between the company and what is built of it is edited in the person's own text, so
that comments and order stay. The text is read back before it is given away: it says exactly the
company that was planned, or it is written anew without comments, and says so.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from tokenergy.company.company import Company
from tokenergy.errors import InputError, UnexpectedError
from tokenergy.files.whole_file import write_whole_file
from tokenergy.files.yaml_edit import CannotKeep, edited
from tokenergy.files.yaml_text import parse_yaml

HEAD: Final = "# Planned by `tokenergy plan`"
"""How a planned file begins: an older one may be replaced, nothing else may."""
PATHS: Final = ("operating_points", "calibration")
"""Keys of a company that name a file beside it."""
SERIES: Final = (frozenset({"file", "column"}), frozenset({"file", "input_column"}))
"""Keys of what names a file in `file`."""


def planned_text(
    text: str,
    *,
    built: Company,
    note: str,
    folder: Path | None = None,
    target_folder: Path | None = None,
) -> str:
    """Return the company file of a plan.

    Args:
        text: the company file as a person wrote it; it has passed its checks.
        built: what is built of it: other sizes, and without what has none.
        note: what stands in the first lines, about the plan.
        folder: of the company file, which its paths are relative to.
        target_folder: of the planned file; None: the same.

    Raises:
        UnexpectedError: if what was written does not read back as `built`: a fault of ours.
    """
    was = Company.model_validate(parse_yaml(text).tree).model_dump()
    now = built.model_dump()
    if folder is not None and target_folder is not None:
        now = _moved(now, folder, target_folder)
    head = "".join(f"# {line}".rstrip() + "\n" for line in note.splitlines())
    head = f"{HEAD}; edit freely, it is a company file like any other.\n{head}"
    try:
        made = head + edited(text.removeprefix("\ufeff"), was, now)
        if _reads_as(made, now):
            return made
    except (CannotKeep, yaml.YAMLError):
        pass  # written anew below, which the file itself says
    anew = f"{head}# Written anew: the comments of the original could not be kept in place.\n"
    made = anew + _dumped(built, now)
    if not _reads_as(made, now):
        raise UnexpectedError("the planned company file does not read back as what was planned")
    return made


def write_planned(text: str, out: Path) -> Path:
    """Write a planned company file whole.

    Raises:
        InputError: if the file cannot be written.
    """
    try:
        write_whole_file(out, text)
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror or error}") from error
    return out


def _dumped(built: Company, now: Mapping[str, Any]) -> str:
    """Return a company as YAML: only what somebody stated, in the order of the nouns."""
    stated = built.model_dump(mode="json", exclude_unset=True)
    return yaml.safe_dump(_repathed(stated, now), sort_keys=False, width=100, allow_unicode=True)


def _reads_as(text: str, now: Mapping[str, Any]) -> bool:
    """Tell whether a text reads back as exactly this company."""
    read = parse_yaml(text)
    if read.findings:
        return False
    try:
        return Company.model_validate(read.tree).model_dump() == now
    except ValidationError:
        return False


def _moved(now: Mapping[str, Any], folder: Path, target: Path) -> dict[str, Any]:
    """Return a company whose relative paths are seen from another folder."""
    if folder.resolve() == target.resolve():
        return dict(now)

    def path(name: str) -> str:
        if Path(name).is_absolute():
            return name
        return Path(os.path.relpath((folder / name).resolve(), target.resolve())).as_posix()

    def seen(value: Any) -> Any:
        if isinstance(value, Mapping):
            held = {key: seen(each) for key, each in value.items()}
            if any(wanted <= held.keys() for wanted in SERIES):
                held["file"] = path(held["file"])
            return held
        return tuple(map(seen, value)) if isinstance(value, tuple) else value

    made: dict[str, Any] = seen(now)
    return made | {key: path(made[key]) for key in PATHS if made.get(key)}


def _repathed(stated: Any, now: Any) -> Any:
    """Return what is stated with the paths of `now`."""
    if isinstance(stated, Mapping):
        held = {key: _repathed(value, now[key]) for key, value in stated.items()}
        moved = any(wanted <= now.keys() for wanted in SERIES)
        names = ("file",) if moved else tuple(key for key in PATHS if key in stated)
        return held | {name: now[name] for name in names}
    if isinstance(stated, list):
        return [_repathed(each, other) for each, other in zip(stated, now, strict=True)]
    return stated

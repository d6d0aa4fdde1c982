"""Opening a company file where somebody watches."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenergy.api.opened import OpenCompany, Progress


def opened_company(file: Path, told: "Progress", **how: Any) -> "OpenCompany":
    """Open a company file, and tell that it is being read: a year of a large one takes seconds.

    Args:
        file: the company file.
        told: told before and after.
        how: what `tokenergy.api.load` takes: start, days, seed and so on.

    Raises:
        FindingsError: with every error of the file.
    """
    from tokenergy.api import load

    what = f"reading {file.name}"
    told(what, 0, 1)
    opened = load(file, **how)
    told(what, 1, 1)
    return opened

"""Changes of a company file's tree, and what `check` finds after them."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from tokenergy.company.check import check_company
from tokenergy.company.company import Company
from tokenergy.company.finding import Finding
from tokenergy.files.catalogue import load_catalogue

Tree = dict[str, Any]
Change = Callable[[Tree], None]


def put(place: str, value: Any) -> Change:
    """Return a change of one place, e.g. `sites.0.pue`; a last step of `+` appends."""

    def change(tree: Tree) -> None:
        item, last = _reached(tree, place)
        if last == "+":
            item.append(value)
        else:
            item[last] = value

    return change


def take(place: str) -> Change:
    """Return the removal of one key or item."""

    def change(tree: Tree) -> None:
        item, last = _reached(tree, place)
        del item[last]

    return change


def _reached(tree: Tree, place: str) -> tuple[Any, Any]:
    *around, last = [int(step) if step.isdigit() else step for step in place.split(".")]
    item: Any = tree
    for step in around:
        item = item[step]
    return item, last


def found_in(clean: Tree, *changes: Change) -> tuple[Finding, ...]:
    """Return the findings of a tree after some changes; the tree itself stays."""
    tree = deepcopy(clean)
    for change in changes:
        change(tree)
    return check_company(Company.model_validate(tree), load_catalogue())


def only_in(clean: Tree, *changes: Change) -> Finding:
    """Return the one finding of a tree after some changes; it says why and what to do."""
    (finding,) = found_in(clean, *changes)
    assert finding.reason
    assert finding.remedy
    return finding

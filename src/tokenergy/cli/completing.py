"""What a shell may put in where somebody presses Tab."""

import csv
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Final

Completion = Callable[[str], list[str]]
"""Takes the letters that stand there and returns what they may become."""
CATALOGUE: Final = "tokenergy.catalogue"
NAMES: Final = ("model_id", "hub_id", "accelerator")
"""Columns of the catalogue that hold a name which somebody may type."""


def one(*words: str) -> Completion:
    """Return what completes one of these words."""

    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return complete


def listed(*words: str) -> Completion:
    """Return what completes the last of comma-separated words, and names none of them twice."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        used = before.split(",")
        return [
            f"{before}{comma}{word}" for word in words if word.startswith(last) and word not in used
        ]

    return complete


def models(incomplete: str) -> list[str]:
    """Complete the id or the hub id of a model of the catalogue."""
    return sorted(
        name for name in _names("models.csv", "media_models.csv") if name.startswith(incomplete)
    )


def accelerators(incomplete: str) -> list[str]:
    """Complete the name of an accelerator of the catalogue."""
    return [name for name in _names("accelerators.csv") if name.startswith(incomplete)]


def _names(*tables: str) -> Iterator[str]:
    """Yield the names in tables of the catalogue, without loading what else they hold."""
    for table in tables:
        text = files(CATALOGUE).joinpath(table).read_text(encoding="utf-8")
        for row in csv.DictReader(text.splitlines()):
            yield from (row[name] for name in NAMES if row.get(name))

"""How a number is written: few digits, thousands apart, the exact value kept beside it."""

import math
from html import escape
from typing import Any, TypeGuard

MISSING = "–"
"""Stands where a figure would say nothing, or was not computed."""


def significant(value: float, digits_count: int = 3) -> str:
    """Write a number with that many significant digits, never fewer than its whole ones."""
    if value == 0.0:
        return "0"
    decimals = digits_count - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, max(decimals, 0))
    if rounded != 0.0:
        decimals = digits_count - 1 - math.floor(math.log10(abs(rounded)))
    return _signed(f"{rounded:,.{min(max(decimals, 0), 9)}f}")


def money(value: float) -> str:
    """Write an amount of money: whole units from 1,000 upwards, else cents."""
    return _signed(f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:,.2f}")


def cents(value: float) -> float:
    """Return an amount rounded to a cent: what is less is arithmetic's, and no bar of a chart."""
    return round(value, 2) + 0.0


def percent(value: float, decimals: int = 1) -> str:
    """Write a share as per cent."""
    return _signed(f"{100.0 * value:,.{decimals}f}") + "\N{NO-BREAK SPACE}%"


def amount(value: float) -> str:
    """Write a quantity: whole from 100 upwards, else three digits; below a millionth nothing."""
    if abs(value) < 1e-6:
        return "0"
    return _signed(f"{value:,.0f}") if abs(value) >= 100.0 else significant(value)


def _signed(text: str) -> str:
    """Return the number with a minus sign that is one, and no minus before nothing."""
    if text.startswith("-") and not text.strip("-0.,"):
        return text[1:]
    return text.replace("-", "−")


def known(value: Any) -> TypeGuard[float]:
    """Tell whether a figure is there and finite."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(float(value))
    )


def cell(value: Any, write: Any = significant) -> str:
    """Return a figure as HTML: `<data>` with the exact value, or the sign of a missing one."""
    if not known(value):
        return f'<span class="missing" title="not computed, or without meaning">{MISSING}</span>'
    return f'<data value="{escape(repr(value))}">{write(float(value))}</data>'

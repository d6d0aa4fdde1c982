"""Whole-number sums of a ledger: tokens read and written, requests, what tenants were charged.

A row's quantity is tokens in Mtok, so rounding it row by row gives the tokens back exactly.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from tokenergy.units import NANO_USD_PER_USD

_SPLIT: Final = 1_000_000
_IS_CHARGE: Final = (
    "source = 'serve' AND kind = 'settlement' AND component IN ('charge_input', "
    "'charge_cached_input', 'charge_output', 'charge_request', 'charge_difference')"
)
_WEIGHT: Final = "CASE WHEN part LIKE 'sample:%' THEN CAST(substr(part, 8) AS REAL) ELSE 1 END"


def _tokens(component: str) -> str:
    return (
        f"sum(CASE WHEN component = '{component}' AND unit = 'Mtok' "
        "THEN CAST(round(quantity * 1e6) AS INTEGER) ELSE 0 END)"
    )


def _charged(half: str) -> str:
    return f"sum(CASE WHEN {_IS_CHARGE} THEN amount_nano_usd {half} {_SPLIT} ELSE 0 END)"


COLUMNS: Final = (
    _tokens("input"),
    _tokens("cached_input"),
    _tokens("serve"),
    f"sum(CASE WHEN kind = 'request' AND component = 'serve' THEN {_WEIGHT} ELSE 0 END)",
    _charged("/"),
    _charged("%"),
)
"""What to select for `as_served`."""


class ServedSum(NamedTuple):
    """What requests read, wrote and were charged.

    Attributes:
        input_tokens: all input, cached included.
        cached_input_tokens: the part of it that a cache answered.
        output_tokens: tokens of the answers.
        requests_count: requests that were served; of a sample, how many it stands for.
        charged_nano_usd: what tenants were charged, in nano-dollars.
    """

    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    requests_count: int
    charged_nano_usd: int

    def to_dict(self) -> dict[str, Any]:
        """Return the sums as a JSON-ready mapping."""
        return {**self._asdict(), "charged_usd": self.charged_nano_usd / NANO_USD_PER_USD}


def as_served(values: Sequence[Any]) -> ServedSum:
    """Return what a row of `COLUMNS` tells."""
    read, cached, written, requests, high, low = values
    return ServedSum(read, cached, written, round(requests), -(high * _SPLIT + low))

"""The bill of one request: what a tenant is charged, in whole nano-dollars, line by line."""

from typing import Final, NamedTuple

from tokenergy.company.serving.plan import PricePlan

NANO_USD_ROUNDING: Final = 500_000
TOKENS_PER_MTOK_COUNT: Final = 1_000_000


class ChargeLine(NamedTuple):
    """One line of a bill.

    Attributes:
        component: `charge_input`, `charge_cached_input`, `charge_output` or `charge_request`.
        quantity: tokens, or requests.
        rate_nano_usd: for a Mtok, or for a request.
        nano_usd: what it comes to.
    """

    component: str
    quantity: int
    rate_nano_usd: int
    nano_usd: int


def token_nano_usd(tokens_count: int, nano_usd_per_mtok: int) -> int:
    """Return what tokens come to, rounded once, half a nano-dollar upwards."""
    return (tokens_count * nano_usd_per_mtok + NANO_USD_ROUNDING) // TOKENS_PER_MTOK_COUNT


def charge_lines(
    price: PricePlan, *, input_tokens: int, cached_tokens: int, output_tokens: int
) -> tuple[ChargeLine, ...]:
    """Return the lines of a request that was served; those of no tokens are left out.

    Cached input is billed as such and not as input. The line of the request itself is there where
    it has a price.
    """
    asked = (
        ("charge_input", input_tokens - cached_tokens, price.input_nano_usd_per_mtok),
        ("charge_cached_input", cached_tokens, price.cached_input_nano_usd_per_mtok),
        ("charge_output", output_tokens, price.output_nano_usd_per_mtok),
    )
    lines = [
        ChargeLine(component, count, rate, token_nano_usd(count, rate))
        for component, count, rate in asked
        if count
    ]
    if price.nano_usd_per_request:
        each = price.nano_usd_per_request
        lines.append(ChargeLine("charge_request", 1, each, each))
    return tuple(lines)


def charge_nano_usd(
    price: PricePlan, *, input_tokens: int, cached_tokens: int, output_tokens: int
) -> int:
    """Return what a request that was served is charged: the sum of its lines."""
    return (
        token_nano_usd(input_tokens - cached_tokens, price.input_nano_usd_per_mtok)
        + token_nano_usd(cached_tokens, price.cached_input_nano_usd_per_mtok)
        + token_nano_usd(output_tokens, price.output_nano_usd_per_mtok)
        + price.nano_usd_per_request
    )

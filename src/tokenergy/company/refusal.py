"""A finding that ends the reading of one input: a file, a feed or an engine."""

from typing import NoReturn

from tokenergy.company.finding import Finding
from tokenergy.errors import FindingsError


def refuse(
    code: str,
    *,
    path: str,
    reason: str,
    remedy: str,
    value: str = "",
    limit: str = "",
    unit: str = "",
) -> NoReturn:
    """Raise one finding of severity error.

    Raises:
        FindingsError: always.
    """
    finding = Finding(
        code=code, path=path, value=value, limit=limit, unit=unit, reason=reason, remedy=remedy
    )
    raise FindingsError([finding])

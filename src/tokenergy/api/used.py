"""What a ledger tells of a company's users, and what of it cannot be used."""

from collections.abc import Iterator
from pathlib import Path

from tokenergy.company.company import Company
from tokenergy.company.finding import Finding
from tokenergy.economics.users import UserMargins
from tokenergy.store.sqlite import SqliteLedger
from tokenergy.store.usage import Usage

FEW_USERS_COUNT = 30
"""Of fewer users than this the heaviest tenth is two or three people."""


def usage_of(ledger: str | Path | None) -> Usage | None:
    """Return the tokens by tier and user of a ledger, None without one.

    Raises:
        InputError: if it cannot be read.
    """
    if ledger is None:
        return None
    with SqliteLedger(ledger, read_only=True) as held:
        return held.usage()


def ledger_findings(company: Company, usage: Usage | None, users: UserMargins) -> Iterator[Finding]:
    """Warn of a ledger of other tiers or units, and where few of its users stand for many."""
    if usage is None:
        return
    if others := sorted(set(usage.mtok_by_tier) - {tier.name for tier in company.tiers}):
        yield Finding(
            code="LEDGER_TIER_UNKNOWN",
            path="ledger",
            value=", ".join(others),
            severity="warning",
            reason=f"the ledger knows users of {', '.join(map(repr, others))}, and the company "
            "has no such tier: they are left out",
            remedy="Name the ledger of this company, or the tiers as the ledger does",
        )
    if usage.other_units:
        yield Finding(
            code="LEDGER_UNIT_OTHER",
            path="ledger",
            value=", ".join(usage.other_units),
            limit="Mtok",
            severity="warning",
            reason="the ledger counts requests of users in "
            f"{', '.join(map(repr, usage.other_units))}, and users are told apart by their Mtok "
            "alone: these requests are left out",
            remedy="Read users from it only where all that they ask for is in Mtok",
        )
    for tier in users.tiers:
        seen, of = tier.observed_count or 0, tier.users_count or 0
        if tier.source == "ledger" and seen < min(of, FEW_USERS_COUNT):
            yield Finding(
                code="LEDGER_USERS_FEW",
                path=f"ledger.{tier.tier}",
                value=f"{seen}",
                limit=f"{FEW_USERS_COUNT}",
                unit="users",
                severity="warning",
                reason=f"of tier {tier.tier!r} the ledger knows so few users that they tell little "
                f"of the {of:,} that they stand for",
                remedy="Let more requests be served before reading its tail",
            )

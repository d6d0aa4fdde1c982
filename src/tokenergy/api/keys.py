"""Keys of a company's tenants: made, listed, replaced, revoked, as its file has tenants."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tokenergy.api.worker_plan import gateway_of
from tokenergy.company.finding import Finding, errors_of
from tokenergy.company.noun import nearest_names
from tokenergy.company.serve import Tenant
from tokenergy.errors import FindingsError, InputError
from tokenergy.files.company_file import read_company
from tokenergy.store.keys import USUAL_SCOPES, KeyRecord, NewKey, SqliteKeys
from tokenergy.units import H_PER_DAY, S_PER_H

GRACE_H: Final = 24.0
"""How long a key that was replaced still fits, unless somebody says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """The keys of one gateway, and the tenants that may have some.

    Attributes:
        tenants: of the company file, by name.
        keys: the store of keys.
    """

    tenants: Mapping[str, Tenant]
    keys: SqliteKeys

    def create(
        self,
        *,
        tenant: str,
        tiers: Sequence[str] = (),
        scopes: Sequence[str] = USUAL_SCOPES,
        days: float | None = None,
        note: str = "",
        now_s: float,
    ) -> NewKey:
        """Make a key of a tenant; its text is told here and never again.

        Args:
            tenant: its name in the company file.
            tiers: tiers of the tenant's that it may ask for; none: all of them.
            scopes: what it is for.
            days: after which it ends; None: it does not end by itself.
            note: words for lists.
            now_s: seconds since the Unix epoch.

        Raises:
            InputError: if the company has no such tenant, the tenant no such tier, or there is no
                such scope.
        """
        known = self._tenant(tenant)
        if missing := [tier for tier in tiers if tier not in known.tiers]:
            raise InputError(
                f"tenant {tenant!r} has no tier {', '.join(missing)}; it has "
                f"{', '.join(known.tiers)}"
            )
        if days is not None and not 0.0 < days < float("inf"):
            raise InputError(f"a key that ends after {days:g} days is none: state more than 0")
        ends_s = None if days is None else now_s + days * H_PER_DAY * S_PER_H
        return self.keys.create(
            tenant=tenant, tiers=tiers, scopes=scopes, expires_s=ends_s, note=note
        )

    def _tenant(self, name: str) -> Tenant:
        found = self.tenants.get(name)
        if found is None:
            near = nearest_names(name, self.tenants) or tuple(self.tenants)
            raise InputError(f"there is no tenant {name!r}; there is {', '.join(near)}")
        return found

    def rotate(self, key_id: str, *, grace_h: float = GRACE_H) -> NewKey:
        """Make a key like another one, which still fits for a grace.

        Raises:
            InputError: if there is no such key, it has ended, or the grace is below 0.
        """
        if not 0.0 <= grace_h < float("inf"):
            raise InputError(f"a grace of {grace_h:g} h is none: state 0 or more")
        return self.keys.rotate(key_id, grace_s=grace_h * S_PER_H)

    def findings(self) -> tuple[Finding, ...]:
        """Return keys whose tenant, or one of whose tiers, the company does not have any more."""
        return key_findings(self.keys.listed(), self.tenants)


@contextmanager
def key_ring(company: Path | str, data: Path) -> Iterator[KeyRing]:
    """Open the keys of a company's gateway; the company's series are not read.

    Args:
        company: the company file.
        data: the gateway's folder; made where it is missing.

    Raises:
        FindingsError: if the company file has errors.
        InputError: if the folder cannot be used.
    """
    read, findings = read_company(company)
    if read is None or errors_of(findings):
        raise FindingsError(errors_of(findings))
    tenants = {tenant.name: tenant for tenant in gateway_of(read).tenants}
    with SqliteKeys.in_folder(data) as keys:
        yield KeyRing(tenants=tenants, keys=keys)


def key_findings(
    records: Sequence[KeyRecord], tenants: Mapping[str, Tenant]
) -> tuple[Finding, ...]:
    """Return the keys that open no door, though nobody revoked them: a warning each."""
    found = []
    for record in records:
        facts = record.facts
        tenant = tenants.get(facts.tenant)
        if record.revoked_s is not None or (
            tenant is not None and set(facts.tiers) <= set(tenant.tiers)
        ):
            continue
        lacking = facts.tenant if tenant is None else ", ".join(facts.tiers)
        found.append(
            Finding(
                code="KEY_WITHOUT_TENANT" if tenant is None else "KEY_WITHOUT_TIER",
                path="serve.tenants",
                value=f"{facts.key_id}: {lacking}",
                limit=", ".join(tenants if tenant is None else tenant.tiers),
                reason=f"key {facts.key_id!r} is of a "
                + ("tenant that the company file does not have" if tenant is None
                   else f"tier that tenant {facts.tenant!r} does not have"),
                remedy=f"Revoke it (`tokenergy keys COMPANY revoke {facts.key_id}`), or add what "
                "is missing to the file",
                severity="warning",
            )
        )  # fmt: skip
    return tuple(found)


def key_told(record: KeyRecord, *, now_s: float) -> dict[str, Any]:
    """Return what is known of a key as a JSON-ready mapping: never the key itself."""
    state = "active" if record.is_active(now_s) else "expired"
    return {
        "key_id": record.facts.key_id,
        "tenant": record.facts.tenant,
        "tiers": list(record.facts.tiers),
        "scopes": sorted(record.facts.scopes),
        "state": state if record.revoked_s is None else "revoked",
        "created": _moment(record.created_s),
        "expires": _moment(record.expires_s),
        "revoked": _moment(record.revoked_s),
        "note": record.note,
    }


def _moment(seconds_s: float | None) -> str | None:
    if seconds_s is None:
        return None
    return datetime.fromtimestamp(seconds_s, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

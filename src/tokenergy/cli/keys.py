"""`tokenergy keys`: make, list, replace and revoke the keys of a company's tenants."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tokenergy.cli.completing import listed
from tokenergy.cli.given import default_data, some_names
from tokenergy.cli.options import Company, Json
from tokenergy.cli.told import print_json
from tokenergy.errors import InputError

if TYPE_CHECKING:
    from tokenergy.api.keys import KeyRing
    from tokenergy.store.keys import NewKey

Action = Literal["create", "list", "rotate", "revoke"]
What = Annotated[Action, typer.Argument(help="create, list, rotate or revoke.", metavar="ACTION")]
KeyId = Annotated[
    str | None,
    typer.Argument(help="The id of a key, to rotate or revoke it.", metavar="KEY_ID"),
]
Tenant = Annotated[str | None, typer.Option("--tenant", metavar="NAME", help="Whose a new key is.")]
Tiers = Annotated[
    str | None,
    typer.Option(
        "--tiers",
        metavar="NAMES",
        help="Comma-separated tiers of a new key. Default: all its tenant's.",
    ),
]
Scopes = Annotated[
    str,
    typer.Option(
        "--scopes",
        metavar="NAMES",
        autocompletion=listed("inference", "batches", "usage", "value", "admin"),
        help="Comma-separated, of inference, batches, usage (reads usage and costs), value (says "
        "what requests are worth), admin.",
    ),
]
Lasting = Annotated[
    float | None,
    typer.Option("--days", metavar="DAYS", help="Days until a new key ends. Default: it does not."),
]
Note = Annotated[str, typer.Option("--note", metavar="WORDS", help="Words of yours, for the list.")]
Grace = Annotated[
    float,
    typer.Option(
        "--grace-h", metavar="HOURS", help="Hours for which a key that was rotated still fits."
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FOLDER",
        help="Folder of the gateway; default .tokenergy/serve/<company>.",
    ),
]


def keys(
    company: Company,
    action: What,
    key_id: KeyId = None,
    tenant: Tenant = None,
    tiers: Tiers = None,
    scopes: Scopes = "inference,batches",
    days: Lasting = None,
    note: Note = "",
    grace_h: Grace = 24.0,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make, list, replace and revoke the keys of tenants.

    A key is shown once, alone on stdout; only its hash is kept.

    Examples:
        # a key for a tenant of the file
        tokenergy keys examples/serve.yaml create --tenant shop
        # who has keys, and until when
        tokenergy keys examples/serve.yaml list
    """
    from tokenergy.api.keys import key_ring

    _refuse_misfits(action, key_id, tenant)
    with key_ring(company, data or default_data(company)) as ring:
        if action == "create":
            made = ring.create(
                tenant=tenant or "",
                tiers=some_names(tiers, "--tiers") or (),
                scopes=some_names(scopes, "--scopes") or (),
                days=days,
                note=note,
                now_s=time.time(),
            )
            _tell_new(made, as_json=as_json)
        elif action == "rotate":
            _tell_new(ring.rotate(key_id or "", grace_h=grace_h), as_json=as_json)
        elif action == "revoke":
            _tell_ended(ring, key_id or "", as_json=as_json)
        else:
            _tell_all(ring, as_json=as_json)


def _refuse_misfits(action: Action, key_id: str | None, tenant: str | None) -> None:
    """Refuse what an action needs and was not given, or was given and does not need.

    Raises:
        InputError: saying which.
    """
    of_one = action in ("rotate", "revoke")
    if of_one and key_id is None:
        raise InputError(f"{action} which key? `tokenergy keys COMPANY list` shows their ids")
    if not of_one and key_id is not None:
        raise InputError(f"{action} takes no id of a key, and {key_id!r} was given")
    if (action == "create") != (tenant is not None):
        raise InputError(
            "create needs --tenant" if tenant is None else f"{action} takes no --tenant"
        )


def _tell_new(made: "NewKey", *, as_json: bool) -> None:
    """Print a key: alone on standard output, so that a script can keep it."""
    from tokenergy.api.keys import key_told

    told = key_told(made.record, now_s=time.time())
    if as_json:
        print_json({"key": made.key, **told})
        return
    typer.echo(
        f"key {told['key_id']} of tenant {told['tenant']}, for {', '.join(told['scopes'])}; it is "
        "shown this once:",
        err=True,
    )
    typer.echo(made.key)


def _tell_ended(ring: "KeyRing", key_id: str, *, as_json: bool) -> None:
    from tokenergy.api.keys import key_told

    told = key_told(ring.keys.revoke(key_id), now_s=time.time())
    if as_json:
        print_json(told)
    else:
        typer.echo(f"revoked {key_id} of tenant {told['tenant']}; within a minute it opens nothing")


def _tell_all(ring: "KeyRing", *, as_json: bool) -> None:
    from tokenergy.api.keys import key_told

    now_s = time.time()
    rows = [key_told(record, now_s=now_s) for record in ring.keys.listed()]
    findings = ring.findings()
    if as_json:
        print_json({"keys": rows, "findings": [finding.to_dict() for finding in findings]})
        return
    if not rows:
        typer.echo("no key was ever made: `tokenergy keys COMPANY create --tenant NAME` makes one")
    for row in rows:
        typer.echo(_line(row))
    for finding in findings:
        typer.echo(str(finding), err=True)


def _line(row: dict[str, Any]) -> str:
    ends = row["revoked"] or row["expires"]
    words = [
        row["key_id"], row["tenant"], row["state"], ",".join(row["tiers"]) or "all tiers",
        ",".join(row["scopes"]), f"made {row['created']}", f"ends {ends}" if ends else "",
        row["note"],
    ]  # fmt: skip
    return "  ".join(filter(None, words))

"""`tokenergy explain`: why a request was answered as it was."""

from pathlib import Path
from typing import Annotated

import typer

from tokenergy.cli.given import default_ledger
from tokenergy.cli.options import Json, Ledger
from tokenergy.cli.told import print_json
from tokenergy.errors import InputError

RequestId = Annotated[
    str,
    typer.Argument(
        help="As the answer's header x-tokenergy-request-id says.", metavar="REQUEST_ID"
    ),
]
Company = Annotated[
    Path | None,
    typer.Argument(
        help="The company file; default: every ledger of .tokenergy/.", metavar="COMPANY"
    ),
]


def explain(
    request_id: RequestId,
    company: Company = None,
    ledger: Ledger = None,
    as_json: Json = False,
) -> None:
    """Score every action that a request had, and the decision.

    Examples:
        # why the gateway answered this request as it did
        tokenergy explain 01J8Z3 examples/serve.yaml
    """
    from tokenergy.api import explain as run
    from tokenergy.cli import show_explain

    found = run(request_id, ledgers_of(company, ledger))
    if as_json:
        print_json(found.to_dict())
    else:
        show_explain.explained(found)


def ledgers_of(company: Path | None, ledger: Path | None) -> tuple[Path, ...]:
    """Return the ledgers to look in.

    Raises:
        InputError: if there is none.
    """
    if ledger is not None or company is not None:
        named = ledger or default_ledger(company or Path())
        if not named.is_file():
            raise InputError(f"there is no ledger {named}; `serve` writes one")
        return (named,)
    found = tuple(sorted(Path(".tokenergy").glob("*.sqlite")))
    if not found:
        raise InputError("there is no ledger in .tokenergy/: name the company, or --ledger FILE")
    return found

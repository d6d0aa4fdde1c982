"""What a command prints, writes, and says when something is wrong."""

import json
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from tokenergy.errors import FindingsError, InfeasibleProgram, InputError, TokenergyError


def write(
    text: str, out: Path | None, *, replaces: bytes | None = None, as_json: bool = False
) -> None:
    """Write a text to a new file, or print it.

    Raises:
        InputError: if the file cannot be written, or holds something else.
    """
    if out is None:
        typer.echo(text, nl=False)
        return
    from tokenergy.api.output import refuse_unwritable

    refuse_unwritable(out, replaces=replaces)
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror or error}") from error
    if as_json:
        print_json({"wrote": str(out)})
    else:
        typer.echo(f"wrote {out}", err=True)


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object; keys carry units."""
    json.dump(value, sys.stdout, indent=1, allow_nan=False)
    sys.stdout.write("\n")
    sys.stdout.flush()


@contextmanager
def how_to_resume() -> Iterator[None]:
    """Say after Ctrl-C how to go on with what is noted down."""
    try:
        yield
    except KeyboardInterrupt:
        words = [*sys.argv[1:], *(() if "--resume" in sys.argv else ("--resume",))]
        typer.echo(f"stopped; go on with: tokenergy {shlex.join(words)}", err=True)
        raise


def tell(error: TokenergyError) -> int:
    """Tell an error in the form that was asked for, and return the exit status."""
    ours = not isinstance(error, InputError | InfeasibleProgram)
    try:
        if "--json" in sys.argv:
            told: dict[str, Any] = {"error": str(error)}
            if isinstance(error, FindingsError):
                found = [finding.to_dict() for finding in error.findings]
                told = {"errors_count": len(found), "findings": found}
            print_json(told)
        elif isinstance(error, FindingsError):
            typer.echo("\n".join(str(finding) for finding in error.findings), err=True)
        elif ours:
            typer.echo(f"unexpected: {error}\nThis is a fault of ours; please report it.", err=True)
        else:
            typer.echo(f"error: {error}", err=True)
    except BrokenPipeError:
        leave_now(1)
    return 3 if ours else 2


def leave_now(status: int) -> None:
    """Leave without waiting for policies that still run, nor for a reader that has gone."""
    sys.stderr.flush()
    os._exit(status)

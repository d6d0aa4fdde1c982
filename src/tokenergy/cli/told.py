"""What a command prints, writes, and says when something is wrong."""

import errno
import json
import os
import shlex
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import typer

from tokenergy.cli.exits import Exit
from tokenergy.errors import FindingsError, InfeasibleProgram, InputError, TokenergyError

FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""How a disk says that it takes no more."""
OURS: Final = "This is a fault of ours; please report it."
USAGE: Final = cast("type[Exception]", typer.BadParameter.__mro__[2])
"""What typer raises for words that it cannot read; it has no public name for it."""


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
    if isinstance(error, FindingsError):
        found = [finding.to_dict() for finding in error.findings]
        lines = [str(finding) for finding in error.findings]
        _say(lines, {"errors_count": len(found), "findings": found})
    elif ours:
        _say([f"unexpected: {error}", OURS], {"error": str(error)})
    else:
        _say([f"error: {error}"], {"error": str(error)})
    return Exit.FAULT if ours else Exit.INPUT


def tell_usage(error: Exception) -> int:
    """Tell words that no verb takes, with how it is typed and an example; return the status."""
    text = str(getattr(error, "format_message", error.__str__)()).replace("Value error, ", "")
    if text[1:2].islower():
        text = text[:1].lower() + text[1:]
    text = text.rstrip(".")
    context = getattr(error, "ctx", None)
    lines, told = [f"error: {text}"], {"error": text}
    if context is not None:
        path, verb = context.command_path, context.command
        told |= {"usage": " ".join([path, *verb.collect_usage_pieces(context)])}
        told |= {"help": f"{path} --help"}
        lines.append(f"usage: {told['usage']}")
        if examples := getattr(verb, "examples", ()):
            told |= {"example": examples[0].command}
            lines.append(f"e.g.   {told['example']}")
        lines.append(f"help:  {told['help']}")
    _say(lines, told)
    return Exit.INPUT


def tell_fault(error: Exception) -> int:
    """Tell what nobody foresaw, with where it happened, and return the exit status."""
    traceback.print_exception(error)
    text = f"{type(error).__name__}: {error}"
    _say([f"unexpected: {text}", OURS], {"error": text})
    return Exit.FAULT


def _say(lines: Sequence[str], told: dict[str, Any]) -> None:
    """Say lines on stderr, or one JSON object on stdout if that was asked for."""
    with outputs_may_end():
        if "--json" in sys.argv:
            print_json(told)
        else:
            typer.echo("\n".join(lines), err=True)


@contextmanager
def outputs_may_end() -> Iterator[None]:
    """End in order where an output takes no more: a reader has gone, or a disk is full."""
    try:
        yield
    except BrokenPipeError:
        leave_now(Exit.UNREAD)
    except OSError as error:
        if error.errno not in FULL:
            raise
        typer.echo(f"error: cannot write the output: {error.strerror}", err=True)
        leave_now(Exit.INPUT)


def leave_now(status: int) -> None:
    """Leave without waiting for policies that still run, nor for a reader that has gone."""
    sys.stderr.flush()
    os._exit(status)

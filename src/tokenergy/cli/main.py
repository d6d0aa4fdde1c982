"""The command line: every verb by what it is for, and how a command ends."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from tokenergy import __version__
from tokenergy.cli.calibrate import calibrate
from tokenergy.cli.catalogue import catalogue
from tokenergy.cli.claims import thesis
from tokenergy.cli.dispatching import dispatch
from tokenergy.cli.energy import energy
from tokenergy.cli.exits import SHORT, Exit
from tokenergy.cli.explaining import explain
from tokenergy.cli.exporting import export
from tokenergy.cli.fetching import fetch
from tokenergy.cli.importing import import_
from tokenergy.cli.keys import keys
from tokenergy.cli.ledger import ledger_sums
from tokenergy.cli.observing import observe
from tokenergy.cli.operating import operating_points
from tokenergy.cli.paying import economics
from tokenergy.cli.planning import plan
from tokenergy.cli.pricing import price
from tokenergy.cli.reporting import demo, report
from tokenergy.cli.serving import board_maker, serve
from tokenergy.cli.settling import settle
from tokenergy.cli.simulating import simulate
from tokenergy.cli.starting import check, init, schema
from tokenergy.cli.told import USAGE, leave_now, tell, tell_fault, tell_usage
from tokenergy.cli.verb import HELP, PROGRAM, Verb, VerbGroup
from tokenergy.errors import TokenergyError

VERBS: Final[dict[str, dict[str, Callable[..., None]]]] = {
    "Start": {"demo": demo, "init": init, "schema": schema, "check": check},
    "Decide": {
        "price": price, "dispatch": dispatch, "simulate": simulate, "plan": plan,
        "economics": economics, "settle": settle, "thesis": thesis,
    },
    "Run": {"serve": serve, "keys": keys, "observe": observe},
    "Look back": {"report": report, "ledger": ledger_sums, "explain": explain},
    "Energy": {
        "energy": energy, "calibrate": calibrate, "operating-points": operating_points,
        "catalogue": catalogue,
    },
    "Exchange": {"fetch": fetch, "import": import_, "export": export},
}  # fmt: skip
"""Every verb under its name, by what it is for; help and docs/reference.md keep this order."""
EPILOG: Final = f"""\b
Begin with: tokenergy demo
One verb:   tokenergy price --help

\b
Exit status: {SHORT}"""

app = typer.Typer(
    name=PROGRAM,
    cls=VerbGroup,
    help="What a token costs at each place and hour, in parts, and what to do about it.",
    epilog=EPILOG,
    subcommand_metavar="VERB ...",
    context_settings={"help_option_names": list(HELP)},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for group, verbs in VERBS.items():
    for name, verb in verbs.items():
        app.command(name, cls=Verb, rich_help_panel=group)(verb)
app.command("board-maker", cls=Verb, hidden=True)(board_maker)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit(Exit.DONE)


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Take what stands before the verb."""


def main() -> None:
    """Run the command line and end with one of the statuses of `exits`."""
    for name in ("stdout", "stderr"):  # a shell may close them: >&-
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 # as long as we
            setattr(sys, name, stream)
    status = ended()
    if status == Exit.INTERRUPTED:
        leave_now(status)
    sys.exit(status)


def ended() -> int:
    """Run a verb, tell what went wrong, and return the exit status.

    Errors that somebody can mend are told without a traceback; ours with one.
    """
    try:
        return int(app(prog_name=PROGRAM, standalone_mode=False) or Exit.DONE)
    except TokenergyError as error:
        return tell(error)
    except USAGE as error:
        return tell_usage(error)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except Exception as error:
        return tell_fault(error)

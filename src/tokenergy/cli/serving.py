"""The verb `serve`, and the hidden one that its board maker is started with."""

import json
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from tokenergy.cli.given import default_data, default_ledger, moment
from tokenergy.cli.options import Company, Ledger

Port = Annotated[
    int,
    typer.Option("--port", metavar="PORT", min=0, max=65535, help="To listen at; 0: a free one."),
]
Host = Annotated[
    str,
    typer.Option(
        "--host", metavar="ADDRESS", help="To listen at. Beyond this machine only with keys."
    ),
]
Workers = Annotated[
    int,
    typer.Option(
        "--workers", metavar="COUNT", min=1, max=256, help="Processes that answer: one a core."
    ),
]
AdminPort = Annotated[
    int | None,
    typer.Option(
        "--admin-port",
        metavar="PORT",
        min=0,
        max=65535,
        help="Of /metrics and details. Default: there is none.",
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="FOLDER", help="Its folder; default .tokenergy/serve/<company>."
    ),
]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="TIME",
        help="Play the file's own horizon from this moment on, e.g. 2026-03-02T18:00Z. Default: "
        "the present.",
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json", help="Print one JSON object a line: the addresses first, then what happens."
    ),
]


def serve(
    company: Company,
    port: Port = 8088,
    host: Host = "127.0.0.1",
    workers: Workers = 1,
    admin_port: AdminPort = None,
    data: Data = None,
    ledger: Ledger = None,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Run the gateway: an OpenAI-compatible door, a live page.

    Each request is decided by what its tokens cost at each place now; Ctrl-C ends it in order.

    Examples:
        # an evening of the company's own, played here: open the page that it names
        tokenergy serve examples/meridian.yaml --at 2026-03-02T18:00Z
        # for others, on four cores, with metrics for Prometheus
        tokenergy serve mine.yaml --host 0.0.0.0 --workers 4 --admin-port 9090
        # started by a script, which reads the addresses
        tokenergy serve examples/serve.yaml --port 0 --json
    """
    from tokenergy.api.serving import ServeAsk
    from tokenergy.api.serving import serve as run
    from tokenergy.cli.progress import progress

    ask = ServeAsk(
        company=company,
        data=data or default_data(company),
        ledger=ledger or default_ledger(company),
        host=host,
        port=port,
        workers_count=workers,
        admin_port=admin_port,
        at=moment(at),
    )
    with ExitStack() as waiting:  # a bar until there is something to tell
        waiting.enter_context(progress())(f"reading {company.name}", 0, 1)

        def tell(line: str) -> None:
            waiting.close()
            (_tell_line if as_json else _tell)(line)

        status = run(ask, tell=tell, on_start=_tell_start if as_json else None)
    if status:
        raise typer.Exit(status)


def board_maker(
    company: Company,
    folder: Annotated[Path, typer.Argument(help="Folder of the gateway.", metavar="DIR")],
    recorded: Annotated[bool, typer.Option("--recorded")] = False,
    lifeline: Annotated[int | None, typer.Option("--lifeline")] = None,
    begins: Annotated[int | None, typer.Option("--begins")] = None,
) -> None:
    """Make boards for a running gateway, which starts this by itself."""
    from tokenergy.api.board_maker import make_boards

    make_boards(company, folder, recorded=recorded, lifeline=lifeline, begins=begins)


def _tell(line: str) -> None:
    """Say a line at once: whoever waits for the address reads a pipe."""
    typer.echo(line, err=True)


def _tell_start(facts: dict[str, Any]) -> None:
    """Print the addresses as one line of JSON."""
    _print_event("listening", **facts)


def _tell_line(text: str) -> None:
    """Print what is told to people as one line of JSON."""
    _print_event("told", text=text)


def _print_event(event: str, **facts: Any) -> None:
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    typer.echo(json.dumps({"event": event, "at": at, **facts}, allow_nan=False))

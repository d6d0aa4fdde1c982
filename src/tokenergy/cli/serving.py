"""The verb `serve`, and the hidden one that its board maker is started with."""

from pathlib import Path
from typing import Annotated

import typer

from tokenergy.cli.given import default_data, default_ledger, moment

Company = Annotated[Path, typer.Argument(help="The company file (YAML).", metavar="COMPANY")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="To listen at; 0: a free one.")]
Host = Annotated[
    str, typer.Option("--host", help="Address to listen at. Beyond this machine only with keys.")
]
Workers = Annotated[
    int, typer.Option("--workers", min=1, max=256, help="Processes that answer: one a core.")
]
AdminPort = Annotated[
    int | None,
    typer.Option(
        "--admin-port", min=0, max=65535, help="Of /metrics and details. Default: there is none."
    ),
]
Data = Annotated[
    Path | None,
    typer.Option("--data", help="Its folder; default .tokenergy/serve/<company>."),
]
Ledger = Annotated[
    Path | None,
    typer.Option("--ledger", help="SQLite file; default .tokenergy/<company>.sqlite."),
]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        help="Play the file's own horizon from this moment on, e.g. 2026-03-02T18:00Z. Default: "
        "the present.",
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
) -> None:
    """Run the gateway: an OpenAI-compatible door that knows what a token costs."""
    from tokenergy.api.serving import ServeAsk
    from tokenergy.api.serving import serve as run

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
    status = run(ask, tell=_tell)
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

"""The application beside the hot path: models, files, batches, videos, usage, prices, health."""

from collections.abc import Callable
from typing import Final

from starlette.applications import Starlette

from tokenergy.company.serving.batch import Batches
from tokenergy.company.serving.usage import UsageRows
from tokenergy.company.serving.video import Videos
from tokenergy.serve.batches_api import BatchesApi
from tokenergy.serve.files_api import FilesApi
from tokenergy.serve.health import Probe, health_routes
from tokenergy.serve.live_api import LiveApi
from tokenergy.serve.live_stream import Receive
from tokenergy.serve.models_api import ModelsApi
from tokenergy.serve.outlet import Message, Send
from tokenergy.serve.price_api import PriceApi
from tokenergy.serve.side import Side
from tokenergy.serve.side_http import App, faults
from tokenergy.serve.usage_api import UsageApi
from tokenergy.serve.video_api import VideoApi
from tokenergy.serve.video_desk import VideoDesk

PATHS: Final = (
    "/v1/models", "/v1/files", "/v1/batches", "/v1/videos", "/v1/organization", "/v1/tokenergy",
    "/healthz", "/readyz",
)  # fmt: skip


def is_side_path(path: str) -> bool:
    """Tell whether an address is answered here."""
    return any(path == own or path.startswith(f"{own}/") for own in PATHS)


def side_app(
    side: Side,
    *,
    batches: Batches | None = None,
    usage: UsageRows | None = None,
    videos: tuple[Videos, VideoDesk] | None = None,
    wake: Callable[[], None] = lambda: None,
    probes: tuple[Probe, ...] = (),
    live: LiveApi | None = None,
) -> App:
    """Return the application; whatever else is asked for gets 404 in OpenAI's shape.

    Args:
        side: the gateway.
        batches: keeps files and batches; None: there are none.
        usage: reads the ledger; None: there is none.
        videos: keeps video jobs, and runs them; None: there are none.
        wake: tells whoever runs batches that there is work.
        probes: look at what else serving needs, for `/readyz`.
        live: the page and its stream; None: there is none.
    """
    routes = [
        *health_routes(side, probes),
        *ModelsApi(side).routes(),
        *PriceApi(side, usage).routes(),
    ]
    if batches is not None:
        routes += FilesApi(side, batches.files).routes()
        routes += BatchesApi(side, batches, wake=wake).routes()
    if usage is not None:
        routes += UsageApi(side, usage).routes()
    if videos is not None:
        routes += VideoApi(side, *videos).routes()
    if live is not None:
        routes += live.routes()
    app = Starlette(routes=routes, exception_handlers=faults())
    app.router.redirect_slashes = False
    return app if live is None else _with_stream(app, live)


def _with_stream(app: App, live: LiveApi) -> App:
    """Return the application with the live stream before it: that writes to its connection."""

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        if live.is_stream(scope):
            await live.stream(scope, receive, send)
        else:
            await app(scope, receive, send)

    return answer

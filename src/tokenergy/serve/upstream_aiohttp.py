"""A client of upstreams by aiohttp: TLS, names and everything else that is better kept by others.

Nothing is followed, unpacked, remembered or taken from the environment: what the upstream sends is
what is handed on.
"""

import asyncio
import ssl
from types import SimpleNamespace
from typing import Final

import aiohttp
from yarl import URL

from tokenergy.serve.upstream import Call, FaultKind, Sink, UpstreamFault

READ_BYTES: Final = 16_384
"""aiohttp stops reading at twice this."""
KEEP_IDLE_S: Final = 4.0
"""How long an unused connection is kept; see `upstream_fast`."""
STALE_S: Final = 1.0
"""A kept connection that breaks later than this after a call was sent did not break before it."""
HEADER_BYTES: Final = 65_536
WHOLE_BYTES: Final = 268_435_456
"""Longest answer that is collected whole."""
_NOT_ADDED: Final = ("user-agent", "accept", "accept-encoding", "content-type")
"""Headers that aiohttp would add by itself."""


class AiohttpExchange:
    """An answer that has begun; see `Exchange`."""

    __slots__ = (
        "_between_s", "_closed", "_ended", "_going", "_response", "body", "headers", "status",
    )  # fmt: skip

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        going: "set[AiohttpExchange]",
        *,
        between_s: float,
    ) -> None:
        """Take over a response whose head is there, and be among those that go on until its end."""
        self._response, self._going, self._between_s = response, going, between_s
        going.add(self)
        self._ended = self._closed = False
        self.status = response.status
        self.headers = tuple((name.lower(), value) for name, value in response.raw_headers)
        self.body: bytes | None = None

    async def chunk(self) -> bytes:
        """Return the next bytes of the body, or b"" at its end; see `Exchange`."""
        if self._ended:
            return b""
        if self._closed:
            raise UpstreamFault("closed", sent=True)
        try:
            async with asyncio.timeout(self._between_s):
                piece = await self._response.content.readany()
        except TimeoutError:
            self.close()
            raise UpstreamFault("timeout", sent=True) from None
        except (aiohttp.ClientError, OSError) as error:
            fault = self._fault(error)
            self.close()
            raise fault from None
        if not piece:
            self._ended = True
            self._going.discard(self)
            self._response.release()
        return piece

    def _fault(self, error: Exception) -> UpstreamFault:
        return UpstreamFault("closed" if self._closed else _kind_of(error), sent=True)

    async def collect(self) -> None:
        """Read the whole body.

        Raises:
            UpstreamFault: as `chunk` does; `garbage` where it is endless.
        """
        pieces, held_bytes = [], 0
        while piece := await self.chunk():
            pieces.append(piece)
            held_bytes += len(piece)
            if held_bytes > WHOLE_BYTES:
                self.close()
                raise UpstreamFault("garbage", sent=True)
        self.body = b"".join(pieces)

    async def pump(self, _sink: Sink) -> None:
        """Do no better than `chunk`."""

    def close(self) -> None:
        """End it, and at once with its connection where it is not read to its end."""
        if not self._ended and not self._closed:
            self._closed = True
            self._going.discard(self)
            # aiohttp wakes nobody who waits for the body
            self._response.content.set_exception(aiohttp.ClientConnectionError())
            self._response.close()


class _Sent:
    """What aiohttp's trace tells of one try."""

    reused = False


class AiohttpClient:
    """The client of one upstream, by any URL; an `UpstreamClient`."""

    def __init__(
        self, url: str, *, connect_s: float, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        """Connect nowhere yet.

        Args:
            url: base address, without a slash at its end.
            connect_s: longest wait for a connection.
            ssl_context: whom to trust; None: whom this machine trusts.
        """
        self._url, self._connect_s, self._ssl = url, connect_s, ssl_context
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._going: set[AiohttpExchange] = set()
        self._closed = False

    async def open(self, call: Call) -> AiohttpExchange:
        """Send a call and wait for the head of its answer; see `UpstreamClient`.

        aiohttp does not tell whether half a head came before a kept connection broke: then, other
        than with `FastClient`, the call is sent once more too.
        """
        sent, loop = _Sent(), asyncio.get_running_loop()
        began_s = loop.time()
        try:
            response = await self._asked(call, sent, fresh=False)
        except UpstreamFault as fault:
            stale = fault.kind == "reset" and sent.reused and loop.time() - began_s < STALE_S
            if not stale or self._closed:
                raise
            response = await self._asked(call, sent, fresh=True)
        exchange = AiohttpExchange(response, self._going, between_s=call.between_s)
        if call.whole:
            try:
                await exchange.collect()
            except BaseException:
                exchange.close()
                raise
        return exchange

    async def aclose(self) -> None:
        """Close all connections; exchanges under way end."""
        self._closed = True
        for exchange in tuple(self._going):
            exchange.close()
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()
        await asyncio.sleep(0)  # the loop takes sockets away in its next turn

    async def _asked(self, call: Call, sent: _Sent, *, fresh: bool) -> aiohttp.ClientResponse:
        if self._closed:
            raise UpstreamFault("closed", sent=False)
        headers = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in call.headers
        ]
        try:
            async with asyncio.timeout(call.first_byte_s + self._connect_s):
                return await self._session(fresh=fresh).request(
                    call.method,
                    URL(self._url + call.path, encoded=True),
                    data=call.body,
                    headers=headers,
                    allow_redirects=False,
                    trace_request_ctx=sent,
                )
        except aiohttp.ConnectionTimeoutError:
            raise UpstreamFault("connect_timeout", sent=False) from None
        except aiohttp.ClientConnectorError:
            raise UpstreamFault("refused", sent=False) from None
        except TimeoutError:
            raise UpstreamFault("timeout", sent=True) from None
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamFault(_kind_of(error), sent=True) from None
        except RuntimeError:
            if not self._closed:
                raise
            raise UpstreamFault("closed", sent=True) from None

    def _session(self, *, fresh: bool) -> aiohttp.ClientSession:
        """Return the session that keeps connections, or the one that makes new ones."""
        session = self._sessions.get(fresh)
        if session is None:
            trace = aiohttp.TraceConfig()
            trace.on_connection_reuseconn.append(_reused)
            connector = aiohttp.TCPConnector(
                limit=0,
                ssl=True if self._ssl is None else self._ssl,
                **({"force_close": True} if fresh else {"keepalive_timeout": KEEP_IDLE_S}),
            )
            session = self._sessions[fresh] = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None, connect=self._connect_s),
                skip_auto_headers=_NOT_ADDED,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                trace_configs=[trace],
                read_bufsize=READ_BYTES,
                max_line_size=HEADER_BYTES,
                max_field_size=HEADER_BYTES,
            )
        return session


async def _reused(session: object, context: SimpleNamespace, told: object) -> None:
    """Note that a kept connection was taken."""
    context.trace_request_ctx.reused = True


def _kind_of(error: Exception) -> FaultKind:
    """Return what an error of aiohttp is called here."""
    if isinstance(error, aiohttp.ClientResponseError):  # a head that is no HTTP
        return "garbage"
    return "reset"

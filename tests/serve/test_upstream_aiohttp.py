"""TLS and names, which the other client leaves to this one; the contract is tested beside it."""

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from tokenergy.serve.upstream import Call, UpstreamFault
from tokenergy.serve.upstream_aiohttp import AiohttpClient

ASK = Call("GET", "/v1/models", ((b"authorization", b"Bearer k"),), b"", True, 5.0, 5.0)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl on this machine to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    told = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = [*told.split(), *names, "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return cert, key


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Tell the caller's authorization back, once."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        told = head.lower().partition(b"authorization: ")[2].partition(b"\r")[0]
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(told), told))
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()


def ask(certificate: tuple[Path, Path], *, host: str = "localhost", trusted: bool) -> bytes | str:
    """Ask a TLS server; return what it told, or how it failed."""
    cert, key = certificate
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(cert, key)
    ours = ssl.create_default_context(cafile=str(cert)) if trusted else None

    async def main() -> bytes | str:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=theirs)
        port = server.sockets[0].getsockname()[1]
        client = AiohttpClient(f"https://{host}:{port}", connect_s=5.0, ssl_context=ours)
        try:
            async with asyncio.timeout(20):
                return (await client.open(ASK)).body or b""
        except UpstreamFault as fault:
            return f"{fault.kind}, {'sent' if fault.sent else 'nothing sent'}"
        finally:
            await client.aclose()
            server.close()
            await server.wait_closed()

    return asyncio.run(main())


def test_a_trusted_server_is_asked(certificate: tuple[Path, Path]) -> None:
    assert ask(certificate, trusted=True) == b"bearer k"


@pytest.mark.parametrize(("host", "trusted"), [("localhost", False), ("127.0.0.1", True)])
def test_nothing_is_sent_to_a_server_that_nobody_vouches_for(
    certificate: tuple[Path, Path], host: str, trusted: bool
) -> None:
    """Not signed by anybody whom this machine trusts; signed, but for another name."""
    assert ask(certificate, host=host, trusted=trusted) == "refused, nothing sent"

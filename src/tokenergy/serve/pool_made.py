"""The clients of a plan's upstreams: by address, with their keys out of the environment."""

import ipaddress
import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from tokenergy.company.finding import Finding
from tokenergy.company.serving.plan import UpstreamPlan, WorkerPlan
from tokenergy.serve.upstream import UpstreamClient
from tokenergy.serve.upstream_fast import FastClient

if TYPE_CHECKING:
    from tokenergy.serve.pool import Headers, Timing

LookUp = Callable[[str, int], tuple[str, ...]]
"""Gives the addresses of a name.

Raises:
    OSError: if it has none now.
"""


def looked_up(host: str, port: int) -> tuple[str, ...]:
    """Return the addresses that a host's name stands for now.

    Raises:
        OSError: if the name is not known.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def clients_of(
    plan: WorkerPlan,
    *,
    environ: Mapping[str, str],
    timing: "Callable[[str], Timing]",
    look_up: LookUp = looked_up,
) -> "tuple[list[tuple[UpstreamPlan, UpstreamClient, Headers]], list[Finding]]":
    """Return each usable upstream with its client and headers, and what is wrong with the others.

    Nothing connects yet; names are looked up.

    Args:
        plan: of the worker.
        environ: where the upstreams' keys are, by name.
        timing: of a deployment, for simulated upstreams.
        look_up: gives the addresses of a name.
    """
    made: list[tuple[UpstreamPlan, UpstreamClient, Headers]] = []
    findings: list[Finding] = []
    for upstream in plan.upstreams:
        headers = _headers_of(upstream, environ, findings)
        if headers is None:
            continue
        if upstream.kind == "simulated":
            made.append((upstream, _simulated(plan, upstream, timing), headers))
            continue
        client = _client_of(plan, upstream, look_up, findings)
        if client is not None:
            made.append((upstream, client, headers))
    return made, findings


def may_be_plain(address: str) -> bool:
    """Return whether plain HTTP to an address stays within this machine or a private network."""
    told = ipaddress.ip_address(address.partition("%")[0])
    return told.is_private or told.is_loopback or told.is_link_local


def _headers_of(
    upstream: UpstreamPlan, environ: Mapping[str, str], findings: list[Finding]
) -> "Headers | None":
    if upstream.key_env is None:
        return ()
    key = environ.get(upstream.key_env, "")
    if key.isascii() and key.isprintable() and key:
        return ((b"authorization", b"Bearer " + key.encode()),)
    # The value is never told, not even where it is broken.
    findings.append(
        Finding(
            code="UPSTREAM_KEY_MISSING",
            path=f"serve.upstreams.{upstream.name}.key_env",
            value=upstream.key_env,
            reason="the environment holds no usable key under this name, so the upstream is down",
            remedy="Set the variable where `tokenergy serve` starts, to plain ASCII text",
        )
    )
    return None


def _simulated(
    plan: WorkerPlan, upstream: UpstreamPlan, timing: "Callable[[str], Timing]"
) -> UpstreamClient:
    from tokenergy.serve.upstream_simulated import ANSWER_TOKENS, SimulatedUpstream

    means_tokens = [
        workload.output_tokens
        for workload in plan.workloads
        if upstream.model in {rung.partition("@")[0] for rung in workload.ladder}
    ]
    mean_tokens = sum(means_tokens) / len(means_tokens) if means_tokens else ANSWER_TOKENS
    return SimulatedUpstream(
        upstream.served_model, timing(upstream.deployment), answer_tokens=max(1, round(mean_tokens))
    )


def _client_of(
    plan: WorkerPlan, upstream: UpstreamPlan, look_up: LookUp, findings: list[Finding]
) -> UpstreamClient | None:
    parts, port = _split(upstream.url)
    if parts is None or not parts.hostname:
        findings.append(_bad(upstream, "this is no address of a server", "Write http://host:port"))
        return None
    if parts.scheme == "https":
        from tokenergy.serve.upstream_aiohttp import AiohttpClient

        return AiohttpClient(upstream.url.rstrip("/"), connect_s=plan.limits.connect_s)
    host = parts.hostname
    allowed = None if upstream.trust_private else may_be_plain
    try:
        addresses = look_up(host, port)
    except OSError:
        findings.append(_unknown(upstream, host))
        addresses = ()
    usable = tuple(address for address in addresses if allowed is None or allowed(address))
    if addresses and not usable:
        findings.append(
            _bad(
                upstream,
                "plain HTTP would leave the private network: whoever is on the way could read it",
                "Use https, or allow it in the company file where you trust the way",
            )
        )
        return None
    return FastClient(
        host,
        port,
        base_path=parts.path.rstrip("/"),
        connect_s=plan.limits.connect_s,
        addresses=usable,
        allowed=allowed,
    )


def _split(url: str) -> tuple[SplitResult | None, int]:
    """Return the parts of an address and its port; None where it is none that can be used."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None, 0
    plain = parts.scheme in ("http", "https") and not parts.query and not parts.fragment
    return (parts if plain and "@" not in parts.netloc else None), port


def _bad(upstream: UpstreamPlan, reason: str, remedy: str) -> Finding:
    return Finding(
        code="UPSTREAM_BAD_URL",
        path=f"serve.upstreams.{upstream.name}.url",
        # what stands before an @ is a password
        value=upstream.url.rpartition("@")[2],
        reason=f"{reason}; the upstream is down",
        remedy=remedy,
    )


def _unknown(upstream: UpstreamPlan, host: str) -> Finding:
    return Finding(
        code="UPSTREAM_NAME_UNKNOWN",
        path=f"serve.upstreams.{upstream.name}.url",
        value=host,
        reason="nobody knows an address of this name now; it is looked up again at each call",
        remedy="Check the name, and the name server of this machine",
        severity="warning",
    )

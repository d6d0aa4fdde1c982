"""Servers of the gateway: on the fleet that they say, and reached in a way that keeps secrets."""

import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Final

from tokenergy.company.finding import Finding
from tokenergy.company.parts import Parts
from tokenergy.company.serve import Upstream

PRIVATE_NETWORKS: Final = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8",
        "169.254.0.0/16", "::1/128", "fc00::/7", "fe80::/10",
    )
)  # fmt: skip
"""Addresses that no public network carries (RFC 1918, 6598, 3927, 4193, 4291)."""
_AFTER_AUTHORITY: Final = re.compile(r"[/?#\\]")
PRIVATE_ENDINGS: Final = (".local", ".localhost", ".internal", ".lan", ".home.arpa", ".svc")
"""Names that no public name server answers for, or that a cluster keeps to itself."""


def check_upstream(path: str, upstream: Upstream, parts: Parts) -> Iterator[Finding]:
    """Yield what is wrong with where one server stands, and with the way to it."""
    model = parts.find("models", upstream.model) if upstream.model else None
    if model is not None and model.fleets is not None and upstream.fleet not in model.fleets:
        yield Finding(
            code="UPSTREAM_WITHOUT_FLEET",
            path=f"{path}.fleet",
            value=str(upstream.fleet),
            limit=", ".join(model.fleets),
            reason=f"the fleets of model {upstream.model!r} leave {upstream.fleet!r} out: nothing "
            "would ever be sent there",
            remedy="Add the fleet to the model's fleets, or name the upstream's own",
        )
    for field in ("url", "metrics_url"):
        url = getattr(upstream, field)
        if url is not None and "@" in _authority(url):
            yield Finding(
                code="URL_WITH_SECRET",
                path=f"{path}.{field}",
                value=_shown(url),
                reason="a name and a password in an address end up in logs",
                remedy="Take them out; state key_env, and put the key into that variable",
            )
    if upstream.url is None:
        return
    if bare_url(upstream.url).endswith("/v1") or "?" in upstream.url:
        yield Finding(
            code="UPSTREAM_URL_PATH",
            path=f"{path}.url",
            value=_shown(upstream.url),
            reason="the paths of the API, `/v1/...`, are put behind the address",
            remedy="End it before `/v1`, and without a query",
        )
    if _is_plain(upstream.url) and not _is_private(upstream.url) and not upstream.trust_private:
        yield Finding(
            code="UPSTREAM_IN_CLEAR",
            path=f"{path}.url",
            value=_shown(upstream.url),
            reason="plain HTTP to an address outside private networks: whoever is on the way "
            "reads prompts, answers" + (" and the key" if upstream.key_env else ""),
            remedy="Use https; or state trust_private: true, if a tunnel protects it",
        )


def bare_url(url: str) -> str:
    """Return an address without slashes at its end."""
    return url.rstrip("/")


def _shown(url: str) -> str:
    """Return an address without the name and password that may stand in it."""
    secret, at, _ = _authority(url).rpartition("@")
    return url.replace(f"{secret}@", "...@", 1) if at else url


def _authority(url: str) -> str:
    return _AFTER_AUTHORITY.split(url.partition("://")[2], maxsplit=1)[0]


def _is_plain(url: str) -> bool:
    return url.lower().startswith("http://")


def _is_private(url: str) -> bool:
    """Tell whether an address can only be of this machine, a private network or a cluster."""
    place = _authority(url).rpartition("@")[2]
    name = place.partition("]")[0][1:] if place.startswith("[") else place.partition(":")[0]
    name = name.lower().rstrip(".")
    try:
        address = ip_address(name)
    except ValueError:
        return "." not in name or name.endswith(PRIVATE_ENDINGS)
    return any(address in network for network in PRIVATE_NETWORKS)

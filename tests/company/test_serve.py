"""What the file says of a gateway: one place and one address for a server, private or not."""

from ipaddress import ip_address
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tokenergy.company.check.upstreams import _is_private
from tokenergy.company.serve import Serve, ServeLimits, Upstream
from tokenergy.company.serving.plan import LimitsPlan

HERE = {"name": "one", "fleet": "f", "model": "m", "url": "http://10.0.0.7:8000"}


def test_the_limits_of_the_file_and_of_the_plan_are_the_same() -> None:
    """Their defaults are written twice: the plan may not know pydantic."""
    assert ServeLimits().model_dump() == msgspec.structs.asdict(LimitsPlan())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"external_api": "a"}, "not of both"),
        ({"fleet": None}, "fleet and model, or external_api"),
        ({"model": None}, "fleet and model, or external_api"),
        ({"url": None}, "states its url"),
        ({"kind": "simulated"}, "no url"),
        ({"url": "ftp://10.0.0.7"}, "pattern"),
        ({"key_env": "sk-123"}, "pattern"),
    ],
)
def test_a_server_that_is_two_or_none_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Upstream.model_validate(HERE | change)


def test_a_gateway_has_a_tenant() -> None:
    with pytest.raises(ValidationError, match="at least 1"):
        Serve(tenants=())


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000", "http://10.1.2.3", "http://172.31.0.9:80/x", "http://192.168.1.1",
        "http://100.64.0.1", "http://[::1]:8000", "http://[fd00::7]:8000/", "http://localhost:1",
        "http://vllm:8000", "http://vllm.default.svc:8000", "http://box.local",
        "http://user:word@10.0.0.1:8000",
    ],
)  # fmt: skip
def test_addresses_of_private_networks(url: str) -> None:
    assert _is_private(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://8.8.8.8", "http://172.32.0.1", "http://192.0.2.7", "http://[2001:db8::1]:8000",
        "http://example.com", "http://10.0.0.1.example.com", "http://10.0.0.1@example.com",
        "http://local.example.com", "http://example.com?@10.0.0.1", "http://example.com#@10.0.0.1",
        "http://example.com\\@10.0.0.1",
    ],
)  # fmt: skip
def test_addresses_that_others_may_read_on_the_way_to(url: str) -> None:
    assert not _is_private(url)


@given(st.ip_addresses(network="10.0.0.0/8") | st.ip_addresses(v=4))
def test_an_address_is_private_by_its_first_byte(address: Any) -> None:
    """Only 10, 100.64/10, 127, 169.254, 172.16/12 and 192.168 are private."""
    one, two = ip_address(address).packed[:2]
    by_hand = (
        one in (10, 127)
        or (one, two) in ((169, 254), (192, 168))
        or (one == 172 and 16 <= two <= 31)
        or (one == 100 and 64 <= two <= 127)
    )
    assert _is_private(f"http://{address}:8000/") == by_hand

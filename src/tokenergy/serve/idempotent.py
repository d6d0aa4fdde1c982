"""Requests with an idempotency key: the second one is given the first one's outcome, and no bill.

One that comes while the first still runs waits for it; one with another body under the same key is
told so. Only a success is kept: whoever was refused may ask again.
"""

import asyncio
import time
from collections.abc import MutableMapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from tokenergy.company.serving.ports import Claim, Remembered, StoreFault
from tokenergy.serve import openai_error
from tokenergy.serve.openai_error import ApiError
from tokenergy.serve.outlet import AsgiOutlet, CopyingOutlet
from tokenergy.serve.protocol import ON_GONE

if TYPE_CHECKING:
    from tokenergy.serve.flight import Flight
    from tokenergy.serve.gateway import Gateway

KEPT_BYTES: Final = 4_194_304
"""Longest answer that is kept; a longer one is not, and its key is given back."""
LOOK_S: Final = 0.05
MOST_LOOK_S: Final = 1.0
KEY_CHARS_COUNT: Final = 255


class Repeats:
    """Answers requests that carry a key."""

    def __init__(self, gateway: "Gateway") -> None:
        """Take the gateway that answers the first of them."""
        self._gateway = gateway

    async def answer(
        self, flight: "Flight", outlet: AsgiOutlet, key: str, scope: MutableMapping[str, Any]
    ) -> None:
        """Answer a request under its key."""
        gateway = self._gateway
        tenant = flight.tenant.name
        scope[ON_GONE] = flight.left
        try:
            claim = await self._claim(flight, key, await self._digest(flight))
        except ApiError as error:
            gateway.tally.add("tokenergy_errors", (str(error.status), error.code or ""))
            await outlet.whole(error.status, error.head(), error.body())
            return
        if claim is None:
            return
        if not claim.mine:
            assert claim.outcome is not None
            await self._again(outlet, claim.outcome)
            return
        copy = CopyingOutlet(outlet, limit_bytes=KEPT_BYTES)
        flight.outlet, flight.keyed = copy, True
        kept = False
        try:
            await gateway.run(flight)
            if copy.ended and copy.status == 200 and not copy.too_long and flight.is_whole:
                outcome = Remembered(200, copy.content_type, copy.body, flight.request_id)
                gateway.idempotency.keep(tenant, key, outcome)
                kept = True
        except StoreFault:
            gateway.tally.add("tokenergy_errors", ("200", "idempotency_unavailable"))
        finally:
            del scope[ON_GONE]
            if not kept:
                self._release(tenant, key)

    async def _digest(self, flight: "Flight") -> str:
        """Return what tells requests apart; of a long one in a thread."""
        body = flight.body
        if len(body) > self._gateway.plan.limits.decode_apart_bytes:
            return await asyncio.to_thread(_digest, flight.endpoint, body)
        return _digest(flight.endpoint, body)

    async def _claim(self, flight: "Flight", key: str, digest: str) -> Claim | None:
        """Return a claim that is mine, or one with its outcome; whoever is second waits.

        None: its client has left while it waited.
        """
        gateway, tenant, wait_s = self._gateway, flight.tenant.name, LOOK_S
        if len(key) > KEY_CHARS_COUNT:
            raise openai_error.invalid(
                f"Idempotency-Key has {len(key)} characters; at most {KEY_CHARS_COUNT} are taken.",
                param="idempotency-key",
            )
        until_s = time.monotonic() + gateway.plan.limits.total_s
        while not flight.gone:
            try:
                claim = gateway.idempotency.claim(tenant, key, digest=digest, now_s=gateway.now_s())
            except StoreFault as fault:
                raise openai_error.unavailable(
                    "idempotency_unavailable", "Idempotency keys cannot be looked up now."
                ) from fault
            if not claim.same:
                raise openai_error.conflict(
                    "This Idempotency-Key was used with another request body."
                )
            if claim.mine or claim.outcome is not None:
                return claim
            if time.monotonic() > until_s:
                raise openai_error.conflict("The request with this Idempotency-Key still runs.")
            await asyncio.sleep(wait_s)
            wait_s = min(MOST_LOOK_S, 1.5 * wait_s)  # each look is a transaction
        return None

    async def _again(self, outlet: AsgiOutlet, outcome: Remembered) -> None:
        headers = [
            (b"content-type", outcome.content_type.encode("latin-1")),
            (b"x-tokenergy-request-id", outcome.request_id.encode()),
            (b"x-tokenergy-repeated", b"1"),
        ]
        self._gateway.tally.add("tokenergy_requests", ("served", "repeated"))
        await outlet.whole(outcome.status, headers, outcome.body)

    def _release(self, tenant: str, key: str) -> None:
        try:
            self._gateway.idempotency.release(tenant, key)
        except StoreFault:
            self._gateway.tally.add("tokenergy_errors", ("503", "idempotency_unavailable"))


def _digest(endpoint: str, body: bytes) -> str:
    held = blake2b(endpoint.encode(), digest_size=16)
    held.update(body)
    return held.hexdigest()

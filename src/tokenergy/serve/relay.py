"""From upstream to client: a whole answer, or a stream as it comes; CLOSE goes before the end."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tokenergy.company.decision import Decision
from tokenergy.company.serving.ports import JournalFull
from tokenergy.company.serving.record import Marked, Outcome
from tokenergy.serve import openai_error
from tokenergy.serve.answer_json import BYTES_OF_A_TOKEN_COUNT, Answered, read_answer, renamed
from tokenergy.serve.answer_stream import Stream
from tokenergy.serve.closing import Used
from tokenergy.serve.headers import answer_headers, retry_after_s
from tokenergy.serve.openai_error import ApiError
from tokenergy.serve.openai_usage import UsageSeen, estimated
from tokenergy.serve.outlet import AsgiOutlet
from tokenergy.serve.passing import PassedStream, is_passed, read_passed
from tokenergy.serve.sending import used_of
from tokenergy.serve.stream_of import stream_of
from tokenergy.serve.upstream import Exchange, Sink, UpstreamFault
from tokenergy.serve.upstream_error import upstream_refused

if TYPE_CHECKING:
    from tokenergy.serve.flight import Flight

EVENTS: Final = b"text/event-stream"
"""Content type of a stream."""
END_S: Final = 1.0
"""How long a server may take to end a body whose last event has come."""
_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


async def relay(flight: "Flight", decision: Decision, exchange: Exchange) -> None:
    """Bring an upstream's answer to the client.

    Raises:
        ApiError: where it breaks before the client was told anything.
    """
    flight.body = b""  # nobody is asked again: a long prompt need not stay while its answer flows
    if flight.asked is not None:
        flight.asked.fields = {}
    kind = next((value for name, value in exchange.headers if name == b"content-type"), b"")
    if exchange.status == 200 and kind.startswith(EVENTS):
        await _stream(flight, decision, exchange)
    else:
        await _whole(flight, decision, exchange, kind)


async def _whole(flight: "Flight", decision: Decision, exchange: Exchange, kind: bytes) -> None:
    """Relay a whole answer: JSON with its usage, or the upstream's own refusal."""
    gateway = flight.gateway
    body = exchange.body
    if body is None:
        body = await _rest(exchange)
    assert flight.asked is not None
    if exchange.status != 200:
        used = Used()
        flight.close(used, outcome="failed", status=exchange.status)
        error = upstream_refused(exchange.status, body, retry_s=retry_after_s(exchange.headers))
        headers = gateway.telling.answer_head(flight, decision, used)
        headers += error.head()
        if flight.outlet.began:  # it was held as a stream: its head is out
            await flight.outlet.end(error.event(flight.endpoint))
            return
        await flight.outlet.whole(error.status, headers, error.body())
        return
    passes = is_passed(flight.endpoint)
    answered = read_passed(body, kind) if passes else read_answer(flight.endpoint, body)
    usage = _usage_of(flight, answered)
    used = used_of(gateway, flight, decision, usage, answered.finish)
    flight.close(used, outcome="drained" if flight.gone else "completed", status=200)
    if gateway.plan.strict:
        await gateway.synced(flight.closed_number)
    if not passes:
        word = gateway.telling.service_word(flight)
        body = renamed(body, served=flight.served_model, name=decision.model, service_tier=word)
    if flight.wishes.detail and not passes:
        body = _detailed(body, gateway.telling.detail(flight, decision, used))
    headers = gateway.telling.answer_head(flight, decision, used)
    headers += answer_headers(exchange.headers)
    if flight.outlet.began:  # it was held as a stream, but came whole
        await flight.outlet.end(b"data: " + body + b"\n\ndata: [DONE]\n\n")
        return
    await flight.outlet.whole(200, headers, body)


def _usage_of(flight: "Flight", answered: Answered) -> UsageSeen:
    """Return the usage that was reported, else one estimated from the lengths of the texts."""
    if answered.usage is not None:
        return answered.usage
    assert flight.request is not None
    return estimated(
        input_tokens=flight.request.input_tokens,
        output_tokens=-(-answered.text_bytes_count // BYTES_OF_A_TOKEN_COUNT),
    )


def _detailed(body: bytes, detail: dict[str, Any]) -> bytes:
    """Return an answer with the object `tokenergy` in it."""
    fields: dict[str, Any] = dict(_FIELDS.decode(body))
    return msgspec.json.encode(fields | {"tokenergy": detail})


async def _rest(exchange: Exchange) -> bytes:
    """Return the whole body of an answer that was not asked for whole."""
    parts = []
    try:
        while data := await exchange.chunk():
            parts.append(data)
    except UpstreamFault as fault:
        raise openai_error.upstream_failed() from fault
    return b"".join(parts)


async def _stream(flight: "Flight", decision: Decision, exchange: Exchange) -> None:
    """Relay a stream, chunk by chunk; its ending is held back until CLOSE is written."""
    gateway, outlet, asked = flight.gateway, flight.outlet, flight.asked
    assert asked is not None
    assert flight.seat is not None
    stream = flight.stream = _begun(flight, decision)
    flight.seat.judged("ok")
    if not outlet.began:
        await outlet.head(200, gateway.telling.stream_head(flight, decision, exchange.headers))
    now = outlet.now() if isinstance(outlet, AsgiOutlet) else None
    sink = None if now is None else _sink(flight, stream, now)
    try:
        while not stream.ended:
            data = await exchange.chunk()
            if not data:
                break
            told = stream.feed(data)
            if told and (flight.keyed or not flight.gone):
                await outlet.write(told)
            _mark_if_due(flight)
            if sink is not None and not stream.ended:
                await exchange.pump(sink)
                if not flight.gone:
                    await outlet.write(b"")  # waits where the client has to read first
        stream.cut_off()
    except UpstreamFault:
        stream.cut_off(openai_error.cut_short())
    await _ended(flight, decision, exchange, stream)


def _sink(flight: "Flight", stream: Stream, now: Callable[[bytes], bool]) -> Sink:
    """Return what takes events of a stream in the turn of the loop in which they come."""

    def take(data: bytes) -> bool:
        told = stream.feed(data)
        room = True
        if told and not flight.gone:
            room = now(told)
        _mark_if_due(flight)
        return room and not stream.ended

    return take


def _begun(flight: "Flight", decision: Decision) -> Stream:
    """Return what reads the stream that has begun."""
    asked, seat = flight.asked, flight.seat
    assert asked is not None
    assert seat is not None
    if is_passed(flight.endpoint):
        return PassedStream()
    return stream_of(
        flight.endpoint,
        served=flight.served_model,
        name=decision.model,
        show_usage=asked.client_wants_usage,
        hide_continuous=seat.upstream.continuous_usage and not asked.client_wants_continuous,
        service_tier=flight.gateway.telling.service_word(flight),
        detail=flight.wishes.detail,
    )


async def _ended(flight: "Flight", decision: Decision, exchange: Exchange, stream: Stream) -> None:
    """Write CLOSE, and send the ending: with the price in it for who asked, or the error."""
    gateway = flight.gateway
    used = so_far(flight)
    outcome: Outcome = "drained" if flight.gone else "completed"
    if stream.error is not None:
        outcome = "failed"
        if flight.seat is not None and stream.error.status >= 500:
            flight.seat.done("fault")
            flight.seat = None
    try:
        flight.close(used, outcome=outcome, status=200)
        if gateway.plan.strict:
            await gateway.synced(flight.closed_number)
    except ApiError as full:
        await flight.outlet.end(full.event(flight.endpoint))
        return
    detail = gateway.telling.detail(flight, decision, used) if flight.wishes.detail else None
    await flight.outlet.end(stream.closing(detail))
    if stream.error is None and not flight.gone:
        try:
            async with asyncio.timeout(END_S):
                while await exchange.chunk():  # to its end, so that the connection can be kept
                    pass
        except (UpstreamFault, TimeoutError):
            return


def so_far(flight: "Flight") -> Used:
    """Return what a request has taken up to now, as well as it is known."""
    gateway, decision, request = flight.gateway, flight.decision, flight.request
    assert decision is not None
    assert request is not None
    if flight.stream is not None:
        usage = flight.stream.counted(request.input_tokens)
        return used_of(gateway, flight, decision, usage, flight.stream.finish)
    place = decision.candidate
    waited_s = gateway.now_s() - flight.opened_s
    tokens = 0
    if place is not None and place.tpot_s > 0.0:
        tokens = max(0, int((waited_s - place.ttft_s) / place.tpot_s))
    guess = UsageSeen(
        input_tokens=request.input_tokens,
        cached_tokens=0,
        output_tokens=min(tokens, decision.output_tokens),
        reasoning_tokens=0,
        source="estimated",
    )
    return used_of(gateway, flight, decision, guess, "")


def _mark_if_due(flight: "Flight") -> None:
    """Write down every two seconds how far a stream has come; a full journal is told at its end."""
    now_s = flight.gateway.now_s()
    if now_s - flight.marked_s <= flight.gateway.plan.limits.mark_every_s:
        return
    flight.marked_s = now_s
    used = so_far(flight)
    try:
        flight.gateway.journal.write(
            Marked(
                request_id=flight.request_id,
                at_s=now_s,
                input_tokens=used.input_tokens,
                output_tokens=used.output_tokens,
            )
        )
    except JournalFull:
        flight.gateway.tally.add("tokenergy_errors", ("200", "journal_full"))

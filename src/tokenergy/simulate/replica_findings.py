"""What is wrong with a replica or with what it is asked, all of it, before anything runs."""

from collections.abc import Callable

import numpy as np

from tokenergy.company.finding import Finding
from tokenergy.simulate.replica import BoolArray, IntArray, ReplicaRequests, ReplicaSpec


def replica_findings(spec: ReplicaSpec, requests: ReplicaRequests) -> tuple[Finding, ...]:
    """Return all findings on a replica and on its requests; none if they can be simulated."""
    found = _spec_findings(spec)
    shapes = _shape_findings(requests)
    if shapes:  # rows that are not side by side say nothing about each other
        return (*found, *shapes)
    return (*found, *_request_findings(requests), *_fit_findings(spec, requests))


def _spec_findings(spec: ReplicaSpec) -> list[Finding]:
    least = {
        "kv_blocks_count": 1, "block_tokens": 1, "watermark_blocks_count": 0,
        "max_batch_count": 1, "max_batch_tokens": 1,
    }  # fmt: skip
    found = [
        Finding(
            code="REPLICA_LIMIT",
            path=f"replica.{name}",
            value=str(getattr(spec, name)),
            limit=str(limit),
            reason="a replica without it cannot serve anything",
            remedy=f"Give at least {limit}.",
        )
        for name, limit in least.items()
        if getattr(spec, name) < limit
    ]
    base_j = np.asarray(spec.energy.base_j)
    if base_j.shape != (spec.max_batch_count + 1,):
        found.append(
            Finding(
                code="REPLICA_ENERGY",
                path="replica.energy.base_j",
                value=str(base_j.shape),
                limit=str((spec.max_batch_count + 1,)),
                reason="an iteration needs its joules for every batch from 0 to max_batch_count",
                remedy="Read the energy curve at each of them.",
            )
        )
    for name in ("base_j", "decode_j", "prefill_j", "idle_w"):
        value = np.asarray(getattr(spec.energy, name), dtype=np.float64)
        if not np.all(np.isfinite(value) & (value >= 0.0)):
            found.append(
                Finding(
                    code="REPLICA_ENERGY",
                    path=f"replica.energy.{name}",
                    unit="W" if name == "idle_w" else "J",
                    limit="0",
                    reason="a draw is missing or negative",
                    remedy="Give a finite number of 0 or more.",
                )
            )
    return found


def _shape_findings(requests: ReplicaRequests) -> list[Finding]:
    n = len(requests.arrival_s)
    lengths = {
        name: len(column)
        for name in ("input_tokens", "output_tokens", "cached_tokens", "previous")
        if (column := getattr(requests, name)) is not None
    }
    found = [
        Finding(
            code="REQUESTS_SHAPE",
            path=f"requests.{name}",
            value=str(length),
            limit=str(n),
            unit="requests",
            reason="it has another length than arrival_s",
            remedy="Give one value for each request.",
        )
        for name, length in lengths.items()
        if length != n
    ]
    for name in (*lengths, "offsets"):
        if not np.issubdtype(np.asarray(getattr(requests, name)).dtype, np.integer):
            found.append(
                Finding(
                    code="REQUESTS_TYPE",
                    path=f"requests.{name}",
                    reason="tokens and places are counted, and these are fractions",
                    remedy="Give whole numbers.",
                )
            )
    offsets = np.asarray(requests.offsets)
    if len(offsets) < 1 or offsets[0] != 0 or offsets[-1] != n or np.any(np.diff(offsets) < 0):
        found.append(
            Finding(
                code="REQUESTS_OFFSETS",
                path="requests.offsets",
                limit=f"0 to {n}",
                reason="offsets must rise from 0 to the number of requests",
                remedy="Sort the requests by replica, and give where each replica's begin.",
            )
        )
    return found


def _request_findings(requests: ReplicaRequests) -> list[Finding]:
    n = len(requests.arrival_s)
    arrival_s = np.asarray(requests.arrival_s, dtype=np.float64)
    places = np.arange(n)
    replica = np.searchsorted(np.asarray(requests.offsets), places, side="right") - 1
    falls = np.zeros(n, dtype=np.bool_)
    if n > 1:
        falls[1:] = (np.diff(arrival_s) < 0.0) & (replica[1:] == replica[:-1])
    cached = np.asarray(requests.cached_tokens)
    found = [
        _first(~(np.isfinite(arrival_s) & (arrival_s >= 0.0)), "arrival_s", arrival_s.item,
               "a finite second of 0 or more", "s", "it arrives at no moment of the run"),
        _first(falls, "arrival_s", arrival_s.item, "the arrival before it", "s",
               "it stands behind one that arrives later at its replica"),
        _first(np.asarray(requests.input_tokens) < 1, "input_tokens",
               np.asarray(requests.input_tokens).item, "1", "tokens", "it has no prompt"),
        _first(np.asarray(requests.output_tokens) < 1, "output_tokens",
               np.asarray(requests.output_tokens).item, "1", "tokens", "it asks for nothing"),
        _first((cached < 0) | (cached > np.asarray(requests.input_tokens)), "cached_tokens",
               cached.item, "0 to input_tokens", "tokens",
               "more of its prompt is cached than there is, or less than nothing"),
    ]  # fmt: skip
    if requests.previous is not None:
        previous: IntArray = np.asarray(requests.previous)
        known = (previous >= 0) & (previous < places)
        known &= replica[np.where(known, previous, 0)] == replica
        found.append(
            _first((previous != -1) & ~known, "previous", previous.item,
                   "-1, or an earlier request of the same replica", "",
                   "the turn before it is none of its replica's earlier requests")
        )  # fmt: skip
    return [finding for finding in found if finding is not None]


def _fit_findings(spec: ReplicaSpec, requests: ReplicaRequests) -> list[Finding]:
    """Find requests that would stand at the head of the queue for ever."""
    if spec.block_tokens < 1:
        return []
    total = np.asarray(requests.input_tokens) + np.asarray(requests.output_tokens)
    need = -(-total // spec.block_tokens)
    room = spec.kv_blocks_count - spec.watermark_blocks_count
    finding = _first(
        need > room, "input_tokens + output_tokens", need.item, str(room), "blocks",
        f"it cannot ever fit: {spec.kv_blocks_count} blocks of {spec.block_tokens} tokens, "
        f"{spec.watermark_blocks_count} of them kept free",
    )  # fmt: skip
    return [] if finding is None else [finding]


def _first(
    wrong: BoolArray,
    name: str,
    value_of: Callable[[int], object],
    limit: str,
    unit: str,
    reason: str,
) -> Finding | None:
    """Return one finding for all requests with the same fault: the first, and how many more."""
    places = np.flatnonzero(wrong)
    if places.size == 0:
        return None
    first = int(places[0])
    others = f" (and {places.size - 1} more)" if places.size > 1 else ""
    return Finding(
        code="REQUEST_NEVER_FITS" if unit == "blocks" else "REQUEST_FIELD",
        path=f"requests[{first}].{name}",
        value=str(value_of(first)),
        limit=limit,
        unit=unit,
        reason=f"{reason}{others}",
        remedy="Mend the request or leave it out; a replica with more blocks may hold it."
        if unit == "blocks"
        else "Mend the request or leave it out.",
    )

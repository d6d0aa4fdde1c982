"""What befalls one request in either engine: admitted, given a token, done, or evicted."""

import math

from tokenergy.compiled import compiled_part
from tokenergy.simulate.boundary import has_come
from tokenergy.simulate.free_blocks import give_blocks, take_blocks, take_found
from tokenergy.simulate.gaps import GapBins, add_gaps
from tokenergy.simulate.replica_state import Requests, State


@compiled_part
def head_of_queue(each: Requests, state: State) -> int:
    """Return who is next: evicted requests before new ones, which must have come. -1: nobody."""
    replica = state[0]
    if replica.evicted_count > 0:
        return each[replica.evicted_count - 1].evicted
    following = replica.next
    if following < replica.requests_count and has_come(each[following].arrival_s, replica.now_s):
        return following
    return -1


@compiled_part
def prompt_blocks(each: Requests, state: State, request: int) -> int:
    """Return the blocks of a whole prompt: an admission needs them all at once."""
    size = state[0].block_tokens
    return (each[request].prompt_tokens + size - 1) // size


@compiled_part
def fits(each: Requests, state: State, request: int) -> bool:
    """Tell whether there are blocks and a place in the running set for a request."""
    replica = state[0]
    left_count = replica.free_count - prompt_blocks(each, state, request)
    return (
        replica.running_count < replica.max_batch_count
        and left_count >= replica.watermark_blocks_count
    )


@compiled_part
def admit(each: Requests, state: State, request: int) -> None:
    """Take the head of the queue in: it holds the blocks of its whole prompt from here on.

    It begins behind what needs no computing: the prefix that the trace calls cached or, if that
    is longer, the full blocks that were found again.
    """
    replica, who = state[0], each[request]
    if replica.evicted_count > 0:
        replica.evicted_count -= 1
        who.queue_s += max(0.0, replica.now_s - who.paused_s)
    else:
        replica.next += 1
        who.admitted_s = replica.now_s
        who.queue_s = max(0.0, replica.now_s - who.arrival_s)
    need_count = prompt_blocks(each, state, request)
    found_count = take_found(each, state, request) if replica.reuses_blocks else 0
    take_blocks(each, state, need_count - found_count)
    who.blocks_count = need_count
    replica.running_count += 1
    known_tokens = min(who.cached_tokens, who.prompt_tokens - 1)
    who.processed_tokens = max(known_tokens, found_count * replica.block_tokens)


@compiled_part
def prompt_done(each: Requests, state: State, gaps: GapBins, request: int) -> None:
    """Give a request the token that comes with the end of its prompt: its first, or its next."""
    who, now_s = each[request], state[0].now_s
    who.processed_tokens = who.prompt_tokens + 1
    if math.isnan(who.first_token_s):
        who.first_token_s = now_s
    else:
        add_gaps(gaps, now_s - who.token_s, 1)


@compiled_part
def leave(each: Requests, state: State, request: int, blocks_count: int) -> None:
    """End a request, whose `processed_tokens` is up to date: its blocks return."""
    replica, who = state[0], each[request]
    who.last_token_s = replica.now_s
    replica.running_count -= 1
    # the last token was never read, so the cache does not hold it
    give_blocks(each, state, request, blocks_count, who.processed_tokens - 1)


@compiled_part
def evict(each: Requests, state: State, request: int) -> None:
    """Take all blocks from a running request; it waits at the head of the queue.

    Its prompt becomes all that it had: the prompt, whole even if half done, and the output so
    far. (Not the larger of input and progress: a request evicted again half-way through that
    longer prompt would make tokens twice that it already had.) Its progress is 0.
    """
    replica, who = state[0], each[request]
    stored_tokens = who.processed_tokens
    if stored_tokens > who.prompt_tokens:
        stored_tokens -= 1
        who.prompt_tokens = who.processed_tokens
        who.token_s = replica.now_s
    who.processed_tokens = 0
    give_blocks(each, state, request, who.blocks_count, stored_tokens)
    who.blocks_count = 0
    who.paused_s = replica.now_s
    who.restarts_count += 1
    each[replica.evicted_count].evicted = request
    replica.evicted_count += 1
    replica.running_count -= 1

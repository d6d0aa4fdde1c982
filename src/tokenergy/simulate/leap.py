"""The fast engine: the answer of `step`, without walking.

While no prompt is in work and nobody can be admitted, the batch is d decodes. Each iteration adds
one token to each, so the mean context grows by exactly 1, and the time is the same until that
mean enters the law's next bucket. What comes next is known: the bucket's end, the next decode to
end (they are kept in a heap by *iteration*, which no change of speed moves), the next arrival, or
the blocks running out (decodes are counted by the iteration, modulo a block, in which each needs
a new one). So all iterations until then are one: O(1), and O(log d) for each request.

A request that waits need not be watched for. While the head of the queue is kept out by blocks,
by the batch or by the tokens of an iteration, nothing changes before the next decode ends: use
only grows until then. So arrivals bound a leap only where the next one could be admitted.

`leap` never evicts. Before the iteration in which a decode would find no block it stops, and
`step` continues from the same state until no evicted request waits.
"""

from tokenergy.compiled import compiled_part
from tokenergy.simulate.admission import admit, fits, head_of_queue, leave, prompt_done
from tokenergy.simulate.boundary import has_come, iterations_until
from tokenergy.simulate.free_blocks import take_blocks
from tokenergy.simulate.gaps import GapBins
from tokenergy.simulate.heap import pop_least, push
from tokenergy.simulate.law import TimeLaw
from tokenergy.simulate.replica_state import (
    CHUNK,
    ENDS,
    FINISHED,
    PHASE,
    PRESSED,
    RUNNING,
    STUCK,
    Batches,
    Requests,
    Slots,
    State,
    add_chunk,
    clear_chunks,
    pass_time,
)
from tokenergy.simulate.step import time_of, wait_for_next


@compiled_part
def leap(
    each: Requests,
    state: State,
    slots: Slots,
    batches: Batches,
    gaps: GapBins,
    law: TimeLaw,
    until_s: float,
) -> int:
    """Run until all is done, or time is up, or blocks run out; arguments as those of `step`.

    Returns:
        FINISHED, PRESSED or STUCK.
    """
    replica = state[0]
    while not has_come(until_s, replica.now_s):
        if replica.partial >= 0 or _somebody_fits(each, state):
            goes_on = _one_iteration(each, state, slots, batches, gaps, law)
        elif replica.decodes_count > 0:
            goes_on = _many_iterations(each, state, slots, batches, gaps, law, until_s)
        elif replica.running_count > 0:
            return STUCK
        elif replica.next == replica.requests_count:
            return FINISHED
        elif wait_for_next(each, state):
            continue
        else:
            return STUCK
        if not goes_on:
            return PRESSED
    return FINISHED


@compiled_part
def _somebody_fits(each: Requests, state: State) -> bool:
    """Tell whether the head of the queue can be admitted now."""
    if state[0].decodes_count >= state[0].max_batch_tokens:
        return False  # decodes leave no token of the iteration to a prompt
    request = head_of_queue(each, state)
    return request >= 0 and fits(each, state, request)


@compiled_part
def _many_iterations(
    each: Requests,
    state: State,
    slots: Slots,
    batches: Batches,
    gaps: GapBins,
    law: TimeLaw,
    until_s: float,
) -> bool:
    """Leap over iterations of decodes alone; False if there are no blocks for even one."""
    replica = state[0]
    decodes_count, held_tokens = replica.decodes_count, replica.decode_tokens
    clear_chunks(state)
    duration_s, beyond = time_of(law, state, decodes_count, held_tokens)
    mean = held_tokens // decodes_count
    bucket = (mean + law.bucket_tokens - 1) // law.bucket_tokens
    iterations = bucket * law.bucket_tokens - mean + 1
    iterations = min(iterations, slots[ENDS, 0] // replica.requests_count - replica.iteration)
    following = replica.next
    if (
        following < replica.requests_count
        and decodes_count < replica.max_batch_tokens
        and fits(each, state, following)
    ):
        arrival_s = each[following].arrival_s
        iterations = iterations_until(arrival_s, replica.now_s, duration_s, iterations)
    iterations = iterations_until(until_s, replica.now_s, duration_s, iterations)
    blocks_count = _blocks_of(state, slots, iterations)
    if blocks_count > replica.free_count:
        iterations = _iterations_within(state, slots, iterations)
        if iterations == 0:
            return False
        blocks_count = _blocks_of(state, slots, iterations)
    take_blocks(each, state, blocks_count)
    pass_time(state, batches, gaps, iterations, duration_s, beyond, decodes_count)
    replica.decode_tokens += iterations * decodes_count
    _end_decodes(each, state, slots)
    return True


@compiled_part
def _one_iteration(
    each: Requests,
    state: State,
    slots: Slots,
    batches: Batches,
    gaps: GapBins,
    law: TimeLaw,
) -> bool:
    """Do an iteration with prompts in it; False, and nothing changed, if blocks do not suffice."""
    replica = state[0]
    decodes_count = replica.decodes_count
    grown_count = slots[PHASE, replica.iteration % replica.block_tokens]
    if grown_count > replica.free_count:
        return False
    take_blocks(each, state, grown_count)
    clear_chunks(state)
    room_tokens = replica.max_batch_tokens - decodes_count
    prefills_count = 0
    request = replica.partial
    while room_tokens > 0:
        if request < 0:
            request = head_of_queue(each, state)
            if request < 0 or not fits(each, state, request):
                break
            admit(each, state, request)
            share_from_now(each, state, request)
        who = each[request]
        chunk_tokens = min(who.prompt_tokens - who.processed_tokens, room_tokens)
        add_chunk(state, chunk_tokens, who.processed_tokens, law.bucket_tokens)
        slots[RUNNING, prefills_count] = request
        slots[CHUNK, prefills_count] = chunk_tokens
        prefills_count += 1
        room_tokens -= chunk_tokens
        request = -1
    duration_s, beyond = time_of(law, state, decodes_count, replica.decode_tokens)
    pass_time(state, batches, gaps, 1, duration_s, beyond, decodes_count)
    replica.decode_tokens += decodes_count
    _end_decodes(each, state, slots)
    _end_chunks(each, state, slots, gaps, prefills_count)
    return True


@compiled_part
def _end_chunks(
    each: Requests, state: State, slots: Slots, gaps: GapBins, prefills_count: int
) -> None:
    """Advance the prompts of this iteration; those that are whole decode from here on.

    At most one, the last, is left half done: the chunk that leaves it so takes all the room. It
    has room in the next iteration too, as each prompt that is done here took a token or more.
    """
    replica = state[0]
    replica.partial = -1
    for position in range(prefills_count):
        request, chunk_tokens = slots[RUNNING, position], slots[CHUNK, position]
        who = each[request]
        who.energy_j += replica.prefill_j * chunk_tokens
        who.computed_tokens += chunk_tokens
        who.processed_tokens += chunk_tokens
        if who.processed_tokens < who.prompt_tokens:
            replica.partial = request
            continue
        prompt_done(each, state, gaps, request)
        if who.processed_tokens == who.input_tokens + who.output_tokens:
            settle_share(each, state, request)
            leave(each, state, request, blocks_held(each, state, request))
        else:
            begin_decode(each, state, slots, request)


@compiled_part
def begin_decode(each: Requests, state: State, slots: Slots, request: int) -> None:
    """Count a request among the decodes; its last one is known by iteration from here on."""
    replica, who = state[0], each[request]
    held_tokens = who.processed_tokens
    remaining = who.input_tokens + who.output_tokens - held_tokens
    key = (replica.iteration + remaining) * replica.requests_count + request
    push(slots, ENDS, replica.decodes_count, key)
    replica.decodes_count += 1
    replica.decode_tokens += held_tokens
    slots[PHASE, (replica.iteration + 1 - held_tokens) % replica.block_tokens] += 1


@compiled_part
def _end_decodes(each: Requests, state: State, slots: Slots) -> None:
    """Let the decodes go whose last token has just come, in order of arrival as `step` does."""
    replica = state[0]
    n = replica.requests_count
    while replica.decodes_count > 0 and slots[ENDS, 0] < (replica.iteration + 1) * n:
        request = pop_least(slots, ENDS, replica.decodes_count) % n
        total_tokens = each[request].input_tokens + each[request].output_tokens
        replica.decodes_count -= 1
        replica.decode_tokens -= total_tokens
        slots[PHASE, (replica.iteration + 1 - total_tokens) % replica.block_tokens] -= 1
        settle_decode(each, state, request, total_tokens)
        leave(each, state, request, blocks_held(each, state, request))


@compiled_part
def settle_decode(each: Requests, state: State, request: int, processed_tokens: int) -> None:
    """Bring a decode up to date: its tokens, and its joules since it was last settled."""
    who = each[request]
    who.energy_j += state[0].decode_j * (processed_tokens - who.processed_tokens)
    who.processed_tokens = processed_tokens
    settle_share(each, state, request)


@compiled_part
def settle_share(each: Requests, state: State, request: int) -> None:
    """Give a request its part of all bases since it was last settled."""
    replica, who = state[0], each[request]
    who.energy_j += replica.share_j - who.share_from_j
    who.energy_j += replica.share_rest_j - who.share_from_rest_j
    share_from_now(each, state, request)


@compiled_part
def share_from_now(each: Requests, state: State, request: int) -> None:
    """Note that a request takes part from here on."""
    each[request].share_from_j = state[0].share_j
    each[request].share_from_rest_j = state[0].share_rest_j


@compiled_part
def blocks_held(each: Requests, state: State, request: int) -> int:
    """Return the blocks of a request past its prompt: of all its tokens but the one just made."""
    size = state[0].block_tokens
    return (each[request].processed_tokens + size - 2) // size


@compiled_part
def _blocks_of(state: State, slots: Slots, iterations_count: int) -> int:
    """Return the blocks that the decodes need over that many iterations from here."""
    replica = state[0]
    size = replica.block_tokens
    blocks_count = (iterations_count // size) * replica.decodes_count
    place = replica.iteration % size
    for _ in range(iterations_count % size):
        blocks_count += slots[PHASE, place]
        place = place + 1 if place + 1 < size else 0
    return blocks_count


@compiled_part
def _iterations_within(state: State, slots: Slots, most_count: int) -> int:
    """Return how many iterations, at most `most_count`, the free blocks allow."""
    replica = state[0]
    size = replica.block_tokens
    rounds = replica.free_count // replica.decodes_count
    left_count = replica.free_count - rounds * replica.decodes_count
    iterations = rounds * size
    for later in range(size):
        left_count -= slots[PHASE, (replica.iteration + later) % size]
        if left_count < 0:
            break
        iterations += 1
    return min(iterations, most_count)

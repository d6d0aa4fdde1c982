"""The reference engine: one turn for each iteration, as the rules are told.

An iteration is decided at its beginning, in this order. Decodes: all that run, one token each; if
one needs a block and none is free, the youngest that runs is evicted. Then the prompts that run
already, in chunks. Then admission from the head of the queue, without overtaking. Its time is the
law's; at its end all that were selected advance. `leap` must give the same answer faster.

The running set is in order of arrival without sorting: evicted requests come back before new ones
come in, and all that wait after an eviction are younger than all that run.
"""

from tokenergy.compiled import compiled_part
from tokenergy.simulate.admission import (
    admit,
    evict,
    fits,
    head_of_queue,
    leave,
    prompt_done,
)
from tokenergy.simulate.boundary import has_come
from tokenergy.simulate.free_blocks import take_blocks
from tokenergy.simulate.gaps import GapBins
from tokenergy.simulate.law import TimeLaw, iteration_s
from tokenergy.simulate.replica_state import (
    CALM,
    CHUNK,
    FINISHED,
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


@compiled_part
def step(
    each: Requests,
    state: State,
    slots: Slots,
    batches: Batches,
    gaps: GapBins,
    law: TimeLaw,
    until_s: float,
    stops_when_calm: bool,
) -> int:
    """Run iterations until all is done, or time is up, or no evicted request waits any more.

    Args:
        each: the requests.
        state: the replica.
        slots: who runs, and with how many tokens.
        batches: joules by batch, and what is told of them.
        gaps: what is told of the time between tokens.
        law: seconds of an iteration.
        until_s: no iteration begins at or after this moment.
        stops_when_calm: whether to stop at the end of an iteration with nobody evicted.

    Returns:
        FINISHED, CALM or STUCK.
    """
    replica = state[0]
    while not has_come(until_s, replica.now_s):
        clear_chunks(state)
        decodes_count, held_tokens = _select_decodes(each, state, slots)
        room_tokens = replica.max_batch_tokens - decodes_count
        room_tokens = _select_prefills(each, state, slots, law.bucket_tokens, room_tokens)
        _select_new(each, state, slots, law.bucket_tokens, room_tokens)
        batch_count = decodes_count + replica.chunks_count
        if batch_count == 0:
            if replica.running_count + replica.evicted_count > 0:
                return STUCK
            if replica.next == replica.requests_count:
                return FINISHED
            if not wait_for_next(each, state):
                return STUCK
            continue
        duration_s, beyond = time_of(law, state, decodes_count, held_tokens)
        pass_time(state, batches, gaps, 1, duration_s, beyond, decodes_count)
        _advance(each, state, slots, gaps, batches[batch_count].base_j / batch_count)
        if stops_when_calm and replica.evicted_count == 0:
            return CALM
    return FINISHED


@compiled_part
def _select_decodes(each: Requests, state: State, slots: Slots) -> tuple[int, int]:
    """Select all running decodes, in order of arrival.

    Returns:
        How many there are, and the tokens that they hold in all.
    """
    replica = state[0]
    decodes_count, held_tokens = 0, 0
    position = 0
    while position < replica.running_count:
        who = each[slots[RUNNING, position]]
        slots[CHUNK, position] = 0
        if who.processed_tokens > who.prompt_tokens:
            if who.processed_tokens > who.blocks_count * replica.block_tokens:
                while replica.free_count == 0 and position < replica.running_count:
                    evict(each, state, slots[RUNNING, replica.running_count - 1])
                if position == replica.running_count:
                    break  # it was the youngest itself
                take_blocks(each, state, 1)
                who.blocks_count += 1
            slots[CHUNK, position] = 1
            decodes_count += 1
            held_tokens += who.processed_tokens
        position += 1
    return decodes_count, held_tokens


@compiled_part
def _select_prefills(
    each: Requests, state: State, slots: Slots, bucket_tokens: int, room_tokens: int
) -> int:
    """Give running prompts their chunks, in order of arrival; return the room that is left."""
    for position in range(state[0].running_count):
        who = each[slots[RUNNING, position]]
        if who.processed_tokens < who.prompt_tokens and room_tokens > 0:
            chunk_tokens = min(who.prompt_tokens - who.processed_tokens, room_tokens)
            slots[CHUNK, position] = chunk_tokens
            room_tokens -= chunk_tokens
            add_chunk(state, chunk_tokens, who.processed_tokens, bucket_tokens)
    return room_tokens


@compiled_part
def _select_new(
    each: Requests, state: State, slots: Slots, bucket_tokens: int, room_tokens: int
) -> None:
    """Admit from the head of the queue while there is room; the first that does not fit ends it."""
    while room_tokens > 0:
        request = head_of_queue(each, state)
        if request < 0 or not fits(each, state, request):
            break
        admit(each, state, request)
        who, position = each[request], state[0].running_count - 1
        chunk_tokens = min(who.prompt_tokens - who.processed_tokens, room_tokens)
        slots[RUNNING, position] = request
        slots[CHUNK, position] = chunk_tokens
        room_tokens -= chunk_tokens
        add_chunk(state, chunk_tokens, who.processed_tokens, bucket_tokens)


@compiled_part
def time_of(law: TimeLaw, state: State, decodes_count: int, held_tokens: int) -> tuple[float, int]:
    """Return the law's answer for these decodes with the prefills that are counted."""
    replica = state[0]
    return iteration_s(
        law,
        decodes_count,
        held_tokens,
        replica.chunks_count,
        replica.chunk_tokens,
        replica.chunk_squares,
        replica.context_tokens,
        replica.context_buckets,
        0.5 * replica.attended_twice,
    )


@compiled_part
def _advance(each: Requests, state: State, slots: Slots, gaps: GapBins, share_j: float) -> None:
    """Let all that were selected have their tokens and joules; those that are done leave."""
    replica = state[0]
    kept_count = 0
    for position in range(replica.running_count):
        request = slots[RUNNING, position]
        who, chunk_tokens = each[request], slots[CHUNK, position]
        if chunk_tokens > 0:
            if who.processed_tokens > who.prompt_tokens:
                who.energy_j += share_j + replica.decode_j
                who.processed_tokens += 1
            else:
                who.energy_j += share_j + replica.prefill_j * chunk_tokens
                who.computed_tokens += chunk_tokens
                who.processed_tokens += chunk_tokens
                if who.processed_tokens == who.prompt_tokens:
                    prompt_done(each, state, gaps, request)
        if who.processed_tokens == who.input_tokens + who.output_tokens:
            leave(each, state, request, who.blocks_count)
        else:
            slots[RUNNING, kept_count] = request
            kept_count += 1


@compiled_part
def wait_for_next(each: Requests, state: State) -> bool:
    """Let an empty replica wait for its next request; False if that one has come already."""
    replica = state[0]
    arrival_s = each[replica.next].arrival_s
    if has_come(arrival_s, replica.now_s):
        return False
    replica.now_s = arrival_s
    replica.now_rest_s = 0.0
    return True

"""One state, two engines: what each must find when the other hands over to it."""

from tokenergy.compiled import compiled_part
from tokenergy.simulate.heap import pop_least, push
from tokenergy.simulate.leap import (
    begin_decode,
    blocks_held,
    settle_decode,
    settle_share,
    share_from_now,
)
from tokenergy.simulate.replica_state import (
    ENDS,
    ORDER,
    PHASE,
    RUNNING,
    Requests,
    Slots,
    State,
)


@compiled_part
def settle(each: Requests, state: State, slots: Slots) -> None:
    """Bring the tokens and joules of all that run in `leap` up to date."""
    replica = state[0]
    n = replica.requests_count
    for place in range(replica.decodes_count):
        request = slots[ENDS, place] % n
        remaining = slots[ENDS, place] // n - replica.iteration
        total_tokens = each[request].input_tokens + each[request].output_tokens
        settle_decode(each, state, request, total_tokens - remaining)
    if replica.partial >= 0:
        settle_share(each, state, replica.partial)


@compiled_part
def to_step(each: Requests, state: State, slots: Slots) -> None:
    """Write down what `leap` knew without writing: tokens, blocks, and who runs, by arrival."""
    replica = state[0]
    settle(each, state, slots)
    for place in range(replica.decodes_count):
        push(slots, ORDER, place, slots[ENDS, place] % replica.requests_count)
    for place in range(replica.decodes_count):
        request = pop_least(slots, ORDER, replica.decodes_count - place)
        slots[RUNNING, place] = request
        each[request].blocks_count = blocks_held(each, state, request)
    if replica.partial >= 0:  # younger than all decodes; it holds the blocks of its prompt
        slots[RUNNING, replica.decodes_count] = replica.partial


@compiled_part
def to_leap(each: Requests, state: State, slots: Slots) -> None:
    """Count what runs in `step` as `leap` does: by the iteration in which it ends."""
    replica = state[0]
    slots[PHASE, :] = 0
    replica.decodes_count = 0
    replica.decode_tokens = 0
    replica.partial = -1
    for place in range(replica.running_count):
        request = slots[RUNNING, place]
        share_from_now(each, state, request)
        if each[request].processed_tokens > each[request].prompt_tokens:
            begin_decode(each, state, slots, request)
        else:
            replica.partial = request

"""Blocks of cache that nobody holds: taken and given back and, where they are reused, found again.

Where `reuses_blocks` is set, free blocks stand in a queue and keep what they hold until they are
taken: the least recently freed first and, of one request's, the last first, so that what is left
of a request's blocks is always the beginning of its text. So the queue needs no blocks one by
one: it has an entry for each request that was freed, with the number left of its blocks
(`left_count`) and how many of them, from the first, hold text that can be found (`full_count`);
and one for those that nobody ever held. Only full blocks can be found again.

The queue is a ring through the requests (`after`, `before`). Of the two records behind the last
request the first stands for blocks that were never held, the second for where the ring begins.
"""

from tokenergy.compiled import compiled_part
from tokenergy.simulate.replica_state import Requests, State


@compiled_part
def fill_queue(each: Requests, state: State) -> None:
    """Put all blocks of a fresh replica in the queue."""
    replica = state[0]
    replica.free_count = replica.kv_blocks_count
    replica.least_free_count = replica.kv_blocks_count
    if replica.reuses_blocks:
        ring = len(each) - 1
        each[ring].after = ring
        each[ring].before = ring
        _append(each, ring - 1, replica.kv_blocks_count, 0)


@compiled_part
def take_blocks(each: Requests, state: State, blocks_count: int) -> None:
    """Take free blocks, of which there must be enough; what they held is lost."""
    replica = state[0]
    replica.free_count -= blocks_count
    replica.least_free_count = min(replica.least_free_count, replica.free_count)
    if replica.reuses_blocks:
        ring = each[len(each) - 1]
        while blocks_count > 0:
            oldest = each[ring.after]
            part_count = min(blocks_count, oldest.left_count)
            oldest.left_count -= part_count
            blocks_count -= part_count
            if oldest.left_count == 0:
                _unlink(each, ring.after)


@compiled_part
def give_blocks(
    each: Requests, state: State, request: int, blocks_count: int, stored_tokens: int
) -> None:
    """Give back all blocks of a request, which hold that many of its tokens."""
    replica = state[0]
    replica.free_count += blocks_count
    if not replica.reuses_blocks or blocks_count == 0:
        return
    left_count = each[request].left_count
    if left_count > 0:  # a rest from before, which held nothing that was found: not to be mixed up
        following = each[request].after
        _unlink(each, request)
        if following == len(each) - 1:
            blocks_count += left_count
        else:
            each[following].left_count += left_count
    _append(each, request, blocks_count, stored_tokens // replica.block_tokens)


@compiled_part
def take_found(each: Requests, state: State, request: int) -> int:
    """Take what is left of a request's own full blocks or, of those gone, the previous turn's.

    The last token of a prompt is always computed: it is what the next one comes out of.

    Returns:
        How many blocks were found: they hold the beginning of the prompt.
    """
    owner = request
    if min(each[owner].left_count, each[owner].full_count) == 0:
        owner = each[owner].previous
    if owner < 0:
        return 0
    entry = each[owner]
    most_count = (each[request].prompt_tokens - 1) // state[0].block_tokens
    found_count = min(entry.left_count, entry.full_count, most_count)
    if found_count > 0:
        entry.left_count -= found_count
        entry.full_count = 0  # what stays is no beginning of anything
        if entry.left_count == 0:
            _unlink(each, owner)
        state[0].free_count -= found_count
    return found_count


@compiled_part
def _append(each: Requests, place: int, blocks_count: int, full_count: int) -> None:
    ring = len(each) - 1
    newest = each[ring].before
    each[newest].after = place
    each[place].before = newest
    each[place].after = ring
    each[ring].before = place
    each[place].left_count = blocks_count
    each[place].full_count = full_count


@compiled_part
def _unlink(each: Requests, place: int) -> None:
    each[each[place].before].after = each[place].after
    each[each[place].after].before = each[place].before

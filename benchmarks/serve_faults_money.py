"""A budget under a race: many clients, several workers, worth a number of requests, never over.

Every request reserves its worst case and settles what it used. The last requests of a budget may
be refused while others still hold their worst case, so the budget is asked in turns, at last by a
few clients; 97 % of it must have been of use. `holder_killed`: a worker that holds leases is killed
under load; what it had spent is known from its journal, and nothing of it twice.
"""

import time
from pathlib import Path

from serve_fault import Found, lines_of, recorded, told_bad, unrecorded
from serve_native import Load, upstreams
from serve_ours import INPUT_NANO_USD, OUTPUT_NANO_USD, SpendLimit, gateway, settled

TOKENS = 64
MEAN_PROMPT_TOKENS = 41.5
"""Of the fake upstream: 17 to 66, in turn; some of it cached, and cheaper."""
NANO = 1_000_000_000
LAST_CLIENTS = (4, 2)
"""Of the last turns: many at once would all be refused while the first of them hold their worst
case, which is a token a byte of prompt: some three times what a request comes to here."""
USABLE_SHARE = 0.97
BUSY_SHARE = 0.01
"""So many may be told 503: workers wait for one another at the store of leases."""


def raced(
    folder: Path,
    *,
    worth_count: int,
    workers: int,
    clients: int = 64,
    kill_holder: bool = False,
) -> Found:
    """Let clients spend a budget that is worth so many requests, on several workers."""
    limit_nano_usd = round(
        worth_count * (MEAN_PROMPT_TOKENS * INPUT_NANO_USD + TOKENS * OUTPUT_NANO_USD)
    )
    limit = SpendLimit(tenant="acme", usd=limit_nano_usd / NANO)
    turns = [(clients, 2 * worth_count), (clients, worth_count)]
    turns += [(few, worth_count // 4) for few in LAST_CLIENTS]
    logs = [folder / f"clients-{turn}.log" for turn in range(len(turns))]
    with (
        upstreams(2) as servers,
        gateway(
            [server.url for server in servers],
            folder=folder,
            workers=workers,
            spend_limits=(limit,),
        ) as running,
    ):
        for turn, (log, (connections, requests)) in enumerate(zip(logs, turns, strict=True)):
            load = Load(
                running.port,
                connections=connections,
                key=running.key("acme"),
                log=log,
                tokens=TOKENS,
                first_us=2_000,
                requests=max(connections, requests),
                start=turn * 1_000_000,
                seed=turn,
            )
            if kill_holder and not turn:
                time.sleep(0.3)
                running.workers()[0].kill()
            load.end()
            time.sleep(2.5)  # what is idle in a worker goes back
        settled(running)
        running.terminate()
        running.wait()
        ledger = running.ledger
    lines = [line for log in logs for line in lines_of(log)]
    spent = sum(each.charged_nano_usd for each in recorded(ledger).values())
    answered = [line for line in lines if line.outcome == "answered"]
    busy = [line for line in lines if line.status == 503]
    odd = [line for line in lines if line.status not in (200, 429, 503, 0)]
    share = spent / limit_nano_usd
    over = max(0, spent - limit_nano_usd)
    return Found(
        tried=len(lines),
        lost=over,
        faults=(
            *((f"{over} nano-USD over the limit",) if over else ()),
            *((f"only {share:.1%} of it was of use",) if share < USABLE_SHARE else ()),
            *told_bad("answered and not recorded", unrecorded(lines, ledger)),
            *told_bad("of an unexpected status", odd),
            *(told_bad("told 503", busy) if len(busy) > BUSY_SHARE * len(lines) else ()),
        ),
        more={
            "worth": worth_count,
            "admitted": len(answered),
            "told_503": len(busy),
            "used_share": round(share, 4),
            "limit_nano_usd": limit_nano_usd,
            "spent_nano_usd": spent,
        },
    )

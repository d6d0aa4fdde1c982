"""The actions of one request for people, best first, and what was decided."""

from typing import Final

from tokenergy.api.explaining import Explained
from tokenergy.cli.columns import figure, put, say

MICRO_PER_USD: Final = 1e6


def explained(found: Explained) -> None:
    """Print what was decided and why, every action with its score, and whether both agree."""
    say(
        f"Request {found.request_id} of {found.tenant}, tier {found.tier}, at {found.at}: "
        f"{found.told}"
    )
    if found.actions:
        put(
            f"Actions by board {found.board_id}, millionths of USD a request",
            [
                [
                    "chosen" if action is found.chosen else "",
                    action.model or "refuse",
                    action.deployment or (f"+{action.interval}" if action.interval else "-"),
                    figure(MICRO_PER_USD * action.score_usd, 3),
                    figure(MICRO_PER_USD * action.worth_usd, 3),
                    figure(MICRO_PER_USD * action.cost_usd, 3),
                    figure(MICRO_PER_USD * action.wait_usd, 3),
                    action.removed,
                ]
                for action in found.actions
            ],
            left=("", "model", "where or interval"),
            right=("score", "worth", "cost", "wait", "not to be had"),
        )
    for difference in found.differences:
        say(f"differs: {difference}")
    if found.agrees:
        say("Decided again from the ledger and the board: the same.")

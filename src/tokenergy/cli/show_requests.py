"""A replay of requests, for people: what each tier got, why, and what it cost."""

from collections.abc import Mapping

from tokenergy.api.replaying import RequestReplay
from tokenergy.cli.columns import figure, percent, put, say
from tokenergy.cli.show import banner
from tokenergy.simulate.request_card import RequestScore
from tokenergy.simulate.request_tier import TierCard
from tokenergy.units import J_PER_MWH, MICROJOULES_PER_J

REASONS_SHOWN = 12
"""Rows of decisions; the rest is summed."""


def requests(result: RequestReplay) -> None:
    """Print policies side by side, then tiers and decisions of the one that is shown."""
    card = result.card
    banner(result.heading)
    _policies(result)
    score = card.policies[result.shown]
    _latency(result.shown, score)
    _fates(result.shown, score)
    _decisions(result.shown, score)
    for line in result.lines():
        say(line)
    if result.ledger is not None:
        say(f"ledger: {result.ledger}")


def _policies(result: RequestReplay) -> None:
    horizon = result.card.horizon
    put(
        f"{horizon['start']} to {horizon['end']}",
        [
            [
                name,
                figure(score.cost_usd, 0),
                figure(score.parts["power"], 0),
                figure(score.parts["refused"] + score.parts["downgraded"], 0),
                percent(score.value.share),
                figure(score.measured.energy_mwh, 0),
                figure(score.measured.served_mtok, 0),
                figure(score.measured.refused_mtok, 0),
            ]
            for name, score in result.card.policies.items()
        ],
        left=("policy",),
        right=("cost USD", "power USD", "value lost USD", "value kept", "MWh", "served Mtok",
               "refused Mtok"),
    )  # fmt: skip


def _latency(shown: str, score: RequestScore) -> None:
    put(
        f"{shown}: time to the first token (network in it) and time per token",
        [
            [
                name,
                figure(tier.requests_count, 0),
                *_times(tier.ttft_s, 1.0, 2),
                figure(tier.ttft_limit_s, 1),
                *_times(tier.tpot_s, 1e3, 0),
                figure(1e3 * tier.tpot_limit_s, 0),
                percent(tier.slo_kept_share, 1),
                percent(tier.played_share, 0),
            ]
            for name, tier in score.tiers.items()
        ],
        left=("tier",),
        right=("requests", "TTFT p50 s", "p90", "p99", "limit", "TPOT p50 ms", "p90 ", "p99 ",
               "limit ", "both kept", "played"),
    )  # fmt: skip


def _times(found: Mapping[str, float] | None, scale: float, decimals: int) -> list[str]:
    if found is None:
        return ["-", "-", "-"]
    return [figure(scale * found[name], decimals) for name in ("p50", "p90", "p99")]


def _fates(shown: str, score: RequestScore) -> None:
    most = max(tier.requests_count for tier in score.tiers.values())
    scale, decimals, word = (1e6, 3, "millions of requests") if most > 1e6 else (1.0, 0, "requests")
    put(
        f"{shown}: what became of them, {word}; joules at the meter",
        [_fate(name, tier, scale, decimals) for name, tier in score.tiers.items()],
        left=("tier",),
        right=("served", "waited", "lesser model", "refused", "late", "value kept", "J/token",
               "MWh", "moved USD"),
    )  # fmt: skip


def _fate(name: str, tier: TierCard, scale: float, decimals: int) -> list[str]:
    counts = (
        tier.served_count, tier.deferred_count, tier.downgraded_count, tier.refused_count,
        tier.late_count,
    )  # fmt: skip
    return [
        name,
        *(figure(count / scale, decimals) for count in counts),
        percent(tier.kept_share, 1),
        figure(tier.j_per_token, 3),
        figure(tier.energy_microjoules / MICROJOULES_PER_J / J_PER_MWH, 3),
        figure(tier.moved_usd, 2),
    ]


def _decisions(shown: str, score: RequestScore) -> None:
    """Print decisions by reason, the most frequent first, and refusals apart."""
    total = sum(score.reasons.values())
    rows = [
        [reason, percent(count / total, 2), percent(score.refusals.get(reason, 0.0) / total, 2)]
        for reason, count in list(score.reasons.items())[:REASONS_SHOWN]
    ]
    actions = ", ".join(f"{name} {count / total:.2%}" for name, count in score.decisions.items())
    put(f"{shown}: decisions by reason", rows, left=("reason",), right=("of all", "refused"))
    say(f"decided: {actions}")

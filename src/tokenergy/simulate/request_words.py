"""A card of requests in sentences: what was decided, what it cost, what was not simulated."""

from collections.abc import Iterator

from tokenergy.simulate.request_card import RequestCard, RequestScore
from tokenergy.simulate.scorecard import Saving

SAID_SHARE = 0.0005
"""A share below this would be told as 0.0 %: it is not told."""
LEAST_USD = 0.5
"""A saving below this would be told as 0."""
NAMED_MOST = 4


def card_sentences(card: RequestCard, shown: str) -> Iterator[str]:
    """Yield what a card means, about the policy that is shown; no saving without its baseline."""
    yield _source(card)
    score = card.policies[shown]
    yield from _savings(card)
    yield from _value(card)
    yield _promise(shown, score)
    if score.moved_usd > 0.0:
        yield (
            f"Moving conversations read {score.moved_tokens / 1e6:,.1f} Mtok of prefixes anew that "
            f"lay in a cache elsewhere: {score.moved_usd:,.2f} USD."
        )
    yield from _budgets(score)
    yield from _doubts(score)


def _source(card: RequestCard) -> str:
    spare = f"dispatch leaves {card.spare_share:.0%} of each replica's operating point free"
    if card.sampled:
        return (
            f"{card.decided_count:,} requests were drawn and decided; they stand for "
            f"{card.requests_count:,.0f} (SYNTHETIC), and {spare}."
        )
    moved = ""
    if card.moved_from is not None:
        moved = f" of {card.moved_from}, played from {card.horizon['start']} on"
    return f"{card.decided_count:,} requests of {card.source}{moved}: each was decided; {spare}."


def _savings(card: RequestCard) -> Iterator[str]:
    for name, score in card.policies.items():
        if score.saving is not None and name != card.baseline:
            yield _saving_line(name, score.saving, str(card.baseline))


def _saving_line(name: str, saving: Saving, baseline: str) -> str:
    if abs(saving.usd) < LEAST_USD:
        return f"{name} costs what {baseline} costs."
    word = "loses" if saving.usd < 0.0 else "saves"
    line = f"{name} {word} {abs(saving.usd):,.0f} USD against {baseline}"
    if saving.share is None:
        return f"{line}."
    return f"{line}: {abs(saving.share):.1%} of its cost, lost value in it."


def _value(card: RequestCard) -> Iterator[str]:
    """Yield what each policy kept of what anybody could have kept."""
    told = [
        f"{name} {score.value.share:.2%}"
        for name, score in card.policies.items()
        if score.value.share is not None
    ]
    if not told:
        return
    most = next(iter(card.policies.values())).value.most_usd or 0.0
    yield (
        f"Value kept, less the cost of serving, of the most that hindsight allows "
        f"({most:,.0f} USD): {', '.join(told)}. An answer that came late counts whole in it."
    )


def _promise(shown: str, score: RequestScore) -> str:
    promised, measured = score.promised, score.measured
    joules = ""
    if promised.j_per_token is not None and measured.j_per_token is not None:
        joules = (
            f"; of all load at the meters {promised.j_per_token:,.3f} J per token were promised, "
            f"{measured.j_per_token:,.3f} measured"
        )
    return (
        f"The fluid run of {shown} promised a cost of {promised.cost_usd:,.0f} USD and "
        f"{promised.refused_mtok:,.0f} Mtok refused; its requests came to "
        f"{measured.cost_usd:,.0f} USD and {measured.refused_mtok:,.0f} Mtok{joules}."
    )


def _budgets(score: RequestScore) -> Iterator[str]:
    for name in dict.fromkeys(each.budget for each in score.budgets):
        mine = [each for each in score.budgets if each.budget == name]
        used = max(each.used_quantity / each.limit_quantity for each in mine)
        yield (
            f"Of the budget {name} at most {used:.1%} was used in a window ({len(mine)} of them)."
        )


def _doubts(score: RequestScore) -> Iterator[str]:
    """Yield what a reader of the figures has to know."""
    if score.played_share < 1.0 - SAID_SHARE:
        named = [
            f"{each.deployment} ({each.tokens_share:.1%}: {each.reason})"
            for each in score.left_out[:NAMED_MOST]
            if each.tokens_share >= SAID_SHARE
        ]
        rest = f"; left out: {', '.join(named)}" if named else ""
        yield f"Latency is that of {score.played_share:.1%} of the tokens{rest}."
    if score.behind:
        share = sum(each.tokens_share for each in score.behind)
        named = [
            f"{each.deployment} in {each.intervals_count}" for each in score.behind[:NAMED_MOST]
        ]
        yield (
            f"Replicas were sent more than they can do with {share:.1%} of the tokens: "
            f"{', '.join(named)} intervals. There waits grow for as long as it lasts; the times "
            "here are those of the third minute."
        )
    if score.over_limit_mwh > 0.0:
        yield (
            f"Sites drew {score.over_limit_mwh:,.1f} MWh beyond their connections in "
            f"{score.over_limit_h:g} site-hours: the plan did not know what the requests draw."
        )
    if score.from_duals_share < 1.0:
        yield (
            f"{1.0 - score.from_duals_share:.0%} of the intervals were priced by a merit order, "
            "which knows no rents and lets nothing wait for a cheaper hour."
        )
    if score.fallback_share > 0.0:
        yield f"Another policy decided {score.fallback_share:.0%} of the intervals."
    if score.beyond_table:
        yield (
            "More than 0.1 % of the iterations lie outside the tables of their law at "
            f"{', '.join(score.beyond_table)}."
        )

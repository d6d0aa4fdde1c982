"""The worth of lost work by tier: sums of the account, a sentence only where something broke."""

from datetime import timedelta

import pytest
from worlds import START, random_case

from tokenergy.company.outage import Outage
from tokenergy.dispatch.outages import apply_outages
from tokenergy.dispatch.policies import make_policy
from tokenergy.simulate.account import account
from tokenergy.simulate.lost import Lost, broken_names, lost_by_tier, outage_sentence
from tokenergy.simulate.replay import replay


@pytest.mark.parametrize("seed", range(3))
def test_tiers_sum_to_the_account(seed):
    made = random_case(seed, hours=12)[0]
    run = replay(made, make_policy("greedy", made))
    lost, spent = lost_by_tier(made, run), account(made, run)
    assert sum(each.refused_usd for each in lost.values()) == pytest.approx(spent.refused_usd)
    assert sum(each.downgraded_usd for each in lost.values()) == pytest.approx(spent.downgraded_usd)
    assert list(lost) == ["tier0", "tier1", "tier2"]


def test_a_sentence_only_where_something_broke():
    made = random_case(1, hours=12)[0]
    lost = {"chat": Lost(refused_usd=1234.4, downgraded_usd=0.0),
            "free": Lost(refused_usd=0.001, downgraded_usd=0.0)}  # fmt: skip
    assert broken_names(made) == ()
    out = Outage(what="feed", name="s0", start=START + timedelta(hours=2), length_h=2.0)
    broken = apply_outages(made, [out])
    assert outage_sentence(broken_names(broken), "mpc", lost) == (
        "With feed s0 out for a while mpc lost: chat 1,234 USD refused and 0 USD downgraded."
    )
    assert (
        outage_sentence(broken_names(broken), "mpc", {})
        == "With feed s0 out for a while mpc lost: nothing."
    )

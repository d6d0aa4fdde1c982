"""A replica that somebody measured, in the place of the catalogue's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tokenergy.company.measured import MeasuredReplica
from tokenergy.energy.measured_point import measured_operating_point
from tokenergy.errors import UnknownAccelerator, UnknownModel
from tokenergy.files.catalogue import load_catalogue

CATALOGUE = load_catalogue()


def measured(**more):
    given = {"fleet": "f", "output_tokens_per_s": 100, "full_w": 480, "base_w": 360, "note": "now"}
    return MeasuredReplica(**given | more)


def point(one=None, **more):
    given = {"model": "llama-3.1-8b", "accelerator": "H100", "gpus_count": 1}
    return measured_operating_point(CATALOGUE, one or measured(), **given | more)


def test_a_line_through_two_measurements_by_hand():
    """480 W at 100 tokens/s and 360 W without: 1.2 J a token more; host 150 W beside it."""
    found = point()
    assert found.marginal_mwh_per_mtok == pytest.approx(1.2 / 3600)
    assert found.base_mw == pytest.approx(510e-6)
    assert found.rate_mtok_per_h == pytest.approx(0.36)


def test_it_is_calibrated_and_not_measured_between_its_points():
    found = point()
    assert (found.energy_tier, found.low_share, found.high_share) == ("calibrated", 0.84, 1.34)
    assert "measured by the company: now" in found.warnings


@given(
    base=st.floats(0, 1e4), more=st.floats(0, 1e4), rate=st.floats(0.1, 1e5), host=st.floats(0, 500)
)
def test_at_full_load_it_draws_what_was_measured(base, more, rate, host):
    one = measured(base_w=base, full_w=max(base + more, 1e-3), output_tokens_per_s=rate)
    found = point(one, host_w_per_gpu=host)
    full_mw = found.base_mw + found.marginal_mwh_per_mtok * found.rate_mtok_per_h
    assert full_mw * 1e6 == pytest.approx(one.full_w + host, rel=1e-9)


def test_a_replica_that_draws_more_idle_than_full_is_refused():
    with pytest.raises(ValidationError, match="base_w 500 W exceeds full_w 480 W"):
        measured(base_w=500)


def test_unknown_names_are_refused():
    with pytest.raises(UnknownModel):
        point(model="nobody")
    with pytest.raises(UnknownAccelerator):
        point(accelerator="nobody")


def test_sequences_at_once_share_the_measured_rate():
    """Four at once at 100 tokens/s: 0.04 s between two tokens of each."""
    found = point(batch_count=4.0)
    assert (found.batch_count, found.tpot_s) == (4.0, pytest.approx(0.04))
    assert found.rate_mtok_per_h == point().rate_mtok_per_h

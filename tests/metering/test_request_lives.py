"""Requests kept from the journal's records, each where its last OPEN sent it."""

import served_records

from tokenergy.metering.request_lives import RequestLives

AT_S = served_records.AT_S


def test_from_open_to_close_and_forgotten() -> None:
    lives = RequestLives(["u", "v"])
    lives.take([served_records.opened(), served_records.marked(output=10)])
    (running,) = lives.within(["u"], AT_S, AT_S + 1)
    assert (running.closed_s, running.marks) == (None, ((AT_S + 2, 10),))
    lives.take([served_records.closed()])
    (ended,) = lives.within(["u", "v"], AT_S + 2, AT_S + 9)
    assert (ended.closed_s, ended.output_tokens, ended.outcome) == (AT_S + 3, 50, "completed")
    assert not list(lives.within(["u"], AT_S + 3, AT_S + 9))
    lives.forget(["u"], AT_S + 2.9)
    assert len(lives) == 1
    lives.forget(["u"], AT_S + 3)
    assert len(lives) == 0


def test_one_whose_end_could_not_be_written_is_let_go() -> None:
    lives = RequestLives(["u"])
    lives.take([served_records.opened()])
    lives.forget(["u"], AT_S + 599, longest_s=600.0)
    assert len(lives) == 1
    lives.forget(["u"], AT_S + 600, longest_s=600.0)
    assert len(lives) == 0


def test_what_is_told_twice_changes_nothing() -> None:
    told = [served_records.opened(), served_records.marked(), served_records.closed()]
    once, twice = RequestLives(["u"]), RequestLives(["u"])
    once.take(told)
    twice.take([*told[:2], *told, *told[1:]])
    span = (["u"], AT_S, AT_S + 9)
    assert list(once.within(*span)) == list(twice.within(*span))


def test_a_retry_is_at_its_last_server_and_held_ones_are_nowhere() -> None:
    lives = RequestLives(["u", "v"])
    lives.take([served_records.opened(upstream="")])
    assert len(lives) == 0
    lives.take([served_records.opened(at_s=AT_S + 1)])
    lives.take([served_records.opened(at_s=AT_S + 2, upstream="v")])
    assert not list(lives.within(["u"], AT_S, AT_S + 9))
    assert [life.opened_s for life in lives.within(["v"], AT_S, AT_S + 9)] == [AT_S + 2]
    lives.take([served_records.opened(at_s=AT_S + 3, upstream="elsewhere")])
    assert len(lives) == 0


def test_refusals_and_meters_are_passed_over() -> None:
    lives = RequestLives(["u"])
    lives.take([served_records.refused(), served_records.metered(), served_records.closed("r9")])
    assert len(lives) == 0

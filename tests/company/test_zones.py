"""The names of time zones."""

from zoneinfo import available_timezones

from tokenergy.company.zones import known_zones


def test_they_are_those_of_the_machine_and_are_looked_up_once() -> None:
    assert known_zones() == available_timezones()
    assert known_zones() is known_zones()

"""Which hours of the day the heat map shows."""

from datetime import date

from api.clinic.hours import Hour, HourRow, known_hours


def row(*known: int) -> HourRow:
    hours = (Hour(h, 12.0, 3) if h in known else Hour(h, None, 0) for h in range(24))
    return HourRow(date(2026, 3, 1), tuple(hours))


def test_only_the_hours_that_some_day_knows_and_what_lies_between() -> None:
    assert known_hours((row(9, 10), row(17), row())) == range(9, 18)
    assert known_hours((row(0), row(23))) == range(24)


def test_a_map_of_nothing_keeps_the_whole_day() -> None:
    assert known_hours(()) == known_hours((row(),)) == range(24)

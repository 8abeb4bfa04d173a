"""What the clinic's pages and report say about changes and turns, in one place."""

from datetime import date

from api.clinic.figures import Figure
from api.web import texts
from processing.shift import Shift
from processing.trend import Cycle, Turn


def interval(figure: Figure, change: Shift) -> str:
    """Return the interval of a difference, or that so few days allow none."""
    if change.low is None or change.high is None:
        return texts.text("clinic.shift.no_interval")
    low, high = figure.signed(change.low), figure.signed(change.high)
    return texts.text("clinic.shift.interval", low=low, high=high)


def shift_words(figure: Figure, change: Shift | None) -> str:
    """Return a difference with interval and numbers of days, or a dash."""
    if change is None:
        return texts.text("unit.none")
    return texts.text(
        "clinic.shift",
        estimate=figure.signed(change.estimate),
        interval=interval(figure, change),
        before=change.before_n,
        after=change.after_n,
    )


def verdict_words(figure: Figure, change: Shift | None) -> str:
    """Return better, worse, or that it cannot be said."""
    if change is None or not change.established or figure.better is None:
        key = "changed" if change is not None and change.established else "unclear"
    else:
        key = "better" if (change.estimate < 0) == (figure.better == "lower") else "worse"
    return texts.text(f"clinic.change.{key}")


def turn_words(turn: Turn) -> str:
    """Return the day of onset or wearing off with its interval, or why there is none."""
    if turn.day is None:
        why = texts.text(f"clinic.turn.{turn.reason}")
        return texts.text("clinic.turn.none", why=why)
    if turn.high is None:
        return texts.text("clinic.turn.open", day=turn.day, low=turn.low)
    return texts.text("clinic.turn", day=turn.day, low=turn.low, high=turn.high)


def best_words(figure: Figure, cycle: Cycle) -> str:
    """Return the best fortnight, in days since the injection."""
    if cycle.best_start is None:
        return texts.text("clinic.turn.none", why=texts.text("clinic.turn.no_follow_up"))
    start = cycle.best_start - cycle.injected
    return texts.text("clinic.best", value=figure.write(cycle.best), first=start, last=start + 13)


def day_of(ordinal: int) -> str:
    """Return a day's name for its number."""
    return texts.day_name(date.fromordinal(ordinal).isoformat())


def weeks(days: int) -> str:
    """Return a number of days in weeks and days."""
    return texts.text("clinic.weeks", w=days // 7, d=days % 7)

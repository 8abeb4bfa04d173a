"""The text catalogue and the filters that turn numbers into words for the pages."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

LANGUAGE = "en"
_FOR_SCRIPTS = ("angle.", "live.", "demo.", "unit.", "day.", "guide.", "play.", "exercise.name.")
"""Prefixes of the texts that scripts need; only these are put into the page."""


@cache
def catalogue(language: str = LANGUAGE) -> dict[str, str]:
    """Return all texts of a language."""
    raw = files("api.web").joinpath("locales", f"{language}.json").read_text(encoding="utf-8")
    texts: dict[str, str] = json.loads(raw)
    return texts


@cache
def catalogue_json(language: str = LANGUAGE) -> str:
    """Return the texts that scripts need as JSON that is safe inside an HTML script element."""
    wanted = {k: v for k, v in catalogue(language).items() if k.startswith(_FOR_SCRIPTS)}
    return json.dumps(wanted, ensure_ascii=False).replace("<", "\\u003c")


def text(key: str, **values: object) -> str:
    """Return a text with its places filled in.

    Raises
    ------
    KeyError
        The catalogue has no such text, or a place in it was given no value.
    """
    return catalogue()[key].format(**values)


def number(value: float | None, digits: int = 0) -> str:
    """Return a number, or a dash where there is none."""
    return text("unit.none") if value is None else f"{value:,.{digits}f}"


def percent(value: float | None) -> str:
    """Return a share (0..1) in percent, or a dash."""
    return text("unit.none") if value is None else text("unit.percent", n=f"{100 * value:.0f}")


def degrees(value: float | None, digits: int = 0) -> str:
    """Return degrees, or a dash."""
    if value is None:
        return text("unit.none")
    shown = f"{value:.{digits}f}".replace("-", "−")
    return text("unit.degrees", n=shown)


def duration(seconds: float | None) -> str:
    """Return a duration in the unit a person would use, or a dash."""
    if seconds is None:
        return text("unit.none")
    if seconds < 9.95:
        return text("unit.seconds", n=f"{seconds:.1f}")
    if seconds < 59.5:
        return text("unit.seconds", n=f"{seconds:.0f}")
    minutes = round(seconds / 60)
    if minutes < 60:
        return text("unit.minutes", n=minutes)
    return text("unit.hours", h=minutes // 60, m=f"{minutes % 60:02d}")


def angle_words(axis: str, value_deg: float | None) -> str:
    """Return a direction in words, such as "Turned right 25°"; the same words as in `format.js`."""
    if value_deg is None:
        return text("angle.none")
    size = int(abs(value_deg) + 0.5)
    if size < 2:
        return text(f"angle.{axis}.zero")
    side = "positive" if value_deg > 0 else "negative"
    return text(f"angle.{axis}.{side}", deg=size)


def iso(t_ns: int) -> str:
    """Return UTC nanoseconds as an RFC 3339 time with milliseconds."""
    moment = datetime.fromtimestamp(t_ns // 1_000_000 / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Clock:
    """Times in the patient's zone."""

    zone: ZoneInfo

    def local(self, t_ns: int) -> datetime:
        """Return the local time of UTC nanoseconds."""
        return datetime.fromtimestamp(t_ns / 1e9, tz=self.zone)

    def clock(self, t_ns: int) -> str:
        """Return the time of day."""
        return self.local(t_ns).strftime("%H:%M:%S")

    def minute(self, t_ns: int) -> str:
        """Return the time of day without seconds."""
        return self.local(t_ns).strftime("%H:%M")

    def date_short(self, t_ns: int) -> str:
        """Return the date as in `3 Nov`."""
        return day_short(self.local(t_ns).date())

    def moment(self, t_ns: int) -> str:
        """Return date and time of day as in `Mon 3 Nov 2026, 10:20`."""
        day = day_name(self.local(t_ns).date().isoformat())
        return text("date.moment", day=day, clock=self.minute(t_ns))


def day_short(day: date) -> str:
    """Return the date as in `3 Nov`."""
    return text("date.short", day=day.day, month=text(f"date.month.{day.month}"))


def day_name(iso_date: str) -> str:
    """Return `Mon 3 Nov 2026` for an ISO date."""
    day = date.fromisoformat(iso_date)
    return text(
        "date.day",
        weekday=text(f"date.weekday.{day.isoweekday()}"),
        day=day.day,
        month=text(f"date.month.{day.month}"),
        year=day.year,
    )

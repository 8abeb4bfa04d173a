"""Minutes, days and recordings in figures, each with how far to trust it."""

from processing.summary.day import DayParams, summarise_day
from processing.summary.minute import SummaryParams, SummaryState, start, step
from processing.summary.nonwear import worn_minutes
from processing.summary.recording import summarise_recording
from processing.summary.types import DaySummary, MinutesOut, MinuteSummary, Plane, PostureCell

__all__ = [
    "DayParams",
    "DaySummary",
    "MinuteSummary",
    "MinutesOut",
    "Plane",
    "PostureCell",
    "SummaryParams",
    "SummaryState",
    "start",
    "step",
    "summarise_day",
    "summarise_recording",
    "worn_minutes",
]

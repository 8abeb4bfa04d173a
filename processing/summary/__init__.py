"""Minutes, days and recordings in figures, each with how far to trust it."""

from processing.summary.types import DaySummary, MinutesOut, MinuteSummary, PostureCell

__all__ = ["DaySummary", "MinuteSummary", "MinutesOut", "PostureCell"]

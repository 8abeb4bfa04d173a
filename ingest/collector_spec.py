"""What a collector needs to know before it starts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from ingest.candidates import SensorWish
from ingest.link_state import LinkLimits
from ingest.live import Role, TodayCounters
from ingest.resume import Resume
from processing.pipeline import PipelineParams, Setup

FRAME_EVERY_S = 0.1
"""Least time between live frames."""


@dataclass(frozen=True, slots=True)
class CollectorSpec:
    """Whose sensors, recorded where, and how."""

    folder: Path
    """Data folder; one collector at a time records into it."""
    patient: str
    zone: ZoneInfo
    setup: Setup
    """Alignment to begin with."""
    wishes: Mapping[Role, SensorWish]
    """The sensors, by role; without a trunk sensor give `Setup.head_only`."""
    params: PipelineParams = field(default_factory=PipelineParams)
    limits: LinkLimits = field(default_factory=LinkLimits)
    today: TodayCounters | None = None
    """What of today's results was stored before; with `resume`, before its time only."""
    resume: Resume | None = None
    """The wear session that an earlier start left, to go on with; `setup` is its setup."""
    frame_every_s: float = FRAME_EVERY_S

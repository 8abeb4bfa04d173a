"""Candidate episodes: jerks, sustained posturing, tremor; and voluntary turns."""

from processing.episodes.jerk import JerkParams
from processing.episodes.posture import PostureParams
from processing.episodes.relative_rate import relative_rate_dps
from processing.episodes.state import EpisodeParams, EpisodesState, start
from processing.episodes.stream import step
from processing.episodes.tremor import TremorParams
from processing.episodes.turns import TurnParams
from processing.episodes.types import DETECTOR_VERSION, EpisodesOut, Turn

__all__ = [
    "DETECTOR_VERSION",
    "EpisodeParams",
    "EpisodesOut",
    "EpisodesState",
    "JerkParams",
    "PostureParams",
    "TremorParams",
    "Turn",
    "TurnParams",
    "relative_rate_dps",
    "start",
    "step",
]

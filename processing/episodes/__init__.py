"""Candidate episodes: jerks, sustained posturing, tremor; and voluntary turns."""

from processing.episodes.types import DETECTOR_VERSION, EpisodesOut, Turn

__all__ = ["DETECTOR_VERSION", "EpisodesOut", "Turn"]

"""Orientation of one or two worn sensors from their inertial and magnetic samples."""

from processing.orientation.pair import smooth, step, told_from
from processing.orientation.pair_state import PairState, start, state_from_dict, state_to_dict
from processing.orientation.params import FilterParams, PairParams, SensorParams
from processing.orientation.single import estimate

__all__ = [
    "FilterParams",
    "PairParams",
    "PairState",
    "SensorParams",
    "estimate",
    "smooth",
    "start",
    "state_from_dict",
    "state_to_dict",
    "step",
    "told_from",
]

"""Sensor-to-segment alignment of head and trunk, the neutral reference N, and the poses M and D."""

from processing.alignment.estimate import StoredReference, estimate_alignment
from processing.alignment.mounting import Mounting, SensorMounting, parse_mounting
from processing.alignment.neutral import find_held, neutral_span
from processing.alignment.references import (
    ReferencePoses,
    heading_resets,
    reference_poses,
    sensor_rotation,
    sharing,
)
from processing.alignment.steps import Expected, StepCheck, StepProblem, check_step

__all__ = [
    "Expected",
    "Mounting",
    "ReferencePoses",
    "SensorMounting",
    "StepCheck",
    "StepProblem",
    "StoredReference",
    "check_step",
    "estimate_alignment",
    "find_held",
    "heading_resets",
    "neutral_span",
    "parse_mounting",
    "reference_poses",
    "sensor_rotation",
    "sharing",
]

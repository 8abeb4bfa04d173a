"""Simulated persons with two worn sensors: for demo, tests, validation and benchmarks alike."""

from processing.synthesis.field import FieldSpec, with_magnetometers
from processing.synthesis.person import axis_permutations
from processing.synthesis.recording import (
    SensorTruth,
    SimulatedChunk,
    SimulatedRecording,
    sample_times_ns,
)
from processing.synthesis.schedule import Label
from processing.synthesis.simulator import SimulatorState, ask, simulate, start, step
from processing.synthesis.spec import (
    IDEAL_SENSOR,
    SENSOR_A,
    SENSOR_B,
    PatientSpec,
    SensorSpec,
    botulinum_factor,
    healthy,
    scaled,
)

__all__ = [
    "IDEAL_SENSOR",
    "SENSOR_A",
    "SENSOR_B",
    "FieldSpec",
    "Label",
    "PatientSpec",
    "SensorSpec",
    "SensorTruth",
    "SimulatedChunk",
    "SimulatedRecording",
    "SimulatorState",
    "ask",
    "axis_permutations",
    "botulinum_factor",
    "healthy",
    "sample_times_ns",
    "scaled",
    "simulate",
    "start",
    "step",
    "with_magnetometers",
]

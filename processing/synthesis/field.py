"""Magnetometers for a simulated recording: earth's field, what disturbs it, and hard iron.

Made from the true attitudes of a recording afterwards, so that a patient with magnetometers moves
just like the one without.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from processing import quaternion
from processing.synthesis.recording import SimulatedRecording
from processing.types import FloatArray, ImuBlock

CHANGE_S: Final = 3.0
"""How long it takes to go from one place to the next."""


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """The field around a person and the magnetometers in it."""

    norm_ut: float = 48.0
    """Earth's field, µT (central Europe)."""
    dip_deg: float = 66.0
    """How steeply it points down."""
    common: float = 0.0
    """Disturbance that head and trunk share, standard deviation per axis over the norm: steel in
    the floor and walls."""
    apart: float = 0.0
    """The same of what they do not share: a radiator, a chair with a steel frame. 0.03 indoors, 0.1
    and more beside iron."""
    place_s: float = 900.0
    """Mean time at one place."""
    iron_ut: float = 1.0
    """Hard iron that calibration left, standard deviation per axis, µT."""
    noise_ut: float = 0.5
    """Noise of a value."""
    step_ut: float = 0.15
    """Resolution."""
    twist_deg: float = 0.0
    """Turn of the field at the head about the vertical, which leaves norm and dip as they are: no
    real disturbance does, so nothing is worse."""
    twist_s: tuple[float, float] = (1200.0, 3600.0)
    """From when to when."""


def with_magnetometers(
    recording: SimulatedRecording, spec: FieldSpec, seed: int
) -> tuple[ImuBlock, ImuBlock]:
    """Return the samples of head and trunk, each with a magnetic field in µT.

    The recording must have been simulated with its truth. Same seed, same field.
    """
    rng = np.random.default_rng([seed, 0x6D61])
    t_s: FloatArray = recording.t_ns.astype(np.float64) * 1e-9
    dip = np.radians(spec.dip_deg)
    earth = spec.norm_ut * np.array([0.0, np.cos(dip), -np.sin(dip)])
    shared: FloatArray = earth + _places(rng, t_s, spec, spec.common)
    blocks = []
    for block, q_es, at_head in zip(
        recording.blocks(), (recording.q_es_head, recording.q_es_trunk), (True, False), strict=True
    ):
        field = shared + _places(rng, t_s, spec, spec.apart / np.sqrt(2.0))
        if at_head and spec.twist_deg != 0.0:
            field = _twisted(field, t_s, spec)
        mag = quaternion.rotate(quaternion.conjugate(q_es), field)
        mag += spec.iron_ut * rng.standard_normal(3)
        mag += spec.noise_ut * rng.standard_normal(mag.shape)
        blocks.append(replace(block, mag=spec.step_ut * np.round(mag / spec.step_ut)))
    return blocks[0], blocks[1]


def _places(rng: np.random.Generator, t_s: FloatArray, spec: FieldSpec, sd: float) -> FloatArray:
    """Return a disturbance (n, 3) that is constant at a place and slides to that of the next."""
    times, values = [0.0], [rng.standard_normal(3)]
    while times[-1] < t_s[-1]:
        leaves_s = times[-1] + rng.exponential(spec.place_s)
        times += [leaves_s, leaves_s + CHANGE_S]
        values += [values[-1], rng.standard_normal(3)]
    of_axis = np.array(values).T * sd * spec.norm_ut
    return np.column_stack([np.interp(t_s, times, axis) for axis in of_axis])


def _twisted(field: FloatArray, t_s: FloatArray, spec: FieldSpec) -> FloatArray:
    begin_s, end_s = spec.twist_s
    share = np.clip(np.minimum(t_s - begin_s, end_s - t_s) / 60.0, 0.0, 1.0)
    turn = np.zeros((t_s.size, 3))
    turn[:, 2] = np.radians(spec.twist_deg) * share
    rotated: FloatArray = quaternion.rotate(quaternion.from_rotation_vector(turn), field)
    return rotated

"""Who is simulated, and how the two virtual sensors are worn."""

import math
from dataclasses import replace

import numpy as np

from api.alignments import mounted_as
from api.guided.pairing import DEMO
from ingest.sources.virtual_body import BodySpec
from processing import quaternion
from processing.alignment.mounting import SensorMounting
from processing.synthesis import PatientSpec, botulinum_factor, scaled
from processing.types import Alignment, FloatArray

PATIENT_ID = DEMO
LABEL = "Simulated patient"
SEED = 1
"""Of the person and the sensors; the same at every start, so that it is the same person."""
INJECTED_DAYS_AGO = 11
"""A simulated injection, so that the history has something to show."""

HEAD_WORN = SensorMounting(anterior="+z", up="+y")
TRUNK_WORN = SensorMounting(anterior="+z", up="-x")
"""How the sensors are meant to be worn: what a person would read off a picture."""
MIDLINE_DEG = (1.5, 3.0, 8.0)
DYSTONIC_DEG = (6.0, 12.0, 30.0)
"""M and D of this person: half way to the middle alone, and where the head ends up when let go."""
_HEAD_TILT_DEG = (6.0, -4.0, 3.0)
_TRUNK_TILT_DEG = (-5.0, 7.0, -2.0)
"""How crooked they really sit, which only the calibration finds out."""


def _tilted(worn: SensorMounting, tilt_deg: tuple[float, float, float]) -> FloatArray:
    x, y, z = (math.radians(angle) for angle in tilt_deg)
    vector = np.array([x, y, z])
    return quaternion.multiply(quaternion.from_rotation_vector(vector), worn.q_segment_sensor)


def _four(q: FloatArray) -> tuple[float, float, float, float]:
    w, x, y, z = (float(value) for value in q)
    return w, x, y, z


def patient_spec(days_ago: int = 0) -> PatientSpec:
    """Return the simulated person so many days ago."""
    spec = replace(
        PatientSpec(),
        head_mounting=_four(_tilted(HEAD_WORN, _HEAD_TILT_DEG)),
        trunk_mounting=_four(_tilted(TRUNK_WORN, _TRUNK_TILT_DEG)),
        rest_fraction=0.3,
        tonic_gap_s=(60.0, 240.0),
        jerks_per_min=1.5,
        tremor_gap_s=(120.0, 600.0),
        turns_per_min=3.0,
        glances_per_min=6.0,
        # at home alone: M is the pose of later resets, and is measured with D at the calibration
        midline_deg=MIDLINE_DEG,
        dystonic_deg=DYSTONIC_DEG,
        learn_poses=1,
        reset_pose="midline_pose",
    )
    return scaled(spec, botulinum_factor(INJECTED_DAYS_AGO - days_ago))


def body_spec() -> BodySpec:
    """Return the person of today with both virtual sensors."""
    return BodySpec(patient=patient_spec(), seed=SEED)


def declared_alignment() -> Alignment:
    """Return the alignment of the declared mounting, in force until the calibration."""
    return mounted_as(
        HEAD_WORN,
        TRUNK_WORN,
        "The simulated patient is being calibrated, which takes some 80 s: it sits straight, "
        "nods, shakes its head, bows, and holds two positions. Angles are rough until then.",
    )

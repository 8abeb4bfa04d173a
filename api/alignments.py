"""Calibrations as the catalogue keeps them, and what to begin with where there is none."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from processing.alignment.mounting import SensorMounting
from processing.types import Alignment
from storage.catalog import Catalog

PICTURED = SensorMounting(anterior="+z", up="+y")
"""How the pictures show both sensors: face forward, arrow up."""
IMPORTED = "imported"
"""Entry of the body of an alignment that belongs to a recording from elsewhere."""
_ARRAYS = ("q_head_segment_sensor", "q_trunk_segment_sensor", "neutral_q")


def alignment_body(alignment: Alignment) -> dict[str, Any]:
    """Return an alignment as plain values."""
    body = asdict(alignment)
    return {**body, **{name: body[name].tolist() for name in _ARRAYS}}


def alignment_of(body: Mapping[str, Any]) -> Alignment:
    """Return the alignment that `alignment_body` made plain; what stands beside it is left out."""
    own = {field.name: body[field.name] for field in fields(Alignment)}
    arrays = {name: np.array(body[name], dtype=np.float64) for name in _ARRAYS}
    return Alignment(**{**own, **arrays, "warnings": tuple(body["warnings"])})


def mounted_as(head: SensorMounting, trunk: SensorMounting, warning: str) -> Alignment:
    """Return the alignment that a declared mounting alone gives.

    N is taken to be the head straight on the trunk, which no person holds exactly.
    """
    return Alignment(
        id="declared",
        n_id="declared",
        method="mounting",
        quality="low",
        q_head_segment_sensor=head.q_segment_sensor,
        q_trunk_segment_sensor=trunk.q_segment_sensor,
        neutral_q=np.array([1.0, 0.0, 0.0, 0.0]),
        sigma_deg=8.0,
        warnings=(warning,),
    )


def latest_alignment(catalog: Catalog, patient: str) -> Alignment:
    """Return the last calibration made here, or the mounting that the pictures show."""
    held = [each for each in catalog.alignments(patient) if not each.body.get(IMPORTED)]
    if held:
        return alignment_of(held[-1].body)
    return mounted_as(
        PICTURED, PICTURED, "Not calibrated yet: angles are rough, and zero is not your neutral."
    )

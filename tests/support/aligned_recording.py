"""A simulated recording as alignment wants it: rows, and the true orientations as the filter's."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from processing import alignment, angles, quaternion
from processing.alignment import neutral
from processing.synthesis import PatientSpec, SimulatedRecording, simulate
from processing.types import Alignment, FloatArray, PairBlock, PairOrientation, Span


def recording(seed: int = 1, duration_s: float = 110.0, **changes: object) -> SimulatedRecording:
    """Simulate a default patient with some fields changed."""
    return simulate(replace(PatientSpec(), **changes), seed, duration_s)  # type: ignore[arg-type] # fields by name


def pair_block(made: SimulatedRecording) -> PairBlock:
    """Return the samples as they are, on the simulator's own grid."""
    head, trunk = made.blocks()
    return PairBlock(
        k0=0,
        t0_ns=0,
        rate_hz=made.rate_hz,
        head_gyr=head.gyr,
        head_acc=head.acc,
        head_valid=head.valid,
        trunk_gyr=trunk.gyr,
        trunk_acc=trunk.acc,
        trunk_valid=trunk.valid,
    )


def true_orientation(made: SimulatedRecording, *, heading_deg: float = 0.0) -> PairOrientation:
    """Return a perfect filter's answer, the head's heading off by an arbitrary constant."""
    turn = quaternion.from_rotation_vector([0.0, 0.0, np.radians(heading_deg)])
    return PairOrientation(
        k0=0,
        q_es_head=quaternion.multiply(turn, made.q_es_head),
        q_es_trunk=made.q_es_trunk,
        heading_sigma_deg=np.zeros(made.t_ns.size),
        head_bias_dps=made.head.bias_dps(30.0),
        trunk_bias_dps=made.trunk.bias_dps(30.0),
    )


def facing_as_told(
    made: SimulatedRecording, found: Alignment, spans: Sequence[Span] | None = None
) -> PairOrientation:
    """Return the orientations of a perfect filter that took in the first reset."""
    reset = alignment.heading_resets(
        found, made.spans if spans is None else spans, t0_ns=0, rate_hz=made.rate_hz
    )[0]
    true = true_orientation(made)
    rows = slice(reset.k_start, reset.k_end)
    expected = quaternion.multiply(true.q_es_trunk[rows], reset.q_th_ref)
    turn = quaternion.mean(
        quaternion.multiply(expected, quaternion.conjugate(true.q_es_head[rows]))
    )
    turn = quaternion.normalize(turn * np.array([1.0, 0.0, 0.0, 1.0]))
    return replace(true, q_es_head=quaternion.multiply(turn, true.q_es_head))


def angle_errors(
    made: SimulatedRecording, found: Alignment, spans: Sequence[Span] | None = None
) -> FloatArray:
    """Return the RMSE (3,), degrees, that the alignment alone brings about."""
    oriented = facing_as_told(made, found, spans)
    got = angles.cervical_angles(oriented, found, np.ones(made.t_ns.size, dtype=np.bool_))
    true = made.angles()
    shown = (got.flexion_deg, got.lateral_right_deg, got.rotation_right_deg)
    return np.array(
        [float(np.sqrt(np.mean((a - b) ** 2))) for a, b in zip(shown, true, strict=True)]
    )


def undeclared_errors(made: SimulatedRecording, found: Alignment) -> FloatArray:
    """Return the RMSE (3,), degrees, of an alignment that found its own neutral pose.

    Zero is the posture that was found, as the person really held it.
    """
    span = alignment.neutral_span(pair_block(made), ())
    held = slice(*neutral.span_rows(pair_block(made), span))
    oriented = facing_as_told(made, found, [span])
    got = angles.cervical_angles(oriented, found, np.ones(made.t_ns.size, dtype=np.bool_))
    n_inverse = quaternion.conjugate(quaternion.mean(made.q_rel[held]))
    true = angles.decompose(quaternion.multiply(made.q_rel, n_inverse))
    shown = (got.flexion_deg, got.lateral_right_deg, got.rotation_right_deg)
    return np.array(
        [float(np.sqrt(np.mean((a - b) ** 2))) for a, b in zip(shown, true, strict=True)]
    )

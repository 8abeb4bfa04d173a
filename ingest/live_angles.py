"""The newest row of the chain as a page shows it."""

from dataclasses import dataclass

import numpy as np

from ingest.live import TodayCounters
from ingest.today import Today
from processing import quaternion
from processing.angles import FAIR_SIGMA_DEG, compose
from processing.pipeline import PipelineOutput
from processing.types import Alignment, Episode, FloatArray


@dataclass(frozen=True, slots=True)
class LiveAngles:
    """The newest row of the chain, and what a page shows beside it."""

    t_ns: int
    flexion_deg: float | None
    lateral_right_deg: float | None
    rotation_right_deg: float | None
    deviation_deg: float | None
    q_rel: tuple[float, float, float, float] | None
    q_shown: tuple[float, float, float, float] | None
    heading_sigma_deg: float | None
    head_pitch_deg: float | None
    head_roll_deg: float | None
    valid: bool
    worn: bool
    gated: bool | None
    provisional: tuple[Episode, ...]
    today: TodayCounters
    alignment: Alignment
    """What the angles rest on."""


def newest_angles(
    out: PipelineOutput,
    alignment: Alignment,
    today: Today,
    *,
    period_ns: int,
    gated: bool | None,
) -> LiveAngles | None:
    """Return the last row of a step, None where it gave none.

    Parameters
    ----------
    out : PipelineOutput
    alignment : Alignment
        What the step rests on.
    today : Today
        Turned to the row's day.
    period_ns : int
        Nanoseconds between rows.
    gated : bool or None
        The newest gate, which lags the angles.
    """
    if not out.angles.valid.shape[0]:
        return None
    a = out.angles
    t_ns = out.pair.t0_ns + (a.k0 + a.valid.shape[0] - 1) * period_ns
    today.turn(t_ns)
    q_rel = shown = None
    if np.isfinite(a.q_rel[-1]).all():
        q_rel = _quadruple(a.q_rel[-1])
        n_inverse = quaternion.conjugate(alignment.neutral_q)
        shown = _quadruple(quaternion.multiply(a.q_rel[-1], n_inverse))
        if not a.heading_sigma_deg[-1] <= FAIR_SIGMA_DEG:
            # a turn that is not known is not drawn
            shown = _quadruple(compose(a.flexion_deg[-1], a.lateral_right_deg[-1], 0.0))
    pitch = roll = None
    if out.inclination is not None:
        pitch = _number(out.inclination.head_pitch_deg[-1])
        roll = _number(out.inclination.head_roll_deg[-1])
    return LiveAngles(
        t_ns=t_ns,
        flexion_deg=_number(a.flexion_deg[-1]),
        lateral_right_deg=_number(a.lateral_right_deg[-1]),
        rotation_right_deg=_number(a.rotation_right_deg[-1]),
        deviation_deg=_number(a.deviation_deg[-1]),
        q_rel=q_rel,
        q_shown=shown,
        heading_sigma_deg=_number(a.heading_sigma_deg[-1]),
        head_pitch_deg=pitch,
        head_roll_deg=roll,
        valid=bool(a.valid[-1]),
        worn=bool(out.worn[-1]),
        gated=gated,
        provisional=out.episodes.provisional,
        today=today.counters(out.minutes.current),
        alignment=alignment,
    )


def _number(value: np.float64) -> float | None:
    return float(value) if np.isfinite(value) else None


def _quadruple(q: FloatArray) -> tuple[float, float, float, float]:
    w, x, y, z = (float(v) for v in q)
    return w, x, y, z

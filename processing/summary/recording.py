"""One recording in figures: the content of `summary.json`."""

from collections.abc import Sequence

from processing.summary.total import KindTotal, add_up, count_kind
from processing.summary.types import MinuteSummary
from processing.types import Alignment, Episode
from processing.wear import WearParams

_AXIS_KEYS = {
    "flexion": "flexion_deg",
    "lateral": "lateral_right_deg",
    "rotation": "rotation_right_deg",
    "deviation": "deviation_deg",
}


def _kind(total: KindTotal | None) -> dict[str, float | None]:
    if total is None:
        return {"n": None, "per_evaluable_h": None, "seconds": None}
    return {"n": total.n, "per_evaluable_h": total.per_evaluable_h, "seconds": total.seconds}


def summarise_recording(
    minutes: Sequence[MinuteSummary],
    episodes: Sequence[Episode],
    *,
    algorithm_version: str,
    params_hash: str,
    alignment: Alignment | None,
    warnings: Sequence[str] = (),
    wear: WearParams | None = None,
) -> dict[str, object]:
    """Return a recording's summary as JSON-able values, keys as fixed for `summary.json`.

    Parameters
    ----------
    minutes : sequence of MinuteSummary
        All minutes, in order of time.
    episodes : sequence of Episode
        All final episodes.
    algorithm_version, params_hash : str
        What computed the figures.
    alignment : Alignment or None
        None where there is none; the key then holds None.
    warnings : sequence of str
        What a reader must know, such as an option that was missing.
    wear : WearParams, optional
        Non-wear rules.

    Notes
    -----
    Angles stand under their column names in degrees. What is missing is None.
    """
    total = add_up(wear or WearParams(), minutes)
    kinds = {kind: count_kind(total, episodes, kind) for kind in ("jerk", "tremor", "posture")}
    notes = list(warnings)
    if total.heading_good_s + total.heading_fair_s <= 0.0 and kinds["posture"] is not None:
        kinds["posture"] = None
        notes.append("heading quality was poor throughout: rotation and postures are null")
    alone = bool(minutes) and "posture" not in total.judged_s
    if alone:
        notes.append("a single head sensor: neck angles and postures are null")
    if minutes and "jerk" not in total.judged_s:
        notes.append("sensors below 50 Hz: jerks and tremor are null")
    aligned: dict[str, object] | None = None
    if alignment is not None:
        aligned = {
            "id": alignment.id,
            "method": alignment.method,
            "quality": alignment.quality,
            "head_sensor_to_segment": alignment.q_head_segment_sensor.tolist(),
            "trunk_sensor_to_segment": alignment.q_trunk_segment_sensor.tolist(),
            "neutral_q": alignment.neutral_q.tolist(),
            "warnings": list(alignment.warnings),
        }
    return {
        "algorithm": {"version": algorithm_version, "params_hash": params_hash},
        "alignment": aligned,
        "recorded_s": total.recorded_s,
        "worn_s": total.worn_s,
        "evaluable_s": total.evaluable_s,
        "gated_s": total.gated_s,
        "completeness": total.completeness,
        **{_AXIS_KEYS[axis]: values for axis, values in total.axes.items()},
        "near_neutral_fraction": total.near_neutral_fraction,
        "episodes": {kind: _kind(figures) for kind, figures in kinds.items()},
        "heading": {
            "good_s": None if alone else total.heading_good_s,
            "fair_s": None if alone else total.heading_fair_s,
            "poor_s": None if alone else total.heading_poor_s,
        },
        "warnings": notes,
    }

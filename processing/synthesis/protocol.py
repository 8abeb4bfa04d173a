"""What the person is asked to do: the guided calibration and the later reference poses.

The first nod goes chin down, the first shake to the right, as instructed; later swings of the same
movement may be larger to the other side, as people do.
"""

from typing import Final

import numpy as np

from processing.synthesis import schedule
from processing.synthesis.schedule import Label, Occurrence, Plan, Row
from processing.synthesis.spec import PatientSpec, Triple

NEUTRAL_START_S: Final = 2.0
PAUSE_S: Final = 2.0
"""Between two movements of the calibration: the voice speaks."""
REPETITIONS: Final = {"nod": 5, "shake": 5, "trunk_bow": 3}
MAIN_CHANNEL: Final = {"nod": 0, "shake": 2, "trunk_bow": 0}
SWING_DEG: Final = {"nod": (15.0, 30.0), "shake": (20.0, 40.0), "trunk_bow": (15.0, 30.0)}
POSE_LEARN_HOLD_S: Final = 4.0


def calibration(spec: PatientSpec, rng: np.random.Generator) -> Occurrence:
    """Return the guided calibration: rows, the protocol's labels, and when it is over.

    The person holds the neutral pose from the start of the recording (the simulator's initial
    state has `HOLD` = 1); motion of their own begins when the calibration is over.
    """
    rows: list[Row] = []
    labels: list[Label] = []
    pose = _error(spec.reset_error_deg, rng)
    rows.append(schedule.step_row(-1.0, 0.5, schedule.protocol(pose)))
    t = NEUTRAL_START_S
    labels.append(_span("neutral_pose", t, t + schedule.POSE_HOLD_S))
    t += schedule.POSE_HOLD_S + PAUSE_S
    for kind, repetitions in REPETITIONS.items():
        began = t
        made, t = _repeated(spec, rng, kind, repetitions, t)
        rows += made
        labels.append(_span(kind, began - 0.4, t + 0.2))
        t += PAUSE_S
    for kind, posture in (("midline_pose", spec.midline_deg), ("dystonic_pose", spec.dystonic_deg)):
        for _ in range(spec.learn_poses):
            held = _error(spec.reset_error_deg, rng, posture)
            change = tuple(a - b for a, b in zip(held, pose, strict=True))
            rows.append(schedule.step_row(t, schedule.POSE_APPROACH_S, schedule.protocol(change)))
            t += schedule.POSE_APPROACH_S + 0.2
            labels.append(_span(kind, t, t + POSE_LEARN_HOLD_S))
            t += POSE_LEARN_HOLD_S + 0.2
            back = tuple(-value for value in change)
            rows.append(schedule.step_row(t, schedule.POSE_APPROACH_S, schedule.protocol(back)))
            t += schedule.POSE_APPROACH_S + 0.5
    leave = schedule.protocol(tuple(-value for value in pose), -1.0)
    rows.append(schedule.step_row(t, schedule.POSE_APPROACH_S, leave))
    return Occurrence(tuple(rows), tuple(labels), t + schedule.POSE_APPROACH_S + 0.5)


def asked(
    spec: PatientSpec,
    rng: np.random.Generator,
    kind: str,
    when: tuple[float, float, float],
    *,
    times: int = 0,
) -> Occurrence:
    """Return what the person does when asked for a pose or a movement at any time.

    Parameters
    ----------
    kind : str
        One of the poses or movements.
    when : (float, float, float)
        When they begin to get ready, when it is to begin, and how long a pose is held.
    times : int
        Repetitions of a movement; 0: as many as in the calibration.
    """
    begin_s, start_s, length_s = when
    postures: dict[str, Triple] = {
        "midline_pose": spec.midline_deg,
        "dystonic_pose": spec.dystonic_deg,
    }
    pose = _error(spec.reset_error_deg, rng, postures.get(kind, (0.0, 0.0, 0.0)))
    rows = [schedule.step_row(begin_s, start_s - begin_s, schedule.protocol(pose, 1.0))]
    if kind in REPETITIONS:
        made, t = _repeated(spec, rng, kind, times or REPETITIONS[kind], start_s + 0.3)
        rows += made
    else:
        t = start_s + length_s
    leave = schedule.protocol(tuple(-value for value in pose), -1.0)
    rows.append(schedule.step_row(t + schedule.POSE_MARGIN_S, schedule.POSE_APPROACH_S, leave))
    after_s = t + schedule.POSE_MARGIN_S + schedule.POSE_APPROACH_S
    # no label: who asks writes down what was asked for
    return Occurrence(tuple(rows), (), after_s)


def _repeated(
    spec: PatientSpec, rng: np.random.Generator, kind: str, times: int, t: float
) -> tuple[list[Row], float]:
    """Return the rows of a movement made so many times from `t` on, and when it is over."""
    rows: list[Row] = []
    cross = spec.cross_axis * rng.standard_normal(3)
    cross[MAIN_CHANNEL[kind]] = 1.0
    at = 0.0
    for _ in range(times):
        # instructed direction, then through the middle to the other side, then back
        swings = (1.0, -float(rng.uniform(0.3, 1.2)), 0.0) if kind != "trunk_bow" else (1.0, 0.0)
        size = float(rng.uniform(*SWING_DEG[kind]))
        for swing in swings:
            to = swing * size
            # 20-40 °/s on average, slower than daily motion
            length = max(0.7, abs(to - at) / float(rng.uniform(20.0, 40.0)))
            vector = tuple(((to - at) * cross).tolist())
            move = schedule.trunk(*vector) if kind == "trunk_bow" else schedule.protocol(vector)
            rows.append(schedule.step_row(t, length, move))
            at = to
            t += length + float(rng.uniform(0.05, 0.3))
        t += float(rng.uniform(0.1, 0.5))
    return rows, t


def resets(plan: Plan, rng: np.random.Generator, next_s: float) -> Occurrence:
    """Take up a later reference pose with an error, hold it 5 s, leave it."""
    spec = plan.spec
    index = 0 if next_s <= plan.calibration_end_s else _index_after(plan, next_s)
    at = plan.reset_s(index)
    postures: dict[str, Triple] = {
        "neutral_pose": (0.0, 0.0, 0.0),
        "midline_pose": spec.midline_deg,
        "dystonic_pose": spec.dystonic_deg,
    }
    pose = _error(spec.reset_error_deg, rng, postures[spec.reset_pose])
    approach = schedule.POSE_APPROACH_S
    end = at + schedule.POSE_HOLD_S
    take = schedule.step_row(at - approach, approach, schedule.protocol(pose, 1.0))
    gone = tuple(-value for value in pose)
    leave = schedule.step_row(end + schedule.POSE_MARGIN_S, approach, schedule.protocol(gone, -1.0))
    return Occurrence((take, leave), (_span(spec.reset_pose, at + 0.2, end),), end + 1.0)


def _index_after(plan: Plan, t: float) -> int:
    return int((t - plan.calibration_end_s) // plan.spec.reset_every_s)


def _error(
    sd: Triple, rng: np.random.Generator, posture: Triple = (0.0, 0.0, 0.0)
) -> tuple[float, ...]:
    """Return the posture as this person takes it up this time."""
    drawn = np.array(posture) + np.array(sd) * rng.standard_normal(3)
    return tuple(drawn.tolist())


def _span(kind: str, start_s: float, end_s: float) -> Label:
    return Label(kind, start_s, end_s, 0.5 * (start_s + end_s), 0.0)

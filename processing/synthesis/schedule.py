"""What happens when: each layer of motion draws its next occurrence, with its own random stream.

A layer is a function (plan, rng, next_s) -> `Occurrence`. Layers know nothing of each other; the
plan tells them which times are reserved for held poses and walking.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from processing.synthesis import motion
from processing.synthesis.spec import PatientSpec, Range, Triple
from processing.types import FloatArray

Row = tuple[float, ...]
Vector = tuple[float, ...]

POSE_HOLD_S: Final = 5.0
POSE_APPROACH_S: Final = 1.6
"""Time to take up a pose, and to leave it."""
POSE_MARGIN_S: Final = 0.6
_TRIES: Final = 50
ROM_LIMIT_DEG: Final = (45.0, 35.0, 70.0)
"""Voluntary motion ends here: flexion, lateral, rotation to either side."""


@dataclass(frozen=True, slots=True)
class Label:
    """Something that truly happened, for the tests of detectors."""

    kind: str
    """`jerk`, `tremor`, `tonic`, `turn`, `glance`, `lean`, `chair_turn`, `walk`, or a pose or
    movement of the protocol (`neutral_pose`, `nod`, ...)."""
    start_s: float
    end_s: float
    peak_s: float
    amplitude_deg: float
    """Size of the movement; peak to peak for tremor."""
    hz: float = float("nan")
    """Frequency of a tremor."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One occurrence of a layer: rows for `motion.move`, labels, and when to ask again."""

    rows: tuple[Row, ...]
    labels: tuple[Label, ...]
    next_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What is fixed for one person before motion starts."""

    spec: PatientSpec
    calibration_end_s: float
    pull: Triple
    """Unit direction of dystonia."""
    tremor_pp_deg: float
    tremor_hz: float
    tremor_axis: int
    """0 flexion, 1 lateral, 2 rotation."""

    def reset_s(self, index: int) -> float:
        """Return when the later pose `index` begins to be held."""
        return self.calibration_end_s + (index + 1) * self.spec.reset_every_s

    def room_s(self) -> float:
        """Return a length that is sure to fit between reserved times."""
        spec = self.spec
        room = np.inf
        if spec.reset_every_s > 0.0:
            around = POSE_HOLD_S + POSE_MARGIN_S + 2.0 * POSE_APPROACH_S + 0.4
            room = 0.45 * (spec.reset_every_s - around)
        if spec.walk_every_s > 0.0:
            room = min(room, 0.2 * (spec.walk_every_s - spec.walk_duration_s))
        return max(1.0, float(room))

    def free(self, start_s: float, length_s: float, *, beside_walking: bool = False) -> float:
        """Return the first time from `start_s` on at which `length_s` fits between reserved times.

        Where nothing fits, which only a very dense protocol brings about, times may overlap.
        """
        s = max(start_s, self.calibration_end_s)
        for _ in range(_TRIES):
            shifted = self._after_reset(s, length_s)
            if not beside_walking:
                shifted = self._after_walk(shifted, length_s)
            if shifted == s:
                break
            s = shifted
        return s

    def _after_reset(self, s: float, length_s: float) -> float:
        every = self.spec.reset_every_s
        if every <= 0.0:
            return s
        before = POSE_APPROACH_S + 0.2
        after = POSE_HOLD_S + POSE_MARGIN_S + POSE_APPROACH_S + 0.2
        index = max(0, int((s - self.calibration_end_s - after) // every))
        for i in (index, index + 1):
            at = self.reset_s(i)
            if s < at + after and s + length_s > at - before:
                return at + after
        return s

    def walk_window(self, index: int) -> tuple[float, float]:
        """Return start and end of walking bout `index`."""
        spec = self.spec
        start = self.calibration_end_s + 0.5 * spec.walk_every_s + index * spec.walk_every_s
        start = self._after_reset(start, spec.walk_duration_s)
        return start, start + spec.walk_duration_s

    def _after_walk(self, s: float, length_s: float) -> float:
        every = self.spec.walk_every_s
        if every <= 0.0:
            return s
        index = max(0, int((s - self.calibration_end_s) // every) - 2)
        for i in range(index, index + 4):
            start, end = self.walk_window(i)
            if s < end and s + length_s > start:
                return end
        return s


def uniform(rng: np.random.Generator, limits: Range) -> float:
    """Return one number between the limits."""
    return float(rng.uniform(limits[0], limits[1]))


def neck(vector: Vector) -> Vector:
    """Return the channel amplitudes of a neck movement (flexion, lateral, rotation)."""
    return (*vector, *(0.0,) * (motion.N_CHANNELS - 3))


def trunk(lean_forward: float, lean_right: float, turn_right: float) -> Vector:
    """Return the channel amplitudes of a trunk movement."""
    return (0.0, 0.0, 0.0, lean_forward, lean_right, turn_right, *(0.0,) * (motion.N_CHANNELS - 6))


def protocol(vector: Vector, hold: float = 0.0) -> Vector:
    """Return the channel amplitudes of a neck movement that the protocol asks for."""
    return (*(0.0,) * 6, *vector, hold, 0.0)


def step_row(start_s: float, length_s: float, amplitude: Vector) -> Row:
    """Return the row of a minimum-jerk move that stays."""
    return (motion.STEP, start_s, start_s + length_s, length_s, *(0.0,) * 7, *amplitude)


def postponed(row: Row, from_s: float, by_s: float) -> Row:
    """Return a row that begins later, where it has not begun by `from_s`."""
    start_s, end_s = row[motion.START], row[motion.END]
    if start_s < from_s:
        return row
    return (row[motion.KIND], start_s + by_s, end_s + by_s, *row[motion.END + 1 :])


_ASKED: Final = slice(motion.AMPLITUDE + 3, motion.AMPLITUDE + 10)
"""Amplitudes of trunk, protocol and hold in a row."""


def ended(rows: Sequence[Row], from_s: float, begin_s: float) -> list[Row]:
    """Return the rows, those of trunk and protocol that have not begun by `from_s` as one, last.

    It begins at `begin_s` and comes to where they would have ended: a pose is left and a bow is
    straightened before the next request, not after it.
    """

    def is_asked(row: Row) -> bool:
        return row[motion.START] >= from_s and any(row[_ASKED])

    pending = [row for row in rows if is_asked(row)]
    total = tuple(
        sum(row[motion.AMPLITUDE + i] for row in pending) for i in range(motion.N_CHANNELS)
    )
    others = [row for row in rows if not is_asked(row)]
    return [*others, step_row(begin_s, POSE_APPROACH_S, total)]


def no_row_before(start_s: float) -> Occurrence:
    """Return an occurrence without motion."""
    return Occurrence((), (), start_s)


def jerks(plan: Plan, rng: np.random.Generator, next_s: float) -> Occurrence:
    """Draw a phasic jerk about the direction of dystonia: fast rise, exponential return."""
    spec = plan.spec
    rise = uniform(rng, spec.jerk_rise_s)
    tau = uniform(rng, spec.jerk_return_s)
    size = uniform(rng, spec.jerk_deg)
    aside = np.radians(spec.jerk_direction_sd_deg) * rng.standard_normal(3)
    direction = np.array(plan.pull) + aside
    direction /= np.linalg.norm(direction)
    gap = float(rng.exponential(60.0 / spec.jerks_per_min))
    # room for the rise only: a return may run into a held pose, as it does in a person
    start = plan.free(next_s, rise + 2.0 * tau, beside_walking=True)
    row = (
        motion.JERK,
        start,
        start + rise + 12.0 * tau,
        rise,
        tau,
        *(0.0,) * 6,
        *neck(tuple((size * direction).tolist())),
    )
    label = Label("jerk", start, start + rise, start + 0.5 * rise, size)
    return Occurrence((row,), (label,), start + max(gap, rise + 0.4))


def tremor(plan: Plan, rng: np.random.Generator, next_s: float) -> Occurrence:
    """Draw regular tremor of the person's frequency, now and then a slow sawtooth."""
    spec = plan.spec
    length = min(uniform(rng, spec.tremor_duration_s), plan.room_s())
    gap = uniform(rng, spec.tremor_gap_s)
    saw = bool(rng.random() < spec.slow_jerky_fraction)
    slow_hz = uniform(rng, (1.1, 2.4))
    hz = slow_hz if saw else plan.tremor_hz * float(1.0 + 0.03 * rng.standard_normal())
    pp = plan.tremor_pp_deg * float(np.exp(0.2 * rng.standard_normal()))
    modulation = (
        uniform(rng, (0.1, 0.4)),
        uniform(rng, (0.0, 2 * np.pi)),
        uniform(rng, (0.05, 0.3)),
        uniform(rng, (0.0, 2 * np.pi)),
    )
    start = plan.free(next_s, length, beside_walking=True)
    amplitude = [0.0, 0.0, 0.0]
    amplitude[plan.tremor_axis] = 0.5 * pp
    head = (motion.TREMOR, start, start + length, 0.0, 0.0, hz)
    row = (*head, *modulation, float(saw), *neck(tuple(amplitude)))
    label = Label("tremor", start, start + length, start + 0.5 * length, pp, hz)
    return Occurrence((row,), (label,), start + length + gap)


def tonic(plan: Plan, rng: np.random.Generator, next_s: float) -> Occurrence:
    """Draw a sustained pull towards the dystonic posture."""
    spec = plan.spec
    length = uniform(rng, spec.tonic_duration_s)
    length = min(length, max(1.0, plan.room_s() - 2.0 * spec.tonic_ramp_s[1]))
    gap = uniform(rng, spec.tonic_gap_s)
    ramp_on, ramp_off = uniform(rng, spec.tonic_ramp_s), uniform(rng, spec.tonic_ramp_s)
    pull = uniform(rng, spec.tonic_pull_deg)
    total = ramp_on + length + ramp_off
    start = plan.free(next_s, total, beside_walking=True)
    held_back = (1.0 - spec.rest_fraction) * np.array(spec.posture_offset_deg)
    vector = held_back + pull * np.array(plan.pull)
    on = step_row(start, ramp_on, neck(tuple(vector.tolist())))
    off = step_row(start + ramp_on + length, ramp_off, neck(tuple((-vector).tolist())))
    size = float(np.linalg.norm(vector))
    label = Label("tonic", start, start + total, start + ramp_on, size)
    return Occurrence((on, off), (label,), start + total + gap)


def voluntary(plan: Plan, rng: np.random.Generator, next_s: float) -> Occurrence:
    """Draw a turn or a glance out, a look, and the way back."""
    spec = plan.spec
    per_min = 0.5 * (spec.turns_per_min + spec.glances_per_min)
    is_turn = bool(rng.random() < 0.5 * spec.turns_per_min / per_min)
    if is_turn:
        size = float(np.clip(rng.normal(*spec.turn_deg), 30.0, 90.0))
        direction = np.array([0.15, 0.1, 1.0]) * (rng.standard_normal(), rng.standard_normal(), 1.0)
        peak = float(np.clip(rng.normal(*spec.turn_peak_dps), 40.0, 200.0))
        # a minimum-jerk move peaks at 1.875 of its mean speed
        length = 1.875 * size / (peak * spec.velocity_factor)
        dwell = uniform(rng, (0.5, 4.0))
    else:
        size = uniform(rng, (4.0, 25.0))
        direction = np.array([0.6, 0.3, 1.0]) * rng.standard_normal(3)
        length = (0.3 + 0.012 * size) / spec.velocity_factor
        dwell = uniform(rng, (0.3, 2.0))
    direction *= rng.choice((-1.0, 1.0)) / np.linalg.norm(direction)
    pauses = int(rng.integers(1, 4)) if spec.pauses and is_turn else 0
    cuts = np.sort(rng.uniform(0.15, 0.85, size=pauses))
    rests = rng.uniform(0.12, 0.35, size=(2, pauses))
    gap = rng.exponential(1.0)

    vector = _within_rom(size * direction, np.array(spec.posture_offset_deg))
    size = float(np.linalg.norm(vector))
    busy = 2.0 * length + float(rests.sum()) + dwell
    start = plan.free(next_s, busy, beside_walking=True)
    edges = np.concatenate(([0.0], cuts, [1.0]))
    rows: list[Row] = []
    labels: list[Label] = []
    t = start
    for way in (0, 1):
        began = t
        for i, share in enumerate(np.diff(edges).tolist()):
            part = (1 - 2 * way) * share * vector
            part_length = length * float(np.sqrt(share)) if pauses else length
            rows.append(step_row(t, part_length, neck(tuple(part.tolist()))))
            t += part_length + (float(rests[way, i]) if i < pauses else 0.0)
        kind = "turn" if is_turn else "glance"
        labels.append(Label(kind, began, t, 0.5 * (began + t), size))
        t += dwell if way == 0 else 0.0
    rest = max(0.3, 60.0 / per_min - (t - start))
    return Occurrence(tuple(rows), tuple(labels), t + 0.2 + gap * rest)


def _within_rom(vector: FloatArray, offset: FloatArray) -> FloatArray:
    """Return the movement shortened so that it ends inside the range of motion."""
    share = 1.0
    for amount, at, limit in zip(vector, offset, ROM_LIMIT_DEG, strict=True):
        if abs(at + amount) > limit:
            room = max(2.0, limit - at * np.sign(amount))
            share = min(share, room / abs(amount))
    return share * vector


def trunk_moves(plan: Plan, rng: np.random.Generator, next_s: float) -> Occurrence:
    """Draw a lean forward or aside and back, or a turn of the chair that stays."""
    spec = plan.spec
    gap = max(4.0, float(rng.exponential(spec.trunk_move_every_s)))
    length = uniform(rng, (1.2, 2.5))
    dwell = uniform(rng, (4.0, 20.0))
    forward = bool(rng.random() < 0.6)
    side = float(rng.choice((-1.0, 1.0)))
    size = uniform(rng, spec.lean_deg) * (1.0 if forward else 0.5)
    turn = uniform(rng, (-spec.chair_turn_deg, spec.chair_turn_deg))
    if rng.random() < 0.5:
        start = plan.free(next_s, length)
        row = step_row(start, length, trunk(0.0, 0.0, turn))
        label = Label("chair_turn", start, start + length, start + 0.5 * length, abs(turn))
        return Occurrence((row,), (label,), start + length + gap)
    total = 2.0 * length + dwell
    start = plan.free(next_s, total)
    vector = (size, 0.1 * size * side, 0.0) if forward else (0.1 * size, side * size, 0.0)
    back = tuple(-value for value in vector)
    rows = (
        step_row(start, length, trunk(*vector)),
        step_row(start + length + dwell, length, trunk(*back)),
    )
    label = Label("lean", start, start + total, start + length, size)
    return Occurrence(rows, (label,), start + total + gap)


def walks(plan: Plan, rng: np.random.Generator, next_s: float) -> Occurrence:
    """Lay out the next walking bout, with turns about every ten seconds."""
    index = 0
    while plan.walk_window(index)[0] < next_s:
        index += 1
    start, end = plan.walk_window(index)
    on = (*(0.0,) * motion.WALK, 1.0)
    off = (*(0.0,) * motion.WALK, -1.0)
    rows = [step_row(start, 1.5, on), step_row(end - 1.5, 1.5, off)]
    t = start + 4.0
    while t + 3.0 < end - 2.0:
        rows.append(step_row(t, uniform(rng, (1.5, 3.0)), trunk(0.0, 0.0, rng.normal(0.0, 90.0))))
        t += uniform(rng, (6.0, 14.0))
    label = Label("walk", start, end, 0.5 * (start + end), 0.0)
    return Occurrence(tuple(rows), (label,), end)


Layer = Callable[[Plan, np.random.Generator, float], Occurrence]


LAYERS: Final[tuple[Layer, ...]] = (jerks, tremor, tonic, voluntary, trunk_moves, walks)
"""The place in this table chooses a layer's random stream: leaving one out changes no other."""


def present(layer: Layer, spec: PatientSpec) -> bool:
    """Return whether this person has this layer of motion."""
    if layer is jerks:
        return spec.jerks_per_min > 0.0
    if layer is tremor:
        return spec.tremor
    if layer is tonic:
        return spec.tonic
    if layer is voluntary:
        return spec.turns_per_min + spec.glances_per_min > 0.0
    if layer is trunk_moves:
        return spec.trunk_move_every_s > 0.0
    return spec.walk_every_s > 0.0

"""Two sensors at their own rates and phases onto one uniform grid.

Each row carries what an integrating filter needs: the mean angular rate over the interval that ends
at the row, from the exact integral of the linearly interpolated rate, so that no rotation is lost
or counted twice whatever the input rate; and the specific force at the row.
"""

from dataclasses import dataclass, replace

import numpy as np

from processing import field_grid
from processing.errors import InputError
from processing.field_grid import FieldGrid
from processing.frames import STANDARD_GRAVITY_MS2
from processing.kept_rows import rows_from
from processing.resample import fill_acc, fill_gyr, resample, survey
from processing.types import BoolArray, FloatArray, ImuBlock, IntArray, PairBlock

_NS = 1_000_000_000
_FILL_ROWS = 360_000
"""Rows of silence given out in one step: a computer that slept all night wakes up gently."""


@dataclass(frozen=True, slots=True)
class GridParams:
    """The common grid."""

    rate_hz: float = 100.0
    """Grid rate; its period must be a whole number of nanoseconds. Lower blurs jerks (a rise of
    0.15 s), higher costs time everywhere downstream. 100 Hz (clinical specification, section 6)."""
    max_gap_s: float = 0.1
    """Longest distance of two samples that is bridged by a straight line. Smaller makes single lost
    packets invalid, larger invents motion. 0.1 s (clinical specification, section 6)."""
    max_hole_s: float = 21_600.0
    """Longest hole inside one stretch, filled with invalid rows; beyond it a new wear session has
    to be started. Bounds the memory that a wrong clock can claim. 6 h."""
    average_above: float = 1.5
    """Sensors faster than this multiple of the grid rate have their specific force averaged over
    the interval centred on the row instead of interpolated: less noise, nothing folded down.
    Interpolated below, where an average would only blur."""

    @property
    def period_ns(self) -> int:
        """Nanoseconds between rows."""
        return round(_NS / self.rate_hz)


@dataclass(frozen=True, slots=True)
class SensorGrid:
    """One sensor on its way to the grid."""

    sample: FloatArray
    """(6,) last sample: rate and specific force."""
    sums: FloatArray
    """(8,) integrals of rate and specific force over the row under way, and the seconds of it that
    were covered by samples, one for each."""
    clock: IntArray
    """(3,) ns since grid index 0 of the last sample; next row to be given a rate, next row to be
    given a specific force."""
    gyr: FloatArray
    """(m, 3) rows not yet given out."""
    acc: FloatArray
    """(m, 3)."""
    gyr_valid: BoolArray
    """(m,)."""
    acc_valid: BoolArray
    """(m,)."""
    started: bool
    """A sample has arrived."""
    dropped: int
    """Samples that came too late, or not later than the one before."""
    field: FieldGrid | None = None
    """Magnetic field; None where the sensor measures none."""


@dataclass(frozen=True, slots=True)
class GridState:
    """Both sensors, and the row to be given out next."""

    head: SensorGrid
    trunk: SensorGrid
    has_trunk: bool
    t0_ns: int | None
    """Grid index 0: the head stream's first sample; None before it."""
    next_k: int
    waiting: tuple[ImuBlock, ...]
    """Trunk blocks that came before the head's first sample."""


def _new_sensor() -> SensorGrid:
    sample = np.zeros(6)
    sample[5] = STANDARD_GRAVITY_MS2
    return SensorGrid(
        sample=sample,
        sums=np.zeros(8),
        clock=np.zeros(3, dtype=np.int64),
        gyr=np.empty((0, 3)),
        acc=np.empty((0, 3)),
        gyr_valid=np.empty(0, dtype=np.bool_),
        acc_valid=np.empty(0, dtype=np.bool_),
        started=False,
        dropped=0,
    )


def start(params: GridParams, *, has_trunk: bool = True) -> GridState:
    """Return the state before the first sample.

    Parameters
    ----------
    has_trunk : bool
        False for a single head sensor: rows do not wait for a trunk, and its columns are invalid.

    Raises
    ------
    InputError
        The period is not a whole number of nanoseconds, so the grid would drift.
    """
    if params.rate_hz <= 0.0 or abs(_NS / params.rate_hz - params.period_ns) > 1e-6:
        raise InputError(
            f"a grid of {params.rate_hz} Hz has no whole number of nanoseconds between rows; "
            "take 50, 100, 125 or 200 Hz"
        )
    return GridState(_new_sensor(), _new_sensor(), has_trunk, None, 0, ())


def _room(sensor: SensorGrid, rows: int) -> tuple[FloatArray, FloatArray, BoolArray, BoolArray]:
    """Return the pending arrays with room for `rows` more."""
    n_gyr, n_acc = sensor.gyr.shape[0], sensor.acc.shape[0]
    gyr, acc = np.empty((n_gyr + rows, 3)), np.empty((n_acc + rows, 3))
    gyr_ok = np.empty(n_gyr + rows, dtype=np.bool_)
    acc_ok = np.empty(n_acc + rows, dtype=np.bool_)
    gyr[:n_gyr], acc[:n_acc] = sensor.gyr, sensor.acc
    gyr_ok[:n_gyr], acc_ok[:n_acc] = sensor.gyr_valid, sensor.acc_valid
    return gyr, acc, gyr_ok, acc_ok


def _push(params: GridParams, sensor: SensorGrid, block: ImuBlock, t0_ns: int) -> SensorGrid:
    """Return the sensor after its next samples."""
    period = params.period_ns
    t = block.t_ns - t0_ns
    first, last, longest = survey(t, block.valid)
    if longest < 0:
        return sensor
    hole = max(longest, first - int(sensor.clock[0]) if sensor.started else first)
    if hole > params.max_hole_s * _NS:
        raise InputError(
            f"a hole of {hole / _NS:.0f} s in the samples of one sensor; "
            f"beyond {params.max_hole_s:.0f} s start a new wear session, or mend the clock"
        )
    k_next = int(min(sensor.clock[1], sensor.clock[2]))
    rows = max(0, last // period - k_next + 3)
    gyr, acc, gyr_ok, acc_ok = _room(sensor, rows)
    sample, sums, clock = sensor.sample.copy(), sensor.sums.copy(), sensor.clock.copy()
    m_gyr, m_acc = sensor.gyr.shape[0], sensor.acc.shape[0]
    n_gyr, n_acc, dropped = resample(
        t,
        block.gyr,
        block.acc,
        block.valid,
        not sensor.started,
        block.rate_hz > params.average_above * params.rate_hz,
        period,
        round(params.max_gap_s * _NS),
        sample,
        sums,
        clock,
        gyr[m_gyr:],
        acc[m_acc:],
        gyr_ok[m_gyr:],
        acc_ok[m_acc:],
    )
    m_gyr, m_acc = m_gyr + n_gyr, m_acc + n_acc
    return SensorGrid(
        sample=sample,
        sums=sums,
        clock=clock,
        gyr=gyr[:m_gyr],
        acc=acc[:m_acc],
        gyr_valid=gyr_ok[:m_gyr],
        acc_valid=acc_ok[:m_acc],
        started=True,
        dropped=sensor.dropped + dropped,
        field=field_grid.push(sensor.field, block, t0_ns),
    )


def _complete(params: GridParams, sensor: SensorGrid, k_end: int) -> SensorGrid:
    """Return the sensor with all rows before `k_end` closed, whatever is missing."""
    period = params.period_ns
    rows = max(0, k_end - int(min(sensor.clock[1], sensor.clock[2])))
    if rows == 0:
        return sensor
    gyr, acc, gyr_ok, acc_ok = _room(sensor, rows)
    sums, clock = sensor.sums.copy(), sensor.clock.copy()
    m_gyr, m_acc = sensor.gyr.shape[0], sensor.acc.shape[0]
    until = (k_end - 1) * period + 1
    n_gyr = fill_gyr(until, int(clock[1]), m_gyr, period, sums, gyr, gyr_ok)
    n_acc = fill_acc(until, int(clock[2]), m_acc, period, sensor.sample, sums, acc, acc_ok)
    clock[1] += n_gyr
    clock[2] += n_acc
    return SensorGrid(
        sample=sensor.sample,
        sums=sums,
        clock=clock,
        gyr=gyr[: m_gyr + n_gyr],
        acc=acc[: m_acc + n_acc],
        gyr_valid=gyr_ok[: m_gyr + n_gyr],
        acc_valid=acc_ok[: m_acc + n_acc],
        started=sensor.started,
        dropped=sensor.dropped,
        field=sensor.field,
    )


def _declare(params: GridParams, sensor: SensorGrid, until: int) -> SensorGrid:
    """Close the rows up to `until` (ns since index 0) if no later sample can bridge them."""
    bridgeable = sensor.started and until - int(sensor.clock[0]) < round(params.max_gap_s * _NS)
    if bridgeable:
        return sensor
    k_end = until // params.period_ns + 1
    return _complete(params, sensor, min(k_end, int(sensor.clock[1:].min()) + _FILL_ROWS))


def _give(sensor: SensorGrid, n: int) -> SensorGrid:
    """Return the sensor without its first n pending rows."""
    return SensorGrid(
        sample=sensor.sample,
        sums=sensor.sums,
        clock=sensor.clock,
        gyr=rows_from(sensor.gyr, n),
        acc=rows_from(sensor.acc, n),
        gyr_valid=rows_from(sensor.gyr_valid, n),
        acc_valid=rows_from(sensor.acc_valid, n),
        started=sensor.started,
        dropped=sensor.dropped,
        field=sensor.field,
    )


def _field(
    params: GridParams, sensor: SensorGrid, k: int, valid: BoolArray
) -> tuple[SensorGrid, FloatArray | None]:
    """Return the sensor without the field of the rows from k on, and that field."""
    if sensor.field is None:
        return sensor, None
    field, rows = field_grid.give(sensor.field, k, valid, params.period_ns)
    return replace(sensor, field=field), rows


def _pair(params: GridParams, state: GridState, n: int) -> tuple[GridState, PairBlock]:
    """Return the first n pending rows and the state without them."""
    head, trunk = state.head, state.trunk
    head_valid = head.gyr_valid[:n] & head.acc_valid[:n]
    trunk_valid = trunk.gyr_valid[:n] & trunk.acc_valid[:n]
    head, head_mag = _field(params, head, state.next_k, head_valid)
    trunk, trunk_mag = _field(params, trunk, state.next_k, trunk_valid)
    both = head_mag is not None and trunk_mag is not None
    block = PairBlock(
        k0=state.next_k,
        t0_ns=state.t0_ns or 0,
        rate_hz=params.rate_hz,
        head_gyr=head.gyr[:n],
        head_acc=head.acc[:n],
        head_valid=head_valid,
        trunk_gyr=trunk.gyr[:n],
        trunk_acc=trunk.acc[:n],
        trunk_valid=trunk_valid,
        head_mag=head_mag if both else None,
        trunk_mag=trunk_mag if both else None,
    )
    rest = GridState(
        _give(head, n), _give(trunk, n), state.has_trunk, state.t0_ns, state.next_k + n, ()
    )
    return rest, block


def step(
    params: GridParams,
    state: GridState,
    head: ImuBlock | None,
    trunk: ImuBlock | None,
    *,
    complete_until_ns: int | None = None,
    final: bool = False,
) -> tuple[GridState, PairBlock]:
    """Return the grid rows for which both sensors have said what they have to say.

    Parameters
    ----------
    head, trunk : ImuBlock or None
        Next samples of each sensor, in any cut; None where there are none.
    complete_until_ns : int, optional
        UTC nanoseconds up to which no more samples will come: rows that wait for a silent sensor
        are given out invalid. A row that a sample yet to come could still bridge goes on waiting.
    final : bool
        Nothing follows: give everything up to the head's last sample.

    Returns
    -------
    state : GridState
    pair : PairBlock
        Possibly of length 0. Rows begin at the head's first valid sample; before it nothing is
        given out, and without any head sensor nothing at all. Where a sensor has no samples within
        `max_gap_s` its rows are invalid and hold finite fillers: rate 0 and the last specific force
        (upright gravity before the first sample).

    Notes
    -----
    The straight line between samples is integrated exactly, so the sum of the rows' rates times
    the period equals the trapezium rule on the samples. The first row of a run has no interval and
    takes the rate at its sample; at the edge of a gap a mean over at least half of the interval
    counts.
    """
    t0_ns = state.t0_ns
    waiting = state.waiting
    if t0_ns is None and head is not None and bool(head.valid.any()):
        t0_ns = int(head.t_ns[np.argmax(head.valid)])
    if t0_ns is None:
        kept = waiting if trunk is None else (*waiting, trunk)
        if complete_until_ns is not None:
            # one block is enough to bridge the head's first row
            kept = tuple(b for b in kept if int(b.t_ns[-1]) > complete_until_ns) or kept[-1:]
        empty = _pair(params, state, 0)[1]
        return GridState(state.head, state.trunk, state.has_trunk, None, 0, kept), empty
    head_grid, trunk_grid = state.head, state.trunk
    if head is not None:
        head_grid = _push(params, head_grid, head, t0_ns)
    if state.has_trunk:
        for block in (*waiting, *(() if trunk is None else (trunk,))):
            trunk_grid = _push(params, trunk_grid, block, t0_ns)
    if complete_until_ns is not None and complete_until_ns >= t0_ns:
        head_grid = _declare(params, head_grid, complete_until_ns - t0_ns)
        trunk_grid = _declare(params, trunk_grid, complete_until_ns - t0_ns)
    if final:
        k_end = int(head_grid.clock[0]) // params.period_ns + 1
        head_grid = _complete(params, head_grid, k_end)
        trunk_grid = _complete(params, trunk_grid, k_end)
    k_head = int(min(head_grid.clock[1], head_grid.clock[2]))
    if not state.has_trunk:
        trunk_grid = _complete(params, trunk_grid, k_head)
    k_trunk = int(min(trunk_grid.clock[1], trunk_grid.clock[2]))
    ready = GridState(head_grid, trunk_grid, state.has_trunk, t0_ns, state.next_k, ())
    block_k = min(k_head, k_trunk)
    if final:
        block_k = min(block_k, int(head_grid.clock[0]) // params.period_ns + 1)
    return _pair(params, ready, max(0, block_k - state.next_k))

"""A stream's packets as blocks with UTC times, through all boots of its sensor.

The live collector and the replay of a record build blocks by the same `Timeline` from the same
facts (index, device time, arrival, counts), so both give the same numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np

from ingest.assemble import Layout, Samples, si_block
from ingest.thermometer import Thermometer
from processing import clock, clock_start
from processing.types import ImuBlock

ARRIVAL_CLOCK = clock.ClockParams(
    window_s=60.0,
    settle_s=5.0,
    max_slew=0.05,
    discontinuity_s=0.5,
    late_s=0.1,
    late_for_s=5.0,
    drift_sd=0.02,
    delay_s=0.015,
)
"""For sensors without a clock: their sample count at the nominal rate stands in for device time,
and the fit finds the true rate, some percent away. What gets lost is not counted, so the count
falls behind: seen after five seconds where it is much, forgotten after a minute where it is not."""


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive samples with one anchor, as the clock sees them."""

    first_index: int
    device_us: int
    host_ns: int
    """Arrival, UTC ns, whole microseconds: the record keeps no more."""
    samples: Samples
    live: bool
    """No later sample arrived before it."""
    stepped: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A block on one time axis."""

    block: ImuBlock
    new_axis: bool
    """Time before and after its start do not belong together; it may even be earlier."""
    degc: float | None = None
    """The sensor's temperature; None where it reports none."""


@dataclass(slots=True)
class _Waiting:
    """A boot's first packets, whose times are not known yet."""

    stored: list[Run] = field(default_factory=list)
    """Backfilled ones that precede every live one."""
    anchors: clock.Anchors | None = None
    samples: list[Samples] = field(default_factory=list)
    degc: float | None = None
    """Temperature by the last of them."""

    def add(
        self, anchors: clock.Anchors, samples: Samples, degc: float | None
    ) -> tuple[int, clock.Anchors]:
        """Return how many packets waited before these, and all of them."""
        self.degc = degc
        known = 0 if self.anchors is None else self.anchors.live.shape[0]
        self.anchors = anchors if self.anchors is None else _both(self.anchors, anchors)
        self.samples.append(samples)
        return known, self.anchors


class Timeline:
    """Clock, thermometer and units of one stream through all boots of its sensor.

    The first samples of a boot are given out when the clock is tied (`processing.clock_start`):
    with a later packet, or with the first of the next boot.

    Parameters
    ----------
    layout : Layout
        Of the stream's samples.
    params : ClockParams
        `ARRIVAL_CLOCK` for sensors without a clock.
    after_ns : int, optional
        Time of the last sample already known for the same role.
    """

    def __init__(
        self,
        layout: Layout,
        params: clock.ClockParams | None = None,
        *,
        after_ns: int | None = None,
    ) -> None:
        self.layout = layout
        self._params = params or clock.ClockParams()
        self._boot: int | None = None
        self._clock: clock.ClockState | None = None
        self._waiting: _Waiting | None = None
        self._due: list[Piece] = []
        self._last_ns = after_ns
        self.thermometer = Thermometer()

    @property
    def begun(self) -> bool:
        """Whether anything was seen of the stream."""
        return self._clock is not None

    @property
    def last_t_ns(self) -> int | None:
        """UTC of the newest sample that came in time; a later boot's are later.

        Backfilled ones do not count: live and replay must agree on where a boot begins.
        """
        return self._last_ns

    @property
    def newest_t_ns(self) -> int | None:
        """UTC of the newest sample of all, None before the first."""
        if self._clock is None or self._last_ns is None:
            return None
        return max(self._clock.last_t_ns, self._last_ns)

    @property
    def report(self) -> clock.ClockReport | None:
        """Quality of the present clock fit."""
        return None if self._clock is None else clock.report(self._clock)

    def observe(self, boot: int, trip: clock.RoundTrip) -> None:
        """Take a time-sync exchange; it acts on packets that come after it."""
        state = self._state(boot, trip.device_sent_us, trip.host_received_ns)
        self._clock = clock.observe(self._params, state, trip)

    def place_before(self, boot: int, runs: Sequence[Run], first_live: Run) -> None:
        """Take backfilled samples that precede every live one of a boot.

        They are given out before those, on the line that these begin; the clock does not move.
        """
        self._state(boot, first_live.device_us, first_live.host_ns)
        if self._waiting is not None:
            self._waiting.stored.extend(runs)

    def place(self, boot: int, runs: Sequence[Run]) -> list[Piece]:
        """Return the samples of runs, in order of index, as blocks."""
        if not runs:
            return []
        return self.place_rows(boot, anchors_of(runs), np.concatenate([r.samples for r in runs]))

    def place_rows(self, boot: int, anchors: clock.Anchors, samples: Samples) -> list[Piece]:
        """Return samples, in order of index, as blocks; `anchors` say which came together.

        What waited before comes first; nothing while the boot's first samples wait.
        """
        state = self._state(boot, int(anchors.device_us[0]), int(anchors.host_ns[0]))
        if self._waiting is None:
            return self._placed(state, anchors, samples, self.thermometer.of(boot))
        known, all_anchors = self._waiting.add(anchors, samples, self.thermometer.of(boot))
        enough = clock_start.tied_after(
            self._params, state, all_anchors, known=known, nominal_period_s=self._period_s
        )
        if enough is not None:
            self._due += self._tied(enough)
        due, self._due = self._due, []
        return due

    def rest(self) -> list[Piece]:
        """Return what waits where nothing more will tell its time: the boot has ended."""
        if self._waiting is not None and self._waiting.anchors is not None:
            self._due += self._tied(self._waiting.anchors.live.shape[0])
        due, self._due = self._due, []
        return due

    @property
    def _period_s(self) -> float:
        return 1.0 / self.layout.rate_hz

    def _tied(self, enough: int) -> list[Piece]:
        """Tie the clock by so many of the first packets, and place all that wait."""
        waiting, self._waiting = self._waiting, None
        assert waiting is not None
        assert waiting.anchors is not None
        assert self._clock is not None
        state = clock_start.tied(
            self._params,
            self._clock,
            part_of_anchors(waiting.anchors, 0, enough),
            nominal_period_s=self._period_s,
        )
        early = self._before(state, waiting)
        samples = cast("Samples", np.concatenate(waiting.samples))
        return [*early, *self._placed(state, waiting.anchors, samples, waiting.degc)]

    def _before(self, state: clock.ClockState, waiting: _Waiting) -> list[Piece]:
        """Return the stored samples before the first live one on its line."""
        if not waiting.stored or waiting.anchors is None:
            return []
        first = part_of_anchors(waiting.anchors, 0, 1)
        known, _ = clock.step(self._params, state, first, nominal_period_s=self._period_s)
        stored = anchors_of([replace(run, live=False) for run in waiting.stored])
        _, timed = clock.step(self._params, known, stored, nominal_period_s=self._period_s)
        # stamps of early packets may jitter by more than their distance
        order = np.arange(timed.t_ns.size)
        t_ns = np.maximum.accumulate(timed.t_ns - order) + order
        samples = np.concatenate([run.samples for run in waiting.stored])
        block = si_block(self.layout, t_ns, samples, waiting.degc)
        return [Piece(block, new_axis=False, degc=waiting.degc)]

    def _placed(
        self,
        state: clock.ClockState,
        anchors: clock.Anchors,
        samples: Samples,
        degc: float | None,
    ) -> list[Piece]:
        timed = self._timed(state, anchors)
        if not samples.shape[0]:
            return []
        if not np.count_nonzero(timed.breaks):
            block = si_block(self.layout, timed.t_ns, samples, degc)
            return [Piece(block, new_axis=False, degc=degc)]
        ends = np.cumsum(anchors.n_samples)
        starts = [0, *(int(ends[i - 1]) for i in np.flatnonzero(timed.breaks) if i > 0)]
        pieces = []
        for a, b in zip(starts, [*starts[1:], int(ends[-1])], strict=True):
            if b > a:
                block = si_block(self.layout, timed.t_ns[a:b], samples[a:b], degc)
                pieces.append(Piece(block, a > 0 or bool(timed.breaks[0]), degc))
        return pieces

    def _timed(self, state: clock.ClockState, anchors: clock.Anchors) -> clock.Timed:
        self._clock, timed = clock.step(
            self._params, state, anchors, nominal_period_s=self._period_s, consume=True
        )
        if timed.timely[-1]:  # as nearly always
            self._last_ns = int(timed.t_ns[-1])
            return timed
        timely = np.flatnonzero(timed.timely)
        if timely.size:
            rows = int(anchors.n_samples[: int(timely[-1]) + 1].sum())
            self._last_ns = int(timed.t_ns[rows - 1])
        return timed

    def _state(self, boot: int, device_us: int, host_ns: int) -> clock.ClockState:
        if self._clock is None or boot != self._boot:
            self._due = self.rest()
            self._boot = boot
            self._waiting = _Waiting()
            self._clock = clock.start(
                self._params, device_us=device_us, host_ns=host_ns, after_ns=self._last_ns
            )
        return self._clock


def anchors_of(runs: Sequence[Run]) -> clock.Anchors:
    """Return runs as the clock takes them."""
    return clock.Anchors(
        first_index=np.array([run.first_index for run in runs], dtype=np.int64),
        n_samples=np.array([run.samples.shape[0] for run in runs], dtype=np.int64),
        device_us=np.array([run.device_us for run in runs], dtype=np.int64),
        host_ns=np.array([run.host_ns for run in runs], dtype=np.int64),
        live=np.array([run.live for run in runs], dtype=np.bool_),
        stepped=np.array([run.stepped for run in runs], dtype=np.bool_),
    )


def part_of_anchors(anchors: clock.Anchors, a: int, b: int) -> clock.Anchors:
    """Return packets a..b."""
    return clock.Anchors(
        first_index=anchors.first_index[a:b],
        n_samples=anchors.n_samples[a:b],
        device_us=anchors.device_us[a:b],
        host_ns=anchors.host_ns[a:b],
        live=anchors.live[a:b],
        stepped=anchors.stepped[a:b],
    )


def _both(one: clock.Anchors, other: clock.Anchors) -> clock.Anchors:
    return clock.Anchors(
        first_index=np.concatenate((one.first_index, other.first_index)),
        n_samples=np.concatenate((one.n_samples, other.n_samples)),
        device_us=np.concatenate((one.device_us, other.device_us)),
        host_ns=np.concatenate((one.host_ns, other.host_ns)),
        live=np.concatenate((one.live, other.live)),
        stepped=np.concatenate((one.stepped, other.stepped)),
    )

"""Device time to UTC, causally, from what the record keeps of every packet.

A packet carries the device's time of its first sample and the host's time of its arrival. The
delay between the two is never negative and often small, so the points (device, arrival - device)
lie above a line whose slope is the drift: the lower convex hull finds it, where least squares is
biased by every stall (reference: clock mapping). Time-sync round trips bound the same line from
below; the offset is the middle of the two bounds.

How fast a quartz can run is known beforehand, so few points move the offset and hardly the drift
(`processing.clock_line`). A first packet may be late by seconds: `processing.clock_start` says how
long first packets wait for later ones to tell.

The map is one continuous, increasing function of device time per fit. It bends only at live
packets, in order of arrival, from what was known then, so live processing and a later batch over
the stored anchors give every sample the same time, bit for bit. Backfilled packets never move it;
they are evaluated on the piece that was valid at their place. A better fit is approached smoothly
(`relax_s`), never by a step. The exceptions are a discontinuity of a clock (device clock stepped,
host suspended), where a new fit begins, and a young fit that turns out to have rested on late
packets alone: the offset comes back at once. Where time has to go back for it, the packet is
reported in `Timed.breaks`.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from processing.clock_kernel import REPLY, advance, advance_packets, survey
from processing.clock_line import (
    N_SCALARS,
    S_BEST,
    S_FIT,
    S_HAS_KNOT,
    S_LINE,
    S_LOW,
    S_PERIOD,
    S_POINTS,
    S_RTT,
    S_SLOPE,
    S_STARTED,
    residual_s,
)
from processing.derived import derived
from processing.errors import InputError
from processing.types import BoolArray, FloatArray, IntArray

METHOD = "hull-3"
"""Version of the method, stored beside what it gave."""

_SYNCS = 64


@dataclass(frozen=True, slots=True)
class ClockParams:
    """Tuning of the fit; the defaults are those of the reference's section on clock mapping."""

    window_s: float = 600.0
    """Points older than this leave the fit, s. Small follows warm-up drift but is noisier
    (30 s: 2 ppm), large lags behind it (30 min: 2.6 ms). Default 600: reference table."""
    bucket_s: float = 1.0
    """The lowest point per bucket is kept, s. Larger needs less work, loses edges of the hull."""
    settle_s: float = 30.0
    """Before this much data a point far below the line says that earlier ones were late, after it
    that a clock jumped, s. Small takes late packets for the clock, large overlooks jumps."""
    relax_s: float = 10.0
    """Time in which a better fit is approached, s. Small bends the time axis more (5 ms in 10 s
    are 500 ppm of rate), large keeps an early error longer."""
    max_slew: float = 0.005
    """Most bending, as a fraction of rate; an error above `relax_s * max_slew` takes longer. Small
    keeps an error longer, large stretches what was measured meanwhile. Below 1 for time to
    increase."""
    discontinuity_s: float = 0.1
    """A delay below the settled line by more than this is impossible: a clock jumped, s. Small
    mistakes warm-up drift for a jump, large misses short ones."""
    late_s: float = 1.0
    """A packet later than the line by more than this says nothing about the clock, s. Large lets
    backlogs into the fit (they do not touch a lower hull, but its ends)."""
    late_for_s: float = 120.0
    """All packets late for so long, at the pace of sampling: a clock jumped, s. Must be longer
    than any stall that a link survives (its supervision timeout is 4 s)."""
    jump_s: float = 0.1
    """A map that is off by more than this is put right at once, s; a smaller error is approached
    smoothly. Time that has to go back breaks the axis."""
    period_window_s: float = 20.0
    """The true sample period is the mean over this span, s. Small follows jitter of the stamps,
    large follows the oscillator's warm-up late."""
    drift_sd: float = 50e-6
    """Standard deviation of drift among clocks of this kind, as a fraction of rate. Small is slow
    to believe a clock without a quartz, large takes a few late packets for drift (Polar sends 1.4
    a second). Default 50e-6: quartzes of sensors are specified to 20 to 50 ppm over temperature,
    and reach 200 where they are old or badly matched."""
    delay_s: float = 0.06
    """Mean delay of the points that the line is fitted to, as if each told of its own, s: what
    `drift_sd` is weighed against. Small takes for drift how packets slowly beat with the link's
    connection events, large holds to the prior. Default 0.06: four times half an interval of 30 ms,
    because neighbours are alike; simulated pairs differ least at 0.06 to 0.12."""
    tie_calm_s: float = 1.0
    """A boot's first samples get times when for so long no packet came clearly earlier than all
    before it, s. Small believes the beginning of a burst, large delays what is shown live."""
    tie_calm_packets: int = 2
    """At least so many packets must have come in that time. Few believe a sensor of long packets
    (Polar) by two that may both be late, many delay it."""
    tie_within_s: float = 0.1
    """What clearly is, s. A round trip whose bounds are as near is enough by itself; of a slower
    one no more than half of this is believed."""
    tie_at_most_s: float = 15.0
    """First samples wait no longer than this, s, be it of arrival or of sampling."""


@dataclass(frozen=True, slots=True)
class ClockState:
    """Everything the next packet needs; plain numbers and small arrays."""

    origin_device_us: int
    """Device time that the seconds below count from."""
    origin_host_ns: int
    scalars: FloatArray
    """(N_SCALARS,) the current line, knot and counters; meanings in `processing.clock_kernel`."""
    buckets: FloatArray
    """(m, 4) one row a bucket: device s and arrival - device s of the lowest point, device s and
    sample index of the first packet."""
    syncs: FloatArray
    """(64, 3) recent round trips: device s, lower bound of the offset s, round trip s."""
    last_t_ns: int
    """Time of the last sample given out; the next is later."""


@dataclass(frozen=True, slots=True)
class Anchors:
    """Packets of one (device, boot), in order of arrival or of sample index."""

    first_index: IntArray
    """(n,) index of each packet's first sample."""
    n_samples: IntArray
    """(n,)."""
    device_us: IntArray
    """(n,) device time of the first sample, µs, unwrapped."""
    host_ns: IntArray
    """(n,) arrival on the host's steady clock, UTC ns."""
    live: BoolArray
    """(n,) True where no later sample arrived earlier; a backfilled packet's arrival says nothing.
    `in_order` tells it from a whole boot's arrivals, a collector from the highest index so far."""
    stepped: BoolArray
    """(n,) the device says that its clock was stepped at this packet."""


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """One time-sync exchange."""

    host_sent_ns: int
    """t1 on the host's steady clock, UTC ns."""
    device_received_us: int
    """t2."""
    device_sent_us: int
    """t3."""
    host_received_ns: int
    """t4; order among packets is by this."""


@dataclass(frozen=True, slots=True)
class Timed:
    """Times of all samples of a block of packets."""

    t_ns: IntArray
    """(sum of n_samples,) UTC ns."""
    period_s: FloatArray
    """(n,) sample period used within each packet."""
    breaks: BoolArray
    """(n,) time before and after the start of this packet do not belong to one axis; after it,
    time may even be earlier."""
    timely: BoolArray
    """(n,) live and not late: the packets that the map rests on."""


@dataclass(frozen=True, slots=True)
class ClockReport:
    """Quality of the current fit, to be logged and stored with the record."""

    method: str
    fit: int
    """Number of the fit within (device, boot), from 0."""
    ppm: float
    """(1/b - 1) 10^6; positive: the device runs fast. Near 0 while the fit is young."""
    residual_ms: float
    """Median of the bucket minima above the line."""
    rate_hz: float | None
    """Sample rate against the host's clock; None before it is known."""
    points: int
    """Live packets and replies in this fit so far."""
    min_rtt_ms: float | None
    """Smallest round trip in the window."""
    offset_bound_ms: float | None
    """Half the distance between the upper and the lower bound of the offset."""


def start(
    params: ClockParams, *, device_us: int, host_ns: int, after_ns: int | None = None
) -> ClockState:
    """Return the state before the first packet of a (device, boot).

    Parameters
    ----------
    device_us, host_ns : int
        Any device time of this boot and a host time near it; they only set the origin.
    after_ns : int, optional
        Time of the last sample of the same stream before this boot: new ones are later.
    """
    if not 0.0 < params.max_slew < 1.0:
        raise InputError(f"max_slew is {params.max_slew}; it must lie between 0 and 1")
    rows = int(params.window_s / params.bucket_s) + 2
    scalars = np.zeros(N_SCALARS)
    return ClockState(
        origin_device_us=int(device_us),
        origin_host_ns=int(host_ns),
        scalars=scalars,
        buckets=np.zeros((rows, 4)),
        syncs=np.full((_SYNCS, 3), np.nan),
        last_t_ns=np.iinfo(np.int64).min if after_ns is None else int(after_ns),
    )


def step(
    params: ClockParams,
    state: ClockState,
    anchors: Anchors,
    *,
    nominal_period_s: float,
    consume: bool = False,
) -> tuple[ClockState, Timed]:
    """Return the state after these packets and the time of each of their samples.

    Parameters
    ----------
    anchors : Anchors
        Packets in order of sample index; those that are live must also be in order of arrival,
        which is the same thing.
    nominal_period_s : float
        Sample period before the true one is known, s.
    consume : bool
        The caller lets go of `state`: its arrays, ten minutes of points, are written to and handed
        on instead of copied. It is unchanged where an error is raised.

    Returns
    -------
    ClockState
        Any split of the packets into calls gives the same states and times.
    Timed
        Strictly increasing within each stretch between `breaks`, except for packets that lie
        before the newest one: those are put on the line as it is now.
    """
    if not (math.isfinite(nominal_period_s) and nominal_period_s > 0.0):
        raise InputError(f"nominal_period_s is {nominal_period_s}; give a positive time in s")
    rows, least = survey(anchors.n_samples)
    if least < 0:
        raise InputError("n_samples holds a negative count")
    if state.scalars[S_HAS_KNOT] == 0.0 and anchors.live.size and not anchors.live[0]:
        raise InputError(
            "the first packet of a boot is a backfilled one; show `step` the first live packet "
            "before it, because only a live arrival ties device time to UTC"
        )
    scalars, buckets, syncs = state.scalars, state.buckets, state.syncs
    if not consume:
        scalars, buckets, syncs = scalars.copy(), buckets.copy(), syncs.copy()
    n = anchors.n_samples.shape[0]
    t_ns, periods = np.empty(rows, dtype=np.int64), np.empty(n)
    breaks, timely = np.empty(n, dtype=np.bool_), np.empty(n, dtype=np.bool_)
    last = advance_packets(
        vector(params),
        scalars,
        buckets,
        syncs,
        anchors.device_us,
        anchors.host_ns,
        anchors.first_index,
        anchors.n_samples,
        anchors.live,
        anchors.stepped,
        nominal_period_s,
        state.origin_device_us,
        state.origin_host_ns,
        state.last_t_ns,
        t_ns,
        periods,
        breaks,
        timely,
    )
    after = ClockState(state.origin_device_us, state.origin_host_ns, scalars, buckets, syncs, last)
    return after, Timed(t_ns=t_ns, period_s=periods, breaks=breaks, timely=timely)


def in_order(host_ns: IntArray) -> BoolArray:
    """Return which packets of a boot arrived before everything with a higher index.

    Parameters
    ----------
    host_ns : (n,) int64
        Arrivals of all packets of the boot, in order of sample index.

    Returns
    -------
    (n,) bool
        The packets that raised the highest index at their arrival: just what the live collector
        called live.
    """
    later = np.minimum.accumulate(host_ns[::-1])[::-1]
    live = np.ones(host_ns.shape[0], dtype=np.bool_)
    live[:-1] = host_ns[:-1] <= later[1:]
    return live


def observe(params: ClockParams, state: ClockState, trip: RoundTrip) -> ClockState:
    """Return the state after a time-sync exchange; it takes effect from the next packet on.

    The way out bounds the offset from below, the way back, like any packet, from above. An
    exchange with a negative round trip is ignored.
    """
    x = (trip.device_received_us - state.origin_device_us) * 1e-6
    low = (trip.host_sent_ns - state.origin_host_ns) * 1e-9 - x
    x_back = (trip.device_sent_us - state.origin_device_us) * 1e-6
    y_back = (trip.host_received_ns - state.origin_host_ns) * 1e-9
    rtt = (y_back - x_back) - low
    if rtt < 0.0:
        return state
    scalars, buckets = state.scalars.copy(), state.buckets.copy()
    syncs = np.roll(state.syncs, -1, axis=0)
    syncs[-1] = (x, low, rtt)
    none = np.zeros(1, dtype=np.int64)
    advance(
        vector(params),
        scalars,
        buckets,
        syncs,
        np.array([x_back]),
        np.array([y_back]),
        none,
        none,
        np.array([REPLY]),
        np.zeros(1, dtype=np.bool_),
        1.0,
        state.origin_host_ns,
        state.last_t_ns,
        np.empty(0, dtype=np.int64),
        np.empty(1),
        np.zeros(1, dtype=np.bool_),
        np.zeros(1, dtype=np.bool_),
    )
    return replace(state, scalars=scalars, buckets=buckets, syncs=syncs)


def report(state: ClockState) -> ClockReport | None:
    """Return the quality of the current fit, None before the first live packet."""
    s = state.scalars
    if s[S_STARTED] == 0.0:
        return None
    has_low = bool(np.isfinite(s[S_LOW])) and s[S_RTT] > 0.0
    return ClockReport(
        method=METHOD,
        fit=int(s[S_FIT]),
        ppm=float((1.0 / (1.0 + s[S_SLOPE]) - 1.0) * 1e6),
        residual_ms=residual_s(s, state.buckets) * 1e3,
        rate_hz=float(1.0 / (s[S_PERIOD] * (1.0 + s[S_SLOPE]))) if s[S_PERIOD] > 0.0 else None,
        points=int(s[S_POINTS]),
        min_rtt_ms=float(s[S_RTT] * 1e3) if has_low else None,
        offset_bound_ms=float((s[S_LINE] - s[S_BEST]) * 1e3) if has_low else None,
    )


@derived
def vector(params: ClockParams) -> FloatArray:
    """Return the parameters as the kernels take them."""
    return np.array(
        [
            params.window_s,
            params.bucket_s,
            params.settle_s,
            params.relax_s,
            params.max_slew,
            params.discontinuity_s,
            params.late_s,
            params.late_for_s,
            params.jump_s,
            params.period_window_s,
            params.drift_sd,
            params.delay_s,
            params.tie_within_s,
        ]
    )

"""How long the first packets of a boot wait until their times can be given.

The offset of a fit is the least delay seen so far, and what the first packet tells of it may be
wrong by seconds: links hold packets back while they are being set up, and then bring them in a
burst. Times given out cannot be taken back, so the first samples wait until arrivals have been calm
for a moment, or a round trip has bounded the offset. All packets that waited are then placed by
what all of them say. The decision rests on arrivals alone: live and a later batch decide alike.
"""

import numpy as np

from processing.clock import Anchors, ClockParams, ClockState, vector
from processing.clock_line import S_LINE, S_LOW, S_RTT, tie
from processing.types import FloatArray


def tied_after(
    params: ClockParams,
    state: ClockState,
    anchors: Anchors,
    *,
    known: int,
    nominal_period_s: float,
) -> int | None:
    """Return after how many packets times can be given, None where more have to be awaited.

    Parameters
    ----------
    state : ClockState
        Before the first packet; round trips may have been observed.
    anchors : Anchors
        All packets of the boot so far, in order of sample index.
    known : int
        So many of them were shown before, and more had to be awaited.
    """
    live = np.flatnonzero(anchors.live)
    if not live.size:
        return None
    arrival_s, sent_s = (each[live] for each in _seconds(state, anchors, nominal_period_s))
    least_s = np.minimum.accumulate(arrival_s - sent_s)
    # the last packet before the moment that has to be calm; there may be none
    before = np.searchsorted(arrival_s, arrival_s - params.tie_calm_s, side="right") - 1
    before = np.minimum(before, np.arange(live.size) - params.tie_calm_packets)
    calm = (before >= 0) & (least_s >= least_s[np.maximum(before, 0)] - params.tie_within_s)
    begin_s = (anchors.device_us[0] - state.origin_device_us) * 1e-6
    waited = np.maximum(arrival_s - arrival_s[0], sent_s - begin_s) >= params.tie_at_most_s
    enough = (calm | waited | _bounded(params, state)) & (live >= known)
    return int(live[enough.argmax()]) + 1 if enough.any() else None


def tied(
    params: ClockParams, state: ClockState, anchors: Anchors, *, nominal_period_s: float
) -> ClockState:
    """Return the state that knows of these packets' arrivals, before any of their samples."""
    live = np.flatnonzero(anchors.live)
    if not live.size:
        return state
    arrival_s, sent_s = _seconds(state, anchors, nominal_period_s)
    scalars, syncs = state.scalars.copy(), state.syncs.copy()
    tie(vector(params), scalars, syncs, sent_s[live], (arrival_s - sent_s)[live])
    return ClockState(
        state.origin_device_us,
        state.origin_host_ns,
        scalars,
        state.buckets,
        syncs,
        state.last_t_ns,
    )


def _bounded(params: ClockParams, state: ClockState) -> bool:
    """Whether a round trip has told the offset well enough."""
    s = state.scalars
    return bool(s[S_RTT] > 0.0 and s[S_LINE] - s[S_LOW] < params.tie_within_s)


def _seconds(
    state: ClockState, anchors: Anchors, nominal_period_s: float
) -> tuple[FloatArray, FloatArray]:
    """Return arrival and device time of each packet's last sample, s from the origin."""
    arrival_s = (anchors.host_ns - state.origin_host_ns).astype(np.float64) * 1e-9
    first_s = (anchors.device_us - state.origin_device_us).astype(np.float64) * 1e-6
    return arrival_s, first_s + (anchors.n_samples - 1).astype(np.float64) * nominal_period_s

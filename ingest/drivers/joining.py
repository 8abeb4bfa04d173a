"""Acceleration and angular rate that a sensor sends apart, as one stream.

Both are sampled at one rate by one oscillator, so their samples lie side by side with a constant
shift. Each angular rate gets the acceleration nearest to it in time, at most half a period away
(10 ms at 52 Hz; gravity turns by less than 2° in it at 180 °/s). Numbers stay as the sensor sent
them. Where one of the two is missing its numbers are NaN, never repeated and never made up.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ingest.drivers.driver import SensorPacket

PATIENCE_S = 3.0
"""How long one waits for the other. Shorter tears pairs apart when packets are long or late,
longer keeps the live view waiting where one of the two has stopped."""
_AXES = 3


class PairJoiner:
    """Joins the packets `acc` and `gyr` of one connection into packets `imu`.

    Parameters
    ----------
    rate_hz : float
        Nominal rate of both.
    """

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._patience = round(PATIENCE_S * rate_hz)
        self._shift: int | None = None
        """From an index of acceleration to one of the joined stream."""
        self._base: int | None = None
        """From an index of angular rate to one of the joined stream."""
        self._early: list[SensorPacket] = []
        """Acceleration that came before the first angular rate."""
        self._gyr: deque[SensorPacket] = deque()
        self._acc: dict[int, tuple[NDArray[np.float32], SensorPacket, int]] = {}
        self._acc_end = self._gyr_end = self._done = 0
        self.late = 0
        """Samples that came when their place had been given out."""

    def add(self, packet: SensorPacket) -> list[SensorPacket]:
        """Take a packet of either stream and return what is complete, in order of index."""
        if packet.stream == "gyr":
            self._add_gyr(packet)
        else:
            self._add_acc(packet)
        return list(self._complete())

    def flush(self) -> list[SensorPacket]:
        """Return what waits, because nothing follows."""
        self._patience = 0
        self._base = 0 if self._base is None else self._base
        for early in self._early:
            self._enter(early, early.first_index)
        self._early.clear()
        return [*self._complete(), *self._orphans(self._acc_end)]

    def _add_gyr(self, packet: SensorPacket) -> None:
        self._gyr.append(packet)
        if self._early:
            # how far acceleration began before angular rate
            first = min(self._place(early, packet) for early in self._early)
            if self._base is None:
                self._base = max(0, -first)
            for early in self._early:
                self._enter(early, self._place(early, packet) + self._base)
            self._early.clear()
        self._gyr_end = packet.first_index + packet.n + (self._base or 0)

    def _add_acc(self, packet: SensorPacket) -> None:
        if packet.clock_stepped:
            self._shift = None
        if self._shift is None and not self._gyr:
            self._early.append(packet)
            return
        if self._shift is None:
            first = self._place(packet, self._gyr[-1])
            if self._base is None:
                self._base = max(0, -first)
                self._gyr_end += self._base
            self._enter(packet, first + self._base)
        else:
            self._enter(packet, packet.first_index + self._shift)

    def _place(self, acc: SensorPacket, gyr: SensorPacket) -> int:
        """Return the index of angular rate nearest to the first sample of acceleration."""
        assert acc.device_us is not None
        assert gyr.device_us is not None
        ahead_s = (acc.device_us - gyr.device_us) * 1e-6
        return gyr.first_index + round(ahead_s * self._rate_hz)

    def _enter(self, packet: SensorPacket, first: int) -> None:
        if self._shift is None:
            self._shift = first - packet.first_index
        rows = packet.samples.astype(np.float32)
        for k in range(packet.n):
            if first + k < self._done:
                self.late += 1
            else:
                self._acc[first + k] = (rows[k], packet, k)
        self._acc_end = max(self._acc_end, first + packet.n)

    def _complete(self) -> Iterator[SensorPacket]:
        newest = max(self._acc_end, self._gyr_end)
        while self._gyr:
            packet = self._gyr[0]
            first = packet.first_index + (self._base or 0)
            whole = self._base is not None and self._acc_end >= first + packet.n
            if not whole and newest - first < self._patience:
                return
            self._base = self._base or 0
            self._gyr.popleft()
            yield from self._orphans(first)
            yield self._joined(packet, first)
        if self._base is not None and self._acc_end - self._gyr_end > self._patience:
            yield from self._orphans(self._acc_end - self._patience)

    def _joined(self, packet: SensorPacket, first: int) -> SensorPacket:
        samples = np.full((packet.n, 2 * _AXES), np.nan, np.float32)
        samples[:, _AXES:] = packet.samples
        clip, lost = packet.clip, packet.lost_before
        for k in range(packet.n):
            found = self._acc.pop(first + k, None)
            if found is not None:
                samples[k, :_AXES] = found[0]
                clip |= found[1].clip
                lost |= found[1].lost_before and found[2] == 0
        self._done = first + packet.n
        return _imu(packet, first, packet.device_us, samples, clip=clip, lost=lost)

    def _orphans(self, stop: int) -> Iterator[SensorPacket]:
        """Yield acceleration before an index that has no angular rate beside it."""
        waiting = sorted(index for index in self._acc if index < stop)
        self._done = max(self._done, stop)
        while waiting:
            n = 1
            while n < len(waiting) and waiting[n] == waiting[0] + n:
                n += 1
            samples = np.full((n, 2 * _AXES), np.nan, np.float32)
            _, packet, k = self._acc[waiting[0]]
            for row, index in enumerate(waiting[:n]):
                samples[row, :_AXES] = self._acc.pop(index)[0]
            assert packet.device_us is not None
            at_us = packet.device_us + round(k * 1e6 / self._rate_hz)
            yield _imu(packet, waiting[0], at_us, samples, clip=packet.clip, lost=False)
            waiting = waiting[n:]


def _imu(
    packet: SensorPacket,
    first: int,
    device_us: int | None,
    samples: NDArray[np.float32],
    *,
    clip: bool,
    lost: bool,
) -> SensorPacket:
    samples.flags.writeable = False
    return replace(
        packet,
        stream="imu",
        first_index=first,
        device_us=device_us,
        last_device_us=None,
        samples=samples,
        clip=clip,
        lost_before=lost,
    )

"""Where notifications wait between the radio's callback and decoding.

A host cannot slow a sensor down, so the callback only stamps and appends. The queue is bounded by
age: when nobody drains it for `limit_s`, the oldest go and are counted, and the sample index lets
backfill close the hole.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

MonotonicNs = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification as it came."""

    host_mono_ns: int
    channel: int
    """Which subscription it came by; the driver's own numbering."""
    data: bytes


class Inbox:
    """Bounded queue of notifications with counters; used from one event loop."""

    def __init__(
        self, *, limit_s: float = 60.0, monotonic_ns: MonotonicNs = time.monotonic_ns
    ) -> None:
        self._items: deque[Notification] = deque()
        self._limit_ns = int(limit_s * 1e9)
        self._now = monotonic_ns
        self._filled = asyncio.Event()
        self._received: Counter[int] = Counter()
        self.overflow = 0
        """Notifications dropped because they were older than the limit."""
        self.high_water = 0
        """Largest length since the last `take_high_water`."""
        self.last_data_ns: int | None = None
        """Arrival of the newest notification on a data channel."""

    def callback(self, channel: int, *, is_data: bool = True) -> Callable[[bytes], None]:
        """Return a notification callback that stamps and appends for `channel`."""

        def append(data: bytes) -> None:
            now = self._now()
            items = self._items
            items.append(Notification(now, channel, data))
            self._received[channel] += 1
            if is_data:
                self.last_data_ns = now
            while now - items[0].host_mono_ns > self._limit_ns:
                items.popleft()
                self.overflow += 1
            self.high_water = max(self.high_water, len(items))
            self._filled.set()

        return append

    def received_on(self, channel: int) -> int:
        """Return how many notifications ever came on a channel."""
        return self._received[channel]

    def drain(self) -> list[Notification]:
        """Return everything that waits, oldest first, and leave the queue empty."""
        taken = list(self._items)
        self._items.clear()
        self._filled.clear()
        return taken

    async def wait(self) -> None:
        """Return as soon as something waits."""
        await self._filled.wait()

    def wake(self) -> None:
        """End a pending `wait` although nothing came: the link was lost or is to stop."""
        self._filled.set()

    def take_high_water(self) -> int:
        """Return the largest length since the last call and start over."""
        peak, self.high_water = self.high_water, len(self._items)
        return peak

    def __len__(self) -> int:
        return len(self._items)

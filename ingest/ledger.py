"""Which samples of each sensor the host holds, by device, boot and index; finds what to fetch.

The ledger is memory only: the service fills it from the record at start, the link keeps it up to
date. A range the sensor no longer has is marked gone, so that it is asked for once.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class IndexRanges:
    """A set of integers as sorted, disjoint, half-open ranges."""

    _starts: list[int] = field(default_factory=list)
    _stops: list[int] = field(default_factory=list)

    def add(self, start: int, stop: int) -> int:
        """Add ``start <= i < stop`` and return how many of them were new."""
        if stop <= start:
            return 0
        starts, stops = self._starts, self._stops
        lo = bisect_left(stops, start)
        hi = bisect_right(starts, stop)
        covered = sum(
            min(stop, stops[i]) - max(start, starts[i])
            for i in range(lo, hi)
            if stops[i] > start and starts[i] < stop
        )
        if lo < hi:
            new_start, new_stop = min(start, starts[lo]), max(stop, stops[hi - 1])
        else:
            new_start, new_stop = start, stop
        starts[lo:hi] = [new_start]
        stops[lo:hi] = [new_stop]
        return stop - start - covered

    def missing(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Yield the half-open ranges of ``start <= i < stop`` that are not in the set."""
        at = start
        for held_start, held_stop in zip(self._starts, self._stops, strict=True):
            if held_stop <= at:
                continue
            if held_start >= stop:
                break
            if held_start > at:
                yield at, held_start
            at = held_stop
        if at < stop:
            yield at, stop

    @property
    def first(self) -> int | None:
        """Smallest member."""
        return self._starts[0] if self._starts else None

    @property
    def end(self) -> int:
        """One past the largest member; 0 when empty."""
        return self._stops[-1] if self._stops else 0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield the half-open ranges in order."""
        return zip(self._starts, self._stops, strict=True)

    def __len__(self) -> int:
        return sum(self._stops) - sum(self._starts)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Stored samples to ask a sensor for."""

    boot: int
    first_index: int
    last_index: int | None
    """Inclusive; None: to the end of that boot."""


class SampleLedger:
    """Held and given-up index ranges of every device and boot."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, int], IndexRanges] = {}
        self._settled: dict[tuple[str, int], IndexRanges] = {}
        self._closed: set[tuple[str, int]] = set()

    def add(self, device_id: str, boot: int, first_index: int, n: int) -> int:
        """Note samples as held; return how many were not held before."""
        key = (device_id, boot)
        self._settled.setdefault(key, IndexRanges()).add(first_index, first_index + n)
        return self._held.setdefault(key, IndexRanges()).add(first_index, first_index + n)

    def give_up(self, device_id: str, boot: int, first_index: int, stop_index: int) -> int:
        """Note a half-open range as gone on the sensor; return how many samples that loses."""
        return self._settled.setdefault((device_id, boot), IndexRanges()).add(
            first_index, stop_index
        )

    def close(self, device_id: str, boot: int) -> None:
        """Note that an ended boot holds nothing beyond what is known."""
        self._closed.add((device_id, boot))

    def is_closed(self, device_id: str, boot: int) -> bool:
        """Return whether the end of an earlier boot is known to be fetched."""
        return (device_id, boot) in self._closed

    def held(self, device_id: str, boot: int) -> IndexRanges:
        """Return the held ranges of a boot."""
        return self._held.setdefault((device_id, boot), IndexRanges())

    def all_held(self) -> dict[str, dict[int, list[tuple[int, int]]]]:
        """Return the held ranges as they are now, by device and boot."""
        found: dict[str, dict[int, list[tuple[int, int]]]] = {}
        for (device_id, boot), ranges in self._held.items():
            found.setdefault(device_id, {})[boot] = list(ranges)
        return found

    def knows(self, device_id: str) -> bool:
        """Return whether any sample of the device was ever held."""
        return any(name == device_id and len(ranges) for (name, _), ranges in self._held.items())

    def missing(self, device_id: str, boot: int, start: int, stop: int) -> list[tuple[int, int]]:
        """Return half-open ranges neither held nor given up."""
        ranges = self._settled.setdefault((device_id, boot), IndexRanges())
        return list(ranges.missing(start, stop))

    def waiting(
        self, device_id: str, boot: int, upto_index: int, earlier: tuple[int, ...] | None = None
    ) -> int | None:
        """Return how many samples are known to wait in the sensor's memory; None where none do.

        The end of an earlier boot is not known before it was fetched: it counts as none.
        """
        wanted = list(self.to_fetch(device_id, boot, upto_index, earlier))
        if not wanted:
            return None
        return sum(w.last_index + 1 - w.first_index for w in wanted if w.last_index is not None)

    def to_fetch(
        self, device_id: str, boot: int, upto_index: int, earlier: tuple[int, ...] | None = None
    ) -> Iterator[Wanted]:
        """Yield what to ask for, oldest first.

        Parameters
        ----------
        device_id, boot
            The sensor and its present boot.
        upto_index
            First index not to ask for: what is yet to come live.
        earlier
            Ended boots that the sensor lists; None: every number before the present boot.

        Notes
        -----
        Nothing is asked for that was sampled before the sensor was first used here: the first
        held sample of its first known boot is where the record begins.
        """
        boots = sorted(b for d, b in self._held if d == device_id and len(self._held[d, b]))
        if not boots:
            return
        begin = boots[0]
        ended = range(begin, boot) if earlier is None else [b for b in earlier if b >= begin]
        for each in ended:
            if self.is_closed(device_id, each):
                continue
            ranges = self.held(device_id, each)
            start = (ranges.first or 0) if each == begin else 0
            for lo, hi in self.missing(device_id, each, start, ranges.end):
                yield Wanted(each, lo, hi - 1)
            yield Wanted(each, ranges.end if len(ranges) else start, None)
        present = self.held(device_id, boot)
        start = (present.first or 0) if begin == boot else 0
        for lo, hi in self.missing(device_id, boot, start, upto_index):
            yield Wanted(boot, lo, hi - 1)

"""The account of one stream: which samples came, came twice, came late, or are missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ingest.drivers.driver import PacketKind, SensorPacket
from ingest.ledger import IndexRanges


@dataclass(frozen=True, slots=True)
class SampleCounts:
    """The account of one stream since the collector started."""

    samples: int = 0
    """Different samples received."""
    duplicates: int = 0
    """Samples received again."""
    missing: int = 0
    """Known by index, not received so far."""
    backfilled: int = 0
    """Different samples that came from the sensor's memory, or after later ones."""
    reboots: int = 0


class SampleAccount:
    """Tells new samples from repeats and late ones, by (boot, index)."""

    def __init__(self) -> None:
        self._held: dict[int, IndexRanges] = {}
        self._boot: int | None = None
        self._counts = SampleCounts()

    @property
    def counts(self) -> SampleCounts:
        """The account so far."""
        missing = sum(
            ranges.end - first - len(ranges)
            for ranges in self._held.values()
            if (first := ranges.first) is not None
        )
        return replace(self._counts, missing=missing)

    def know(self, held: Mapping[int, Sequence[tuple[int, int]]]) -> None:
        """Note index ranges [a, b) that came to an earlier start, by boot; they are not counted."""
        for boot, ranges in held.items():
            for a, b in ranges:
                self._held.setdefault(boot, IndexRanges()).add(a, b)

    def begin(self, boot: int) -> None:
        """Note that the sensor runs in this boot now; samples of earlier ones are late."""
        if self._boot is not None and boot != self._boot:
            self._counts = replace(self._counts, reboots=self._counts.reboots + 1)
        self._boot = boot

    def enter(self, packet: SensorPacket) -> int | None:
        """Enter a packet.

        Returns
        -------
        int or None
            How many of its first samples are known already, where the rest is ahead of everything
            of the newest boot; None where nothing of it is ahead.
        """
        if self._boot is None or packet.boot > self._boot:
            self.begin(packet.boot)
        counts = self._counts
        held = self._held.setdefault(packet.boot, IndexRanges())
        end = packet.first_index + packet.n
        known_end = held.end
        fresh = held.add(packet.first_index, end)
        ahead = max(0, end - max(known_end, packet.first_index))
        if packet.boot != self._boot:
            ahead = 0
        stored = packet.kind is PacketKind.BACKFILL
        self._counts = replace(
            counts,
            samples=counts.samples + fresh,
            duplicates=counts.duplicates + packet.n - fresh,
            backfilled=counts.backfilled + (fresh if stored else fresh - ahead),
        )
        return packet.n - ahead if ahead else None

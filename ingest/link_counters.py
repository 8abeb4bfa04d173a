"""What a link counts, and the line it logs once a minute."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ingest.drivers.driver import PacketKind, SensorEvent, SensorPacket, StatusReport
from ingest.drivers.inbox import Notification

_log = logging.getLogger("ingest.link")


@dataclass(slots=True)
class LinkCounters:
    """Counts of one link; totals since it was made, lags since the last report."""

    packets: int = 0
    samples: int = 0
    missing_by_index: int = 0
    """Live samples jumped over; backfill may still bring them."""
    duplicates: int = 0
    """Live samples that came again."""
    backfilled: int = 0
    """Samples received by backfill."""
    malformed: int = 0
    connections: int = 0
    failures: int = 0
    stalls: int = 0
    battery_percent: int | None = None
    temperature_degc: float | None = None
    frames_dropped: int | None = None
    """Frames the firmware dropped since its boot, by its own account."""
    lags_ms: list[float] = field(default_factory=list)
    _next_index: dict[tuple[str, int, str], int] = field(default_factory=dict)

    def note_lags(self, notifications: Sequence[Notification], now_ns: int) -> None:
        """Keep how long notifications waited between callback and decoding."""
        self.lags_ms.extend((now_ns - item.host_mono_ns) / 1e6 for item in notifications)

    def note(self, events: Sequence[SensorEvent]) -> None:
        """Count decoded events."""
        for event in events:
            if isinstance(event, SensorPacket):
                self._note_packet(event)
            elif isinstance(event, StatusReport):
                self._note_status(event)

    def _note_packet(self, packet: SensorPacket) -> None:
        if packet.kind is PacketKind.BACKFILL:
            self.backfilled += packet.n
            return
        self.packets += 1 if packet.further is None else 1 + len(packet.further.rows)
        self.samples += packet.n
        key = (packet.device_id, packet.boot, packet.stream)
        expected = self._next_index.get(key, packet.first_index)
        end = packet.first_index + packet.n
        if packet.first_index > expected:
            self.missing_by_index += packet.first_index - expected
        elif packet.first_index < expected:
            self.duplicates += min(expected, end) - packet.first_index
        self._next_index[key] = max(expected, end)

    def _note_status(self, status: StatusReport) -> None:
        if status.battery_percent is not None:
            self.battery_percent = status.battery_percent
        if status.temperature_degc is not None:
            self.temperature_degc = status.temperature_degc
        if status.frames_dropped is not None:
            self.frames_dropped = status.frames_dropped

    def report(self, role: str, device_id: str, **more: Any) -> dict[str, Any]:
        """Log the counters as one line and return what was logged; lags start over."""
        lags = np.asarray(self.lags_ms, dtype=np.float64)
        self.lags_ms.clear()
        p50, p99, worst = (
            (float(x) for x in np.percentile(lags, (50, 99, 100))) if lags.size else (0.0, 0.0, 0.0)
        )
        values: dict[str, Any] = {
            "event": "link_minute",
            "role": role,
            "device_id": device_id,
            "packets": self.packets,
            "samples": self.samples,
            "missing_by_index": self.missing_by_index,
            "duplicates": self.duplicates,
            "backfilled": self.backfilled,
            "malformed": self.malformed,
            "stalls": self.stalls,
            "battery_percent": self.battery_percent,
            "frames_dropped": self.frames_dropped,
            "lag_p50_ms": round(p50, 3),
            "lag_p99_ms": round(p99, 3),
            "lag_max_ms": round(worst, 3),
            **more,
        }
        _log.info("%s link: %d samples so far", role, self.samples, extra=values)
        return values

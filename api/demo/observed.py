"""What was seen of the live frames, for the demonstration's final summary."""

from dataclasses import dataclass, field

from ingest.live import LiveFrame


@dataclass(slots=True)
class Observed:
    """What was seen of the live frames, for the final summary."""

    frames: int = 0
    first_live_s: float | None = None
    angles: dict[str, list[float]] = field(
        default_factory=lambda: {"rotation": [], "lateral": [], "flexion": []}
    )
    """Smallest and largest value per axis; rotation only where heading was not poor."""
    last: LiveFrame | None = None

    def take(self, frame: LiveFrame, elapsed_s: float) -> None:
        """Count a frame."""
        self.last = frame
        values = {
            "rotation": None if frame.heading_quality == "poor" else frame.rotation_right_deg,
            "lateral": frame.lateral_right_deg,
            "flexion": frame.flexion_deg,
        }
        if frame.sample_utc_ns is None:
            return
        self.frames += 1
        if self.first_live_s is None:
            self.first_live_s = elapsed_s
        for axis, value in values.items():
            if value is not None:
                seen = self.angles[axis] or [value, value]
                self.angles[axis] = [min(seen[0], value), max(seen[1], value)]

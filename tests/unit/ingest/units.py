"""A short record of given units."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ingest.live import Role
from storage.record import Anchors, Channel, DirectWriter, StreamInfo
from tests.support.results import T0_NS

Unit = tuple[str, str, Mapping[str, Any]]
"""Id, model, calibration."""


def record_units(folder: Path, units: Mapping[Role, Unit]) -> None:
    """Seal a second of nothing much from each unit."""
    channels = [Channel(f"acc_{a}", "m/s^2", "float32") for a in "xyz"]
    channels += [Channel(f"gyr_{a}", "rad/s", "float32") for a in "xyz"]
    at = np.arange(0, 100, 10)
    anchors = Anchors(at, at * 10_000, T0_NS + at * 10_000_000)
    with DirectWriter(folder) as writer:
        for role, (device_id, model, calibration) in units.items():
            stream = writer.open_stream(
                StreamInfo(
                    patient="p1",
                    device_id=device_id,
                    boot=1,
                    role=role,
                    kind="imu",
                    channels=tuple(channels),
                    rate_hz=100.0,
                    device_clock_hz=1e6,
                    model=model,
                    calibration=dict(calibration),
                )
            )
            writer.seal_direct(
                stream, np.ones((100, 6), np.float32), first_index=0, anchors=anchors
            )

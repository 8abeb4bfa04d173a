"""Which calibration holds of each unit: one answer for the record, the live chain and the filter.

`necktrace calibrate device` may find another one at any time, beside a running collector. It takes
effect where a wear session begins, with the next calibration of the body: a correction that changed
in the middle of one would look to the filter like a gyroscope whose bias jumped.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from storage.record import RecordReader

Calibration = Mapping[str, Any]
"""Of a unit, as the catalogue keeps it; empty where it was never calibrated."""


class UnitsInForce:
    """The calibrations in force, by device. Thread-safe.

    Parameters
    ----------
    calibration_of : callable
        Newest calibration of a device, as the catalogue keeps it.
    """

    def __init__(self, calibration_of: Callable[[str], Calibration] = lambda _: {}) -> None:
        self._calibration_of = calibration_of
        self._held: dict[str, Calibration] = {}
        self._lock = threading.Lock()

    def of(self, device_id: str) -> Calibration:
        """Return the calibration in force; of a device seen for the first time the newest."""
        with self._lock:
            if device_id not in self._held:
                self._held[device_id] = self._calibration_of(device_id)
            return self._held[device_id]

    def newest(self, device_id: str) -> Calibration:
        """Return the calibration that the next wear session will go by."""
        return self._calibration_of(device_id)

    def adopt(self, device_id: str, calibration: Calibration) -> None:
        """Go by another calibration from now on."""
        with self._lock:
            self._held[device_id] = calibration

    def adopt_recorded(self, reader: RecordReader, patient: str, since_ns: int) -> None:
        """Go on as the streams of a wear session say, which is gone on with."""
        for stream in reader.streams(patient=patient, kind="imu", t0_ns=since_ns):
            if stream.samples:
                self.adopt(stream.info.device_id.split("/", 1)[0], stream.info.calibration)

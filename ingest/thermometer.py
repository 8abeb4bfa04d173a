"""A sensor's temperature as its bias follows it, from few reports and smoothed."""

import math

READ_EVERY_NS = 30_000_000_000
"""Bias follows temperature within minutes; more often would only cut samples into small blocks."""
SMOOTHED_NS = 45_000_000_000
"""Memory of the smoothed temperature. Short: half a kelvin comes as a step of bias; long: bias runs
ahead of it."""


class Thermometer:
    """A sensor's temperature, smoothed: it is reported in steps of half a kelvin.

    Of what a boot of the sensor reports one value is taken in `READ_EVERY_NS`, so that a live
    sensor and its replay take the same.
    """

    def __init__(self) -> None:
        self._boot: int | None = None
        self._taken_ns = 0
        self._degc = 0.0

    def takes(self, boot: int, host_ns: int) -> bool:
        """Whether a report that arrived then is taken."""
        return boot != self._boot or host_ns - self._taken_ns >= READ_EVERY_NS

    def read(self, boot: int, host_ns: int, degc: float) -> None:
        """Take a report."""
        if not self.takes(boot, host_ns):
            return
        keep = math.exp(-(host_ns - self._taken_ns) / SMOOTHED_NS) if boot == self._boot else 0.0
        self._degc = keep * self._degc + (1.0 - keep) * degc
        self._boot, self._taken_ns = boot, host_ns

    def of(self, boot: int) -> float | None:
        """Return the temperature by now; None before the boot's first report."""
        return self._degc if boot == self._boot else None

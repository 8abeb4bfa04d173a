"""The standard battery level, looked at now and then and passed on as a status."""

from ingest.drivers.driver import SensorIdentity, StatusReport
from ingest.drivers.inbox import Inbox, MonotonicNs, Notification
from ingest.transport import Connection

BATTERY = 255
"""Channel of the inbox that carries battery levels."""
_EVERY_S = 60.0


class BatteryWatch:
    """Asks a sensor without a status of its own for its battery level once a minute."""

    def __init__(self, connection: Connection, inbox: Inbox, monotonic_ns: MonotonicNs) -> None:
        self._connection = connection
        self._append = inbox.callback(BATTERY, is_data=False)
        self._now = monotonic_ns
        self._looked_ns: int | None = None

    async def look(self) -> None:
        """Ask if a minute has passed."""
        now = self._now()
        if self._looked_ns is not None and (now - self._looked_ns) / 1e9 < _EVERY_S:
            return
        self._looked_ns = now
        level = await self._connection.battery_percent()
        if level is not None and 0 <= level <= 100:
            self._append(bytes((level,)))


def battery_report(identity: SensorIdentity, item: Notification) -> StatusReport:
    """Return a level that `BatteryWatch` found as a status."""
    return StatusReport(
        device_id=identity.device_id,
        boot=identity.boot,
        host_mono_ns=item.host_mono_ns,
        battery_percent=item.data[0],
    )

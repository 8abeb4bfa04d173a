"""What drivers of sensors without a sample counter have in common.

Such a sensor says who it is, its samples are numbered here, one connection is one boot, and what
happened out of range is gone. A driver of its own only speaks its language: `identify`, `start`,
`decode`, `stop`, `tend`.
"""

from firmware_protocol.devices.samples import SampleBlock
from ingest.drivers.driver import (
    BackfillOutcome,
    SensorEvent,
    SensorIdentity,
    StreamInfo,
    StreamStarted,
)
from ingest.drivers.inbox import MonotonicNs
from ingest.drivers.numbering import HostNumbering, stream_of
from ingest.transport import Connection


class UnnumberedDriver:
    """Common part of the drivers of other makers' sensors.

    Parameters
    ----------
    connection : Connection
    monotonic_ns : callable
        Host clock.
    """

    def __init__(self, connection: Connection, monotonic_ns: MonotonicNs) -> None:
        self._connection = connection
        self._now = monotonic_ns
        self._numbering = HostNumbering("", 0)
        self._identity: SensorIdentity | None = None
        self._running = False

    async def backfill(
        self, boot: int, first_index: int, last_index: int | None
    ) -> BackfillOutcome:
        """Refuse: without a counter there is nothing that could be asked for."""
        del boot, first_index, last_index
        return "refused"

    async def release(self, boot: int) -> None:
        """Do nothing: nothing is kept."""
        del boot

    def flush(self) -> list[SensorEvent]:
        """Return nothing: packets are complete when they come."""
        return []

    def _become(
        self, identity: SensorIdentity, *, clock_modulus_ns: int | None = None
    ) -> SensorIdentity:
        """Take over an identity and begin to number its samples."""
        self._identity = identity
        self._numbering = HostNumbering(identity.device_id, identity.boot, clock_modulus_ns)
        return identity

    def _known(self) -> SensorIdentity:
        if self._identity is None:
            raise RuntimeError("identify() comes before everything else")
        return self._identity

    def _started(self, *streams: StreamInfo) -> StreamStarted:
        """Return that streams run which are numbered from 0 here."""
        identity = self._known()
        return StreamStarted(
            device_id=identity.device_id,
            boot=identity.boot,
            next_index=0,
            streams=streams,
            host_mono_ns=self._now(),
            identity=identity,
        )

    def _one_stream(self, block: SampleBlock, rate_hz: float, *, stamped: bool) -> StreamStarted:
        """Return that a stream of blocks like this one runs."""
        return self._started(stream_of(block, rate_hz=rate_hz, stamped=stamped))

"""How a link tells where it stands: one event and one log line for each change of state."""

import logging
from collections.abc import Callable
from typing import Any

from ingest.drivers.inbox import MonotonicNs
from ingest.errors import BluetoothError, IngestError
from ingest.link_state import LinkEvent, LinkReason, LinkState
from ingest.transport import Advertisement

_log = logging.getLogger("ingest.link")


class LinkVoice:
    """State of one link and what is known about its sensor, for events and log records."""

    def __init__(
        self, role: str, say: Callable[[LinkEvent], None], monotonic_ns: MonotonicNs
    ) -> None:
        self.role = role
        self.state = LinkState.SCANNING
        self.entered_ns = monotonic_ns()
        """When `state` began."""
        self.seen: Advertisement | None = None
        """The sensor as last heard."""
        self.device_id = ""
        self.failures = 0
        """Failed attempts in a row."""
        self._say = say
        self._now = monotonic_ns

    @property
    def address(self) -> str:
        """Address as last heard, empty before."""
        return self.seen.address if self.seen else ""

    def enter(
        self,
        state: LinkState,
        reason: LinkReason,
        *,
        error: Exception | None = None,
        message: str = "",
        remedy: str = "",
    ) -> None:
        """Change the state, log it and tell."""
        now = self._now()
        if error is not None:
            message = str(error) or type(error).__name__
        event = LinkEvent(
            role=self.role,
            state=state,
            previous=self.state,
            reason=reason,
            host_mono_ns=now,
            message=message,
            remedy=error.remedy if isinstance(error, IngestError) else remedy,
            raw=error.raw if isinstance(error, BluetoothError) else "",
            device_id=self.device_id,
            address=self.address,
            rssi_dbm=self.seen.rssi_dbm if self.seen else None,
            attempt=self.failures,
            elapsed_s=(now - self.entered_ns) / 1e9,
        )
        self.state = state
        self.entered_ns = now
        _log.info(
            "%s link: %s (%s)%s",
            self.role,
            state.value,
            reason.value,
            f": {message}" if message else "",
            extra=self.context(
                event="link_state",
                reason=reason.value,
                raw=event.raw,
                elapsed_s=event.elapsed_s,
                attempt=event.attempt,
            ),
        )
        self._say(event)

    def context(self, **more: Any) -> dict[str, Any]:
        """Return what every log record of the link carries."""
        return {
            "role": self.role,
            "state": self.state.value,
            "device_id": self.device_id,
            "address": self.address,
            "rssi_dbm": self.seen.rssi_dbm if self.seen else None,
            **more,
        }

"""What the links of one adapter share: the lock around scan and connect, claims, and stalls."""

import asyncio
import logging
from collections import deque

from ingest.link_state import LinkLimits
from ingest.transport import Transport

_log = logging.getLogger(__name__)


class Radio:
    """One transport and the rules for sharing it between links.

    BlueZ refuses a second scan, and a connection during a scan fails on many adapters, so both
    happen under `lock`. Data of connected sensors flows outside it.
    """

    def __init__(self, transport: Transport, *, limits: LinkLimits | None = None) -> None:
        self.transport = transport
        self.lock = asyncio.Lock()
        self._limits = limits or LinkLimits()
        self._claims: dict[str, str] = {}
        self._stalls: deque[tuple[int, str]] = deque()
        self.resets = 0
        """Times the adapter was switched off and on."""

    def claim(self, address: str, role: str) -> bool:
        """Reserve a sensor for a link; False when another link has it."""
        return self._claims.setdefault(address, role) == role

    def claimed_by_other(self, address: str, role: str) -> bool:
        """Return whether another link uses the sensor."""
        return self._claims.get(address, role) != role

    def release(self, address: str, role: str) -> None:
        """Give a sensor back."""
        if self._claims.get(address) == role:
            del self._claims[address]

    async def note_stall(self, address: str, now_ns: int) -> None:
        """Count a silent link; on repetition let the system forget it, then reset the adapter.

        The adapter is left alone while another link uses it: one sensor's fault must not end the
        other's data. The caller does not hold `lock`.
        """
        window_ns = int(self._limits.stall_window_s * 1e9)
        self._stalls.append((now_ns, address))
        while now_ns - self._stalls[0][0] > window_ns:
            self._stalls.popleft()
        others = any(claimed != address for claimed in self._claims)
        if len(self._stalls) >= self._limits.stalls_for_reset and not others:
            self._stalls.clear()
            async with self.lock:
                done = await self.transport.reset_adapter()
            self.resets += done
            _log.warning(
                "adapter switched off and on after repeated stalls"
                if done
                else "adapter stalls repeatedly and cannot be switched off and on by this program",
                extra={"event": "adapter_reset", "address": address, "done": done},
            )
        elif sum(a == address for _, a in self._stalls) > 1:
            async with self.lock:
                await self.transport.forget(address)

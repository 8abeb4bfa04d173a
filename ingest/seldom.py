"""Warnings that repeat are said once a minute, with how often they would have been."""

import logging
from typing import Any

from ingest.drivers.inbox import MonotonicNs

_EVERY_NS = 60_000_000_000


class SeldomLog:
    """Limits each kind of warning to one a minute."""

    def __init__(self, log: logging.Logger, monotonic_ns: MonotonicNs) -> None:
        self._log = log
        self._now = monotonic_ns
        self._said: dict[str, tuple[int, int]] = {}

    def warn(self, kind: str, message: str, extra: dict[str, Any]) -> None:
        """Log a warning unless its kind was logged within the last minute; then count it."""
        now = self._now()
        said_ns, kept_back = self._said.get(kind, (now - _EVERY_NS, 0))
        if now - said_ns < _EVERY_NS:
            self._said[kind] = (said_ns, kept_back + 1)
            return
        self._said[kind] = (now, 0)
        suffix = f" ({kept_back} more since the last time)" if kept_back else ""
        self._log.warning(
            "%s%s", message, suffix, extra={**extra, "event": kind, "kept": kept_back}
        )

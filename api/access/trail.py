"""The trail in the audit log: who read, took away or changed what.

Changes are written down by the operations themselves, which know what changed. Here every export
is an entry, and every refusal of a known person. Reading is one entry per person, operation and
patient in a quarter of an hour, because a page asks many times; what the owner at home reads is
nobody else's business and is not written down.
"""

import threading
import time
from typing import Final

from api.access.principals import Principal
from api.access.rules import Rule
from storage.catalog import Catalog

READ_EVERY_S: Final = 900.0
_EXPORTS: Final = (
    "/exports/{table}",
    "/export",
    "/raw/{role}",
    "/bids",
    "/everything",
    "/fhir",
    "/report.pdf",
)
_REMEMBERED: Final = 4096


class Trail:
    """Writes the entries of one process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at_s: dict[tuple[str, str, str], float] = {}

    def allowed(
        self, catalog: Catalog, principal: Principal, method: str, rule: Rule, patients: list[str]
    ) -> None:
        """Write down that a request was let through, where it is to be."""
        if rule.need in {"public", "signed-in"} and not patients:
            return
        exporting = rule.path.endswith(_EXPORTS)
        if method not in {"GET", "HEAD"} or (principal.kind == "owner" and not exporting):
            return
        action = "export" if exporting else "read"
        for patient in patients or [""]:
            if action != "read" or self._is_due(principal.name, rule.path, patient):
                catalog.audit(principal.name, action, patient, {"route": rule.path})

    def refused(
        self, catalog: Catalog, principal: Principal, method: str, rule: Rule, patient: str
    ) -> None:
        """Write down that somebody known asked for what is not theirs."""
        if self._is_due(principal.name, f"refused {method} {rule.path}", patient):
            detail = {"route": rule.path, "method": method}
            catalog.audit(principal.name, "refused", patient, detail)

    def _is_due(self, name: str, route: str, patient: str) -> bool:
        now_s = time.monotonic()
        key = (name, route, patient)
        with self._lock:
            last = self._read_at_s.get(key)
            if last is not None and now_s - last < READ_EVERY_S:
                return False
            if len(self._read_at_s) >= _REMEMBERED:
                self._read_at_s.clear()
            self._read_at_s[key] = now_s
        return True

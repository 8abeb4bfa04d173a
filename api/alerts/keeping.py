"""What of the alerts is kept in the catalogue, for pages and for the next start."""

from typing import Final

from ingest.alerts import Alert, AlertKind, AlertState, active
from storage.catalog import Catalog

_STATE: Final = "alerts"
_SNOOZED: Final = "alerts_snoozed_ns"


def load_state(catalog: Catalog, patient: str) -> AlertState:
    """Return where the alerts stand."""
    return AlertState.from_json(catalog.setting(f"patient/{patient}", _STATE))


def save_state(catalog: Catalog, patient: str, state: AlertState) -> None:
    """Keep where the alerts stand."""
    catalog.set_setting(f"patient/{patient}", _STATE, state.to_json())


def snoozed(catalog: Catalog, patient: str, now_ns: int) -> dict[str, int]:
    """Return the ends (UTC ns) of the snoozes that hold, by kind."""
    stored = catalog.setting(f"patient/{patient}", _SNOOZED) or {}
    return {kind: int(until) for kind, until in stored.items() if int(until) > now_ns}


def snooze(
    catalog: Catalog, patient: str, kind: AlertKind, until_ns: int | None, now_ns: int
) -> None:
    """Send nothing of a kind until a time; None ends a snooze."""
    held = snoozed(catalog, patient, now_ns)
    held.pop(kind, None)
    if until_ns is not None:
        held[str(kind)] = until_ns
    catalog.set_setting(f"patient/{patient}", _SNOOZED, held)


def alerts_of(catalog: Catalog, patient: str) -> list[Alert]:
    """Return what a person should see to now, oldest first."""
    return active(load_state(catalog, patient))

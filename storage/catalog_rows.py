"""What the catalogue holds: people, sensors, wear sessions, calibrations, spans, audit entries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Patient:
    """A person who wears the sensors."""

    id: str
    """Pseudonym; tag of every stored result."""
    label: str
    """What pages show."""
    zone: str
    """IANA time zone that cuts days."""
    created_ns: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Device:
    """A sensor known to this hub."""

    id: str
    patient: str | None
    role: str | None
    """``head`` or ``trunk``, as assigned."""
    address: str = ""
    model: str = ""
    calibration: Mapping[str, Any] = field(default_factory=dict)
    boots: int = 0
    """Boot counter of a virtual sensor, which has no memory of its own."""
    updated_ns: int = 0


@dataclass(frozen=True, slots=True)
class WearSession:
    """From one calibration to the next, or to take-off."""

    id: int
    patient: str
    start_ns: int
    end_ns: int | None
    alignment_id: str | None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredAlignment:
    """A calibration (sensor-to-segment rotations and N) and from when on it holds."""

    patient: str
    id: str
    n_id: str
    valid_from_ns: int
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """A labelled stretch: a pose held, a movement asked for, the event button."""

    id: int
    patient: str
    kind: str
    start_ns: int
    end_ns: int
    sigma_deg: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what, when, to whom."""

    id: int
    at_ns: int
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]

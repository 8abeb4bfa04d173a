"""What is kept of a sensor unit: its calibration, and how its bias follows temperature."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ingest.errors import IngestError
from ingest.temperature_lines import KEY, learn_line, record_of
from processing.temperature_line import TemperatureLine
from storage.catalog import Catalog, Device
from storage.record import RecordReader

RENEWED_AFTER_NS = 90 * 86_400_000_000_000
"""A line this old gives way to a new one, even if that is known less well."""
LOOKED_BACK_NS = 26 * 3_600_000_000_000
"""How far lines are sought back: it is done once a day, and some more."""


def unit_calibration(catalog: Catalog, unit: str) -> Mapping[str, Any]:
    """Return what is known of a unit's errors, empty where it was never calibrated."""
    return _device(catalog, unit).calibration


def save_calibration(catalog: Catalog, unit: str, calibration: Mapping[str, Any]) -> None:
    """Keep a unit's calibration; the line over temperature that it may have stays."""
    before = _device(catalog, unit)
    line = before.calibration.get(KEY)
    kept = {**calibration, **({KEY: line} if line else {})}
    catalog.save_device(replace(before, calibration=kept))


def save_line(
    catalog: Catalog, unit: str, line: TemperatureLine, *, at_ns: int, actor: str
) -> bool:
    """Keep a unit's line over temperature unless one is kept that is known better."""
    before = _device(catalog, unit)
    old = before.calibration.get(KEY)
    if (
        old is not None
        and at_ns - int(old["at_ns"]) < RENEWED_AFTER_NS
        and float(np.max(old["slope_sigma_rads_k"])) <= float(line.slope_sigma_rads_k.max())
    ):
        return False
    found = record_of(line, at_ns=at_ns)
    catalog.save_device(replace(before, calibration={**before.calibration, KEY: found}))
    slopes = np.round(np.degrees(line.slope_rads_k), 4).tolist()
    catalog.audit(actor, "temperature line", unit, {"slope_dps_k": slopes, "minutes": line.minutes})
    return True


def line_of(catalog: Catalog, unit: str) -> Mapping[str, Any] | None:
    """Return the line over temperature that is kept of a unit."""
    line: Mapping[str, Any] | None = unit_calibration(catalog, unit).get(KEY)
    return line


def learn_lines(reader: RecordReader, catalog: Catalog, patient: str, *, now_ns: int) -> list[str]:
    """Learn the lines of a patient's units from the last day; return the units that have a new one.

    Sensors without a thermometer, and those that sent nothing, are passed over.
    """
    learnt = []
    for device in catalog.devices(patient=patient):
        try:
            _, line = learn_line(reader, device.id, since_ns=now_ns - LOOKED_BACK_NS)
        except IngestError:
            continue
        if (
            line is not None
            and line.worth_using
            and save_line(catalog, device.id, line, at_ns=now_ns, actor="collector")
        ):
            learnt.append(device.id)
    return learnt


def _device(catalog: Catalog, unit: str) -> Device:
    known = {device.id: device for device in catalog.devices()}
    return known.get(unit) or Device(unit, None, None)

"""Where a day's results come from: calibrations of the posture, units, what was known of them."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from ingest.priors import declared_by, priors_of
from processing.grid import GridParams
from storage.record import RecordReader
from storage.result_book import DayProvenance
from storage.result_rows import SECOND_NS


def day_of_ns(day: date, zone: str) -> tuple[int, int]:
    """Return the UTC nanoseconds at which a local day begins and ends."""
    begin, end = (
        int(datetime.combine(d, datetime.min.time(), ZoneInfo(zone)).timestamp()) * SECOND_NS
        for d in (day, day + timedelta(days=1))
    )
    return begin, end


def day_provenance(
    reader: RecordReader,
    patient: str,
    zone: str,
    day: date,
    alignment_ids: Iterable[str],
    made: Literal["live", "reprocess"],
) -> DayProvenance:
    """Return the row of a local day.

    Parameters
    ----------
    alignment_ids : iterable of str
        Calibrations in force during the day; repeats are left out.
    """
    begin, end = day_of_ns(day, zone)
    notes = {"made": made, "units": units_worn(reader, patient, begin, end)}
    return DayProvenance(begin, zone, tuple(dict.fromkeys(alignment_ids)), notes)


def units_worn(reader: RecordReader, patient: str, t0_ns: int, t1_ns: int) -> list[dict[str, Any]]:
    """Return each unit that was worn and what the filter began with of it, in order of time.

    Noise is that on the pipeline's grid; ``calibrated_at_ns`` names the unit's own calibration (six
    faces), and is absent where it never was calibrated. What is not known is left out.
    """
    found: list[dict[str, Any]] = []
    for stream in reader.streams(patient=patient, kind="imu", t0_ns=t0_ns, t1_ns=t1_ns):
        info = stream.info
        if not stream.samples:
            continue
        unit = info.device_id.split("/", 1)[0]
        rate_hz = GridParams().rate_hz
        known = asdict(priors_of(unit, info.model, rate_hz, info.calibration, declared_by(info)))
        note = {
            "role": info.role,
            "unit": unit,
            "model": info.model,
            "firmware": info.firmware,
            "calibrated_at_ns": info.calibration.get("at_ns"),
            **known,
        }
        note = {name: value for name, value in note.items() if value not in (None, "")}
        if note not in found:
            found.append(note)
    return found

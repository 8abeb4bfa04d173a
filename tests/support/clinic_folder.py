"""A data folder with months of made-up results around injections: a known course to look at."""

import dataclasses
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, get_type_hints
from zoneinfo import ZoneInfo

import numpy as np

from ingest.slip import Slip, keep_slip
from processing.summary.types import DaySummary, MinuteSummary, PostureCell
from processing.synthesis.spec import botulinum_factor
from processing.types import Episode
from storage.catalog import Catalog, Patient, StoredAlignment
from storage.embedded import EmbeddedStore
from storage.notes import Treatment, save_treatment
from storage.record.direct import DirectWriter
from storage.result_rows import ANGLE_FIELDS, AngleSeries, ResultBatch

ZONE = "Europe/Berlin"
ALGO = "1-00000000"
BASE_DEG = 22.0


def _filled(kind: type, **given: Any) -> Any:
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        members = getattr(hints[field.name], "__args__", None) or (hints[field.name],)
        if bool in members:
            values[field.name] = True
        elif int in members or float in members:
            values[field.name] = 1
        else:
            values[field.name] = "" if str in members else ()
    return kind(**{**values, **given})


def midnight_ns(day: date, zone: str = ZONE) -> int:
    """Return the instant at which a local day begins."""
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp()) * 10**9


def fill(
    folder: Path,
    last: date,
    *,
    patient: str = "p1",
    label: str = "Sam",
    days: int = 240,
    injected_ago: tuple[int, ...] = (200, 85),
    worn_h: float = 9.0,
    noise_deg: float = 1.2,
    poor_h: float = 0.5,
    minutes_days: int = 10,
    n_id_from: int | None = None,
    slipped_ago: tuple[int, ...] = (),
) -> None:
    """Write `days` days that end with `last`; the deviation follows the toxin's course.

    Parameters
    ----------
    injected_ago : tuple of int
        Injections, days before `last`; each begins the course anew.
    n_id_from : int, optional
        A new neutral is taken so many days before `last`.
    slipped_ago : tuple of int
        Days before `last` on which the head sensor slips at ten; the newest is not made good.
    """
    rng = np.random.default_rng(5)
    with DirectWriter(folder):
        pass
    with Catalog(folder) as catalog:
        catalog.save_patient(Patient(patient, label, ZONE))
        starts = {"a1": days, "a2": n_id_from}
        for name, ago in starts.items():
            if ago is None:
                continue
            at = midnight_ns(last - timedelta(days=ago)) + 8 * 3600 * 10**9
            n_id = f"n-{name}"
            catalog.save_alignment(StoredAlignment(patient, f"{patient}{name}", n_id, at, {}))
            catalog.start_wear(patient, at, alignment_id=f"{patient}{name}")
        for ago in sorted(slipped_ago, reverse=True):
            at = midnight_ns(last - timedelta(days=ago)) + 10 * 3600 * 10**9
            slip = Slip("head", 21.0, at, at + 600 * 10**9, f"{patient}a1")
            keep_slip(catalog, patient, slip, slip.noticed_ns)
            if ago != min(slipped_ago):
                at += 3 * 3600 * 10**9
                catalog.add_span(patient, "midline_pose", at, at + 5 * 10**9)
        for ago in injected_ago:
            at = midnight_ns(last - timedelta(days=ago)) + 12 * 3600 * 10**9
            body = {"product": "onabotulinumtoxinA", "units": 180, "muscles": "splenius left"}
            save_treatment(catalog, Treatment(f"{patient}-{ago}", patient, "injection", at, body))
    rows, cells, minutes, episodes = [], [], [], []
    for ago in range(days - 1, -1, -1):
        day = last - timedelta(days=ago)
        t_ns = midnight_ns(day)
        past = [since - ago for since in injected_ago if since >= ago]
        factor = botulinum_factor(min(past)) if past else 1.0
        deviation = BASE_DEG * factor + float(rng.normal(0.0, noise_deg))
        rows.append(
            _filled(
                DaySummary, date=day.isoformat(), t_ns=t_ns,
                end_ns=midnight_ns(day + timedelta(days=1)), worn_s=worn_h * 3600.0,
                evaluable_s=worn_h * 3000.0, completeness=0.99, deviation_p50_deg=deviation,
                near_neutral_fraction=float(np.clip(0.9 - deviation / 28.0, 0.0, 1.0)),
                rotation_p50_deg=0.8 * deviation, lateral_p50_deg=0.4 * deviation,
                flexion_p50_deg=0.2 * deviation, jerk_per_evaluable_h=2.0 * deviation,
                jerk_per_evaluable_h_low=1.8 * deviation,
                jerk_per_evaluable_h_high=2.2 * deviation, posture_per_evaluable_h=deviation,
                tremor_fraction_of_still=deviation / 200.0,
                heading_good_s=(worn_h - poor_h - 0.5) * 3600.0, heading_fair_s=1800.0,
                heading_poor_s=poor_h * 3600.0, reasons=(),
            )
        )  # fmt: skip
        for rotation in range(-10, 45, 5):
            for lateral in range(-10, 30, 5):
                weight = np.exp(
                    -((rotation + 2.5 - 0.8 * deviation) ** 2 / 90.0)
                    - (lateral + 2.5 - 0.4 * deviation) ** 2 / 50.0
                ) * rng.uniform(0.7, 1.3)
                if weight > 0.01:
                    at = t_ns + 10 * 3600 * 10**9
                    place = (float(rotation), float(lateral), 600.0 * weight)
                    tilted = (float(rotation), -float(lateral), 600.0 * weight)
                    cells += [PostureCell(at, *place), PostureCell(at, *tilted, "rf")]
        if ago < minutes_days:
            for minute in range(int(worn_h * 60)):
                at = t_ns + (9 * 60 + minute) * 60 * 10**9
                swing = deviation * (1.0 + 0.4 * np.sin(minute / 90.0))
                minutes.append(
                    _filled(MinuteSummary, t_ns=at, evaluable_s=50.0, deviation_mean_deg=swing)
                )
            for i, kind in enumerate(("posture", "jerk", "tremor", "jerk")):
                start = t_ns + (10 * 3600 + 900 * i) * 10**9
                episodes.append(
                    Episode(
                        kind, {"posture": "dystonic", "jerk": "jerk", "tremor": "regular"}[kind],  # type: ignore[arg-type]  # real kinds
                        start, start + (8 if kind == "posture" else 1) * 10**9, start + 5 * 10**8,
                        12.0 + i, 0.8, f"{kind} 1", {},
                    )
                )  # fmt: skip
    t0 = midnight_ns(last) + 10 * 3600 * 10**9 - 60 * 10**9
    seconds = t0 + np.arange(3000, dtype=np.int64) * 10**9
    values = np.full((3000, len(ANGLE_FIELDS)), np.nan)
    for axis, size in (("rotation_right", 18.0), ("lateral_right", 8.0), ("flexion", -4.0)):
        mean = size + np.sin(np.arange(3000) / 7.0) * size / 3.0
        for part, shift in (("", 0.0), ("_min", -2.0), ("_max", 2.0)):
            values[:, ANGLE_FIELDS.index(f"{axis}{part}_deg")] = mean + shift
    values[:, ANGLE_FIELDS.index("valid")] = 1.0
    store = EmbeddedStore(folder)
    try:
        store.book.register(patient, ALGO, version="1", params_hash="00000000", params={})
        store.put(
            ResultBatch(
                patient, ALGO, angles=AngleSeries(seconds, 1, values), minutes=minutes, days=rows,
                episodes=episodes, cells=cells,
            )
        )  # fmt: skip
    finally:
        store.close()

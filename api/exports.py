"""What can be taken away, in which form: one list for the routes and the command line."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from api.problems import problem
from api.queries import FOREVER_NS, Range
from ingest.live import Role
from ingest.sources.replay import blocks
from processing.types import Span
from storage.catalog import Catalog, Patient
from storage.exports import (
    FORMATS,
    BidsSubject,
    BidsSystem,
    bids_zip,
    episode_batches,
    everything_zip,
    raw_batches,
    second_batches,
    stream,
    summary_batches,
)
from storage.exports.sources import Batches
from storage.record import RecordReader
from storage.results import ResultStore

TableName = Literal["angles", "minutes", "days", "episodes"]
ExportName = Literal["angles", "minutes", "days", "episodes", "bids", "everything"]
FormatName = Literal["parquet", "arrow", "csv"]
TABLES: tuple[str, ...] = get_args(TableName)
ROLES: tuple[Role, Role] = ("head", "trunk")
ZIP = "application/zip"
TABLE_MARGIN_NS = 2 * 86_400 * 10**9
"""A day's row stands at its midnight, before the first sample."""
CLOCK_MARGIN_NS = 10 * 10**9
"""Samples are older than their arrival."""


@dataclass(frozen=True, slots=True)
class Export:
    """Bytes with their name and kind, made while they are read."""

    filename: str
    media_type: str
    pieces: Iterator[bytes]


def _safe(name: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in name)


def _table(store: ResultStore, patient: Patient, span: Range, what: str) -> Batches:
    if what == "angles":
        return second_batches(store, patient.id, span.t0_ns, span.t1_ns)
    if what == "episodes":
        return episode_batches(store.episodes(patient.id, span.t0_ns, span.t1_ns))
    read = store.minutes if what == "minutes" else store.days
    return summary_batches(read(patient.id, span.t0_ns, span.t1_ns))


def _bounded(record: RecordReader, patient: Patient, span: Range, margin_ns: int) -> Range:
    """Return a range no wider than what is recorded, and a margin."""
    found = record.streams(patient=patient.id)
    first = [s.host_first_ns for s in found if s.host_first_ns is not None]
    last = [s.host_last_ns for s in found if s.host_last_ns is not None]
    if not first or not last:
        raise problem("not-found", "Nothing is recorded of this patient yet.")
    return Range(max(span.t0_ns, min(first) - margin_ns), min(span.t1_ns, max(last) + margin_ns))


def export_table(
    record: RecordReader,
    store: ResultStore,
    patient: Patient,
    span: Range,
    what: str,
    form: FormatName,
) -> Export:
    """Return angles on the 1 Hz grid, minutes, days or episodes as a table."""
    span = _bounded(record, patient, span, TABLE_MARGIN_NS)
    schema, batches = _table(store, patient, span, what)
    kind = FORMATS[form]
    return Export(
        _safe(f"{patient.id}_{what}{kind.suffix}"), kind.media_type, stream(batches, schema, form)
    )


def export_raw(
    record: RecordReader, patient: Patient, stream_id: int, span: Range, form: FormatName
) -> Export:
    """Return the samples of one stream in physical units, with the anchors of its packets."""
    info = record.info(stream_id)
    whole = span.t0_ns <= 0 and span.t1_ns >= FOREVER_NS
    i0, i1 = (None, None) if whole else record.index_range(stream_id, span.t0_ns, span.t1_ns)
    schema, batches = raw_batches(record, stream_id, i0, i1)
    kind = FORMATS[form]
    name = _safe(f"{patient.id}_{info.role}_{info.device_id}_{info.boot}{kind.suffix}")
    return Export(name, kind.media_type, stream(batches, schema, form))


def export_bids(record: RecordReader, catalog: Catalog, patient: Patient, span: Range) -> Export:
    """Return a range of the record as a Motion-BIDS data set."""
    span = _bounded(record, patient, span, CLOCK_MARGIN_NS)
    systems = []
    for role in ROLES:
        streams = record.streams(patient=patient.id, role=role, kind="imu")
        if streams:
            pieces = blocks(
                record, patient=patient.id, role=role, t0_ns=span.t0_ns, t1_ns=span.t1_ns
            )
            systems.append(
                BidsSystem(role, streams[-1].info.rate_hz, (piece.block for piece in pieces))
            )
    spans = tuple(
        Span(event.kind, event.start_ns, event.end_ns, event.sigma_deg)
        for event in catalog.spans(patient.id, span.t0_ns, span.t1_ns)
    )
    subject = BidsSubject(patient.id, tuple(systems), span.t0_ns, spans)
    return Export(_safe(f"{patient.id}_motion-bids.zip"), ZIP, bids_zip(subject))


def export_everything(data_dir: Path, store: ResultStore, patient: Patient) -> Export:
    """Return all that is held about a patient."""
    return Export(
        _safe(f"{patient.id}_everything.zip"), ZIP, everything_zip(data_dir, patient.id, store)
    )

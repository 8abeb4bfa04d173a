"""What can be taken away, in which form: one list for the routes and the command line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any, Literal, get_args

from api.access.masking import Mask
from api.events import events_of
from api.exports.missing import Missing, missing_of, said_of, samples_by_role
from api.exports.provenance import provenance, result_provenance
from api.http.problems import problem
from api.queries import FOREVER_NS, Range
from api.reference.dictionary import column_doc
from ingest.live import Role
from ingest.sources.replay import blocks
from processing.types import Span
from storage.catalog import Catalog, Patient
from storage.exports import (
    FORMATS,
    BidsDerived,
    BidsSubject,
    BidsSystem,
    Disguise,
    Dress,
    bids_zip,
    block_batches,
    dressed,
    episode_batches,
    everything_zip,
    full_rate_batches,
    raw_batches,
    second_batches,
    stream,
    summary_batches,
)
from storage.exports.sources import Batches
from storage.record import RecordReader, Stream
from storage.results import ResultStore

TableName = Literal["angles", "angles_100hz", "minutes", "days", "episodes"]
FormatName = Literal["parquet", "arrow", "csv"]
TABLES: tuple[str, ...] = get_args(TableName)
ROLES: tuple[Role, Role] = ("head", "trunk")
ZIP = "application/zip"
TABLE_MARGIN_NS = 2 * 86_400 * 10**9
"""A day's row stands at its midnight, before the first sample."""
RATE_HZ = 100.0
"""Of the results at full rate."""
CLOCK_MARGIN_NS = 10 * 10**9
"""Samples are older than their arrival."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where exports are made from."""

    record: RecordReader
    catalog: Catalog
    results: ResultStore


@dataclass(frozen=True, slots=True)
class Export:
    """Bytes with their name and kind, made while they are read."""

    filename: str
    media_type: str
    pieces: Iterator[bytes]
    missing: tuple[Missing, ...] = ()
    """Known, when the file begins, to be missing from it as damaged."""


def _safe(name: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in name)


def _table(
    store: ResultStore, patient: Patient, span: Range, what: str, algo: str | None
) -> Batches:
    if what == "angles":
        return second_batches(store, patient.id, span.t0_ns, span.t1_ns, algo=algo)
    if what == "angles_100hz":
        return full_rate_batches(store.full_rate, patient.id, span.t0_ns, span.t1_ns, algo=algo)
    if what == "episodes":
        return episode_batches(store.episodes(patient.id, span.t0_ns, span.t1_ns, algo=algo))
    read = store.minutes if what == "minutes" else store.days
    return summary_batches(read(patient.id, span.t0_ns, span.t1_ns, algo=algo))


def _with_mag(streams: Sequence[Stream]) -> bool:
    return any("mag_x" in stream.info.names for stream in streams)


def _bounded(record: RecordReader, patient: Patient, span: Range, margin_ns: int) -> Range:
    """Return a range no wider than what is recorded, and a margin."""
    found = record.streams(patient=patient.id)
    first = [s.host_first_ns for s in found if s.host_first_ns is not None]
    last = [s.host_last_ns for s in found if s.host_last_ns is not None]
    if not first or not last:
        raise problem("not-found", "Nothing is recorded of this patient yet.")
    low = max(span.t0_ns, min(first) - margin_ns)
    return Range(low, max(low, min(span.t1_ns, max(last) + margin_ns)))


def _disguise(mask: Mask | None) -> Disguise | None:
    if mask is None:
        return None

    def hide(value: Any) -> Any:
        if isinstance(value, dict):  # a unit's calibration is as good as its serial number
            value = {k: v for k, v in value.items() if k not in {"calibration", "metadata"}}
        return mask.hide(value)

    return Disguise(int(mask.back.total_seconds()) * 10**9, hide)


def _name(patient: Patient, mask: Mask | None, *parts: str) -> str:
    shown = patient.id if mask is None else mask.pseudonym
    return _safe("_".join((shown, *parts)))


def export_table(
    source: Source,
    patient: Patient,
    span: Range,
    what: str,
    form: FormatName,
    *,
    algo: str | None = None,
    mask: Mask | None = None,
) -> Export:
    """Return angles (1 Hz or at full rate), minutes, days or episodes as a table."""
    bounded = _bounded(source.record, patient, span, TABLE_MARGIN_NS)
    table = _table(source.results, patient, bounded, what, algo)
    said = result_provenance(source.catalog, source.results, patient, bounded, algo)
    is_csv = form == "csv"
    dress = Dress(
        provenance=said,
        describe=column_doc,
        disguise=_disguise(mask),
        columns=("algo", "alignment_ids") if is_csv else (),
    )
    schema, batches = dressed(table, dress)
    kind = FORMATS[form]
    name = _name(patient, mask, what) + kind.suffix
    return Export(name, kind.media_type, stream(batches, schema, form))


def export_raw(
    source: Source,
    patient: Patient,
    stream_id: int,
    span: Range,
    form: FormatName,
    *,
    mask: Mask | None = None,
) -> Export:
    """Return the samples of one stream in physical units, with the anchors of its packets."""
    info = source.record.info(stream_id)
    i0, i1 = index_range(source.record, stream_id, span)
    table = raw_batches(source.record, stream_id, i0, i1)
    missing = missing_of(source.record, patient.id, span, stream_id=stream_id)
    dress = Dress(
        provenance=provenance(source.catalog, patient, span) | said_of(missing),
        disguise=_disguise(mask),
        units_in_names=form == "csv",
    )
    schema, batches = dressed(table, dress)
    kind = FORMATS[form]
    device = info.device_id if mask is None else mask.words.get(info.device_id, "sensor")
    name = _name(patient, mask, info.role, device, str(info.boot)) + kind.suffix
    return Export(name, kind.media_type, stream(batches, schema, form), missing)


def index_range(record: RecordReader, stream_id: int, span: Range) -> tuple[int, int]:
    """Return the sample indices of packets that arrived in a range."""
    if span.t0_ns <= 0 and span.t1_ns >= FOREVER_NS:
        return 0, FOREVER_NS
    return record.index_range(stream_id, span.t0_ns, span.t1_ns)


def export_samples(
    source: Source,
    patient: Patient,
    role: Role,
    span: Range,
    form: FormatName,
    *,
    mask: Mask | None = None,
) -> Export:
    """Return the samples of the sensor worn somewhere, timed, in SI units, over all its starts."""
    bounded = _bounded(source.record, patient, span, CLOCK_MARGIN_NS)
    pieces = blocks(
        source.record,
        patient=patient.id,
        role=role,
        t0_ns=bounded.t0_ns,
        t1_ns=bounded.t1_ns,
        needs_gyr=False,
    )
    streams = source.record.streams(patient=patient.id, role=role, kind="imu")
    table = block_batches((piece.block for piece in pieces), with_mag=_with_mag(streams))
    missing = missing_of(source.record, patient.id, span, role=role, kind="imu")
    said = provenance(source.catalog, patient, bounded) | {"role": role}
    dress = Dress(
        provenance=said | said_of(missing),
        describe=column_doc,
        disguise=_disguise(mask),
        columns=("role",) if form == "csv" else (),
    )
    schema, batches = dressed(table, dress)
    kind = FORMATS[form]
    name = _name(patient, mask, role, "raw") + kind.suffix
    return Export(name, kind.media_type, stream(batches, schema, form), missing)


def export_bids(
    source: Source, patient: Patient, span: Range, *, mask: Mask | None = None
) -> Export:
    """Return a range of the record as a Motion-BIDS data set; behind a mask it holds no dates.

    Where there are results, their angles stand beside the raw samples as a derivative.
    """
    asked = span
    span = _bounded(source.record, patient, span, CLOCK_MARGIN_NS)
    systems = []
    for role in ROLES:
        streams = source.record.streams(patient=patient.id, role=role, kind="imu")
        if streams:
            pieces = blocks(
                source.record,
                patient=patient.id,
                role=role,
                t0_ns=span.t0_ns,
                t1_ns=span.t1_ns,
                needs_gyr=False,
            )
            systems.append(
                BidsSystem(
                    role,
                    streams[-1].info.rate_hz,
                    (piece.block for piece in pieces),
                    with_mag=_with_mag(streams),
                )
            )
    spans = tuple(
        Span(each.span.kind, each.span.start_ns, each.span.end_ns, each.span.sigma_deg)
        for each in events_of(source.catalog, patient.id, span)
    )

    def lacking() -> tuple[Missing, ...]:
        return missing_of(source.record, patient.id, asked, kind="imu")

    shown = patient.id if mask is None else mask.pseudonym
    subject = BidsSubject(
        shown,
        tuple(systems),
        span.t0_ns // 1000 * 1000,  # what `scans.tsv` can say
        spans,
        derived=_derived(source, patient, span, mask),
        dated=mask is None,
        missing=lambda: samples_by_role(lacking()),
    )
    name = _name(patient, mask, "motion-bids.zip")
    return Export(name, ZIP, bids_zip(subject), lacking())


def _derived(
    source: Source, patient: Patient, span: Range, mask: Mask | None
) -> BidsDerived | None:
    rows = source.results.full_rate.read(patient.id, span.t0_ns, span.t1_ns)
    first = next(rows, None)
    if first is None:
        return None
    said = result_provenance(source.catalog, source.results, patient, span, None)
    disguise = _disguise(mask)
    return BidsDerived(
        chain([first], rows),
        RATE_HZ,
        version("necktrace"),
        said if disguise is None else disguise.hide(said),
    )


def export_everything(
    data_dir: Path, record: RecordReader, store: ResultStore, patient: Patient
) -> Export:
    """Return all that is held about a patient."""
    return Export(
        _safe(f"{patient.id}_everything.zip"),
        ZIP,
        everything_zip(data_dir, patient.id, store),
        missing_of(record, patient.id),
    )

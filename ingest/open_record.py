"""A necktrace data folder as a recording for the batch door, like any foreign file."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ingest.live import Role
from ingest.merging import joined
from ingest.priors import units_of
from ingest.reprocess_session import slices
from ingest.reprocess_wear import END_NS
from processing.grid import GridParams
from processing.types import ImuBlock, Span
from storage.catalog import Catalog
from storage.database import DATABASE
from storage.importers import ImportedRecording, ImportFormatError
from storage.record import RecordReader

ROLES: tuple[Role, Role] = ("head", "trunk")


def is_record(path: Path) -> bool:
    """Whether a path is a necktrace data folder."""
    return (path / DATABASE).is_file()


def open_record(
    folder: Path,
    patient: str | None = None,
    t0_ns: int | None = None,
    t1_ns: int | None = None,
) -> ImportedRecording:
    """Open one wear session of a data folder.

    Parameters
    ----------
    patient : str, optional
        Needed where the folder holds several.
    t0_ns, t1_ns : int, optional
        UTC range to take; without a beginning, the last wear session.

    Raises
    ------
    ImportFormatError
        There is no such patient, several and none named, or no sample of a head sensor.
    """
    until_ns = END_NS if t1_ns is None else t1_ns
    with RecordReader(folder) as reader, Catalog(folder) as catalog:
        who = _patient(reader, patient, folder)
        sessions = [s for s in catalog.wear_sessions(who) if s.start_ns < until_ns]
        since_ns = t0_ns
        if since_ns is None:
            last = max(sessions, key=lambda s: s.start_ns, default=None)
            since_ns = 0 if last is None else int(last.detail.get("since_ns", last.start_ns))
        streams = [
            stream
            for stream in reader.streams(patient=who, kind="imu", t0_ns=since_ns, t1_ns=until_ns)
            if stream.samples and "gyr_x" in stream.info.names
        ]
        spans = tuple(
            Span(span.kind, span.start_ns, span.end_ns, span.sigma_deg)
            for span in catalog.spans(who, since_ns, until_ns)
        )
    rates = {
        role: max(s.info.rate_hz for s in streams if s.info.role == role)
        for role in ROLES
        if any(s.info.role == role for s in streams)
    }
    if "head" not in rates:
        raise ImportFormatError(f"{folder}: no head sensor of {who} recorded in this range")
    warnings: list[str] = []
    if t0_ns is None and len(sessions) > 1:
        warnings.append(
            f"the record holds {len(sessions)} wear sessions; this is the last one, from "
            f"{_utc(since_ns)} on. --from and --to choose another, `necktrace reprocess` does all"
        )
    return ImportedRecording(
        name=f"{folder.name}, {who}",
        points=tuple(rates),
        rate_hz={str(role): rate for role, rate in rates.items()},
        read=lambda: _read(folder, who, tuple(rates), since_ns, until_ns, warnings),
        units=units_of(stream.info for stream in streams),
        spans=spans,
        warnings=warnings,
    )


def _read(
    folder: Path, patient: str, roles: tuple[Role, ...], t0_ns: int, t1_ns: int, warnings: list[str]
) -> Iterator[dict[str, ImuBlock]]:
    """Yield blocks up to the first break of the time axis that one recording cannot bridge."""
    longest_ns = round(GridParams().max_hole_s * 1e9)
    last_ns: dict[Role, int] = {}
    with RecordReader(folder) as reader:
        for part in slices(reader, patient, roles, t0_ns, t1_ns):
            blocks = {role: joined([p.block for p in found]) for role, found in part.pieces.items()}
            whole = {role: block for role, block in blocks.items() if block is not None}
            broken = any(pieces and pieces[0].new_axis for pieces in part.pieces.values())
            hole_ns = max(
                (int(b.t_ns[0]) - last_ns.get(role, int(b.t_ns[0])) for role, b in whole.items()),
                default=0,
            )
            if last_ns and (broken or hole_ns > longest_ns):
                begin_ns = min(int(block.t_ns[0]) for block in whole.values())
                note = (
                    f"recording breaks off before {_utc(begin_ns)}; what follows is left out, "
                    f"--from {_utc(begin_ns)} takes it"
                )
                if note not in warnings:
                    warnings.append(note)
                return
            last_ns |= {role: int(block.t_ns[-1]) for role, block in whole.items()}
            yield {str(role): block for role, block in whole.items()}


def _patient(reader: RecordReader, wanted: str | None, folder: Path) -> str:
    known = sorted({stream.info.patient for stream in reader.streams(kind="imu")})
    if wanted is not None and wanted not in known:
        raise ImportFormatError(f"{folder}: nothing was recorded of a patient {wanted!r}")
    if wanted is None and len(known) != 1:
        found = ", ".join(known) or "nobody"
        raise ImportFormatError(f"{folder} holds recordings of {found}; name one with --patient")
    return wanted or known[0]


def _utc(t_ns: int) -> str:
    return datetime.fromtimestamp(t_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

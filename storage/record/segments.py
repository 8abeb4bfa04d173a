"""Sealed segments: immutable Parquet files, written so that no crash leaves half of one.

Columns: ``index`` (int64), one per channel in the stream's type, and ``device_ticks`` and
``host_us`` (int64), filled only in the first row of each packet. The footer's key ``necktrace``
holds the stream's description as JSON.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from storage.errors import CorruptSegmentError, StreamConflictError
from storage.record.types import Anchors, Chunk, StreamInfo
from storage.schema import SCHEMA_VERSION

RAW = "raw"
QUARANTINE = "quarantine"
FOOTER_KEY = b"necktrace"
NO_TICKS = -1
NO_ANCHORS = Anchors(*(np.empty(0, dtype=np.int64) for _ in range(3)))
_PACKETS = ("device_ticks", "host_us")
_ZSTD_LEVEL = 3
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")

T = TypeVar("T")

Fault = Callable[[str], None]
"""Called with the name of each step of sealing; tests raise or kill in it."""


def no_fault(step: str) -> None:
    """Let every step pass."""


@dataclass(frozen=True, slots=True)
class PendingFile:
    """A durable temporary file that waits for its final name."""

    path: Path
    fd: int
    """Open and locked until `publish` or `discard`."""


@dataclass(frozen=True, slots=True)
class SealedFile:
    """What the manifest says about one segment file."""

    path: str
    """Relative to the data folder, with forward slashes."""
    i0: int
    i1: int
    samples: int
    packets: int
    host0_ns: int
    host1_ns: int
    bytes: int
    sha256: str


def stream_name(info: StreamInfo) -> str:
    """Return the folder name of a stream: sensor, boot, kind and a hash of its description."""
    return f"{path_part(info.device_id)}-b{info.boot}-{info.kind}-{info.variant()}"


def path_part(text: str) -> str:
    """Return `text` as one safe path component; different texts give different components."""
    safe = _UNSAFE.sub("_", text)[:60]
    if safe != text or safe.startswith("."):
        safe = f"{safe.lstrip('.')}~{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return safe


def segment_folder(info: StreamInfo, host_ns: int) -> str:
    """Return the relative folder of a segment whose first packet arrived at `host_ns`."""
    date = datetime.fromtimestamp(host_ns // 1_000_000_000, tz=UTC).strftime("%Y-%m-%d")
    return f"{RAW}/patient={path_part(info.patient)}/stream={stream_name(info)}/date={date}"


def encode(info: StreamInfo, chunk: Chunk) -> bytes:
    """Return the Parquet file of a chunk; the same chunk gives the same bytes."""
    n = len(chunk.index)
    rows = np.searchsorted(chunk.index, chunk.anchors.index)
    ticks, ticks_missing = _sparse(n, rows, chunk.anchors.device_ticks)
    ticks_missing |= ticks == NO_TICKS
    host, host_missing = _sparse(n, rows, chunk.anchors.host_ns // 1000)
    columns: dict[str, pa.Array] = {"index": pa.array(chunk.index)}
    for k, channel in enumerate(info.channels):
        columns[channel.name] = pa.array(np.ascontiguousarray(chunk.data[:, k]))
    columns["device_ticks"] = pa.array(ticks, mask=ticks_missing)
    columns["host_us"] = pa.array(host, mask=host_missing)
    # only what can be missing says so, row by row: reading the others takes a quarter less time
    schema = pa.schema(
        [pa.field(name, a.type, nullable=name in _PACKETS) for name, a in columns.items()]
    )
    footer = {
        "schema_version": SCHEMA_VERSION,
        "stream": json.loads(info.to_json()),
        "i0": int(chunk.index[0]),
        "i1": int(chunk.index[-1]) + 1,
        "samples": n,
        "packets": len(chunk.anchors.index),
    }
    plain = "BYTE_STREAM_SPLIT" if info.dtype.kind == "f" else "DELTA_BINARY_PACKED"
    encodings = dict.fromkeys(("index", "device_ticks", "host_us"), "DELTA_BINARY_PACKED")
    encodings |= dict.fromkeys(info.names, plain)
    table = pa.table(columns, schema=schema)
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        table.schema,
        compression="zstd",
        compression_level=_ZSTD_LEVEL,
        use_dictionary=False,
        column_encoding=encodings,
        data_page_version="2.0",
        write_statistics=["index"],
        store_schema=False,
    ) as writer:
        writer.write_table(table, row_group_size=n)
        writer.add_key_value_metadata({FOOTER_KEY: json.dumps(footer)})
    return bytes(sink.getvalue().to_pybytes())


def decode(
    body: bytes, info: StreamInfo, index: NDArray[np.int64] | None = None, *, packets: bool = True
) -> Chunk:
    """Return the chunk that `encode` wrote.

    Parameters
    ----------
    index : (n,) int64, optional
        The sample indices where they are known, which spares reading them.
    packets : bool
        False: without its anchors, which spares a third of the time.
    """
    names = [*(["index"] if index is None else []), *info.names, *(_PACKETS if packets else ())]
    table = _columns(body, names)
    if index is None:
        index = _integers(table, "index")
    data = np.empty((table.num_rows, len(info.channels)), dtype=info.dtype)
    if len(index) != len(data):
        raise ValueError(f"{len(data)} rows, where the manifest has {len(index)}")
    for k, channel in enumerate(info.channels):
        data[:, k] = table.column(channel.name).to_numpy()
    return Chunk(index, data, _anchors(index, table) if packets else NO_ANCHORS)


def _columns(body: bytes, names: list[str] | None) -> pa.Table:
    # one thread: a segment is small, and handing its columns around costs more than reading them
    return pq.ParquetFile(pa.BufferReader(body)).read(columns=names, use_threads=False)


def _integers(table: pa.Table, name: str) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = table.column(name).to_numpy().astype(np.int64, copy=False)
    return numbers


def _anchors(index: NDArray[np.int64], table: pa.Table) -> Anchors:
    host, present = _nullable(table.column("host_us"))
    ticks, known = _nullable(table.column("device_ticks"))
    rows = np.flatnonzero(present)
    return Anchors(
        index=index[rows],
        device_ticks=np.where(known[rows], ticks[rows], NO_TICKS),
        host_ns=host[rows] * 1000,
    )


def _nullable(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the numbers of an int64 column, anything where null, and where it is not null."""
    array = column.combine_chunks()
    validity, numbers = array.buffers()
    low, high = array.offset, array.offset + len(array)
    values = np.frombuffer(numbers, dtype=np.int64)[low:high]
    if validity is None:
        return values, np.ones(len(array), dtype=np.bool_)
    bits = np.unpackbits(np.frombuffer(validity, dtype=np.uint8), bitorder="little")
    return values, bits[low:high].view(np.bool_)


def read_footer(body: bytes) -> dict[str, Any]:
    """Return the description in a segment's footer.

    Raises
    ------
    CorruptSegmentError
        The bytes are no segment of ours.
    """
    try:
        metadata = pq.read_schema(pa.BufferReader(body)).metadata or {}
        footer: dict[str, Any] = json.loads(metadata[FOOTER_KEY])
    except (pa.ArrowException, KeyError, ValueError, OSError) as error:
        raise CorruptSegmentError("(bytes)", f"no footer of ours: {error}") from error
    return footer


def parse_info(body: bytes) -> StreamInfo:
    """Return the stream's description out of a segment from anywhere.

    Raises
    ------
    CorruptSegmentError
        The bytes are no segment of ours, or describe no possible stream.
    """
    footer = read_footer(body)
    try:
        if int(footer["schema_version"]) > SCHEMA_VERSION:
            raise CorruptSegmentError(
                "(bytes)", "it was written by a newer necktrace; update this one"
            )
        return StreamInfo.from_json(json.dumps(footer["stream"])).checked()
    except (KeyError, TypeError, ValueError, AttributeError, StreamConflictError) as error:
        raise CorruptSegmentError("(bytes)", f"its description is wrong: {error!r}") from error


def load(
    folder: Path,
    path: str,
    sha256: str,
    info: StreamInfo,
    index: NDArray[np.int64] | None = None,
    *,
    packets: bool = True,
) -> Chunk:
    """Read one segment, checked against the manifest's checksum; see `decode`.

    Raises
    ------
    CorruptSegmentError
        The file is missing, unreadable or not the one that was sealed.
    """
    return _read(folder, path, sha256, lambda body: decode(body, info, index, packets=packets))


def load_anchors(
    folder: Path, path: str, sha256: str, index: NDArray[np.int64] | None = None
) -> Anchors:
    """Read the packets of one segment, checked in the same way, without its samples."""

    def anchors(body: bytes) -> Anchors:
        table = _columns(body, [*(["index"] if index is None else []), *_PACKETS])
        return _anchors(_integers(table, "index") if index is None else index, table)

    return _read(folder, path, sha256, anchors)


def _read(folder: Path, path: str, sha256: str, decoded: Callable[[bytes], T]) -> T:
    try:
        body = (folder / path).read_bytes()
    except OSError as error:
        raise CorruptSegmentError(path, error.strerror or "unreadable") from error
    if hashlib.sha256(body).hexdigest() != sha256:
        raise CorruptSegmentError(path, "its sha256 differs from the manifest's")
    try:
        return decoded(body)
    except (pa.ArrowException, KeyError, ValueError, OSError) as error:
        raise CorruptSegmentError(path, f"not readable as Parquet: {error}") from error


def write_synced(folder: Path, relative: str, body: bytes, fault: Fault = no_fault) -> PendingFile:
    """Write ``<relative>.<pid>.tmp`` durably; `publish` gives it its final name.

    The temporary file is locked while its writer lives, so that `remove_leftovers` of another
    process can tell it from one that a crash left behind.
    """
    final = folder / relative
    make_folder(final.parent, folder)
    tmp = final.with_name(f"{final.name}.{os.getpid()}.tmp")
    fd = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    pending = PendingFile(tmp, fd)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        fault("tmp_opened")
        view = memoryview(body)
        while view:
            view = view[os.write(fd, view) :]
        fault("tmp_written")
        os.fsync(fd)
        fault("tmp_synced")
    except BaseException:
        discard(pending)
        raise
    return pending


def publish(pending: PendingFile, final: Path, fault: Fault = no_fault) -> None:
    """Give a synced temporary file its final name, durably, and never over an existing file."""
    if final.exists():
        raise FileExistsError(f"{final} exists already")
    pending.path.rename(final)
    os.close(pending.fd)
    fault("renamed")
    sync_folder(final.parent)
    fault("folder_synced")


def discard(pending: PendingFile) -> None:
    """Remove a temporary file that will not be published."""
    pending.path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        os.close(pending.fd)


def make_folder(folder: Path, root: Path) -> None:
    """Create `folder` below `root`; every new level is durable."""
    missing: list[Path] = []
    at = folder
    while at != root and not at.exists():
        missing.append(at)
        at = at.parent
    for level in reversed(missing):
        level.mkdir(exist_ok=True)
        sync_folder(level.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def remove_leftovers(folder: Path, below: str = RAW) -> int:
    """Delete temporary files whose writer is dead; return how many."""
    removed = 0
    for tmp in (folder / below).glob("**/*.tmp"):
        try:
            fd = os.open(tmp, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            tmp.unlink()
            removed += 1
        except (BlockingIOError, FileNotFoundError):
            continue
        finally:
            os.close(fd)
    return removed


def _sparse(
    n: int, rows: NDArray[np.intp], values: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    column = np.zeros(n, dtype=np.int64)
    missing = np.ones(n, dtype=np.bool_)
    column[rows] = values
    missing[rows] = False
    return column, missing

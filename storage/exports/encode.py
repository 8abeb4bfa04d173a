"""Tables as a stream of bytes: the same batches as Parquet, Arrow IPC or CSV."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

FormatName = Literal["parquet", "arrow", "csv"]


@dataclass(frozen=True, slots=True)
class Format:
    """A file format."""

    name: FormatName
    suffix: str
    media_type: str


FORMATS: Final[Mapping[FormatName, Format]] = MappingProxyType(
    {
        "parquet": Format("parquet", ".parquet", "application/vnd.apache.parquet"),
        "arrow": Format("arrow", ".arrows", "application/vnd.apache.arrow.stream"),
        "csv": Format("csv", ".csv", "text/csv"),
    }
)


def stream(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, form: FormatName
) -> Iterator[bytes]:
    """Yield the bytes of a file, a batch at a time.

    Parameters
    ----------
    batches : iterable of pa.RecordBatch
        All of `schema`.
    schema : pa.Schema
        Known beforehand, so that a range without rows is a valid empty file too.
    form : str
        ``parquet`` (zstd), ``arrow`` (IPC stream) or ``csv`` (header line, nulls empty).
    """
    drain = Drain()
    with _WRITERS[form](drain, schema) as writer:
        for batch in batches:
            if batch.num_rows:
                writer.write_batch(batch)
            if piece := drain.take():
                yield piece
    if piece := drain.take():
        yield piece


class Drain(io.RawIOBase):
    """A file that hands over what was written to it since the last time."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return how many bytes were written in all."""
        return self._position

    def write(self, data: object, /) -> int:
        """Take bytes."""
        piece = bytes(memoryview(data))  # type: ignore[arg-type]  # any buffer
        self._parts.append(piece)
        self._position += len(piece)
        return len(piece)

    def take(self) -> bytes:
        """Return what was written since the last call."""
        piece = b"".join(self._parts)
        self._parts.clear()
        return piece

    def close(self) -> None:
        """Stay readable by `take`: writers close what they write to."""


def _parquet(drain: Drain, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(drain, schema, compression="zstd")


def _arrow(drain: Drain, schema: pa.Schema) -> pa.ipc.RecordBatchStreamWriter:
    return pa.ipc.new_stream(drain, schema)


def _csv(drain: Drain, schema: pa.Schema) -> pcsv.CSVWriter:
    return pcsv.CSVWriter(drain, schema, write_options=pcsv.WriteOptions(quoting_style="needed"))


_Opener = Callable[[Drain, pa.Schema], pa.ipc.RecordBatchStreamWriter]
_WRITERS: Final[Mapping[FormatName, _Opener]] = MappingProxyType(
    {"parquet": _parquet, "arrow": _arrow, "csv": _csv}
)

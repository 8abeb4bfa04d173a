"""Number columns of a table file, whatever its format, and what the file says about itself."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from processing.types import FloatArray
from storage.importers.errors import ImportFormatError
from storage.importers.text import VALID, stream_numbers, table_header

DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}
ARROW: Final = (".arrows", ".arrow", ".feather")
SUFFIXES: Final = (*DELIMITERS, ".parquet", *ARROW)
PROVENANCE: Final = b"necktrace"
"""Key of the metadata of our own exports: a JSON object."""
_ROWS_PER_BATCH: Final = 65_536


def column_names(path: Path) -> list[str]:
    """Return the names of a table's columns.

    Raises
    ------
    ImportFormatError
        The file is not what its name says.
    """
    if path.suffix in DELIMITERS:
        return table_header(path, DELIMITERS[path.suffix])
    return list(_schema(path).names)


def provenance(path: Path) -> dict[str, Any]:
    """Return what one of our own exports says about itself; empty for any other file.

    CSV has no metadata: there the entries stand in columns, and the first row's are returned.
    """
    if path.suffix in DELIMITERS:
        names = table_header(path, DELIMITERS[path.suffix])
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            next(file)
            cells = next(file, "").rstrip("\r\n").split(DELIMITERS[path.suffix])
        texts = (cell.strip('"') for cell in cells)
        return dict(zip(names, texts, strict=False)) if "role" in names else {}
    text = (_schema(path).metadata or {}).get(PROVENANCE)
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def number_columns(path: Path, wanted: Sequence[str]) -> Iterator[dict[str, FloatArray]]:
    """Yield columns (n,) float64 block by block; missing is NaN, true and false are 1 and 0.

    Raises
    ------
    ImportFormatError
        A cell is no number, or a row has too few or too many cells; the row is named.
    """
    if path.suffix in DELIMITERS:
        yield from stream_numbers(
            path, delimiter=DELIMITERS[path.suffix], names=None, wanted=wanted
        )
        return
    for batch in _batches(path, wanted):
        if batch.num_rows:
            yield {name: _floats(path, name, batch.column(name)) for name in wanted}


def _batches(path: Path, wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=_ROWS_PER_BATCH, columns=list(wanted))
        return
    with pa.memory_map(str(path)) as source:
        reader = _arrow(source)
        if isinstance(reader, pa.RecordBatchFileReader):
            yield from (reader.get_batch(i) for i in range(reader.num_record_batches))
        else:
            yield from reader


def _floats(path: Path, name: str, column: pa.Array) -> FloatArray:
    kind = column.type
    if pa.types.is_boolean(kind) and name == VALID:
        column = column.cast(pa.int8())
    elif not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        raise ImportFormatError(f"{path.name}: column {name} holds {kind}, not numbers")
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def _schema(path: Path) -> pa.Schema:
    try:
        if path.suffix == ".parquet":
            return pq.read_schema(path)
        with pa.memory_map(str(path)) as source:
            return _arrow(source).schema
    except pa.ArrowInvalid as error:
        kind = "Parquet" if path.suffix == ".parquet" else "Arrow"
        raise ImportFormatError(f"{path.name} is no {kind} file: {error}") from error


def _arrow(source: pa.NativeFile) -> Any:
    """Open either form of Arrow IPC: our exports are streams, other programs write files."""
    magic = source.read(6)
    source.seek(0)
    return pa.ipc.open_file(source) if magic == b"ARROW1" else pa.ipc.open_stream(source)

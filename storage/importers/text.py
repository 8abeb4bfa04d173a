"""Text tables: small ones whole, large ones as a stream of number columns."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from processing.types import FloatArray
from storage.importers.errors import ImportFormatError

_BLOCK_BYTES = 8 << 20
"""Bytes read at a time; bounds the memory of a pass whatever the file's size."""
VALID = "valid"
"""Column of our own exports that says which rows hold a sample."""
_MISSING = ["", "n/a", "N/A", "NA", "nan", "NaN", "NAN", "null"]


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return a small tab-separated table with a header row, as text by column name."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
    except UnicodeDecodeError as error:
        raise ImportFormatError(f"{path.name} is not UTF-8 text") from error
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise ImportFormatError(f"{path.name}, line {number}: wrong number of columns")
    return rows


def stream_numbers(
    path: Path,
    *,
    delimiter: str,
    names: Sequence[str] | None,
    wanted: Sequence[str] | None = None,
) -> Iterator[dict[str, FloatArray]]:
    """Yield number columns (n,) float64 block by block; missing values are NaN.

    Parameters
    ----------
    names : sequence of str or None
        Column names of a table without header, or None to read the header row.
    wanted : sequence of str or None
        Read these columns only, whatever the others hold; `valid` may say true and false.

    Raises
    ------
    ImportFormatError
        A cell is no number, or a row has too few or too many cells; the parser's row is named.
    """
    if path.stat().st_size == 0:
        raise ImportFormatError(f"{path.name} is empty: no sample to process")
    read = pacsv.ReadOptions(
        block_size=_BLOCK_BYTES, column_names=None if names is None else list(names)
    )
    parse = pacsv.ParseOptions(delimiter=delimiter)
    header = names if names is not None else table_header(path, delimiter)
    convert = pacsv.ConvertOptions(
        null_values=_MISSING,
        column_types={
            name: pa.bool_() if name == VALID and wanted is not None else pa.float64()
            for name in header
        },
        include_columns=None if wanted is None else list(wanted),
        strings_can_be_null=True,
    )
    try:
        with pacsv.open_csv(
            path, read_options=read, parse_options=parse, convert_options=convert
        ) as reader:
            for batch in reader:
                if batch.num_rows:
                    yield {
                        name: _numbers(batch.column(i)) for i, name in enumerate(batch.schema.names)
                    }
    except pa.ArrowInvalid as error:
        reason = str(error).splitlines()[0]
        expected = f" ({len(header)} columns expected)" if "column" in reason.lower() else ""
        raise ImportFormatError(f"{path.name} cannot be read: {reason}{expected}") from error


def table_header(path: Path, delimiter: str) -> list[str]:
    """Return the column names of a delimited file."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return next(csv.reader(file, delimiter=delimiter))


def _numbers(column: pa.Array) -> FloatArray:
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8()).cast(pa.float64())
    values: FloatArray = np.ascontiguousarray(column.to_numpy(zero_copy_only=False), np.float64)
    return values

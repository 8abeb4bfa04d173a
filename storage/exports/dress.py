"""What makes a table stand on its own: units, where it comes from, and nothing that leads back.

A table of `storage.exports.sources` holds numbers alone. Here each column gets its unit and
meaning, the file its provenance, and where a researcher may not know who it is about, times are
moved in every batch as it passes.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from storage.exports.sources import Batches

PROVENANCE: Final = b"necktrace"
"""Key of the file's metadata: a JSON object."""

Describe = Callable[[str], Mapping[str, str]]
"""From a column's name to its ``unit`` and ``description``, those that are known."""


@dataclass(frozen=True, slots=True)
class Disguise:
    """How a patient's tables look to whoever may not know who it is."""

    back_ns: int
    """By how much every time is moved back."""
    hide: Callable[[Any], Any]
    """From any JSON value to one without names, serial numbers and true times."""


@dataclass(frozen=True, slots=True)
class Dress:
    """What is put on a table."""

    provenance: Mapping[str, Any] = field(default_factory=dict)
    describe: Describe = lambda _name: {}
    disguise: Disguise | None = None
    columns: tuple[str, ...] = ()
    """Entries of the provenance that become columns too: for CSV, which has no metadata."""
    units_in_names: bool = False
    """Name columns like ``gyr_x [rad/s]``: for CSV, where the name does not tell the unit."""


def dressed(table: Batches, dress: Dress) -> Batches:
    """Return a table with units, provenance and, where asked for, in disguise.

    Fields that have metadata of their own keep it. Columns whose names end in ``_ns`` are times,
    ``date`` is a local day; the disguise moves these and nothing else.
    """
    schema, batches = table
    disguise = dress.disguise
    fields = [_field(column, dress) for column in schema]
    fields += [pa.field(name, pa.string()) for name in dress.columns]
    metadata = {key: _plain(value, disguise) for key, value in (schema.metadata or {}).items()}
    said = dict(dress.provenance) if disguise is None else disguise.hide(dict(dress.provenance))
    metadata[PROVENANCE] = json.dumps(said, sort_keys=True).encode()
    made = pa.schema(fields, metadata=metadata)
    added = [str(said[name]) for name in dress.columns]

    def passing() -> Iterator[pa.RecordBatch]:
        for batch in batches:
            columns = [
                values if disguise is None else _moved(values, column.name, disguise)
                for values, column in zip(batch.columns, schema, strict=True)
            ]
            columns += [pa.repeat(pa.scalar(text), batch.num_rows) for text in added]
            yield pa.record_batch(columns, schema=made)

    return made, passing()


def _field(column: pa.Field, dress: Dress) -> pa.Field:
    held = {key.decode(): value.decode() for key, value in (column.metadata or {}).items()}
    known = {**dress.describe(column.name), **held}
    unit = held.get("unit")
    name = f"{column.name} [{unit}]" if dress.units_in_names and unit else column.name
    return pa.field(name, column.type, metadata={k: v for k, v in known.items() if v})


def _plain(value: bytes, disguise: Disguise | None) -> bytes:
    """Return metadata in disguise; what is no JSON is not given out."""
    if disguise is None:
        return value
    try:
        return json.dumps(disguise.hide(json.loads(value)), sort_keys=True).encode()
    except ValueError:
        return b"{}"


def _moved(values: pa.Array, name: str, disguise: Disguise) -> pa.Array:
    if name.endswith("_ns"):
        return pc.subtract(values, pa.scalar(disguise.back_ns, pa.int64()))
    if name == "date":
        days = [disguise.hide({"date": day})["date"] for day in values.to_pylist()]
        return pa.array(days, type=values.type)
    return values

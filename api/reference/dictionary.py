"""Field documentation read from the code: for OpenAPI, exports and the data dictionary page."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from itertools import pairwise
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

from api.reference.column_meanings import MEANINGS
from ingest.live import LiveFrame
from processing.summary.types import DaySummary, MinuteSummary
from processing.types import CervicalAngles, Episode
from storage.exports.sources import FULL_RATE_FIELDS, SAMPLE_FIELDS
from storage.result_rows import ANGLE_FIELDS

UNITS = {
    "_deg": "degree",
    "_dps": "degree/second",
    "_rads": "radian/second",
    "_ms2": "metre/second²",
    "_hz": "hertz",
    "_h": "1/hour",
    "_s": "second",
    "_ms": "millisecond",
    "_us": "microsecond",
    "_ns": "nanosecond",
    "_mv": "millivolt",
    "_dbm": "dBm",
    "_ppm": "parts per million",
    "_c": "degree Celsius",
    "_bytes": "byte",
    "_fraction": "1 (0..1)",
    "_n": "count",
}
"""Suffix of a name to the unit it stands for; the longest one that fits wins."""

SHARES = frozenset({"completeness", "tremor_fraction_of_still", "confidence"})
"""Shares whose names do not end like one."""
PER_HOUR = "_per_evaluable_h"


@dataclass(frozen=True, slots=True)
class FieldDoc:
    """What is known about one field of a data type."""

    name: str
    unit: str
    """Unit in words, empty where the field has none."""
    description: str
    """The attribute's docstring in one line, or what its name is known to mean."""
    nullable: bool


def unit_of(name: str) -> str:
    """Return the unit that a field's name tells, empty where it tells none."""
    if PER_HOUR in name:
        return "1/hour of evaluable time"
    if name in SHARES:
        return UNITS["_fraction"]
    bare = name.removesuffix("_low").removesuffix("_high")
    fitting = [suffix for suffix in UNITS if bare.endswith(suffix)]
    return UNITS[max(fitting, key=len)] if fitting else ""


def _docstrings(kind: type) -> Iterator[tuple[str, str]]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    for statement, following in pairwise(body):
        named = isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
        if (
            named
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
            and isinstance(following.value.value, str)
        ):
            assert isinstance(statement, ast.AnnAssign)
            assert isinstance(statement.target, ast.Name)
            yield statement.target.id, " ".join(following.value.value.split())


@cache
def describe(kind: type) -> tuple[FieldDoc, ...]:
    """Return the documentation of every field of a dataclass, in order."""
    texts = dict(_docstrings(kind))
    hints = get_type_hints(kind)
    return tuple(
        FieldDoc(
            name=field.name,
            unit=unit_of(field.name),
            description=texts.get(field.name) or MEANINGS.get(field.name, ""),
            nullable=type(None) in getattr(hints[field.name], "__args__", ()),
        )
        for field in fields(kind)
    )


def schema_model(
    kind: type,
    name: str,
    *,
    leave_out: frozenset[str] = frozenset(),
    examples: dict[str, Any] | None = None,
    replace: dict[str, Any] | None = None,
) -> type[BaseModel]:
    """Return a pydantic model with the fields of a dataclass, documented with units.

    Parameters
    ----------
    kind : type
        The dataclass.
    name : str
        Name of the schema in OpenAPI.
    leave_out : frozenset
        Fields that do not leave the house.
    examples : dict, optional
        Field name to example value.
    replace : dict, optional
        Field name to another annotation, such as a nested model.
    """
    hints = get_type_hints(kind)
    parts: dict[str, Any] = {}
    for doc in describe(kind):
        if doc.name in leave_out:
            continue
        text = ". ".join(part.rstrip(".") for part in (doc.description, doc.unit) if part)
        example = (examples or {}).get(doc.name)
        parts[doc.name] = (
            (replace or {}).get(doc.name, hints[doc.name]),
            Field(
                description=text or None,
                examples=None if example is None else [example],
                json_schema_extra={"x-unit": doc.unit} if doc.unit else None,
            ),
        )
    config = ConfigDict(from_attributes=True)
    model: type[BaseModel] = create_model(
        name, __config__=config, __doc__=(kind.__doc__ or "").strip(), **parts
    )
    return model


def column_doc(name: str) -> dict[str, str]:
    """Return unit and meaning of a column of an exported table, those that are known."""
    text = _column_texts().get(name) or MEANINGS.get(name, "")
    return {"unit": unit_of(name), "description": text}


@cache
def _column_texts() -> dict[str, str]:
    known = {
        field.name: field.description
        for kind in (DaySummary, MinuteSummary, Episode, CervicalAngles)
        for field in describe(kind)
    }
    return known | TABLE_COLUMNS


def tables() -> dict[str, tuple[FieldDoc, ...]]:
    """Return what each exported table and the live view hold, column by column."""
    return {
        "angles": _columns("t_ns", *ANGLE_FIELDS),
        "angles_100hz": _columns("t_ns", *FULL_RATE_FIELDS, "valid"),
        "minutes": describe(MinuteSummary),
        "days": describe(DaySummary),
        "episodes": describe(Episode),
        "raw": _columns("t_ns", *SAMPLE_FIELDS, "valid"),
        "csv": _columns("algo", "alignment_ids"),
        "live": describe(LiveFrame),
    }


def _columns(*names: str) -> tuple[FieldDoc, ...]:
    docs = ((name, column_doc(name)) for name in names)
    always = {"t_ns", "valid", "algo", "alignment_ids"}
    return tuple(
        FieldDoc(name, doc["unit"], doc["description"], nullable=name not in always)
        for name, doc in docs
    )


TABLE_COLUMNS = {
    "t_ns": "Time: of the sample, the beginning of the second or minute, or the local midnight.",
    "valid": "Whether, or what share of the second, the value can be used.",
    "qw": "Head relative to trunk, scalar part of the unit quaternion.",
    "qx": "Head relative to trunk, first vector part.",
    "qy": "Head relative to trunk, second vector part.",
    "qz": "Head relative to trunk, third vector part.",
    "heading_sigma_deg": "Standard deviation of the rotation.",
    "head_pitch_deg": "The head's own inclination to the front, of a single head sensor.",
    "head_roll_deg": "The head's own inclination to the side, of a single head sensor.",
    "features": "What the detector measured, a JSON object with units in its names.",
    **{
        f"{axis}{part}_deg": f"{meaning}{of}."
        for axis, meaning in (
            ("flexion", "Chin to chest is positive"),
            ("lateral_right", "Tilt to the patient's right is positive"),
            ("rotation_right", "Turn to the patient's right is positive"),
            ("deviation", "Angle from neutral"),
        )
        for part, of in (("", ""), ("_min", "; smallest"), ("_max", "; largest"))
    },
    **{
        f"{kind}_{axis}_{unit}": f"{meaning}, sensor {axis} axis."
        for kind, unit, meaning in (
            ("acc", "ms2", "Specific force"),
            ("gyr", "rads", "Angular rate"),
        )
        for axis in "xyz"
    },
}
"""Columns of exported tables that are no field of a data type."""

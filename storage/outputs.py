"""The three files of `necktrace process`: angles.parquet, episodes.parquet, summary.json.

Columns and keys are a contract (docs/reference/columns.md). Units stand in the names and again in
the metadata of each column; algorithm, parameters and alignment in the metadata of the file.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from processing.types import BoolArray, Episode, FloatArray

ANGLE_COLUMNS: Final[dict[str, tuple[pa.DataType, str]]] = {
    "t_s": (pa.float64(), "seconds since the head stream's first sample"),
    "flexion_deg": (pa.float32(), "degrees, positive: chin to chest"),
    "lateral_right_deg": (pa.float32(), "degrees, positive: right ear to right shoulder"),
    "rotation_right_deg": (pa.float32(), "degrees, positive: face to the person's right"),
    "deviation_deg": (pa.float32(), "degrees from the neutral reference N, 0 or more"),
    "heading_sigma_deg": (pa.float32(), "degrees, standard deviation of rotation_right_deg"),
    "valid": (pa.bool_(), "the sample exists and the sensors are worn"),
    "qw": (pa.float32(), "R_rel, head segment to thorax segment, N not removed"),
    "qx": (pa.float32(), "R_rel"),
    "qy": (pa.float32(), "R_rel"),
    "qz": (pa.float32(), "R_rel"),
    "heading_quality": (
        pa.dictionary(pa.int8(), pa.string()),
        "good: sigma up to 5°, fair: up to 10°, else poor; null for a head sensor alone",
    ),
    "gated": (pa.bool_(), "walking or trunk motion: no episode is counted here"),
    "head_pitch_deg": (pa.float32(), "degrees to gravity, positive: nose down; head alone only"),
    "head_roll_deg": (
        pa.float32(),
        "degrees to gravity, positive: right ear down; head alone only",
    ),
}

EPISODE_COLUMNS: Final[dict[str, tuple[pa.DataType, str]]] = {
    "kind": (pa.string(), "jerk, posture or tremor; a candidate until a person confirms it"),
    "label": (pa.string(), "refines the kind"),
    "start_s": (pa.float64(), "seconds since the head stream's first sample"),
    "end_s": (pa.float64(), "seconds since the head stream's first sample"),
    "peak_s": (pa.float64(), "seconds since the head stream's first sample"),
    "amplitude_deg": (pa.float64(), "degrees"),
    "confidence": (pa.float64(), "0 to 1"),
    "detector": (pa.string(), "name and version"),
}

QUALITIES: Final = ("good", "fair", "poor")


@dataclass(frozen=True, slots=True)
class AngleRows:
    """Consecutive rows of angles.parquet; NaN becomes null in neck angles and inclination."""

    t_s: FloatArray
    q_rel: FloatArray
    """(n, 4)"""
    angles_deg: FloatArray
    """(n, 5) flexion, lateral right, rotation right, deviation, heading sigma."""
    valid: BoolArray
    gated: BoolArray
    inclination_deg: FloatArray | None
    """(n, 2) head pitch and roll, for a head sensor alone."""


class AnglesWriter:
    """Writes angles.parquet row group by row group; a broken-off run leaves no half file."""

    def __init__(self, path: Path, provenance: Mapping[str, str]) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._schema = _schema(ANGLE_COLUMNS, provenance)
        self._writer = pq.ParquetWriter(self._part, self._schema, compression="zstd")

    def write(self, rows: AngleRows) -> None:
        """Append rows."""
        flexion, lateral, rotation, deviation, sigma = rows.angles_deg.T
        columns: dict[str, pa.Array] = {
            "t_s": pa.array(rows.t_s),
            "flexion_deg": _nullable(flexion),
            "lateral_right_deg": _nullable(lateral),
            "rotation_right_deg": _nullable(rotation),
            "deviation_deg": _nullable(deviation),
            "heading_sigma_deg": _nullable(sigma),
            "valid": pa.array(rows.valid),
            "heading_quality": _quality(sigma),
            "gated": pa.array(rows.gated),
        }
        columns |= {
            name: _nullable(rows.q_rel[:, i]) for i, name in enumerate(("qw", "qx", "qy", "qz"))
        }
        unknown = np.full(rows.t_s.shape[0], np.nan)
        pitch, roll = (unknown, unknown) if rows.inclination_deg is None else rows.inclination_deg.T
        columns |= {"head_pitch_deg": _nullable(pitch), "head_roll_deg": _nullable(roll)}
        self._writer.write_table(
            pa.Table.from_arrays([columns[name] for name in ANGLE_COLUMNS], schema=self._schema)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._writer.close()
        if kind is None:
            self._part.replace(self._path)
        else:
            self._part.unlink(missing_ok=True)


def write_episodes(
    path: Path, episodes: Sequence[Episode], *, t0_ns: int, provenance: Mapping[str, str]
) -> None:
    """Write episodes.parquet, in order of their start; features become columns of their own."""
    ordered = sorted(episodes, key=lambda episode: (episode.start_ns, episode.kind))
    names = sorted({name for episode in ordered for name in episode.features})
    columns = EPISODE_COLUMNS | {name: (pa.float64(), "feature of the detector") for name in names}

    def seconds(t_ns: int) -> float:
        return (t_ns - t0_ns) * 1e-9

    data: dict[str, list[Any]] = {
        "kind": [e.kind for e in ordered],
        "label": [e.label for e in ordered],
        "start_s": [seconds(e.start_ns) for e in ordered],
        "end_s": [seconds(e.end_ns) for e in ordered],
        "peak_s": [seconds(e.peak_ns) for e in ordered],
        "amplitude_deg": [e.amplitude_deg for e in ordered],
        "confidence": [e.confidence for e in ordered],
        "detector": [e.detector for e in ordered],
    }
    data |= {name: [_finite(e.features.get(name)) for e in ordered] for name in names}
    part = path.with_name(path.name + ".part")
    pq.write_table(pa.table(data, schema=_schema(columns, provenance)), part, compression="zstd")
    part.replace(path)


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Write summary.json; a number that is not finite is a mistake, not a null."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(summary, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    part.replace(path)


def _schema(
    columns: Mapping[str, tuple[pa.DataType, str]], provenance: Mapping[str, str]
) -> pa.Schema:
    fields = [
        pa.field(name, kind, metadata={"description": meaning})
        for name, (kind, meaning) in columns.items()
    ]
    return pa.schema(
        fields, metadata={f"necktrace.{key}": text for key, text in provenance.items()}
    )


def _nullable(values: FloatArray) -> pa.Array:
    narrow = np.asarray(values, dtype=np.float32)
    return pa.array(narrow, mask=np.isnan(narrow))


def _quality(sigma_deg: FloatArray) -> pa.Array:
    codes = np.where(sigma_deg <= 5.0, 0, np.where(sigma_deg <= 10.0, 1, 2)).astype(np.int8)
    return pa.DictionaryArray.from_arrays(
        pa.array(codes, mask=np.isnan(sigma_deg)), pa.array(list(QUALITIES))
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None

"""Angles in a Motion-BIDS data set: a derivative beside the raw samples, with where they come from.

Joint angles (JNTANG) at the pipeline's rate; what BIDS has no type for (trust, validity) is MISC.
The sidecar names the version of the results, the hash of its parameters and the calibrations.
"""

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from storage.result_rows import FullRate

FOLDER: Final = "derivatives/necktrace"
_SYSTEM: Final = "neck"
_AT_ONCE: Final = 20_000
_CHANNELS: Final = (
    ("flexion", "JNTANG", "deg"),
    ("lateral_right", "JNTANG", "deg"),
    ("rotation_right", "JNTANG", "deg"),
    ("deviation", "JNTANG", "deg"),
    ("heading_sigma", "MISC", "deg"),
    ("valid", "MISC", "n/a"),
    ("latency", "LATENCY", "s"),
)


@dataclass(frozen=True, slots=True)
class BidsDerived:
    """Angles of the recording."""

    rows: Iterable[FullRate]
    rate_hz: float
    program: str
    """Version of the program."""
    provenance: Mapping[str, Any]
    """As in every other exported file: `algo`, `params_hash`, `alignment_ids`, ..."""


def derived_files(
    derived: BidsDerived, *, label: str, task: str, t0_ns: int, version: str
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield (name, pieces) of the derivative.

    Parameters
    ----------
    derived : BidsDerived
    label, task : str
        Of the raw data set.
    t0_ns : int
        UTC nanoseconds that times count from.
    version : str
        Of BIDS.
    """
    described = {
        "Name": "Head against trunk: cervical angles",
        "BIDSVersion": version,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "necktrace", "Version": derived.program}],
    }
    yield f"{FOLDER}/dataset_description.json", _json(described)
    stem = f"{FOLDER}/sub-{label}/motion/sub-{label}_task-{task}_tracksys-{_SYSTEM}"
    yield f"{stem}_channels.tsv", [_channels(derived.rate_hz)]
    yield f"{stem}_motion.json", _json(_sidecar(derived, task))
    yield f"{stem}_motion.tsv", _rows(derived.rows, t0_ns)


def _json(content: Mapping[str, Any]) -> list[bytes]:
    return [(json.dumps(content, indent=2) + "\n").encode()]


def _channels(rate_hz: float) -> bytes:
    lines = ["name\tcomponent\ttype\ttracked_point\tunits\tsampling_frequency"]
    lines += [f"{name}\tn/a\t{kind}\tneck\t{unit}\t{rate_hz:g}" for name, kind, unit in _CHANNELS]
    return ("\n".join(lines) + "\n").encode()


def _sidecar(derived: BidsDerived, task: str) -> dict[str, Any]:
    kinds = [kind for _, kind, _ in _CHANNELS]
    return {
        "TaskName": task,
        "SamplingFrequency": derived.rate_hz,
        "TrackingSystemName": _SYSTEM,
        "MotionChannelCount": len(kinds),
        "TrackedPointsCount": 1,
        **{f"{kind}ChannelCount": kinds.count(kind) for kind in dict.fromkeys(kinds)},
        "RecordingType": "continuous",
        "MissingValues": "n/a",
        "Provenance": dict(derived.provenance),
    }


def _rows(rows: Iterable[FullRate], t0_ns: int) -> Iterator[bytes]:
    for part in rows:
        latency_s = (part.t_ns - t0_ns) / 1e9
        values = np.column_stack(
            (part.angles_deg, part.heading_sigma_deg, part.valid.astype(np.float64), latency_s)
        )
        for at in range(0, len(values), _AT_ONCE):
            text = io.StringIO()
            formats = ["%.2f"] * 5 + ["%.0f", "%.6f"]
            np.savetxt(text, values[at : at + _AT_ONCE], fmt=formats, delimiter="\t")
            yield text.getvalue().replace("nan", "n/a").encode()

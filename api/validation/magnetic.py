"""What magnetometers bring, and what a disturbed field does: simulated patients, with and without.

Every condition is the same person with the same motion and the same gyroscopes; only what the
magnetometers see differs.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np

from api.validation.means import MeansTable
from api.validation.simulated import (
    SENSORS,
    blocks_on_grid,
    calibration_end_s,
    errors_of_rows,
    on_grid,
)
from processing import session
from processing.pipeline import PipelineParams
from processing.session import Mode
from processing.synthesis import (
    FieldSpec,
    PatientSpec,
    SimulatedRecording,
    simulate,
    with_magnetometers,
)
from processing.types import PairBlock

FIELDS: dict[str, FieldSpec | None] = {
    "no magnetometer": None,
    "homogeneous": FieldSpec(iron_ut=0.0),
    "homogeneous, 2 µT hard iron": FieldSpec(iron_ut=2.0),
    "indoors, 3 % apart": FieldSpec(common=0.1, apart=0.03, iron_ut=2.0),
    "beside iron, 12 % apart": FieldSpec(common=0.25, apart=0.12, iron_ut=2.0),
    "beside iron, 30 % apart": FieldSpec(common=0.4, apart=0.3, place_s=1800.0, iron_ut=2.0),
    "indoors, head 20° off unseen": FieldSpec(common=0.1, apart=0.03, iron_ut=2.0, twist_deg=20.0),
}
RESETS = {"no reset": 0.0, "reset every 10 min": 600.0}


TABLE: Final = MeansTable(
    "Magnetometers",
    "rotation of simulated patients in one field each, degrees, mean over patients",
    {"sensor": "sensor", "resets": "resets", "mode": "mode", "field": "field"},
    {
        "rotation": "all",
        "last_hour": "last hour",
        "mean_sigma": "σ",
        "within_1_sigma": "in 1σ",
        "within_2_sigma": "in 2σ",
    },
)


@dataclass(frozen=True, slots=True)
class FieldScore:
    """Rotation of one patient in one field; degrees and fractions."""

    sensor: str
    resets: str
    field: str
    mode: Mode
    patient: int
    rotation: float
    last_hour: float
    mean_sigma: float
    within_1_sigma: float
    within_2_sigma: float


def validate_magnetic(
    patients: int, hours: float, *, first_seed: int = 0, modes: tuple[Mode, ...] = ("online",)
) -> list[dict[str, Any]]:
    """Return the scores of every sensor, way of resetting, patient and field."""
    found: list[FieldScore] = []
    for sensor, kind in SENSORS.items():
        for resets, every_s in RESETS.items():
            spec = PatientSpec(reset_every_s=every_s, head_sensor=kind, trunk_sensor=kind)
            for patient in range(first_seed, first_seed + patients):
                recording = simulate(spec, patient, 3600.0 * hours)
                params = PipelineParams()
                pair = on_grid(recording, params.grid)
                settled = session.plan(params, pair, recording.spans)
                for name, field in FIELDS.items():
                    measured = pair
                    if field is not None:
                        head, trunk = with_magnetometers(recording, field, patient)
                        seen = blocks_on_grid(head, trunk, params.grid)
                        measured = replace(pair, head_mag=seen.head_mag, trunk_mag=seen.trunk_mag)
                    for mode in modes:
                        score = _score(params, settled, measured, recording, mode)
                        found.append(FieldScore(sensor, resets, name, mode, patient, *score))
    return [asdict(score) for score in found]


def _score(
    params: PipelineParams,
    settled: session.Plan,
    pair: PairBlock,
    recording: SimulatedRecording,
    mode: Mode,
) -> tuple[float, float, float, float, float]:
    error, sigma = errors_of_rows(params, settled, pair, recording, mode)
    after = round(calibration_end_s(recording.spans) * pair.rate_hz) + 1
    off, sigma = np.abs(error[after:, 2]), sigma[after:]
    last = off[-round(3600.0 * pair.rate_hz) :]
    return (
        float(np.sqrt(np.mean(np.square(off)))),
        float(np.sqrt(np.mean(np.square(last)))),
        float(np.mean(sigma)),
        float(np.mean(off <= sigma)),
        float(np.mean(off <= 2.0 * sigma)),
    )

"""What a unit's temperature line brings: simulated patients who go out into the cold and come back.

Inside, warming up on the skin is a state of the filter and needs no thermometer. Outdoors a sensor
cools by some kelvin, and its bias goes with it. The line is learnt as `necktrace up` would learn
it, from half an hour on a table, with the errors that has; the thermometer reports half kelvins.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np

from api.validation.means import MeansTable
from api.validation.simulated import SENSORS, calibration_end_s, errors_of_rows, on_grid
from ingest.thermometer import READ_EVERY_NS, Thermometer
from processing import session
from processing.pipeline import PipelineParams
from processing.session import Mode
from processing.synthesis import PatientSpec, simulate
from processing.temperature_line import INSTABILITY_RADS, BiasPairs, fit_line
from processing.types import FloatArray, PairBlock

SKIN_DEGC: Final = 32.0
TRIPS_S: Final = ((1800.0, 3300.0), (5400.0, 6600.0))
"""When the person is outdoors."""
COLDER_K: Final = 8.0
BODY_TAU_S: Final = 600.0
"""Time constant of the sensor's body."""
SLOPE_DPS_K: Final = {"A": 0.005, "B": 0.025}
"""Standard deviation of a slope: what warms up by 0.04 and 0.2 °/s over 8 K."""
KNOWN: Final = ("always inside", "outdoors twice", "outdoors twice, line learnt")


TABLE: Final = MeansTable(
    "Temperature",
    "rotation over two hours, a pose every ten minutes, degrees, mean over patients",
    {"sensor": "sensor", "case": "case", "mode": "mode"},
    {"rotation": "rotation", "within_1_sigma": "in 1σ", "within_2_sigma": "in 2σ"},
)


@dataclass(frozen=True, slots=True)
class TemperatureScore:
    """Rotation of one patient; degrees and fractions."""

    sensor: str
    case: str
    mode: Mode
    patient: int
    rotation: float
    within_1_sigma: float
    within_2_sigma: float


def validate_temperature(
    patients: int, *, first_seed: int = 0, seconds: float = 7200.0
) -> list[dict[str, Any]]:
    """Return the scores of every sensor, patient, case and mode with a pose every ten minutes."""
    found: list[TemperatureScore] = []
    modes: tuple[Mode, ...] = ("online", "offline")
    for sensor, kind in SENSORS.items():
        spec = PatientSpec(head_sensor=kind, trunk_sensor=kind)
        for patient in range(first_seed, first_seed + patients):
            recording = simulate(spec, patient, seconds)
            params = PipelineParams()
            pair = on_grid(recording, params.grid)
            settled = session.plan(params, pair, recording.spans)
            after = round(calibration_end_s(recording.spans) * pair.rate_hz) + 1
            for case in KNOWN:
                worn = _outdoors(pair, sensor, case, patient)
                for mode in modes:
                    error, sigma = errors_of_rows(params, settled, worn, recording, mode)
                    off, of = np.abs(error[after:, 2]), sigma[after:]
                    found.append(
                        TemperatureScore(
                            sensor,
                            case,
                            mode,
                            patient,
                            float(np.sqrt(np.mean(np.square(off)))),
                            float(np.mean(off <= of)),
                            float(np.mean(off <= 2.0 * of)),
                        )
                    )
    return [asdict(score) for score in found]


def _outdoors(pair: PairBlock, sensor: str, case: str, patient: int) -> PairBlock:
    """Return the samples of a person who goes out, with what is left of the bias that follows."""
    if case == KNOWN[0]:
        return pair
    rng = np.random.default_rng([patient, 0x7465])
    degc = _temperature(pair)
    read = _read(degc, pair.rate_hz)
    gyr = []
    for measured in (pair.head_gyr, pair.trunk_gyr):
        slope = np.radians(SLOPE_DPS_K[sensor]) * rng.standard_normal(3)
        learnt = _learnt(rng, slope)
        moved = np.outer(degc - SKIN_DEGC, slope)
        if case == KNOWN[2]:
            moved -= np.outer(read - SKIN_DEGC, learnt)
        gyr.append(measured + moved)
    return replace(pair, head_gyr=gyr[0], trunk_gyr=gyr[1])


def _temperature(pair: PairBlock) -> FloatArray:
    seconds = np.arange(pair.head_gyr.shape[0] // round(pair.rate_hz) + 2)
    keep, now = np.exp(-1.0 / BODY_TAU_S), SKIN_DEGC
    course = np.empty(seconds.size)
    for k in seconds:
        out = any(a <= k < b for a, b in TRIPS_S)
        now = SKIN_DEGC - COLDER_K * out + keep * (now - SKIN_DEGC + COLDER_K * out)
        course[k] = now
    t_s = np.arange(pair.head_gyr.shape[0]) / pair.rate_hz
    found: FloatArray = np.interp(t_s, seconds, course)
    return found


def _read(degc: FloatArray, rate_hz: float) -> FloatArray:
    """Return the temperature as it is known, row by row."""
    thermometer = Thermometer()
    every = round(READ_EVERY_NS * 1e-9 * rate_hz)
    known = np.empty(degc.size)
    for k in range(0, degc.size, every):
        thermometer.read(1, round(k / rate_hz * 1e9), round(2.0 * degc[k]) / 2.0)
        known[k : k + every] = thermometer.of(1)
    return known


def _learnt(rng: np.random.Generator, slope: FloatArray) -> FloatArray:
    """Return the slopes (3,) that half an hour of cooling on a table tells."""
    minutes = np.arange(30)
    degc = 24.0 + COLDER_K * np.exp(-60.0 * minutes / BODY_TAU_S)
    wander = np.repeat(INSTABILITY_RADS * rng.standard_normal((6, 3)), 5, axis=0)
    line = fit_line(BiasPairs(np.round(2.0 * degc) / 2.0, np.outer(degc - 28.0, slope) + wander))
    assert line is not None
    return line.slope_rads_k

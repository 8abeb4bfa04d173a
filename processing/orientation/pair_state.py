"""What the pair filter remembers: the state it begins with, saving it and reading it back."""

import math
from dataclasses import dataclass

import numpy as np

from processing.derived import derived
from processing.errors import InputError, StateError
from processing.orientation.consistency import N_EVIDENCE, PRIOR
from processing.orientation.field import N_FIELD
from processing.orientation.grade import MOST
from processing.orientation.joint import N_JOINT
from processing.orientation.layout import BI, LEAD, N_PAIR, N_STATE, N_WITH_FIELD, STARTED
from processing.orientation.params import PairParams, initial_state, initial_variances
from processing.types import FloatArray

STATE_VERSION = 10


@dataclass(frozen=True, slots=True)
class PairState:
    """Everything the filter remembers; plain arrays, so it can be saved and compared."""

    k: int
    """Grid index of the next row."""
    rate_hz: float
    x: FloatArray
    """(2, `N_STATE`) running state of head and trunk."""
    P: FloatArray
    """(`N_PAIR`, `N_PAIR`) joint covariance; two more where both sensors see a magnetic field, one
    more where a pose has a value of its own."""
    pose_start: int
    """First grid index of the pose being held, -1 for none."""
    pose: FloatArray
    """(4,) sum of pose errors in the window under way."""
    met: bool
    """Whether a pose has said what relative heading is. Gaps may make it uncertain again, but from
    then on sigma is that of an error and no longer stands for "nobody knows"."""
    evidence: FloatArray
    """(`N_EVIDENCE`,) how well the innovations fit their variances; see `consistency`."""
    walk: float
    """Factor on the random walk of the bias; see `grade`."""
    joint: FloatArray
    """(`N_JOINT`,) what the window under way says of the neck joint; see `joint`."""
    field: FloatArray
    """(`N_FIELD`,) what is known of the magnetic field; see `field`."""


def start(params: PairParams, rate_hz: float) -> PairState:
    """Return the state before the first row of a grid of `rate_hz`."""
    if not (np.isfinite(rate_hz) and rate_hz > 0.0):
        raise InputError(f"rate_hz is {rate_hz}; give the grid rate in hertz")
    sensors = (params.head, params.trunk)
    x = np.stack([initial_state(s, rate_hz) for s in sensors])
    x[:, LEAD] += 0.5 / rate_hz  # the grid's specific force is that at the row, not a mean
    variances = [initial_variances(s, params.filter) for s in sensors]
    for own, bias in zip(variances, known_biases(params)[1], strict=True):
        own[BI : BI + 3] = bias
    return PairState(
        k=0,
        rate_hz=rate_hz,
        x=x,
        P=np.diag(np.concatenate([*variances, [0.0], _of_both(params)])),
        pose_start=-1,
        pose=np.zeros(4),
        met=False,
        evidence=np.zeros(N_EVIDENCE),
        walk=MOST,
        joint=np.zeros(N_JOINT),
        field=np.zeros(N_FIELD),
    )


def _of_both(params: PairParams) -> FloatArray:
    """Return the first variances of arms, misfit and warming: known by themselves, as poses are."""
    sigmas = [params.arm_sigma_m] * 6
    sigmas += [math.radians(params.misfit_sigma_deg)]
    sigmas += [math.radians(params.warm_sigma_dps)] * 6
    return np.square(sigmas) / PRIOR


@derived
def known_biases(params: PairParams) -> tuple[FloatArray, FloatArray]:
    """Return where no bias at all would lie (2, 3), rad/s, and the bias' first variance.

    How well a sensor was calibrated is known by itself, as a pose is: its variance is divided by
    the factor that the filter's variances begin with.
    """
    sensors = (params.head, params.trunk)
    sigmas = np.radians([3 * (s.bias_sigma_dps,) for s in sensors])
    return -np.radians([s.removed_bias_dps for s in sensors]), sigmas**2 / PRIOR


def fresh(state: PairState) -> bool:
    """Whether nothing was filtered yet."""
    return state.k == 0 and not state.x[:, STARTED].any()


def state_to_dict(state: PairState) -> dict[str, object]:
    """Return a state as numbers and lists, exact under a JSON round trip."""
    return {
        "version": STATE_VERSION,
        "k": state.k,
        "rate_hz": state.rate_hz,
        "x": state.x.tolist(),
        "P": state.P.tolist(),
        "pose_start": state.pose_start,
        "pose": state.pose.tolist(),
        "met": state.met,
        "evidence": state.evidence.tolist(),
        "walk": state.walk,
        "joint": state.joint.tolist(),
        "field": state.field.tolist(),
    }


def state_from_dict(data: dict[str, object]) -> PairState:
    """Return the state that `state_to_dict` saved; `StateError` if it is of another version."""
    if data.get("version") != STATE_VERSION:
        raise StateError(
            f"orientation state has version {data.get('version')}, this program reads "
            f"{STATE_VERSION}; reprocess from the record"
        )
    x = np.array(data["x"], dtype=np.float64)
    P = np.array(data["P"], dtype=np.float64)
    pose = np.array(data["pose"], dtype=np.float64)
    evidence = np.array(data["evidence"], dtype=np.float64)
    joint = np.array(data["joint"], dtype=np.float64)
    field = np.array(data["field"], dtype=np.float64)
    if (
        x.shape != (2, N_STATE)
        or P.shape not in [(n, n) for n in range(N_PAIR, N_WITH_FIELD + 2)]
        or pose.shape != (4,)
        or evidence.shape != (N_EVIDENCE,)
        or joint.shape != (N_JOINT,)
        or field.shape != (N_FIELD,)
    ):
        raise StateError("orientation state has the wrong shape; reprocess from the record")
    return PairState(
        k=int(str(data["k"])),
        rate_hz=float(str(data["rate_hz"])),
        x=x,
        P=P,
        pose_start=int(str(data["pose_start"])),
        pose=pose,
        met=bool(data["met"]),
        evidence=evidence,
        walk=float(str(data["walk"])),
        joint=joint,
        field=field,
    )

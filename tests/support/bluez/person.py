"""A simulated person who wears the emulated sensors, and does what a test asks for."""

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from processing import synthesis
from processing.synthesis import PatientSpec
from tests.support.bluez.motion import CLOCK, Motion

Floats = NDArray[np.float64]
Role = Literal["head", "trunk"]
_CHUNK_S = 2.0


class Person:
    """Sits and moves since it was made; every sensor asks when it likes, as often as it likes."""

    def __init__(self, seed: int = 3) -> None:
        spec = replace(PatientSpec(), calibration=False, reset_every_s=0.0, trunk_move_every_s=0.0)
        self._state = synthesis.start(spec, seed)
        self._rate_hz = spec.rate_hz
        self._began = CLOCK.now()
        self._made = 0
        self._counts: dict[str, list[NDArray[np.int16]]] = {"head": [], "trunk": []}
        self._joined: dict[str, NDArray[np.int16]] = {}

    def ask(self, kind: str, in_s: float, length_s: float, times: int = 0) -> None:
        """Have the person take a pose or make a movement in so many seconds of `CLOCK`."""
        synthesis.ask(self._state, kind, CLOCK.now() - self._began + in_s, length_s, times=times)

    def worn(self) -> dict[str, list[float]]:
        """Return how the sensors truly sit: sensor to segment, w x y z."""
        state = self._state
        return {
            "head": state.head.q_segment_sensor.tolist(),
            "trunk": state.trunk.q_segment_sensor.tolist(),
        }

    def at(self, role: Role, seconds: Floats) -> tuple[Floats, Floats]:
        """Return (n, 3) m/s² and rad/s that a sensor measures at times of `CLOCK`."""
        where = np.maximum((seconds - self._began) * self._rate_hz, 0.0)
        before = np.floor(where).astype(np.int64)
        self._grow(int(before.max()) + 2)
        counts = self._joined[role]
        share = (where - before)[:, None]
        between = (1.0 - share) * counts[before] + share * counts[before + 1]
        truth = self._state.head if role == "head" else self._state.trunk
        return between[:, :3] * truth.acc_per_count, between[:, 3:] * truth.gyr_per_count

    def _grow(self, rows: int) -> None:
        if rows <= self._made:
            return
        while self._made < rows:
            self._state, chunk = synthesis.step(self._state, _CHUNK_S)
            self._counts["head"].append(chunk.head_counts)
            self._counts["trunk"].append(chunk.trunk_counts)
            self._made += chunk.head_counts.shape[0]
        self._joined = {role: np.concatenate(made) for role, made in self._counts.items()}


class Worn(Motion):
    """What a sensor on the head or trunk of a person measures."""

    def __init__(self, person: Person, role: Role) -> None:
        self._person = person
        self._role = role

    def at(self, seconds: Floats) -> tuple[Floats, Floats]:
        """Return (n, 3) m/s² and rad/s at times of `CLOCK`."""
        return self._person.at(self._role, seconds)

"""Snippets: a jerk is seen at the full rate, everything else in seconds."""

import dataclasses

import numpy as np

from api.clinic.snippets import snippet
from api.queries import FOREVER_NS
from api.runtime import Runtime
from storage.result_rows import FullRate, ResultBatch
from tests.support.clinic_folder import ALGO


def jerk_with_full_rate(runtime: Runtime) -> FullRate:
    """100 Hz around the newest jerk: turned 5° to the right, for a tenth of a second 25°."""
    jerk = runtime.results.episodes("p1", 0, FOREVER_NS, kind="jerk")[-1]
    t_ns = jerk.start_ns + (np.arange(-400, 500, dtype=np.int64)) * 10_000_000
    angles = np.zeros((900, 4))
    angles[:, 2] = 5.0
    angles[440:450, 2] = 25.0
    q_rel = np.tile([1.0, 0.0, 0.0, 0.0], (900, 1))
    return FullRate(t_ns, angles, np.full(900, 2.0), q_rel, np.ones(900, np.bool_), None)


def test_a_jerk_of_a_tenth_of_a_second_is_seen(runtime: Runtime) -> None:
    jerk = runtime.results.episodes("p1", 0, FOREVER_NS, kind="jerk")[-1]
    patient = runtime.catalog.patient("p1")
    coarse = snippet(runtime, patient, jerk)
    assert coarse is not None
    assert coarse.seconds == 31.0
    runtime.results.put(ResultBatch("p1", ALGO, full_rate=jerk_with_full_rate(runtime)))
    fine = snippet(runtime, patient, jerk)
    assert fine is not None
    assert fine.seconds == 9.0
    assert "Turned right 25°" in fine.words
    (path,) = (path for axis, path in fine.lines if axis == "rotation")
    assert path.count("L") > 150
    posture = dataclasses.replace(jerk, kind="posture")
    assert snippet(runtime, patient, posture) == snippet(
        runtime, patient, dataclasses.replace(posture, confidence=0.1)
    )

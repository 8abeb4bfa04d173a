"""Magnetometers of the simulator, against the geometry they stand for."""

import numpy as np

from processing import quaternion
from processing.synthesis import FieldSpec, PatientSpec, simulate, with_magnetometers


def test_turned_to_earth_a_clean_field_is_one_vector() -> None:
    recording = simulate(PatientSpec(), 3, 30.0)
    spec = FieldSpec(iron_ut=0.0, noise_ut=0.0, step_ut=1e-6)
    head, trunk = with_magnetometers(recording, spec, 1)
    dip = np.radians(66.0)
    earth = 48.0 * np.array([0.0, np.cos(dip), -np.sin(dip)])
    for block, q in ((head, recording.q_es_head), (trunk, recording.q_es_trunk)):
        assert block.mag is not None
        np.testing.assert_allclose(
            quaternion.rotate(q, block.mag), np.tile(earth, (len(q), 1)), atol=1e-5
        )


def test_the_person_moves_as_without_and_the_field_is_that_of_its_seed() -> None:
    recording = simulate(PatientSpec(), 3, 30.0)
    spec = FieldSpec(common=0.2, apart=0.1, place_s=5.0)
    one, _ = with_magnetometers(recording, spec, 1)
    again, _ = with_magnetometers(recording, spec, 1)
    other, _ = with_magnetometers(recording, spec, 2)
    assert one.mag is not None and again.mag is not None and other.mag is not None
    np.testing.assert_array_equal(one.gyr, recording.blocks()[0].gyr)
    np.testing.assert_array_equal(one.mag, again.mag)
    assert not np.array_equal(one.mag, other.mag)


def test_a_twist_changes_neither_norm_nor_dip() -> None:
    recording = simulate(PatientSpec(), 3, 30.0)
    spec = FieldSpec(
        iron_ut=0.0, noise_ut=0.0, step_ut=1e-6, twist_deg=20.0, twist_s=(-100.0, 900.0)
    )
    head, _ = with_magnetometers(recording, spec, 1)
    assert head.mag is not None
    seen = quaternion.rotate(recording.q_es_head, head.mag)
    np.testing.assert_allclose(np.linalg.norm(seen, axis=1), 48.0, atol=1e-4)
    np.testing.assert_allclose(np.degrees(np.arctan2(seen[:, 1], seen[:, 0])), 110.0, atol=1e-3)

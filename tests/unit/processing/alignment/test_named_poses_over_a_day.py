"""Torticollis must survive a day of resets by a person who holds M, not N (NUMBERS.md)."""

from dataclasses import replace

import numpy as np
import pytest

from processing import alignment, angles, orientation
from processing.rows import pair_rows
from processing.types import PairBlock
from tests.support.aligned_recording import pair_block, recording

HOUR_S = 3600.0


def mean_rates(pair: PairBlock) -> PairBlock:
    """Return rates as means over the interval that ends at the row, as the grid has them."""
    head, trunk = (
        np.concatenate((w[:1], 0.5 * (w[1:] + w[:-1]))) for w in (pair.head_gyr, pair.trunk_gyr)
    )
    return replace(pair, head_gyr=head, trunk_gyr=trunk)


@pytest.mark.slow
def test_forty_degrees_survive_eight_hours_of_resets_at_midline() -> None:
    made = recording(
        0,
        8 * HOUR_S,
        rate_hz=52.0,
        learn_poses=3,
        reset_pose="midline_pose",
        midline_deg=(2.0, 4.0, 15.0),
        dystonic_deg=(6.0, 12.0, 40.0),
        posture_offset_deg=(6.0, 12.0, 40.0),
        tonic=False,
        turns_per_min=2.0,
    )
    pair = mean_rates(pair_block(made))
    params = orientation.PairParams()
    surveyed = pair_rows(pair, 0, round(260 * made.rate_hz))
    survey = orientation.smooth(params, surveyed)
    found = alignment.estimate_alignment(surveyed, survey, made.spans)
    references = alignment.reference_poses(surveyed, survey, found, made.spans)
    resets = alignment.heading_resets(
        found, made.spans, t0_ns=0, rate_hz=made.rate_hz, references=references
    )
    assert len(resets) > 45
    _, oriented = orientation.step(params, orientation.start(params, made.rate_hz), pair, resets)
    shown = angles.cervical_angles(oriented, found, pair.head_valid & pair.trunk_valid)
    true = made.angles()[2]
    for hour in range(8):
        rows = slice(round(hour * HOUR_S * 52.0), round((hour + 1) * HOUR_S * 52.0))
        median = float(np.median(shown.rotation_right_deg[rows]))
        assert median > 33.0
        assert median == pytest.approx(float(np.median(true[rows])), abs=5.0)
    error = np.abs(shown.rotation_right_deg - true)
    assert np.mean(error < 2.0 * shown.heading_sigma_deg) > 0.9

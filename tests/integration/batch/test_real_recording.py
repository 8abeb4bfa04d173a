"""The batch door on a real recording: a person standing, walking, sitting down and sitting.

There is no optical truth; what can be known without it is asserted. The person sits quietly from 15
to 39 s and walks from 55 to 98 s (README of the recordings).
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from api.commands.process import command

pytestmark = pytest.mark.data

MOUNTING = {"head": {"anterior": "-z", "up": "+x"}, "trunk": {"anterior": "-z", "up": "+x"}}


def run_process(source: Path, out: Path, *options: str) -> tuple[dict[str, Any], dict[str, Any]]:
    mounting = out.parent / "mounting.json"
    mounting.write_text(json.dumps(MOUNTING))
    arguments = [str(source), "--out", str(out), "--mounting", str(mounting)]
    done = CliRunner().invoke(command, [*arguments, "--neutral", "15:20", "--json", *options])
    assert done.exit_code == 0, done.output
    columns = pq.read_table(out / "angles.parquet").to_pydict()
    angles = {
        name: np.array(values, dtype=object if name == "heading_quality" else None)
        for name, values in columns.items()
    }
    return angles, json.loads((out / "summary.json").read_text())


@pytest.fixture(scope="module", params=["online", "offline"])
def processed(
    request: pytest.FixtureRequest, head_trunk_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], dict[str, Any], Path]:
    out = tmp_path_factory.mktemp("real") / "results"
    angles, summary = run_process(head_trunk_dir, out, "--mode", request.param)
    return angles, summary, out


def seconds(start_s: float, end_s: float) -> slice:
    return slice(round(start_s * 100), round(end_s * 100))


def test_units_and_rate_are_honoured(processed: tuple[dict[str, Any], Any, Path]) -> None:
    angles, summary, _ = processed
    assert angles["t_s"].shape == (10_000,)
    np.testing.assert_allclose(angles["t_s"], np.arange(10_000) / 100.0, atol=1e-9)
    assert summary["recorded_s"] == pytest.approx(100.0)
    assert summary["completeness"] == pytest.approx(1.0)
    norm = sum(np.square(angles[name]) for name in ("qw", "qx", "qy", "qz"))
    np.testing.assert_allclose(norm, 1.0, atol=1e-5)


def test_quiet_sitting_stays_near_neutral(processed: tuple[dict[str, Any], Any, Path]) -> None:
    angles, _, _ = processed
    assert angles["deviation_deg"][seconds(15, 39)].max() < 15.0


def test_walking_is_gated_and_quiet_sitting_is_not(
    processed: tuple[dict[str, Any], Any, Path],
) -> None:
    angles, _, _ = processed
    assert angles["gated"][seconds(56, 97)].all()
    assert angles["gated"][seconds(16, 37)].mean() < 0.05


def test_nothing_is_counted_while_walking(processed: tuple[dict[str, Any], Any, Path]) -> None:
    angles, _, out = processed
    found = pq.read_table(out / "episodes.parquet").to_pydict()
    for kind, peak_s in zip(found["kind"], found["peak_s"], strict=True):
        if kind in ("jerk", "tremor"):
            assert not angles["gated"][round(peak_s * 100)], (kind, peak_s)
            assert not 55.0 <= peak_s <= 98.0


def test_drift_of_the_still_phase_is_within_its_sigma(
    processed: tuple[dict[str, Any], Any, Path],
) -> None:
    angles, _, _ = processed
    early = angles["rotation_right_deg"][seconds(20, 25)].mean()
    late = angles["rotation_right_deg"][seconds(34, 39)].mean()
    sigma = angles["heading_sigma_deg"][seconds(34, 39)].mean()
    assert abs(late - early) < 2.0 * sigma
    assert 2.0 <= sigma <= 8.0


def test_summary_is_complete_and_honest(processed: tuple[dict[str, Any], Any, Path]) -> None:
    _, summary, _ = processed
    assert summary["alignment"]["method"] == "mounting"
    assert summary["alignment"]["quality"] == "low"
    assert len(summary["alignment"]["neutral_q"]) == 4
    assert 20.0 <= summary["evaluable_s"] <= 45.0
    assert summary["gated_s"] + summary["evaluable_s"] == pytest.approx(summary["worn_s"], abs=1.0)
    assert set(summary["episodes"]) == {"jerk", "posture", "tremor"}


def test_other_units_give_the_same_angles(head_trunk_dir: Path, tmp_path: Path) -> None:
    motion = head_trunk_dir / "sub-01" / "motion"
    table = np.loadtxt(next(motion.glob("*_motion.tsv")), delimiter="\t")
    copy = tmp_path / "study" / "sub-01" / "motion"
    copy.mkdir(parents=True)
    for path in motion.iterdir():
        if path.name.endswith("_channels.tsv"):
            text = path.read_text().replace("m/s^2", "mg").replace("rad/s", "deg/s")
            (copy / path.name).write_text(text)
        elif path.name.endswith("_motion.tsv"):
            acc = [0, 1, 2, 6, 7, 8]
            gyr = [3, 4, 5, 9, 10, 11]
            table[:, acc] *= 1000.0 / 9.80665
            table[:, gyr] = np.degrees(table[:, gyr])
            np.savetxt(copy / path.name, table, delimiter="\t", fmt="%.9g")
        else:
            (copy / path.name).write_bytes(path.read_bytes())
    ours, _ = run_process(head_trunk_dir, tmp_path / "a")
    theirs, _ = run_process(tmp_path / "study", tmp_path / "b")
    for name in ("flexion_deg", "lateral_right_deg", "rotation_right_deg"):
        np.testing.assert_allclose(theirs[name], ours[name], atol=0.01)


def test_without_any_declaration_there_are_still_results(
    head_trunk_dir: Path, tmp_path: Path
) -> None:
    done = CliRunner().invoke(command, [str(head_trunk_dir), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["alignment"]["quality"] == "low"
    assert any("--mounting" in warning for warning in summary["warnings"])
    assert any("--neutral" in warning for warning in summary["warnings"])
    assert not any("exchanged" in warning for warning in summary["warnings"])
    # facing by walking and by the motion shared differs by 6° from what the mounting declares
    found = pq.read_table(tmp_path / "out" / "angles.parquet").to_pydict()
    declared, _ = run_process(head_trunk_dir, tmp_path / "declared")
    for name in ("flexion_deg", "lateral_right_deg", "rotation_right_deg"):
        for window in (seconds(15, 39), seconds(39, 55), seconds(55, 98)):
            apart = np.array(found[name][window]) - declared[name][window]
            assert np.sqrt(np.mean(apart**2)) < 6.0, (name, window)


def test_head_alone_gives_inclination_and_nulls(head_trunk_dir: Path, tmp_path: Path) -> None:
    angles, summary = run_process(head_trunk_dir, tmp_path / "out", "--single", "head")
    assert all(value is None for value in angles["flexion_deg"])
    assert all(value is None for value in angles["rotation_right_deg"])
    pitch = angles["head_pitch_deg"].astype(float)
    assert np.isfinite(pitch).all()
    assert np.abs(pitch[seconds(15, 39)]).max() < 20.0
    assert summary["flexion_deg"] is None or summary["flexion_deg"]["mean"] is None
    assert summary["near_neutral_fraction"] is None

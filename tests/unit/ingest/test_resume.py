"""Which part of a wear session a new start goes through first."""

from pathlib import Path

import pytest

from ingest.reprocess_wear import END_NS, Wear
from ingest.resume import wear_to_resume
from processing.synthesis import PatientSpec, simulate
from processing.types import HeadingReset
from storage.record import RecordReader
from tests.support.collecting import IDENTITY, plain_setup
from tests.support.worn_record import PATIENT, START_NS, write_samples

SECOND_NS = 10**9
HOUR_NS = 3600 * SECOND_NS
CALIBRATED = Wear(START_NS, END_NS, plain_setup(), (HeadingReset(200, 700, IDENTITY, 2.0),))


@pytest.fixture(scope="module")
def two_hours_apart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a record of twice 20 s, the second two hours after the first."""
    folder = tmp_path_factory.mktemp("resume") / "data"
    recording = simulate(PatientSpec(calibration=False), 5, 20.0)
    write_samples(folder, recording, start_ns=START_NS)
    write_samples(folder, recording, start_ns=START_NS + 2 * HOUR_NS, boot=2)
    return folder


@pytest.mark.parametrize(
    ("now_ns", "begins"),
    [
        (START_NS + 2 * HOUR_NS + 30 * SECOND_NS, "after the break"),
        (START_NS + 3 * HOUR_NS + 30 * SECOND_NS, "not"),
    ],
)
def test_nothing_before_a_long_silence_is_gone_through(
    two_hours_apart: Path, now_ns: int, begins: str
) -> None:
    with RecordReader(two_hours_apart) as reader:
        found = wear_to_resume(reader, PATIENT, CALIBRATED, now_ns)
    if begins == "not":
        assert found is None
        return
    assert found is not None
    assert START_NS + HOUR_NS < found.since_ns <= START_NS + 2 * HOUR_NS
    assert found.first_resets == (), "the calibration's poses lie before the break"
    assert found.setup is CALIBRATED.setup


def test_a_session_begun_after_the_silence_is_gone_through_whole(two_hours_apart: Path) -> None:
    begun = Wear(START_NS + 2 * HOUR_NS - SECOND_NS, END_NS, plain_setup())
    with RecordReader(two_hours_apart) as reader:
        assert (
            wear_to_resume(reader, PATIENT, begun, START_NS + 2 * HOUR_NS + HOUR_NS // 2) is begun
        )


def test_a_session_that_is_over_is_not_gone_on_with(two_hours_apart: Path) -> None:
    over = Wear(START_NS, START_NS + 3 * HOUR_NS, plain_setup())
    with RecordReader(two_hours_apart) as reader:
        assert wear_to_resume(reader, PATIENT, over, START_NS + 2 * HOUR_NS) is None

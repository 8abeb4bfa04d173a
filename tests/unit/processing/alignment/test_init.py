"""The public names of the package."""

from processing import alignment


def test_public_names_are_pinned() -> None:
    assert alignment.__all__ == [
        "Expected",
        "Mounting",
        "ReferencePoses",
        "SensorMounting",
        "StepCheck",
        "StepProblem",
        "StoredReference",
        "check_step",
        "estimate_alignment",
        "find_held",
        "heading_resets",
        "neutral_span",
        "parse_mounting",
        "reference_poses",
        "sensor_rotation",
        "sharing",
    ]
    assert all(hasattr(alignment, name) for name in alignment.__all__)

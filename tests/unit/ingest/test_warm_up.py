"""Nothing is left to compile once somebody wears the sensors: the page would stand still."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def test_a_live_day_compiles_nothing_after_the_warm_up() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.kernels_met"],
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""

"""A start takes what numba needs, and nothing that it would only like to have."""

import subprocess
import sys

from processing._numba import HIDDEN

FIRST_KERNEL = f"""
import sys
import numpy as np
from processing.filters import near_bad
out = np.empty(3, dtype=np.bool_)
near_bad(np.array([False, False, False, False, True]), 1, out)
assert out.tolist() == [False, False, True]
print([name for name in {HIDDEN!r} if name in sys.modules])
import cffi, scipy.linalg.cython_blas
assert cffi.FFI is not None and scipy.linalg.cython_blas is not None
"""


def test_a_kernel_runs_without_them_and_everybody_else_finds_them() -> None:
    found = subprocess.run(
        [sys.executable, "-c", FIRST_KERNEL], check=True, capture_output=True, text=True
    )
    assert found.stdout.strip() == "[]"

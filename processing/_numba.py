"""numba, imported without what no kernel of ours uses: a third of the time that a start takes.

numba looks for SciPy's BLAS (for `np.dot` inside kernels) and for cffi (for foreign functions), and
does without where they are missing. Both load long chains of modules, so they are hidden while
numba's own modules are imported; everybody else finds them as ever.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

HIDDEN: Final = ("cffi", "scipy.linalg.cython_blas")


@contextmanager
def hidden(*names: str) -> Iterator[None]:
    """Make modules that are not imported yet look as if they were not installed."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type] # None means: not there
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


with hidden(*HIDDEN):
    import numba
    import numba.core.typing.cffi_utils
    import numba.np.arraymath  # these two would look for them later

njit = numba.njit

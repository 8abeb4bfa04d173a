"""The one way to compile a kernel: a typed decorator around `numba.njit`."""

from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar, cast

from processing._numba import njit

P = ParamSpec("P")
R = TypeVar("R")

_KERNELS: Final[list[Any]] = []
"""Those that are compiled on their own; inlined ones are part of their callers."""


def kernel(*, inline: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that compiles a function with numba, keeping its Python signature.

    Parameters
    ----------
    inline : bool
        Inline the function into calling kernels at the numba level. For small functions in a hot
        loop only; it lengthens compilation.

    Notes
    -----
    `cache=True`: compiled once per installation. `nogil=True`: live processing runs beside the
    event loop. `error_model="numpy"`: division by zero gives inf or NaN, as in numpy, and costs no
    branch. No fastmath: NaN marks missing samples and any chunking must equal one batch bit for
    bit.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        compiled = njit(
            cache=True,
            nogil=True,
            error_model="numpy",
            inline="always" if inline else "never",
        )(function)
        if not inline:
            _KERNELS.append(compiled)
        return cast("Callable[P, R]", compiled)

    return decorate


def compiled_kernels() -> tuple[int, int]:
    """Return how many kernels this process has compiled or loaded so far, and how many it knows."""
    return sum(bool(each.signatures) for each in _KERNELS), len(_KERNELS)

"""What follows from frozen parameters, worked out once and found again by which object they are.

`functools.lru_cache` asks for the value of its arguments: it hashes and compares every field of
nested parameters at every step of every stream, which takes longer than a kernel.
"""

from collections.abc import Callable
from functools import wraps
from typing import Final, TypeVar, TypeVarTuple

Ts = TypeVarTuple("Ts")
R = TypeVar("R")

MOST: Final = 64
"""Different arguments remembered; beyond it everything is worked out again."""


def derived(function: Callable[[*Ts], R]) -> Callable[[*Ts], R]:
    """Return a function that remembers its results by the identity of its arguments.

    Parameters
    ----------
    function : callable
        A pure function of objects that never change: frozen dataclasses, None, True and False.
        What it returns is shared and must not be written to.
    """
    known: dict[tuple[int, ...], tuple[tuple[*Ts], R]] = {}

    @wraps(function)
    def found(*args: *Ts) -> R:
        key = tuple(map(id, args))
        held = known.get(key)
        if held is None:
            if len(known) >= MOST:
                known.clear()
            # the arguments are held, so that no other object gets their identity
            held = known[key] = args, function(*args)
        return held[1]

    return found

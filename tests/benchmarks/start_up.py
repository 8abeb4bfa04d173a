"""From the start of a process to the first angles, with kernels compiled before."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from api.kernel_cache import use_kernel_cache

ROUNDS = 5
FIRST_RESULT = """
from api.kernel_cache import use_kernel_cache
use_kernel_cache()
import numpy as np
from processing import pipeline, quaternion
from processing.pipeline import PipelineParams, Setup
from processing.types import Alignment, ImuBlock

q = quaternion.IDENTITY
setup = Setup(Alignment("a", "n", "mounting", "good", q, q, q, 1.0))
t_ns = np.arange(1040, dtype=np.int64) * 9_615_384
acc = np.tile([0.0, 0.0, 9.81], (1040, 1))
block = ImuBlock.checked(t_ns, acc, np.full((1040, 3), 0.01), rate_hz=104.0)
params = PipelineParams()
_, out = pipeline.step(params, pipeline.start(params, setup), setup, block, block)
assert np.isfinite(out.angles.flexion_deg[-1])
"""


def measure(echo: Callable[[str], None]) -> None:
    """Print the seconds of whole processes; the first compiles what is not cached."""
    use_kernel_cache()
    elapsed, cpu = [], []
    with tempfile.TemporaryDirectory(prefix="necktrace-") as folder:
        # an installation has its bytecode; a checkout that may not write it would measure parsing
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = folder
        for _ in range(ROUNDS):
            before, begin = _children_s(), time.perf_counter()
            subprocess.run([sys.executable, "-c", FIRST_RESULT], check=True, env=environment)
            elapsed.append(time.perf_counter() - begin)
            cpu.append(_children_s() - before)
    echo("start of the interpreter to the first angles of two sensors, target below 1 s")
    echo(f"  first process {elapsed[0]:5.2f} s elapsed, {cpu[0]:5.2f} s of processor time")
    echo(f"  later ones    {min(elapsed[1:]):5.2f} s elapsed, {min(cpu[1:]):5.2f} s (best)")


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    measure(print)

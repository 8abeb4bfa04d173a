"""`make bench`: every measurement, or those named."""

import importlib
import os
import sys
import time

from api.kernel_cache import use_kernel_cache

MEASUREMENTS = {
    "orientation": "one sensor and a pair, beside vqf",
    "chain": "raw counts to minutes beside vqf, stage by stage; one live step",
    "load": "many live patients on one core",
    "memory": "a day of one patient",
    "start_up": "a new process to its first result",
    "pair_timing": "relative timing error of two sensors of any make and rate",
    "clock_start": "the first minute of a sensor's clock, whatever the link does",
    "storage": "bytes of a day, the record, line protocol",
    "questions": "what pages ask of stored results, embedded and InfluxDB",
    "reprocess": "a recorded session to stored results",
    "live_latency": "a sensor's sample to the frame of a page, in real time (45 s)",
}


def main(names: list[str]) -> int:
    """Run the named measurements, all of them without a name; `list` says what there is."""
    unknown = set(names) - set(MEASUREMENTS) - {"list"}
    if unknown or "list" in names:
        for name in sorted(unknown):
            print(f"no measurement {name!r}; there are")
        for name, what in MEASUREMENTS.items():
            print(f"  {name:13} {what}")
        return 2 if unknown else 0
    # numba reads the folder when it is imported
    use_kernel_cache()
    print(f"{os.cpu_count()} cores, load average {', '.join(f'{x:.1f}' for x in os.getloadavg())}")
    for name in names or MEASUREMENTS:
        print(f"== {name}: {MEASUREMENTS[name]}", flush=True)
        begin = time.perf_counter()
        importlib.import_module(f"tests.benchmarks.{name}").measure(print)
        print(f"   ({time.perf_counter() - begin:.0f} s)\n", flush=True)
    return 0


sys.exit(main(sys.argv[1:]))

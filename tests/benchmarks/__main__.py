"""`make bench`: every measurement, or those named."""

import sys

from tests.benchmarks import chain, orientation, reprocess

MEASUREMENTS = {
    "orientation": orientation.measure,
    "chain": chain.measure,
    "reprocess": reprocess.measure,
}


def main(names: list[str]) -> int:
    """Run the named measurements, all of them without a name."""
    unknown = set(names) - set(MEASUREMENTS)
    if unknown:
        print(f"no measurement {sorted(unknown)}; there are {', '.join(MEASUREMENTS)}")
        return 2
    for name in names or MEASUREMENTS:
        MEASUREMENTS[name](print)
        print()
    return 0


sys.exit(main(sys.argv[1:]))

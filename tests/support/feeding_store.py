"""A producer that dies: ``python feeding_store.py FOLDER URL TOKEN ORG PREFIX BATCHES``.

Stores ten-second batches in an `InfluxStore`, continuing after the last one that was committed
(its number is the cursor), until it is killed or done.
"""

import sys

from storage.influx import InfluxSettings
from storage.influx_store import InfluxStore
from storage.result_rows import ResultBatch
from tests.support.results import ALGO, episode, seconds


def batch(number: int) -> ResultBatch:
    """Return the batch of a number: ten seconds, now and then an episode."""
    return ResultBatch(
        "p1",
        ALGO,
        angles=seconds(10 * number, 10),
        episodes=[episode(10.0 * number)] if number % 6 == 0 else [],
        cursor=("feed", str(number).encode()),
    )


def main() -> None:
    """Feed."""
    folder, url, token, org, bucket_prefix, batches = sys.argv[1:]
    settings = InfluxSettings(url, token, org, bucket_prefix, live_retention_days=0)
    store = InfluxStore(folder, settings, backoff_s=(0.01, 0.2))
    last = store.book.cursor("p1", ALGO, "feed")
    for number in range(int(last or b"-1") + 1, int(batches)):
        store.put(batch(number))
        print(number, flush=True)
    store.drain()
    store.close()
    print("done", flush=True)


if __name__ == "__main__":
    main()

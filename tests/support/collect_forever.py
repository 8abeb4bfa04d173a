"""A collector process to be killed: records virtual sensors and says what is committed.

Usage: python -m tests.support.collect_forever FOLDER
"""

import asyncio
import sys
from pathlib import Path

from ingest.sources.virtual_body import next_boots
from storage.catalog import Catalog
from storage.database import open_database
from storage.embedded import EmbeddedStore
from tests.support.collecting import collecting


async def main(folder: Path) -> None:
    """Run until killed."""
    open_database(folder, create=True).close()
    with Catalog(folder) as catalog:
        boots = next_boots(catalog)
    store = EmbeddedStore(folder)
    async with collecting(folder, boots=boots, store=store) as rig:
        while True:
            await asyncio.sleep(0.05)
            rig.raise_if_ended()
            health = rig.collector.health
            if health is not None:
                frame = rig.hub.latest
                received = frame.head.samples + frame.trunk.samples if frame else 0
                print(health.recorder.committed_samples, received, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))

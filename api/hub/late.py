"""Samples that a sensor delivers late change results that are stored: those are made again.

What was missed while a sensor was out of range comes from its memory into the record. The live
chain has gone on without it, so the wear session that it belongs to is processed again, by the
process that also does it for forwarded records (`api.forwarding.rework`), beside the recording.
"""

import asyncio
import logging
import time

import numpy as np

from api.forwarding import rework
from api.runtime import Runtime
from ingest.drivers.driver import BackfillReport
from ingest.service import Collector
from processing.clock import in_order
from storage.due import mark_due
from storage.errors import StorageError
from storage.record import RecordReader

_log = logging.getLogger(__name__)

SETTLE_S = 3.0
"""Pause after the last sample came: two commits of the recorder, so that all of it is on disk."""
AT_MOST_EVERY_S = 600.0
"""Least time between two runs. A run goes through the whole wear session, so shorter costs a
flaky link much computing; longer shows results without the late samples for longer."""


def gap_began_ns(reader: RecordReader, report: BackfillReport) -> int:
    """Return UTC of the last live packet before the samples of a report; 0 where none is known.

    Parameters
    ----------
    reader : RecordReader
    report : BackfillReport

    Returns
    -------
    int
        Nanoseconds.
    """
    began_ns = 0
    for stream in reader.streams(device_id=report.device_id, kind="imu"):
        if stream.info.boot > report.boot:
            continue
        anchors = reader.anchors(stream.id)
        before = in_order(anchors.host_ns)
        if stream.info.boot == report.boot:
            before &= anchors.index < report.first_index
        if before.any():
            began_ns = max(began_ns, int(np.max(anchors.host_ns[before])))
    return began_ns


class LateSamples:
    """Notes what came late and has its results made again when all of it is there.

    Parameters
    ----------
    runtime : Runtime
    patient : str
    settle_s, at_most_every_s
        As the constants of this module; tests pass their own.
    """

    def __init__(
        self,
        runtime: Runtime,
        patient: str,
        *,
        settle_s: float = SETTLE_S,
        at_most_every_s: float = AT_MOST_EVERY_S,
    ) -> None:
        self._runtime = runtime
        self._patient = patient
        self._settle_s = settle_s
        self._every_s = at_most_every_s
        self._reports: asyncio.Queue[BackfillReport] = asyncio.Queue()

    def take(self, report: BackfillReport) -> None:
        """Take a report, as `Collector(on_backfill=...)`."""
        self._reports.put_nowait(report)

    async def run(self, collector: Collector) -> None:
        """Mark as due what reports touch; start the work once the sensors have caught up."""
        started_s = -self._every_s
        while True:
            await self._note()
            quiet = not collector.catching_up and self._reports.empty()
            if quiet and time.monotonic() - started_s >= self._every_s:
                working = await asyncio.to_thread(
                    rework.start, self._runtime.settings, self._runtime.catalog, self._patient
                )
                if working:
                    started_s = time.monotonic()

    async def _note(self) -> None:
        """Mark what reports touch, until none has come for a while."""
        while True:
            try:
                report = await asyncio.wait_for(self._reports.get(), self._settle_s)
            except TimeoutError:
                return
            try:
                await asyncio.to_thread(self._mark, report)
            except StorageError as error:
                # the samples are safe; `necktrace reprocess` makes up for the mark
                _log.warning("late samples could not be noted: %s", error)

    def _mark(self, report: BackfillReport) -> None:
        since_ns = gap_began_ns(self._runtime.record, report)
        mark_due(self._runtime.catalog, self._patient, since_ns)
        _log.info(
            "%d samples came late; results are made again from there on",
            report.n_samples,
            extra={"event": "late_samples", "since_ns": since_ns, "device": report.device_id},
        )

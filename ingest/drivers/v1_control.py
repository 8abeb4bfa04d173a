"""Requests and answers of the Control Point of protocol v1: tokens, time-outs, repeats.

One request is outstanding. A lost answer is asked for again with the same token, which the sensor
answers without acting twice. A REPORT is answered after its last frame, so while frames come its
time-out starts over.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from firmware_protocol.control import Answer, Request
from firmware_protocol.definition import ControlStatus, Op
from firmware_protocol.errors import ProtocolError
from firmware_protocol.gatt import CONTROL_UUID
from ingest.errors import CommandRefusedError, CommandTimeoutError, MtuTooSmallError
from ingest.transport import Connection

_REMEDIES: dict[int, str] = {
    ControlStatus.BUSY: "Wait until the running transfer ends.",
    ControlStatus.STORAGE: "The sensor's memory failed; have it replaced.",
    ControlStatus.SENSOR_FAULT: "Restart the sensor; if it persists, have it replaced.",
}


@dataclass(frozen=True, slots=True)
class ControlLimits:
    """Patience with the Control Point."""

    answer_s: float = 5.0
    """Wait for one answer. Shorter repeats needlessly on slow links, longer delays a start."""
    repeats: int = 3
    """Further writes of an unanswered request."""


class ControlPoint:
    """Asks one sensor, one request at a time."""

    def __init__(self, connection: Connection, limits: ControlLimits | None = None) -> None:
        self._connection = connection
        self._limits = limits or ControlLimits()
        self._lock = asyncio.Lock()
        self._token = 0
        self._pending: tuple[int, int, asyncio.Future[Answer]] | None = None
        self.repeated = 0
        """Requests that had to be written again."""
        self.strays = 0
        """Indications that answered nothing that was asked."""

    async def subscribe(self) -> None:
        """Switch indications on."""
        await self._connection.subscribe(CONTROL_UUID, self._on_indication)

    async def ask(
        self,
        build: Callable[[int], Request],
        *,
        progress: Callable[[], object] | None = None,
        accept: frozenset[int] = frozenset(),
    ) -> Answer:
        """Send a request and return its answer.

        Parameters
        ----------
        build
            Makes the request for a token.
        progress
            While its value changes from one time-out to the next, waiting goes on.
        accept
            Further statuses to return instead of raising.

        Raises
        ------
        CommandTimeoutError
            No answer after all repeats.
        CommandRefusedError, MtuTooSmallError
            The status is neither ok nor in `accept`.
        """
        async with self._lock:
            self._token = self._token % 255 + 1
            request = build(self._token)
            answer = await self._exchange(request, progress)
        if answer.status == ControlStatus.OK or answer.status in accept:
            return answer
        raise _refusal(answer)

    async def _exchange(self, request: Request, progress: Callable[[], object] | None) -> Answer:
        name = _name(request.op)
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._pending = (request.op, request.token, answered)
        try:
            for attempt in range(self._limits.repeats + 1):
                self.repeated += attempt > 0
                await self._connection.write(CONTROL_UUID, bytes(request), response=True)
                while True:
                    before = progress() if progress else None
                    done, _ = await asyncio.wait({answered}, timeout=self._limits.answer_s)
                    if done:
                        return answered.result()
                    if progress is None or progress() == before:
                        break
        finally:
            self._pending = None
            answered.cancel()
        total_s = self._limits.answer_s * (self._limits.repeats + 1)
        raise CommandTimeoutError(
            f"The sensor did not answer {name} within {total_s:.0f} s.", command=name
        )

    def _on_indication(self, data: bytes) -> None:
        try:
            answer = Answer.from_bytes(data)
        except ProtocolError:
            self.strays += 1
            return
        if self._pending is None or self._pending[:2] != (answer.op, answer.token):
            self.strays += 1
            return
        future = self._pending[2]
        if not future.done():
            future.set_result(answer)


def _name(op: int) -> str:
    return Op(op).name if op in set(Op) else f"operation 0x{op:02x}"


def _refusal(answer: Answer) -> Exception:
    name = _name(answer.op)
    if answer.status == ControlStatus.MTU_TOO_SMALL:
        return MtuTooSmallError(
            "The connection's packets are too small to carry one sample of this sensor."
        )
    known = answer.status in set(ControlStatus)
    reason = ControlStatus(answer.status).note if known else f"status 0x{answer.status:02x}"
    error = CommandRefusedError(
        f"The sensor refused {name}: {reason}.", command=name, status=answer.status
    )
    error.remedy = _REMEDIES.get(answer.status, "")
    return error

"""GET patients, streams and raw samples: the record as it is."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Path, Query
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from api.access.principals import visible_patients
from api.http.cursors import decode_cursor, encode_cursor
from api.http.problems import problem
from api.routes.angles import nullable
from api.routes.parameters import Cursor, PatientDep, RangeDep
from api.runtime import RuntimeDep
from api.web.texts import iso
from storage.errors import UnknownStreamError
from storage.record.types import Chunk, Stream

router = APIRouter(tags=["record"])


class PatientOut(BaseModel):
    """A patient, by pseudonym."""

    id: str = Field(examples=["p1"])
    label: str = Field(description="Name for the pages; need not be a real one.")
    zone: str = Field(description="IANA time zone of the days.", examples=["Europe/Berlin"])


class PatientsOut(BaseModel):
    """All patients that whoever asks may see."""

    items: list[PatientOut]


class ChannelOut(BaseModel):
    """One column of a stream."""

    name: str = Field(examples=["gyr_x"])
    unit: str = Field(examples=["rad/s"])


class StreamOut(BaseModel):
    """One sensor stream since one start of the device."""

    id: int
    device_id: str
    boot: int
    role: str = Field(examples=["head"])
    kind: str = Field(examples=["imu"])
    rate_hz: float = Field(description="Nominal rate, hertz.", examples=[104.0])
    channels: list[ChannelOut]
    samples: int
    first_index: int | None
    end_index: int | None
    from_utc: str | None = Field(description="Earliest arrival.")
    to_utc: str | None = Field(description="Latest arrival.")


class StreamsOut(BaseModel):
    """The streams of a patient."""

    patient_id: str
    items: list[StreamOut]


class SamplesOut(BaseModel):
    """Raw samples of one stream, as columns in physical units."""

    stream_id: int
    units: dict[str, str] = Field(description="Column to unit.")
    index: list[int] = Field(description="Sample index since the device's start; a step is a gap.")
    columns: dict[str, list[float | None]]
    anchor_index: list[int] = Field(description="Sample index of the first row of each packet.")
    anchor_arrival_ns: list[int] = Field(
        description="Arrival of that packet on the host, UTC nanoseconds. Arrival is not the time "
        "of the sample; the time of a sample is derived from all anchors and the device's counter."
    )
    anchor_device_ticks: list[int | None] = Field(description="Device counter at that row.")
    next: str | None = Field(description="Cursor of the next page; null at the end.")


class DeviceOut(BaseModel):
    """A sensor known to this hub."""

    id: str = Field(examples=["NT1-000001"])
    role: str | None = Field(description="Where it is worn.", examples=["head"])
    model: str
    address: str


class DevicesOut(BaseModel):
    """The sensors of a patient."""

    patient_id: str
    items: list[DeviceOut]


class SessionOut(BaseModel):
    """A wear session: from one calibration to the next, or to take-off."""

    id: int
    start_utc: str
    end_utc: str | None = Field(description="Null while it is under way.")
    alignment_id: str | None = Field(description="Calibration in force.")


class SessionsOut(BaseModel):
    """The wear sessions of a patient."""

    patient_id: str
    zone: str
    items: list[SessionOut]


@router.get("/patients", operation_id="listPatients", summary="Patients")
def list_patients(runtime: RuntimeDep) -> PatientsOut:
    """Return the patients that whoever asks may see; at home there is one."""
    return PatientsOut(
        items=[
            PatientOut(id=patient.id, label=patient.label, zone=patient.zone)
            for patient in visible_patients(runtime.catalog)
        ]
    )


@router.get("/patients/{patient_id}", operation_id="getPatient", summary="One patient")
def get_patient(patient: PatientDep) -> PatientOut:
    """Return one patient."""
    return PatientOut(id=patient.id, label=patient.label, zone=patient.zone)


def stream_out(stream: Stream) -> StreamOut:
    """Return a stream as the API gives it out."""
    info = stream.info
    first, last = stream.host_first_ns, stream.host_last_ns
    return StreamOut(
        id=stream.id,
        device_id=info.device_id,
        boot=info.boot,
        role=info.role,
        kind=info.kind,
        rate_hz=info.rate_hz,
        channels=[ChannelOut(name=c.name, unit=c.unit) for c in info.channels],
        samples=stream.samples,
        first_index=stream.first_index,
        end_index=stream.end_index,
        from_utc=None if first is None else iso(first),
        to_utc=None if last is None else iso(last),
    )


@router.get(
    "/patients/{patient_id}/streams", operation_id="listStreams", summary="Recorded streams"
)
def list_streams(runtime: RuntimeDep, patient: PatientDep, span: RangeDep) -> StreamsOut:
    """Return the streams with an arrival in the range."""
    bounded = span.t0_ns > 0 or span.t1_ns < 2**62
    found = runtime.record.streams(
        patient=patient.id,
        t0_ns=span.t0_ns if bounded else None,
        t1_ns=span.t1_ns if bounded else None,
    )
    return StreamsOut(patient_id=patient.id, items=[stream_out(stream) for stream in found])


@router.get(
    "/patients/{patient_id}/streams/{stream_id}/samples",
    operation_id="getSamples",
    summary="Raw samples of a stream",
)
def get_samples(
    runtime: RuntimeDep,
    patient: PatientDep,
    span: RangeDep,
    stream_id: Annotated[int, Path(ge=0, le=2**62, description="Id of the stream.", examples=[1])],
    limit: Annotated[
        int | None, Query(ge=1, le=100_000, description="Most samples per page.")
    ] = None,
    cursor: Cursor = None,
) -> SamplesOut:
    """Return the samples of packets that arrived in the range, every one exactly once."""
    try:
        info = runtime.record.info(stream_id)
    except UnknownStreamError:
        info = None
    if info is None or info.patient != patient.id:
        raise problem("not-found", f"This patient has no stream {stream_id}.")
    if span.t0_ns > 0 or span.t1_ns < 2**62:
        low, high = runtime.record.index_range(stream_id, span.t0_ns, span.t1_ns)
    else:
        low, high = 0, 2**62
    scope = f"samples {patient.id} {stream_id} {span.t0_ns} {span.t1_ns}"
    if cursor is not None:
        low = max(low, decode_cursor(scope, cursor))
    most = min(limit or runtime.settings.max_raw_rows, runtime.settings.max_raw_rows)
    chunks: list[Chunk] = []
    held = 0
    for chunk in runtime.record.samples(stream_id, low, high, max_rows=most):
        chunks.append(chunk)
        held += len(chunk.index)
        if held >= most:
            break
    index = _joined([chunk.index for chunk in chunks])[:most]
    end = int(index[-1]) + 1 if len(index) else low
    anchor_index = _joined([chunk.anchors.index for chunk in chunks])
    inside = anchor_index < end
    ticks = _joined([chunk.anchors.device_ticks for chunk in chunks])[inside]
    arrival = _joined([chunk.anchors.host_ns for chunk in chunks])[inside]
    columns = {
        channel.name: nullable(_joined([c.data[:, i] for c in chunks])[:most] * channel.scale, 9)
        for i, channel in enumerate(info.channels)
    }
    following = end if held >= most and end < high else None
    return SamplesOut(
        stream_id=stream_id,
        units={channel.name: channel.unit for channel in info.channels},
        index=index.tolist(),
        columns=columns,
        anchor_index=anchor_index[inside].tolist(),
        anchor_device_ticks=[None if tick < 0 else tick for tick in ticks.tolist()],
        anchor_arrival_ns=arrival.tolist(),
        next=None if following is None else encode_cursor(scope, following),
    )


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


@router.get("/patients/{patient_id}/devices", operation_id="listDevices", summary="Sensors")
def list_devices(runtime: RuntimeDep, patient: PatientDep) -> DevicesOut:
    """Return the sensors assigned to the patient."""
    return DevicesOut(
        patient_id=patient.id,
        items=[
            DeviceOut(id=d.id, role=d.role, model=d.model, address=d.address)
            for d in runtime.catalog.devices(patient=patient.id)
        ],
    )


@router.get("/patients/{patient_id}/sessions", operation_id="listSessions", summary="Wear sessions")
def list_sessions(runtime: RuntimeDep, patient: PatientDep, span: RangeDep) -> SessionsOut:
    """Return the wear sessions that touch the range."""
    found = runtime.catalog.wear_sessions(patient.id, span.t0_ns, span.t1_ns)
    return SessionsOut(
        patient_id=patient.id,
        zone=patient.zone,
        items=[
            SessionOut(
                id=session.id,
                start_utc=iso(session.start_ns),
                end_utc=None if session.end_ns is None else iso(session.end_ns),
                alignment_id=session.alignment_id,
            )
            for session in found
        ],
    )

"""Capture2Go's files: commands against the maker's package, frames from pieces of a file."""

import importlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.devices import capture2go as c2g
from firmware_protocol.devices import capture2go_files as files
from firmware_protocol.devices.capture2go_frames import RawMessage, encode_message
from firmware_protocol.errors import FieldError

NAME = "necktrace-1795000000000"


def oracle() -> Any:
    return importlib.import_module("capture2go").pkg


@pytest.mark.parametrize(
    ("made", "name", "fields"),
    [
        (files.set_recording(NAME), "CmdSetRecordingConfig", {"filename": NAME.encode()}),
        (files.get_recording(), "CmdGetRecordingConfig", {}),
        (files.start_recording(), "CmdStartRecording", {}),
        (files.stop_recording(), "CmdStopRecording", {}),
        (files.list_files(), "CmdFsListFiles", {}),
        (files.get_size(NAME), "CmdFsGetSize", {"filename": NAME.encode()}),
        (
            files.get_bytes(NAME, 123, 1 << 20),
            "CmdFsGetBytes",
            {"filename": NAME.encode(), "startPos": 123, "endPos": 1 << 20},
        ),
        (files.stop_get_bytes(), "CmdFsStopGetBytes", {}),
        (files.delete_file(NAME), "CmdFsDeleteFile", {"filename": NAME.encode()}),
    ],
)
def test_commands_equal_the_makers(made: bytes, name: str, fields: dict[str, Any]) -> None:
    assert made == getattr(oracle(), name)(**fields).pack()


@pytest.mark.parametrize(
    ("name", "fields", "meant"),
    [
        ("DataRecordingConfig", {"filename": NAME.encode()}, files.RecordingName(NAME)),
        ("DataFsFileCount", {"fileCount": 7}, files.FileCount(7)),
        (
            "DataFsFile",
            {"index": 2, "filename": b"x" * 64, "size": 1 << 31},
            files.StoredFile(2, "x" * 64, 1 << 31),
        ),
        ("DataFsSize", {"filename": b"a", "fileSize": 5}, files.FileSize("a", 5)),
        ("AckFsDeleteFile", {"filename": b"a"}, files.FileDeleted("a")),
        ("AckStartRecording", {}, c2g.Acknowledged(files.ID_RECORDING_STARTED)),
        ("AckStopRecording", {}, c2g.Acknowledged(files.ID_RECORDING_STOPPED)),
        ("AckFsStopGetBytes", {}, c2g.Acknowledged(files.ID_STOPPED_GET_BYTES)),
    ],
)
def test_the_makers_messages_are_understood(name: str, fields: dict[str, Any], meant: Any) -> None:
    sent = getattr(oracle(), name)(**fields).pack()
    assert c2g.Capture2GoDecoder().feed(b"\xff" + sent) == [meant]


def test_a_piece_of_a_file_has_an_offset_and_content() -> None:
    sent = encode_message(files.ID_BYTES, (70_000).to_bytes(4, "little") + b"abc")
    assert c2g.Capture2GoDecoder().feed(b"\xff" + sent) == [files.FileBytes(70_000, b"abc")]


@given(st.sampled_from(sorted(files.FILE_IDS)), st.binary(max_size=236))
def test_any_payload_is_decoded_or_counted(kind: int, payload: bytes) -> None:
    decoder = c2g.Capture2GoDecoder()
    found = decoder.feed(b"\xff" + encode_message(kind, payload))
    assert len(found) + decoder.counts["malformed"] == 1


def test_a_name_that_does_not_fit_is_refused() -> None:
    for name in ("", "x" * 65):
        with pytest.raises(FieldError, match="1 to 64 characters"):
            files.get_size(name)


@given(
    st.lists(st.binary(max_size=60), min_size=1, max_size=8),
    st.lists(st.integers(1, 90), min_size=1),
    st.data(),
)
def test_frames_come_with_their_positions_wherever_reading_begins(
    payloads: list[bytes], cuts: list[int], data: st.DataObject
) -> None:
    content, places = b"", []
    for payload in payloads:
        places.append((len(content), RawMessage(0x0232, payload)))
        content += encode_message(0x0232, payload)
    begin = data.draw(st.integers(0, len(content)))
    reader, found, at, turn = files.StoredFrames(), list[tuple[int, RawMessage]](), begin, 0
    while at < len(content):
        size = cuts[turn % len(cuts)]
        found += reader.feed(at, content[at : at + size])
        at, turn = at + size, turn + 1
    # beginning in the middle of a frame, noise may look like one that is longer than the file
    assert set(found) <= set(places)
    if begin == 0:
        assert found == places
    # a jump back begins anew
    assert reader.feed(0, content) == places

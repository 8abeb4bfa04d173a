"""The generated texts: up to date, compiled by gcc, byte for byte equal to Python."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_protocol.__main__ import main
from firmware_protocol.definition import LAYOUTS
from firmware_protocol.generate import c_header, tables_markdown, vectors_json
from firmware_protocol.layout import Layout
from firmware_protocol.vectors import VECTORS
from tests.unit.firmware_protocol.c_codec import compile_codec, run_codec

PACKAGE = Path(__file__).resolve().parents[3] / "firmware_protocol"
REMEDY = "the committed file differs from the definition table: run `python -m firmware_protocol "


def flat(values: tuple[Any, ...]) -> list[int]:
    found: list[int] = []
    for value in values:
        found += [value] if isinstance(value, int) else list(value)
    return found


def random_values(layout: Layout, rng: np.random.Generator) -> tuple[Any, ...]:
    values: list[Any] = []
    for f in layout.fields:
        # the ends of the range are where a wrong type shows
        pool = [f.scalar.low, f.scalar.high, 0, 1]
        drawn = [
            pool[k]
            if k < 4
            else int(
                rng.integers(
                    f.scalar.low,
                    f.scalar.high,
                    endpoint=True,
                    dtype=np.uint64 if f.scalar.low == 0 else np.int64,
                )
            )
            for k in rng.integers(0, 8, f.count)
        ]
        values.append(bytes(drawn) if f.is_bytes else drawn[0] if f.count == 1 else tuple(drawn))
    return tuple(values)


@pytest.fixture(scope="session")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed: apt-get install gcc")
    return compile_codec(tmp_path_factory.mktemp("codec"))


def test_the_committed_header_is_the_generated_one() -> None:
    committed = (PACKAGE / "reference" / "necktrace_protocol.h").read_text()
    assert committed == c_header(), REMEDY + "header > reference/necktrace_protocol.h`"


def test_the_committed_vectors_are_the_generated_ones() -> None:
    assert (PACKAGE / "vectors.json").read_text() == vectors_json(), (
        REMEDY + "vectors > vectors.json`"
    )


def test_the_readme_holds_the_generated_tables() -> None:
    assert tables_markdown() in (PACKAGE / "README.md").read_text(), (
        REMEDY + "tables` and paste it into README.md"
    )


def test_the_vectors_repeat_the_bytes_of_the_specification() -> None:
    by_name = {row["name"]: row["hex"] for row in json.loads(vectors_json())["vectors"]}
    assert by_name["frame_imu6"] == (
        "11000700a08c00007b2a7515000000000203000000000008a4005cff00000100ffffff070080ff7f0000"
    )
    assert by_name["time_sync_reply"] == (
        "0102050040420f000000000080841e00000000007a851e0000000000"
    )


def test_every_layout_has_a_golden_vector() -> None:
    used = {part[0].name for v in VECTORS for part in v.parts if not isinstance(part, bytes)}
    assert used == {layout.name for layout in LAYOUTS}


def test_c_writes_the_bytes_of_python(codec: Path) -> None:
    rng = np.random.default_rng(1)
    cases = [(layout, random_values(layout, rng)) for layout in LAYOUTS for _ in range(50)]
    cases += [part for v in VECTORS for part in v.parts if not isinstance(part, bytes)]
    lines = [f"pack {layout.name} {' '.join(map(str, flat(values)))}" for layout, values in cases]
    assert run_codec(codec, lines) == [layout.pack(*values).hex() for layout, values in cases]


def test_c_reads_the_bytes_of_python(codec: Path) -> None:
    rng = np.random.default_rng(2)
    cases = [(layout, rng.bytes(layout.size)) for layout in LAYOUTS for _ in range(50)]
    lines = [f"unpack {layout.name} {data.hex()}" for layout, data in cases]
    assert [[int(word) for word in line.split()] for line in run_codec(codec, lines)] == [
        flat(layout.unpack(data)) for layout, data in cases
    ]


def test_a_moved_field_does_not_compile(tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed: apt-get install gcc")
    moved = c_header().replace("    uint8_t flags; ", "    uint16_t flags; ", 1)
    (tmp_path / "header.c").write_text(moved)
    done = subprocess.run(
        ["gcc", "-std=c11", "-fsyntax-only", str(tmp_path / "header.c")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "static assertion failed" in done.stderr


def test_the_command_prints_the_texts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["header"]) == 0
    assert capsys.readouterr().out == c_header()
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err

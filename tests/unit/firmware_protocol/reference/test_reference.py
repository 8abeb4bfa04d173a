"""The C library: equal to the Python twin, safe under sanitizers, small on a Cortex-M4."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from firmware_protocol.definition import Feature
from firmware_protocol.device.flash import PAGE_SAMPLES
from firmware_protocol.frames import decode_frames
from tests.unit.firmware_protocol.reference.twin import (
    REFERENCE,
    SANITIZERS,
    WARNINGS,
    Scenario,
    compile_c,
)

pytestmark = pytest.mark.slow

BASE = Feature.BACKFILL | Feature.TIME_SYNC
HOST = REFERENCE / "host" / "nt_host.c"


@pytest.fixture(scope="session")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The library as a process, for 6 and for 9 columns."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed: apt-get install gcc")
    folder = tmp_path_factory.mktemp("reference")
    return {
        columns: compile_c(
            [HOST],
            folder / f"host{columns}",
            *SANITIZERS,
            f"-DNT_COLUMNS={columns}u",
            "-D_POSIX_C_SOURCE=200809L",
        )
        for columns in (6, 9)
    }


def answers_of(program: Path, arguments: list[str], lines: list[str]) -> list[list[str]]:
    """What the program printed for each line."""
    done = subprocess.run(
        [str(program), *arguments],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[list[str]] = [[]]
    for line in done.stdout.splitlines():
        found[-1].append(line.strip())
        if line.startswith("="):
            found.append([])
    return found[:-1]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("features", [BASE, BASE | Feature.MAG], ids=["acc-gyr", "mag"])
def test_c_and_python_send_the_same_bytes(
    hosts: dict[int, Path], features: Feature, seed: int
) -> None:
    scenario = Scenario(np.random.default_rng(seed), features)
    scenario.do_connect()
    for _ in range(500):
        scenario.step()
    program = hosts[9 if Feature.MAG in features else 6]
    found = answers_of(program, scenario.arguments, scenario.lines)
    for at, (line, expected) in enumerate(zip(scenario.lines, scenario.expected, strict=True)):
        assert found[at] == expected, f"call {at}: {line[:200]}"


@pytest.mark.parametrize("features", [Feature.TIME_SYNC, Feature.BACKFILL, Feature(0)])
def test_features_that_are_left_out(hosts: dict[int, Path], features: Feature) -> None:
    scenario = Scenario(np.random.default_rng(99), features)
    scenario.do_connect()
    for _ in range(200):
        scenario.step()
    assert answers_of(hosts[6], scenario.arguments, scenario.lines) == scenario.expected


def test_scenarios_reach_what_matters() -> None:
    """The comparison would be worth little if the random calls never streamed or reported."""
    seen: dict[str, int] = dict.fromkeys("123457", 0)
    wrapped = incomplete = 0
    for seed in range(12):
        scenario = Scenario(np.random.default_rng(seed), BASE)
        scenario.do_connect()
        for _ in range(500):
            scenario.step()
        sent = [line for call in scenario.expected for line in call if line.startswith(">")]
        for line in sent:
            seen[line.split()[1]] += 1
        wrapped += scenario.sensor.flash.wrapped
        incomplete += sum(bool(re.match(r"> 2 90..08", line)) for line in sent)
    assert min(seen[c] for c in "12345") > 20
    assert wrapped > 2
    assert incomplete > 2


def test_a_full_radio_delays_and_loses_nothing(hosts: dict[int, Path]) -> None:
    n = PAGE_SAMPLES
    times = " ".join(str(10_000 * i) for i in range(n))
    counts = np.arange(n * 6, dtype=np.int16).reshape(n, 6)
    connect = ["connect 247 12", "sub 2 1 0", "sub 1 1 0", "sub 5 1 0", "write 2 0 0302"]
    live = [f"push 0 54 {' '.join(times.split()[:54])} {counts[:54].tobytes().hex()}"]
    scenario = Scenario(np.random.default_rng(0), BASE)
    lines = ["set recording 1", *connect, *live, "room 1", "due 1000000", "room -1", "due 1100000"]
    frames = [line for call in answers_of(hosts[6], scenario.arguments, lines) for line in call]
    sent = [bytes.fromhex(x.split()[2]) for x in frames if x.startswith("> 1 ")]
    imu = decode_frames(sent).imu
    assert imu.seq.tolist() == [0, 1, 2]
    assert np.array_equal(imu.samples, counts[:54])

    report = bytes((0x10, 3, 0x0E, 13, 1)) + (3).to_bytes(4, "little") + bytes(8)
    back = [f"write 2 0 {report.hex()}", "due 1200000", "room 2", "due 9000000", "due 9000000"]
    back += ["room -1", "due 9000000", "due 9100000"]
    calls = answers_of(hosts[6], scenario.arguments, [*lines, *back])
    stored = [bytes.fromhex(x.split()[2]) for c in calls for x in c if x.startswith("> 5 ")]
    again = decode_frames(stored).imu
    assert again.seq.tolist() == [0, 1, 2]
    assert np.array_equal(again.samples, counts[:54])
    assert calls[-2][-2].startswith("> 2 900301")


def test_the_fuzz_target_survives(tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed: apt-get install gcc")
    for columns in (6, 9):
        program = compile_c(
            [REFERENCE / "fuzz" / "fuzz_sensor.c"],
            tmp_path / f"fuzz{columns}",
            *SANITIZERS,
            "-DNT_FUZZ_MAIN",
            f"-DNT_COLUMNS={columns}u",
        )
        done = subprocess.run(
            [str(program), "11", "1500"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        sent = int(done.stdout.split()[2])
        assert sent > 5_000


ARM = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "-Os")


def test_it_builds_for_a_cortex_m4_within_the_documented_size(tmp_path: Path) -> None:
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("gcc-arm-none-eabi is not installed: apt-get install gcc-arm-none-eabi")
    objects = []
    for source in sorted(REFERENCE.glob("nt_*.c")):
        objects.append(str(tmp_path / f"{source.stem}.o"))
        build = ["arm-none-eabi-gcc", *WARNINGS, *ARM, "-c", str(source), "-o", objects[-1]]
        subprocess.run(build, check=True)
    sizes = subprocess.run(
        ["arm-none-eabi-size", "-t", *objects], capture_output=True, text=True, check=True
    )
    text, data, bss = map(int, sizes.stdout.splitlines()[-1].split()[:3])
    assert (data, bss) == (0, 0), "all memory is the board's"
    assert text < 8 * 1024
    symbols = subprocess.run(
        ["arm-none-eabi-nm", "-u", *objects], capture_output=True, text=True, check=True
    )
    wanted = set(re.findall(r"U (\w+)", symbols.stdout))
    foreign = {s for s in wanted if not s.startswith(("nt_", "__aeabi"))}
    assert foreign <= {"memcpy", "memset", "memmove", "memcmp", "memchr", "strlen"}

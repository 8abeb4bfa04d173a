"""The week in a patient's words: better, worse, or cannot say yet and why; no percentage points."""

import re

import pytest

from api.runtime import Runtime
from api.web.progress import Said, progress_of


def week(runtime: Runtime, patient: str) -> dict[str, Said]:
    found = progress_of(runtime, runtime.catalog.patient(patient))
    return {said.name: said for said in found.week}


def test_a_toxin_that_wears_off_is_worse_in_minutes_and_counts(runtime: Runtime) -> None:
    said = week(runtime, "p1")
    near, jerks = said["Time near your neutral position"], said["Candidate jerks"]
    assert (near.verdict, jerks.verdict) == ("worse", "worse")
    assert re.match(r"About \d[\d.]* minutes less of every hour \(between ", near.why)
    assert re.match(r"About \d[\d.]* more in every hour \(between ", jerks.why)
    low, high = map(float, re.findall(r"between ([\d.]+) and ([\d.]+)", near.why)[0])
    estimate = float(near.why.split()[1])
    assert 0.0 < low <= estimate <= high
    # the made-up deviation rises by some 3°, and its share of time near neutral by 1/28 a degree
    assert estimate == pytest.approx(60.0 * 3.0 / 28.0, abs=5.0)
    assert "%" not in near.why
    assert "point" not in near.why


def test_too_few_days_say_so_and_what_helps(runtime: Runtime) -> None:
    near = week(runtime, "p3")["Time near your neutral position"]
    assert near.verdict == "unclear"
    assert re.match(r"Of the last seven days, [01] can be used; 4 are needed\.", near.why)
    assert "at least 6 h" in near.why

"""Verdicts: by overlap, so that they outlive reprocessing."""

import dataclasses

from fastapi.testclient import TestClient

from api.clinic.verdicts import verdict_of, verdicts_between
from api.queries import FOREVER_NS
from api.runtime import Runtime
from processing.types import Episode
from storage.notes import annotation_history
from storage.result_rows import ResultBatch
from tests.support.clinic_folder import ALGO


def first_posture(runtime: Runtime) -> Episode:
    return runtime.results.episodes("p1", 0, FOREVER_NS, kind="posture")[-1]


def judge(client: TestClient, episode: Episode, verdict: str) -> None:
    data = {"kind": episode.kind, "start_ns": str(episode.start_ns), "verdict": verdict}
    answer = client.post("/clinic/patients/p1/verdicts", data=data, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"].endswith(f"#e{episode.start_ns}")


def test_a_verdict_outlives_reprocessing(runtime: Runtime, client: TestClient) -> None:
    episode = first_posture(runtime)
    judge(client, episode, "confirm")
    moved = dataclasses.replace(
        episode, start_ns=episode.start_ns + 10**9, end_ns=episode.end_ns + 2 * 10**9
    )
    around = (episode.start_ns - 10**9, moved.end_ns + 10**9)
    runtime.results.put(ResultBatch("p1", ALGO, episodes=(moved,)), replace_ns=around)
    page = client.get("/clinic/patients/p1/episodes?kind=posture").text
    assert f'id="e{moved.start_ns}" tabindex="-1" data-verdict="confirm"' in page


def test_changing_ones_mind_keeps_the_history(runtime: Runtime, client: TestClient) -> None:
    episode = first_posture(runtime)
    for verdict in ("confirm", "reject"):
        judge(client, episode, verdict)
    (held,) = verdicts_between(runtime.catalog, "p1", episode.start_ns, episode.end_ns)
    assert held.body["accepted"] is False
    assert annotation_history(runtime.catalog, held.id)[0].before["body"]["accepted"] is True
    judge(client, episode, "clear")
    assert verdicts_between(runtime.catalog, "p1", episode.start_ns, episode.end_ns) == []


def test_a_verdict_belongs_to_one_kind_and_the_largest_overlap(
    runtime: Runtime, client: TestClient
) -> None:
    episode = first_posture(runtime)
    judge(client, episode, "reject")
    held = verdicts_between(runtime.catalog, "p1", episode.start_ns, episode.end_ns)
    jerk = dataclasses.replace(episode, kind="jerk")
    later = dataclasses.replace(episode, start_ns=episode.end_ns + 1, end_ns=episode.end_ns + 9)
    assert verdict_of(episode, held) is held[0]
    assert verdict_of(jerk, held) is None
    assert verdict_of(later, held) is None


def test_an_episode_that_is_not_there_cannot_be_judged(client: TestClient) -> None:
    data = {"kind": "jerk", "start_ns": "17", "verdict": "confirm"}
    assert client.post("/clinic/patients/p1/verdicts", data=data).status_code == 404

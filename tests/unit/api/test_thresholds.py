"""Thresholds of a patient: their defaults are the detectors', and they reach the processing."""

from pathlib import Path

from api.hub.recording import params_in_force
from api.thresholds import Thresholds, pipeline_params, save_thresholds, thresholds_of
from ingest.reprocess_version import begin_version
from processing.pipeline import PipelineParams
from storage.catalog import Catalog, Patient
from storage.embedded import EmbeddedStore
from storage.exchange import scope_of
from storage.result_rows import ResultBatch
from tests.support.results import seconds


def test_the_defaults_change_nothing() -> None:
    assert pipeline_params(Thresholds()) == PipelineParams()


def test_each_threshold_of_the_detectors_reaches_the_processing() -> None:
    params = pipeline_params(
        Thresholds(
            posture_on_deg=21.0, posture_off_deg=11.0, posture_least_s=7.0, jerk_least_deg=5.0,
            tremor_least_pp_deg=0.5,
        )
    ).episodes  # fmt: skip
    posture = params.posture
    assert (posture.theta_on_deg, posture.theta_off_deg, posture.duration_min_s) == (21, 11, 7)
    assert (params.jerk.amplitude_min_deg, params.tremor.pp_min_deg) == (5, 0.5)


def test_recording_goes_on_as_the_shown_results_were_made(tmp_path: Path) -> None:
    with Catalog(tmp_path) as catalog:
        catalog.save_patient(Patient("p1", "Sam", "UTC"))
        store = EmbeddedStore(tmp_path)
        save_thresholds(catalog, "p1", Thresholds(jerk_least_deg=6.0), "test")
        own = pipeline_params(thresholds_of(catalog, "p1"))
        assert params_in_force(store, catalog, "p1") == own
        default = PipelineParams()
        store.book.register("p1", default.algorithm_id, version="1", params_hash=default.hash)
        assert params_in_force(store, catalog, "p1") == default
        store.book.register("p1", own.algorithm_id, version="1", params_hash=own.hash)
        store.book.switch("p1", own.algorithm_id)
        assert params_in_force(store, catalog, "p1") == own
        # made again with a file of parameters, then recording is started anew
        others = pipeline_params(Thresholds(jerk_least_deg=7.0))
        store.book.switch("p1", begin_version(store.book, "p1", others, (0, 1)))
        assert params_in_force(store, catalog, "p1") == others
        store.put(ResultBatch("p1", others.algorithm_id, angles=seconds(0, 3)))
        assert len(store.angles("p1", 0, 2**62).t_ns) == 3, "new results join what is shown"
        store.close()


def test_what_is_unknown_or_broken_is_the_default(tmp_path: Path) -> None:
    with Catalog(tmp_path) as catalog:
        catalog.save_patient(Patient("p1", "Sam", "UTC"))
        for held in (
            {"silent_d": 5, "new": 1},
            {"silent_d": "x"},
            {"least_worn_h": True},
            ["?"],
            None,
        ):
            catalog.set_setting(scope_of("p1"), "thresholds", held)
            found = thresholds_of(catalog, "p1")
            assert found.silent_d in {3, 5}
            assert found.least_worn_h == 6.0

"""The page that calibrates, after a sensor slipped: the way out comes first."""

import re
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.guided.view import GuideStepView, GuideView
from api.http.app import create_app
from api.runtime import Runtime
from api.settings import Settings
from storage.catalog import Catalog, Patient
from storage.embedded import EmbeddedStore
from storage.record.reader import RecordReader
from tests.unit.api.access.conftest import BASE


@pytest.mark.parametrize("slipped", [True, False])
def test_putting_it_on_again_is_the_large_button(tmp_path: Path, slipped: bool) -> None:
    step = GuideStepView(
        kind="midline_pose", state="again", seconds=5.0, times=0, problem="head_slipped"
    )
    view = GuideView(
        task="reset",
        state="failed",
        steps=[step],
        sending=True,
        poses=["neutral_pose", "midline_pose"],
        slipped=slipped,
    )
    guide: Any = SimpleNamespace(view=view)
    with (
        closing(EmbeddedStore(tmp_path)) as results,
        RecordReader(tmp_path) as record,
        Catalog(tmp_path) as catalog,
    ):
        catalog.save_patient(Patient("p1", "Sam", "UTC"))
        runtime = Runtime(
            settings=Settings(data_dir=tmp_path, port=8765),
            mode="up",
            record=record,
            results=results,
            catalog=catalog,
            guide=guide,
            port=8765,
        )
        text = TestClient(create_app(runtime), base_url=BASE).get("/setup").text
    (form,) = re.findall(r"<form[^>]*data-part=\"slipped\"[^>]*>", text)
    assert ("hidden" in form) is not slipped
    (today,) = re.findall(r"<a class=\"([^\"]*)\" data-part=\"to-today\"", text)
    assert ("quiet" in today) is slipped

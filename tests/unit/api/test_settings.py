"""Settings: sources in order, refusals in words, all documented."""

from pathlib import Path

import pytest

from api.errors import SettingsError
from api.reference.documents import settings_page
from api.settings import Settings, config_file, load_settings

DOCS = Path(__file__).parents[3] / "docs" / "reference" / "settings.md"


@pytest.fixture(autouse=True)
def own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "necktrace.toml"
    monkeypatch.setenv("NECKTRACE_CONFIG", str(path))
    for name in Settings.model_fields:
        monkeypatch.delenv(f"NECKTRACE_{name.upper()}", raising=False)
    return path


def test_order_of_sources(own_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert config_file() == own_config
    own_config.write_text("port = 1001\nmax_points = 77\n")
    assert load_settings().port == 1001
    monkeypatch.setenv("NECKTRACE_PORT", "1002")
    assert load_settings().port == 1002
    assert load_settings(port=1003).port == 1003
    assert load_settings(port=None).max_points == 77


def test_unknown_setting_in_the_file_is_refused(own_config: Path) -> None:
    own_config.write_text("prot = 1001\n")
    with pytest.raises(SettingsError, match="prot"):
        load_settings()


def test_broken_file_is_named(own_config: Path) -> None:
    own_config.write_text("port = = 1\n")
    with pytest.raises(SettingsError, match=r"necktrace\.toml cannot be read"):
        load_settings()


def test_unknown_zone_is_refused() -> None:
    with pytest.raises(SettingsError, match="Europe/Berlin"):
        load_settings(zone="Mars/Olympus")
    with pytest.raises(SettingsError, match="zone"):
        load_settings(zone="../../etc/passwd")


def test_only_loopback_can_be_served() -> None:
    with pytest.raises(SettingsError, match="host"):
        load_settings(host="0.0.0.0")


def test_zone_of_this_computer_is_a_real_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    assert load_settings().zone_name == "America/New_York"
    assert load_settings(zone="Asia/Tokyo").zone_name == "Asia/Tokyo"


def test_every_setting_is_documented() -> None:
    assert DOCS.read_text(encoding="utf-8") == settings_page(), "make it anew"
    for name, field in Settings.model_fields.items():
        assert f"`NECKTRACE_{name.upper()}`" in settings_page()
        assert field.description, name

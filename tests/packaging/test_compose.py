"""The clinic's services: what is reachable, what is kept, where secrets come from."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.access.arrival import trusted_proxy
from api.settings import Settings, load_settings

CHECKOUT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8")
DATA = {"influxdb": "/var/lib/influxdb2", "api": "/data", "proxy": "/data"}
every_service = pytest.mark.parametrize("name", SERVICES)


@every_service
def test_images_are_pinned(name: str) -> None:
    tag = SERVICES[name]["image"].rpartition(":")[2]
    assert re.fullmatch(r"\d+\.\d+(\.\d+)?", tag), f"{name}: {tag}"


def test_images_are_pinned_where_ours_is_built() -> None:
    for base in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE):
        assert re.search(r":\d+\.\d+", base), base


@every_service
def test_only_the_proxy_is_reachable_from_other_computers(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        beyond = not str(port).startswith("127.0.0.1:")
        assert not beyond or (name, port) == ("proxy", "443:443")
    assert "network_mode" not in SERVICES[name]
    assert "privileged" not in SERVICES[name]


def test_the_api_publishes_nothing_and_shares_only_the_inner_network() -> None:
    assert "ports" not in SERVICES["api"]
    assert SERVICES["api"]["networks"] == ["inside"]
    assert "outside" in SERVICES["proxy"]["networks"]


@every_service
def test_every_service_says_whether_it_works_and_comes_back(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize(("name", "folder"), DATA.items())
def test_data_outlives_its_container(name: str, folder: str) -> None:
    held = dict(volume.split(":")[::-1] for volume in SERVICES[name]["volumes"])
    assert held[folder] in COMPOSE["volumes"]


def test_secrets_come_from_files_that_are_not_committed() -> None:
    ignored = (CHECKOUT / ".gitignore").read_text(encoding="utf-8").split()
    image = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").split()
    assert "secrets/" in ignored
    assert "secrets" in image
    for secret in COMPOSE["secrets"].values():
        assert secret["file"].startswith("./secrets/")
    for name, service in SERVICES.items():
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|TOKEN|SECRET", variable):
                assert variable.endswith("FILE"), f"{name}: {variable}"
                assert str(value).startswith("/run/secrets/")
                assert Path(str(value)).name in service["secrets"]


def test_every_environment_name_is_a_setting() -> None:
    for service in SERVICES.values():
        for variable in service.get("environment", {}):
            if variable.startswith("NECKTRACE_"):
                assert variable.removeprefix("NECKTRACE_").lower() in Settings.model_fields
    for variable in re.findall(r"\bNECKTRACE_(\w+)", DOCKERFILE):
        assert variable.lower() in Settings.model_fields


def test_our_settings_take_these_values(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = SERVICES["api"]["environment"]
    for variable, value in environment.items():
        plain = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))
        monkeypatch.setenv(variable, plain)
    settings = load_settings()
    proxy = trusted_proxy(settings)
    assert proxy is not None
    assert proxy.name in SERVICES, "the proxy is trusted by its name in the network"
    assert settings.host == "0.0.0.0"
    assert f"reverse_proxy api:{settings.port}" in COMPOSE["configs"]["caddyfile"]["content"]
    assert settings.influx_url.startswith("http://influxdb:")
    assert SERVICES["influxdb"]["environment"]["DOCKER_INFLUXDB_INIT_ORG"] == settings.influx_org


def test_the_liveness_route_is_the_one_that_exists() -> None:
    from api.http.gate import LIVENESS

    assert any(LIVENESS in part for part in SERVICES["api"]["healthcheck"]["test"])
    assert LIVENESS in DOCKERFILE


def test_the_image_compiles_kernels_where_it_looks_for_them() -> None:
    """The step that warms runs after the folder is set, and as the user who runs the server."""
    order = [
        DOCKERFILE.index(part)
        for part in (
            "NUMBA_CACHE_DIR=/kernels",
            "USER necktrace",
            "python -m api.warm_up",
            'CMD ["neck',
        )
    ]
    assert order == sorted(order)
    assert "install -d -o necktrace /data /kernels" in DOCKERFILE


def test_the_step_that_warms_runs(tmp_path: Path) -> None:
    """Without the compiler itself, which takes a minute."""
    module = re.search(r"^RUN python -m (\S+)$", DOCKERFILE, re.MULTILINE)
    assert module is not None
    plain = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_DISABLE_JIT": "1"}
    step = [sys.executable, "-m", module[1]]
    subprocess.run(step, env=plain, cwd=CHECKOUT, check=True, timeout=120)

"""What the production files say, against what the code has. `check` tries the whole."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.config import Settings
from app.errors import Invalid
from app.processes.programs import all_programs

ROOT = Path(__file__).parents[2]
FOREIGN = {"postgres"}
ONCE = {"prepare", "migrate"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    text = (ROOT / "docker-compose.yml").read_text()
    found: dict[str, Any] = yaml.safe_load(text)["services"]
    return found


def test_compose_runs_every_process_there_is(services: dict[str, Any], tmp_path: Path) -> None:
    names = {program.name for program in all_programs(Settings(data_dir=tmp_path)._completed())}
    assert set(services) == names | FOREIGN | ONCE
    for name in names | ONCE:
        assert services[name]["command"] == [name]


def test_every_container_of_ours_is_held_short(services: dict[str, Any]) -> None:
    for name in set(services) - FOREIGN:
        service = services[name]
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name


def test_only_those_who_need_docker_have_its_socket(services: dict[str, Any]) -> None:
    holders = {
        name
        for name, service in services.items()
        if any("docker.sock" in volume for volume in service.get("volumes", []))
    }
    assert holders == {"worker", "observer", "cron", "migrate"}


def test_only_workers_have_the_operators_keys(services: dict[str, Any]) -> None:
    """All containers run as the same user: what they may read is what they are given."""
    holders = {
        name
        for name, service in services.items()
        if any("/operator" in volume for volume in service.get("volumes", []))
    }
    assert holders == {"worker", "migrate"}
    for name in holders:
        path = services[name]["environment"]["MOONBASE_OPERATOR_KEYS"]
        assert path == "/var/lib/moonbase/operator/operator.keys"


def test_images_are_made_where_programs_may_run(services: dict[str, Any]) -> None:
    """Docker mounts a container's `/tmp` so that nothing in it can be executed."""
    for name in ("migrate", "worker"):
        folder = services[name]["environment"]["TMPDIR"]
        assert any(volume.endswith(f":{folder}") for volume in services[name]["volumes"]), name


def test_code_of_addons_meets_nothing_of_ours(services: dict[str, Any]) -> None:
    asker = services["asker"]
    assert asker["network_mode"] == "none" and "secrets" not in asker
    places = {volume.split(":")[0]: volume.split(":")[2:] for volume in asker["volumes"]}
    assert places == {"run": [], "addons": ["ro"]}
    assert asker["environment"]["DATABASE_URL"] == "unused"
    # What lets the sandbox be made is given to nobody else.
    unconfined = [name for name, one in services.items() if "seccomp:unconfined" in str(one)]
    assert unconfined == ["asker"]


def test_only_root_s_work_is_done_by_root(services: dict[str, Any]) -> None:
    assert {name for name, one in services.items() if one.get("user") == "root"} == {
        "prepare",
        "front",
    }


def test_what_the_image_is_made_of_is_there_and_let_through() -> None:
    text = (ROOT / "Dockerfile").read_text()
    sources = [
        word
        for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)
        for word in line.split()[:-1]
    ]
    ignored = (ROOT / ".dockerignore").read_text()
    assert len(sources) > 10
    for source in sources:
        assert (ROOT / source).exists(), source
        assert f"!{source.split('/')[0]}\n" in ignored, source


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql+psycopg://u:p@/db\n")
    settings = Settings.read(
        {
            "DATA_DIR": str(tmp_path),
            "DATABASE_URL_FILE": str(secret),
            "MOONBASE_SECRET_KEY": "x",
        }
    )
    assert settings.database_url == "postgresql+psycopg://u:p@/db"
    with pytest.raises(Invalid, match="DATABASE_URL_FILE"):
        Settings.read({"DATA_DIR": str(tmp_path), "DATABASE_URL_FILE": "/nonexistent"})


def test_preparing_twice_keeps_every_secret(tmp_path: Path) -> None:
    (tmp_path / "setup").mkdir()
    shutil.copy(ROOT / "setup" / "prepare-production.sh", tmp_path / "setup")
    words = ["setup/prepare-production.sh", "panel.example.com", "sites.example.com"]

    def prepare() -> dict[str, bytes]:
        subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
        files = (path for path in (tmp_path / "secrets").rglob("*") if path.is_file())
        return {path.name: path.read_bytes() for path in files}

    first = prepare()
    assert {"database_password", "database_url", "session.key", "tls.key"} <= set(first)
    assert first["database_password"].decode().strip() in first["database_url"].decode()
    assert prepare() == first
    for path in (tmp_path / "secrets").rglob("*"):
        if path.is_file():
            assert not stat.S_IMODE(path.stat().st_mode) & 0o007, path.name
    assert "MOONBASE_PANEL_HOST=panel.example.com" in (tmp_path / ".env").read_text()


def test_the_unit_starts_what_make_run_starts() -> None:
    unit = (ROOT / "setup" / "moonbase.service").read_text()
    assert "-m app.processes.up" in unit
    assert "app.processes.up" in (ROOT / "Makefile").read_text()
    assert os.access(ROOT / "setup" / "install.sh", os.X_OK)

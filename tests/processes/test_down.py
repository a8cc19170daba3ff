"""`make stop`: sites first, then the servers they need."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.adapters.engine import (
    LABEL_INSTALLATION,
    LABEL_SERVICE,
    ContainerSpec,
    Limits,
    NetworkSpec,
)
from app.adapters.engine.fake import FakeEngine
from app.processes.down import main, stop_containers


def test_servers_of_services_end_after_the_sites() -> None:
    engine = FakeEngine()
    image = engine.add_image("base:1")
    engine.ensure_network(NetworkSpec("network", "10.213.0.0/27", {}))
    ours = {LABEL_INSTALLATION: "this one"}
    for name, labels in (
        ("database", {**ours, LABEL_SERVICE: "key"}),
        ("site-1", ours),
        ("site-2", ours),
        ("another-s", {LABEL_INSTALLATION: "another one"}),
    ):
        engine.start_container(ContainerSpec(name, image.id, labels, "network", Limits(1, 1, 1)))
    assert stop_containers(engine, ours) == (2, 1)
    stopped = [name for method, name in engine.calls if method == "stop_container"]
    assert set(stopped[:2]) == {"site-1", "site-2"} and stopped[2:] == ["database"]
    assert stop_containers(engine, ours) == (0, 0)


def test_a_start_that_went_no_further_is_stopped_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As when the engine did not start: there are folders, and no database yet."""
    (tmp_path / "panel").mkdir()
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    assert main() == 0
    assert capsys.readouterr() == ("", "")

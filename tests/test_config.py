"""Settings from the environment: safe defaults, and a sentence for what cannot be used."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from app.config import Settings, kept_secret
from app.errors import Invalid


def read(tmp_path: Path, **variables: str) -> Settings:
    return Settings.read({"DATA_DIR": str(tmp_path), **variables})


def test_nothing_needs_to_be_set(tmp_path: Path) -> None:
    settings = read(tmp_path)
    assert settings.database_url == f"sqlite:///{tmp_path}/panel/panel.sqlite3"
    assert settings.uses_sqlite and not settings.is_testing
    assert len(settings.secret_key) > 40
    assert read(tmp_path).secret_key == settings.secret_key


def test_long_and_short_names_are_read_and_the_long_one_wins(tmp_path: Path) -> None:
    assert read(tmp_path, PORT="9000").port == 9000
    assert read(tmp_path, PORT="9000", MOONBASE_PORT="9001").port == 9001
    assert read(tmp_path, MOONBASE_SIGN_UP_IS_OPEN="no").sign_up_is_open is False
    assert read(tmp_path, MOONBASE_TIME_LEASE="2.5").times.lease == 2.5


@pytest.mark.parametrize("text", ["", "eighty", "-1", "1.5", "²", "８０"])
def test_a_number_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(Invalid, match="PORT must be a whole number"):
        read(tmp_path, MOONBASE_PORT=text)


def test_a_time_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="MOONBASE_TIME_LEASE"):
        read(tmp_path, MOONBASE_TIME_LEASE="soon")


@pytest.mark.parametrize("host", ["panel.sites.example", "sites.example", "PANEL.Sites.Example"])
def test_the_panel_shares_no_cookies_with_sites(tmp_path: Path, host: str) -> None:
    variables = {"MOONBASE_PLATFORM_DOMAIN": "sites.example", "MOONBASE_PANEL_HOST": host}
    with pytest.raises(Invalid, match="lies under the platform domain"):
        read(tmp_path, **variables)


def test_sites_under_the_panels_host_need_https(tmp_path: Path) -> None:
    """A site there can set a cookie for the panel; over TLS it is not the panel's `__Host-` one."""
    hosts = {"MOONBASE_PLATFORM_DOMAIN": "sites.panel.test", "MOONBASE_PANEL_HOST": "panel.test"}
    with pytest.raises(Invalid, match="lies under the panel's host"):
        read(tmp_path, **hosts)
    assert read(tmp_path, **hosts, MOONBASE_IS_HTTPS="yes")
    assert read(tmp_path, MOONBASE_PLATFORM_DOMAIN="sites.localhost")


def test_a_panel_elsewhere_or_on_loopback_is_fine(tmp_path: Path) -> None:
    variables = {"MOONBASE_PLATFORM_DOMAIN": "sites.example"}
    assert read(tmp_path, **variables, MOONBASE_PANEL_HOST="panel.example")
    assert read(tmp_path, **variables, MOONBASE_PANEL_HOST="notsites.example")
    assert read(tmp_path, MOONBASE_PANEL_HOST="panel.localhost")


def test_addresses_shown_to_people(tmp_path: Path) -> None:
    settings = read(tmp_path, SSH_PORT="2200", SITES_PORT="80")
    assert settings.ssh_url("demo") == "ssh://git@localhost:2200/demo.git"
    assert settings.site_url("demo.localhost") == "http://demo.localhost"
    assert read(tmp_path).site_url("demo.localhost") == "http://demo.localhost:8080"


@pytest.mark.parametrize(
    ("name", "value"),
    [("SITES_ADDRESSES", "192.0.2.1, example.com"), ("OUTBOUND_NETWORKS", "10.1.0.1/16")],
)
def test_addresses_that_are_none_are_refused_at_the_start(
    tmp_path: Path, name: str, value: str
) -> None:
    with pytest.raises(Invalid, match=name):
        read(tmp_path, **{f"MOONBASE_{name}": value})
    assert read(tmp_path, **{f"MOONBASE_{name}": "192.0.2.1, 2001:db8::1"})


def test_a_kept_secret_is_made_once_and_read_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "a.key"
    seen: list[str] = []
    threads = [threading.Thread(target=lambda: seen.append(kept_secret(path))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 20 and len(set(seen)) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["a.key"]

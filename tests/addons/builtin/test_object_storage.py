"""The addon for uploaded files."""

from __future__ import annotations

from typing import Any

import pytest

from app.addons.api import ServiceKind
from tests.addons.builtin.asking import contribution_of, module_of

ADDRESS = "s3://key:se%2Bcret@files.s3.example.com:9000/?domain=media.example.com"


def settings(**data: object) -> dict[str, Any]:
    module = module_of("object-storage", "site_settings.py")
    found: dict[str, Any] = module.to_settings(data, {"STORAGES": {"default": "a folder"}})
    return found["STORAGES"]["default"]  # type: ignore[no-any-return]


def test_it_asks_for_storage() -> None:
    found = contribution_of("object-storage", is_public=False)
    assert found.services[0].kind == ServiceKind.OBJECT_STORAGE
    assert found.services[0].options == {"access": "private"}
    assert contribution_of("object-storage").services[0].options == {"access": "public"}


def test_the_address_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFAULT_STORAGE_DSN", ADDRESS)
    options = settings()["OPTIONS"]
    assert (options["access_key"], options["secret_key"]) == ("key", "se+cret")
    assert options["bucket_name"] == "files"
    assert options["endpoint_url"] == "https://s3.example.com:9000"
    assert options["custom_domain"] == "media.example.com"
    assert options["querystring_auth"] is False


def test_private_files_have_signed_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFAULT_STORAGE_DSN", ADDRESS)
    options = settings(is_public=False, link_seconds=60)["OPTIONS"]
    assert options["querystring_auth"] is True and options["querystring_expire"] == 60
    assert "custom_domain" not in options


def test_without_a_service_files_stay_in_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEFAULT_STORAGE_DSN", raising=False)
    assert settings() == "a folder"


def test_an_embedded_server_is_reached_as_its_address_says(monkeypatch: pytest.MonkeyPatch) -> None:
    media = "m1--media.localhost%3A8080"
    monkeypatch.setenv(
        "DEFAULT_STORAGE_DSN",
        f"s3://key:secret@m1.s3-us-east-1.m2.internal/?domain={media}&url=http%3A%2F%2F{media}%2F"
        "&scheme=http&region_name=us-east-1&addressing_style=path",
    )
    options = settings()["OPTIONS"]
    assert options["endpoint_url"] == "http://s3-us-east-1.m2.internal"
    assert (options["region_name"], options["addressing_style"]) == ("us-east-1", "path")
    assert (options["url_protocol"], options["custom_domain"]) == (
        "http:",
        "m1--media.localhost:8080",
    )

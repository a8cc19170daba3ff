"""Static files: named by what is in them, kept by browsers for as long as that stays."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from flask import Flask, url_for
from flask.testing import FlaskClient

KEPT = "public, max-age=31536000, immutable"


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def folder(app: Flask, tmp_path: Path) -> Path:
    """Static files of the test's own."""
    app.static_folder = str(tmp_path)
    (tmp_path / "a.css").write_text("a {}")
    return tmp_path


def address(app: Flask, filename: str = "a.css") -> str:
    with app.test_request_context():
        return url_for("static", filename=filename)


def test_a_page_names_what_is_in_its_files_and_they_are_kept(client: FlaskClient) -> None:
    page = client.get("/account/sign-in/").text
    found = re.findall(r'(?:src|href)="(/static/[^"#]+)', page)
    assert len(found) >= 6
    for name in set(found):
        answer = client.get(name)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, KEPT), name


def test_the_font_s_style_sheet_names_what_is_in_the_fonts(client: FlaskClient) -> None:
    sheet = client.get("/static/vendor/inter.css").text
    found = re.findall(r"url\(\./([^)]+)\)", sheet)
    assert len(found) == 2
    for name in found:
        assert client.get(f"/static/vendor/{name}").headers["Cache-Control"] == KEPT, name


def test_another_content_has_another_address(app: Flask, folder: Path) -> None:
    before = address(app)
    (folder / "a.css").write_text("b {}")
    os.utime(folder / "a.css", ns=(1, 1))  # a clock that went back is a change too
    after = address(app)
    assert before != after
    client = app.test_client()
    assert client.get(after).headers["Cache-Control"] == KEPT
    # A page of before gets the file, but does not keep the new one as the old.
    assert client.get(before).headers["Cache-Control"] == "no-cache"


def test_an_address_without_the_content_is_asked_for_each_time(app: Flask, folder: Path) -> None:
    client = app.test_client()
    for name in ("/static/a.css", "/static/a.css?v=", "/static/a.css?v=0"):
        assert client.get(name).headers["Cache-Control"] == "no-cache", name


@pytest.mark.parametrize("name", ["none.css", "../a.css", "", "a\0.css", "."])
def test_a_file_that_is_not_there_has_no_content(app: Flask, folder: Path, name: str) -> None:
    assert "?v=" not in address(app, name)
    answer = app.test_client().get(f"/static/{name}?v=1")
    assert answer.status_code == 404
    assert "immutable" not in answer.headers.get("Cache-Control", "")


def test_one_that_is_kept_may_still_be_asked_for(app: Flask, folder: Path) -> None:
    client = app.test_client()
    tag = client.get(address(app)).headers["ETag"]
    again = client.get(address(app), headers={"If-None-Match": tag})
    assert (again.status_code, again.headers["Cache-Control"]) == (304, KEPT)

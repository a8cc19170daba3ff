"""Archives as `divio addon upload` makes them, and as nobody should."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

NAME = "susan-example"
FORM = """\
from aldryn_client import forms


class Form(forms.BaseForm):
    title = forms.CharField("Title", initial="Hello", max_length=20)

    def to_settings(self, data, settings):
        return settings
"""
PLUGIN = """\
from app.addons.api import AddonInfo, Field, Rights, hookimpl


@hookimpl
def addon_info():
    return AddonInfo(
        package_name="susan-example",
        name="Susan",
        version="1.0",
        summary="Greets people.",
        categories=("fun",),
        rights=Rights(writes_variables=("GREETING",)),
        changes="All new.",
    )


@hookimpl
def settings_form():
    return (Field("greeting", "Greeting", variable="GREETING"),)
"""
Members = Mapping[str, str | bytes | None]
"""None leaves a member out that would be there."""


def tar(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """A gzip tar of exactly these members."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="w", compresslevel=1, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as archive,
    ):
        for member, data in members:
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def files(members: Members) -> list[tuple[tarfile.TarInfo, bytes]]:
    """Ordinary files of these names."""
    return [
        (tarfile.TarInfo(name), data.encode() if isinstance(data, str) else data)
        for name, data in members.items()
        if data is not None
    ]


def special(kind: bytes, name: str, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    """A member that is no ordinary file, e.g. `tarfile.SYMTYPE`."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def sdist(name: str = NAME, version: str = "1.0", more: Members | None = None) -> bytes:
    """A source distribution as setuptools makes it."""
    module, root = name.replace("-", "_"), f"{name}-{version}"
    members: Members = {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nWords: none\n",
        "setup.py": f'from setuptools import setup\n\nsetup(\n    name="{name}",\n)\n',
        "README.rst": "Susan\n=====\n\nIt *greets*.\n",
        "LICENSE": "Do what you like.\n",
        "CHANGELOG.md": "1.0: the first.\n",
        f"{module}/__init__.py": f'__version__ = "{version}"\n',
        f"{module}/templates/{module}/page.html": "<p>Hello</p>\n",
        **(more or {}),
    }
    return tar(files({f"{root}/{path}": data for path, data in members.items()}))


def archive(version: str = "1.0", name: str = NAME, more: Members | None = None) -> bytes:
    """What is uploaded: a good package, but for what `more` says."""
    members: Members = {
        "addon.json": json.dumps({"package-name": name, "installed-apps": ["susan_example"]}),
        "LICENSE.txt": "Do what you like.\n",
        "aldryn_config.py": FORM,
        "VERSION": version,
        "package.tar.gz": sdist(name, version),
        **(more or {}),
    }
    return tar(files(members))


def bomb(megabytes: int) -> bytes:
    """A source distribution of a few KB that unpacks to so many MB of nothing."""
    member = tarfile.TarInfo("susan-example-1.0/zeros")
    member.size = megabytes * 1024**2
    # Compressed parts one after the other are one stream: no need to compress them all.
    return gzip.compress(member.tobuf()) + megabytes * gzip.compress(bytes(1024**2))


def written(folder: Path, data: bytes) -> Path:
    """The archive as a file."""
    path = folder / "upload.tar.gz"
    path.write_bytes(data)
    return path

"""The sites the benchmarks deploy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FLASK_PACKAGES = (
    "flask gunicorn requests sqlalchemy pyyaml markdown python-dateutil babel whitenoise bleach"
).split()
"""Ten that real sites have; with what they need themselves, about twenty-five wheels."""

_FLASK_DOCKERFILE = """\
FROM moonbase/python:3.11
COPY wheels /wheels
COPY requirements.txt /app/
RUN pip install --no-index --find-links /wheels -r requirements.txt
COPY . /app
EXPOSE 8000
CMD ["gunicorn", "--bind=0.0.0.0:8000", "site_app:app"]
"""
_FLASK_APP = """\
from pathlib import Path

import babel, bleach, dateutil, markdown, requests, sqlalchemy, whitenoise, yaml
from flask import Flask

app = Flask(__name__)


@app.get("/")
def home():
    return Path("version.txt").read_text()
"""
_STATIC_DOCKERFILE = "FROM moonbase/static:1\nCOPY public /site\nEXPOSE 80\n"
_ANSWERING_DOCKERFILE = """\
FROM moonbase/python:3.11
COPY . /app
EXPOSE 8000
CMD ["python3", "answering.py"]
"""

Files = dict[str, str | bytes]


def static_site(version: str) -> Files:
    """Twenty pages; the first one is the version."""
    pages: Files = {f"public/page-{number}.html": "<p>page</p>" * 400 for number in range(20)}
    return {"Dockerfile": _STATIC_DOCKERFILE, "public/index.html": version, **pages}


def flask_site(version: str, wheels: Path) -> Files:
    """A Flask site with its wheels in the repository, so that no index is asked for any."""
    _download(wheels)
    brought: Files = {f"wheels/{path.name}": path.read_bytes() for path in wheels.glob("*.whl")}
    return {
        "Dockerfile": _FLASK_DOCKERFILE,
        "requirements.txt": "\n".join(FLASK_PACKAGES),
        "site_app.py": _FLASK_APP,
        "version.txt": version,
        **brought,
    }


def answering_site(version: str, ignores_term: bool = False) -> Files:
    """Pages, slow ones, uploads, SSE and WebSocket, with nothing but the standard library."""
    code = Path(__file__).with_name("answering.py").read_text()
    return {
        "Dockerfile": _ANSWERING_DOCKERFILE,
        "answering.py": code,
        "version.txt": version,
        "ignores_term.txt": "yes" if ignores_term else "no",
    }


def _download(wheels: Path) -> None:
    """Once: later runs find them there."""
    mark = wheels / "complete"
    if mark.exists() and mark.read_text() == " ".join(FLASK_PACKAGES):
        return
    command = [sys.executable, "-m", "pip", "download", "-qq", "--only-binary=:all:"]
    subprocess.run([*command, "--dest", str(wheels), *FLASK_PACKAGES], check=True)
    mark.write_text(" ".join(FLASK_PACKAGES))

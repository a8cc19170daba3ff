"""The base images, made of Debian packages on an engine that has nothing, and put to use."""

from __future__ import annotations

import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from app.adapters.engine import ContainerSpec, Limits, NetworkSpec
from app.adapters.engine.docker import DockerEngine
from app.adapters.image_builder import BuildFailed, BuildRequest
from app.adapters.image_builder.docker import DockerImageBuilder
from base_images.making import LABEL_RECIPE, TREES, ensure
from tests.contracts.test_image_builder import context
from tests.engine.private_engine import PrivateEngine
from tests.engine.test_docker_engine import get

LIMITS = Limits(256 * 2**20, 2.0, 100)
LABELS = {"moonbase.installation": "base-images-test"}


def run(engine: DockerEngine, private: PrivateEngine, image: str, *command: str) -> list[str]:
    """The lines of a command that must succeed."""
    lines: list[str] = []
    spec = ContainerSpec(
        "base-images-test", image, LABELS, private.build_network, LIMITS, command=command
    )
    result = engine.run_command(spec, 60, lines.append, threading.Event())
    assert result.exit_code == 0, lines
    return lines


def build(private: PrivateEngine, text: str, **files: str) -> str:
    """The tag of an image built from this Dockerfile."""
    request = BuildRequest("base-images-test:1", LABELS, LIMITS, 120, private.build_network)
    packed = context(Dockerfile=text, **files)
    lines: list[str] = []
    try:
        DockerImageBuilder(private.socket).build(request, packed, lines.append, threading.Event())
    except BuildFailed as failure:
        raise AssertionError("\n".join(lines[-20:])) from failure
    return request.tag


def test_finished_trees_are_kept_where_there_is_a_folder_for_them(
    package_cache: Path, tmp_path: Path
) -> None:
    # An engine of its own: others would miss the image meanwhile.
    with PrivateEngine(in_memory=True) as engine:
        api, trees = engine.client().api, tmp_path / TREES
        image = ensure(["static"], api, package_cache)["static"]
        size = api.inspect_image(image)["Size"]
        for is_kept in (False, True):
            api.remove_image(image)
            ensure(["static"], api, tmp_path)
            assert trees.exists() == is_kept
            trees.mkdir(exist_ok=True)
            (trees / "static-older.tar").touch()
        (kept,) = [path for path in trees.iterdir() if path.name != "static-older.tar"]
        made = kept.stat().st_mtime_ns
        api.remove_image(image)
        ensure(["static"], api, tmp_path)
        assert kept.stat().st_mtime_ns == made
        assert api.inspect_image(image)["Size"] == size


def test_nothing_is_made_again(
    private_engine: PrivateEngine,
    static_base_image: str,
    python_base_image: str,
    package_cache: Path,
) -> None:
    command = [sys.executable, "-m", "base_images", "static", "python"]
    command += ["--engine", private_engine.socket, "--cache", str(package_cache)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        f"{static_base_image} is up to date.",
        f"{python_base_image} is up to date.",
    ]


def test_tags_are_our_own(
    private_engine: PrivateEngine, static_base_image: str, python_base_image: str
) -> None:
    for tag in (static_base_image, python_base_image):
        image = DockerEngine(private_engine.socket).inspect_image(tag)
        assert image is not None
        assert all(name.startswith("moonbase/") for name in image.tags)
        assert len(image.labels[LABEL_RECIPE]) == 64
        assert image.size < 80_000_000


def test_an_unreachable_engine_is_said(package_cache: Path) -> None:
    command = [sys.executable, "-m", "base_images", "static", "--engine", "unix:///nonexistent"]
    done = subprocess.run(
        [*command, "--cache", str(package_cache)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["static", "python"])
def test_a_site_on_it_answers(
    private_engine: PrivateEngine, name: str, request: pytest.FixtureRequest
) -> None:
    base = request.getfixturevalue(f"{name}_base_image")
    static = f"FROM {base}\nCOPY index.html /site/\n"
    python = (
        f"FROM {base}\nCOPY index.html /app/\nEXPOSE 80\n"
        'CMD ["python", "-m", "http.server", "80"]\n'
    )
    tag = build(private_engine, {"static": static, "python": python}[name], **{"index.html": "hi"})
    engine = DockerEngine(private_engine.socket)
    network = NetworkSpec(
        f"base-images-{name}", private_engine.pool.replace(".0.0/16", ".254.0/27"), LABELS
    )
    engine.ensure_network(network)
    try:
        spec = ContainerSpec(f"base-images-{name}", tag, LABELS, network.name, LIMITS)
        address = engine.start_container(spec).address
        assert address is not None
        assert get(address) == b"hi"
    finally:
        engine.remove_container(f"base-images-{name}")
        engine.remove_network(network.name)
        engine.remove_image(tag)


def test_the_standard_library_is_whole(
    private_engine: PrivateEngine, python_base_image: str
) -> None:
    program = (
        "import importlib, pathlib, zoneinfo, ssl\n"
        "for file in pathlib.Path('/usr/lib/python3.11/lib-dynload').glob('*.so'):\n"
        "    importlib.import_module(file.name.split('.')[0])\n"
        "zoneinfo.ZoneInfo('Europe/Zurich')\n"
        "print(len(ssl.create_default_context().get_ca_certs()) > 50)\n"
    )
    engine = DockerEngine(private_engine.socket)
    assert run(
        engine, private_engine, python_base_image, "/usr/bin/env", "python3", "-c", program
    ) == ["True"]


def test_pip_installs_in_a_build(private_engine: PrivateEngine, python_base_image: str) -> None:
    try:
        with urllib.request.urlopen("https://pypi.org/simple/six/", timeout=10):
            pass
    except OSError as error:
        pytest.skip(f"no package index answers: {error}")
    tag = build(private_engine, f"FROM {python_base_image}\nRUN pip install six\n")
    engine = DockerEngine(private_engine.socket)
    said = run(engine, private_engine, tag, "python", "-c", "import six; print(six.__name__)")
    assert said == ["six"]
    engine.remove_image(tag)

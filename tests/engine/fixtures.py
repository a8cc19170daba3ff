"""Fixtures around one private engine per test run; `tests/conftest.py` makes them known."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from base_images.making import TREES, ensure
from tests.engine.private_engine import PrivateEngine, why_not_here

# The cases the contract suites run over; a plugin may name another, a nested conftest may not.
pytest_plugins = [
    "tests.contracts.engine_fixtures",
    "tests.contracts.service_fixtures",
    "tests.contracts.object_storage_fixtures",
]

# Packages are kept between runs: they are Debian's, signed and the same for everyone.
_CACHE = Path(
    os.environ.get("MOONBASE_TEST_CACHE", f"{tempfile.gettempdir()}/moonbase-base-images")
)


@pytest.fixture(scope="session")
def private_engine() -> Iterator[PrivateEngine]:
    """An engine of our own; tests share it and name what they make after themselves."""
    if reason := why_not_here():
        pytest.skip(reason)
    with PrivateEngine(in_memory=True) as engine:
        yield engine


@pytest.fixture(scope="session")
def package_cache() -> Path:
    """Where base image recipes keep what they download, and what they make of it: each engine of
    a run gets the same."""
    (_CACHE / TREES).mkdir(parents=True, exist_ok=True)
    return _CACHE


@pytest.fixture(scope="session")
def static_base_image(private_engine: PrivateEngine, package_cache: Path) -> str:
    """The tag of the static base image on the private engine (2 MB, busybox, port 80)."""
    return ensure(["static"], private_engine.client().api, package_cache)["static"]


@pytest.fixture(scope="session")
def python_base_image(private_engine: PrivateEngine, package_cache: Path) -> str:
    """The tag of the Python base image on the private engine (about 55 MB, with pip)."""
    return ensure(["python"], private_engine.client().api, package_cache)["python"]

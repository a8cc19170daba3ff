"""What every test shares: a panel of its own, copied from one that was migrated once."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings as hypothesis_settings

from app.config import Settings
from app.installation import Adapters
from tests.memory import folder_in_memory
from tests.panel import Panel, Person, copy_panel, make_template

pytest_plugins = ["tests.distribution", "tests.engine.fixtures", "tests.house.postgresql"]

# Two shared cores: a slow moment is no flaw of the code. The same examples in each run, so that a
# failure is the change's and not the day's.
hypothesis_settings.register_profile("house", deadline=None, derandomize=True, max_examples=60)
hypothesis_settings.load_profile("house")
gc.disable()  # while tests are collected: nothing of it goes


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Keep the folders of tests in memory where there is enough."""
    memory = folder_in_memory()
    if memory and not config.option.basetemp and not hasattr(config, "workerinput"):
        folder = tempfile.mkdtemp(prefix="moonbase-tests-", dir=memory)
        config.option.basetemp = folder
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_collection_finish() -> None:
    """From now on look for garbage, but seldom, and not among what stays to the end.

    Walking through thousands of tests and all modules was a fifth of the processor time.
    """
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture(scope="session")
def panel_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with migrated schema, people and two applications."""
    return make_template(tmp_path_factory.mktemp("template") / "data")


@pytest.fixture
def panel(panel_template: Path, tmp_path: Path) -> Iterator[Panel]:
    """A panel with the people of `tests.panel.PEOPLE`."""
    made = copy_panel(panel_template, tmp_path / "data")
    yield made
    made.close()


@pytest.fixture
def settings(panel: Panel) -> Settings:
    return panel.settings


@pytest.fixture
def adapters(panel: Panel) -> Adapters:
    return panel.adapters


@pytest.fixture
def app(panel: Panel) -> Flask:
    return panel.app


@pytest.fixture
def client_of(panel: Panel) -> Callable[[Person], FlaskClient]:
    """Makes a browser in which somebody is signed in."""
    return panel.client_of


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Root can run every test: one that does not run there has lost what it needs."""
    report = yield
    if report.skipped and os.geteuid() == 0:
        report.outcome = "failed"
        report.longrepr = f"skipped although run by root: {report.longrepr}"
    return report

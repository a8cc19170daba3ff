"""Who runs what when tests are spread over processes (`-n`).

Tests that share something expensive (an installation with all its processes, database servers, a
browser) run in one process, so that each is started once, and first, so that the long ones do not
come last. All others are spread file by file, and those that take longest begin: at the end no
process waits for another.
"""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling

GROUPS = (
    (
        "an engine, and an installation in which things are broken",
        (
            "tests/engine/",
            "tests/flows/test_broken_engine.py",
            "tests/flows/test_dying_worker.py",
            "tests/flows/test_halted_and_cancelled.py",
            "tests/flows/test_killed_ingress.py",
            "tests/flows/test_killed_processes.py",
            "tests/flows/test_tidiness.py",
            "tests/flows/test_trash.py",
        ),
    ),
    (
        "another engine, and an installation",
        (
            "tests/flows/",
            "tests/contracts/test_engine",
            "tests/contracts/test_image_builder.py",
            "tests/contracts/test_sandbox",
            "tests/house/test_accounts.py",
            "tests/workers/test_real_engine.py",
        ),
    ),
    (
        "database servers and object stores",
        (
            "tests/contracts/test_services.py",
            "tests/contracts/test_cut_off.py",
            "tests/contracts/test_mariadb",
            "tests/contracts/test_postgresql.py",
            "tests/contracts/test_rabbitmq.py",
            "tests/contracts/test_redis.py",
            "tests/contracts/test_object_storage",
            "tests/contracts/test_backup_stores.py",
            "tests/backups/test_real_services.py",
            "tests/contracts/test_brought.py",
            "tests/client_api/test_divio_cli.py",
        ),
    ),
    ("a browser", ("tests/browser/",)),
)
"""What is shared, and the beginnings of the paths of those that share it; the first one counts."""


LONG = (
    "tests/test_permissions.py",
    "tests/test_forms_at_the_edges.py",
    "tests/test_addon_permission_table.py",
    "tests/panel_backups/",
    "tests/lifecycle/test_deletion.py",
    "tests/workers/",
)


def group_of(nodeid: str) -> int:
    """The number of its group; that of the last and one more for a test of none."""
    for number, (_, beginnings) in enumerate(GROUPS):
        if nodeid.startswith(beginnings):
            return number
    return len(GROUPS)


class Spread(LoadScopeScheduling):
    """A unit of work is a group, or a file."""

    def _split_scope(self, nodeid: str) -> str:
        number = group_of(nodeid)
        return GROUPS[number][0] if number < len(GROUPS) else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Spread:
    """Units are handed out in the order of `pytest_collection_modifyitems`."""
    config.option.loadscopereorder = False
    return Spread(config, log)  # type: ignore[arg-type]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Groups first, each in one piece, then long files."""
    items.sort(key=lambda item: (group_of(item.nodeid), not item.nodeid.startswith(LONG)))

"""What root prepares for the processes: none of them may lead root astray."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from app.processes.accounts import MEMBERSHIPS, Accounts, prepare_accounts, prepare_directories
from app.processes.supervisor import ROOT, Supervisor
from app.processes.up import INGRESS_NAMES
from tests.panel import make_settings


@pytest.fixture
def separate() -> Accounts:
    if os.geteuid() != 0:
        pytest.skip("only root can make processes run as other users")
    prepare_accounts(sys.executable, ROOT)
    return Accounts(are_separate=True)


@pytest.mark.parametrize("folder", ["tmp", "secrets", "logs"])
def test_root_gives_no_file_away_that_a_link_leads_to(
    tmp_path: Path, separate: Accounts, folder: str
) -> None:
    settings = make_settings(tmp_path / "data")
    prepare_directories(settings, separate)
    precious = tmp_path / "shadow"
    precious.touch(mode=0o600)
    (settings.data_dir / folder / "link").symlink_to(precious)
    prepare_directories(settings, separate)
    found = precious.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (0, 0, 0o600)


def test_only_root_writes_where_the_supervisor_reads(tmp_path: Path, separate: Accounts) -> None:
    settings = make_settings(tmp_path / "data")
    prepare_directories(settings, separate)
    supervisor = Supervisor("panel", settings)
    for folder in (supervisor.configuration_file.parent, settings.data_dir / "log"):
        found = folder.stat()
        assert (found.st_uid, found.st_mode & 0o777) == (0, 0o700)
    assert supervisor.pid_file.parent == supervisor.configuration_file.parent


def test_the_ingress_is_told_no_secret() -> None:
    assert not {"DATABASE_URL", "REDIS_URL", "MOONBASE_SECRET_KEY"} & set(INGRESS_NAMES)


WRITE_AND_READ = """
import pathlib, sys
folder = pathlib.Path(sys.argv[1])
folder.joinpath("letter.eml").write_text("a link that opens an account")
print(*folder.iterdir())
"""


@pytest.mark.parametrize("account", MEMBERSHIPS)
def test_only_the_worker_writes_and_reads_mails(separate: Accounts, account: str) -> None:
    with tempfile.TemporaryDirectory() as directory:  # other users cannot enter `tmp_path`
        settings = make_settings(Path(directory))
        prepare_directories(settings, separate)
        command = [*separate.prefix(account), "/usr/bin/python3", "-c", WRITE_AND_READ]
        tried = subprocess.run(
            [*command, str(settings.data_dir / "mail")],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        assert (tried.returncode == 0) == (account == "worker"), tried.stderr
        assert account == "worker" or "PermissionError" in tried.stderr

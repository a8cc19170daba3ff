"""Each process runs as its own user, and Docker refuses those who have no business with it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from app.config import Settings
from app.processes.accounts import (
    KEYS,
    MEMBERSHIPS,
    PREFIX,
    Accounts,
    become,
    prepare_accounts,
    prepare_directories,
)
from app.seals import Seal
from tests.engine.private_engine import PrivateEngine

ROOT = Path(__file__).parents[2]
CONNECT = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
MAY_USE_DOCKER = {"worker", "observer", "cron"}


@pytest.fixture(scope="module")
def separate() -> Accounts:
    if os.geteuid() != 0:
        pytest.skip("only root can make processes run as other users")
    prepare_accounts(sys.executable, ROOT)
    return Accounts(are_separate=True)


@pytest.mark.parametrize("account", MEMBERSHIPS)
def test_only_those_who_need_it_reach_the_engine(
    separate: Accounts, private_engine: PrivateEngine, account: str
) -> None:
    socket_path = Path(private_engine.socket.removeprefix("unix://"))
    shutil.chown(socket_path, group="docker")
    socket_path.chmod(0o660)
    for folder in socket_path.parents:
        if folder != Path(folder.root) and folder.stat().st_uid == 0 and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o011)
    command = [*separate.prefix(account), "/usr/bin/python3", "-c", CONNECT, str(socket_path)]
    tried = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    is_let_in = tried.returncode == 0
    assert is_let_in == (account in MAY_USE_DOCKER), tried.stderr
    assert is_let_in or "PermissionError" in tried.stderr


@pytest.mark.parametrize("account", MEMBERSHIPS)
def test_no_process_keeps_the_rights_of_root(separate: Accounts, account: str) -> None:
    show = "import os; print(os.getuid(), *os.getgroups())"
    command = [*separate.prefix(account), "/usr/bin/python3", "-c", show]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout
    assert "0" not in printed.split()


@pytest.mark.parametrize("account", MEMBERSHIPS)
def test_who_is_forked_becomes_the_same_user_for_good(separate: Accounts, account: str) -> None:
    """The panel's own processes are not started by a command: they turn into their user."""
    expected = subprocess.run(
        [*separate.prefix(account), "/usr/bin/python3", "-c", _SHOW_IDENTITY],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    ).stdout
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            become(separate, account)
            os.dup2(writing, 1)
            os.execv("/usr/bin/python3", ["python3", "-c", _SHOW_IDENTITY])
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as answer:
        shown = answer.read()
    os.waitpid(child, 0)
    assert shown == expected
    assert str(pwd.getpwnam(PREFIX + account).pw_uid) in shown


_SHOW_IDENTITY = """
import os, re
words = open("/proc/self/status").read()
print(os.getresuid(), os.getresgid(), sorted(os.getgroups()))
print(re.findall(r"(?m)^(?:NoNewPrivs|CapEff|CapPrm):.*", words))
"""


def test_who_asks_addons_reads_packages_and_nothing_else(separate: Accounts) -> None:
    with tempfile.TemporaryDirectory() as name:
        data = Path(name)
        prepare_directories(Settings(data_dir=data), separate)
        folders = [path for path in data.iterdir() if path.is_dir()]
        for folder in folders:
            (folder / "file").write_text("…")
            (folder / "file").chmod(0o640)
            shutil.chown(folder / "file", group=folder.stat().st_gid)
        reads = {folder.name for folder in folders if _can(separate, "cat", folder / "file")}
        assert reads == {"addons", "run"}
        writes = {folder.name for folder in folders if _can(separate, "touch", folder / "new")}
        assert writes == {"run"}  # where the queue's socket lies


OPENS = {"worker"}
SEALS = {account for account, groups in MEMBERSHIPS.items() if KEYS in groups}


def test_only_workers_open_what_the_whole_panel_seals(separate: Accounts) -> None:
    with tempfile.TemporaryDirectory() as name:
        secrets = Path(name) / "secrets"
        settings = Settings(data_dir=Path(name))
        prepare_directories(settings, separate)
        Seal(secrets).ensure()  # as root, when the panel is started
        mine = secrets / "backup.recipients"  # whom the panel's own backups are for
        mine.write_text("age1…")
        prepare_directories(settings, separate)
        keys, recipients = secrets / "operator.keys", secrets / "operator.recipients"
        for account in MEMBERSHIPS:
            assert _can(separate, "cat", keys, account) == (account in OPENS), account
            assert _can(separate, "cat", recipients, account) == (account in SEALS), account
            # Nor does anybody put others in their place: theirs would be sealed for, or opened.
            for path in (keys, recipients):
                assert account in OPENS or not _can(separate, "rm", path, account), account
            assert not _can(separate, "rm", mine, account), account
            assert _can(separate, "cat", mine, account) == (account in SEALS), account
        assert keys.exists() and recipients.exists() and mine.exists()
        Seal(secrets).add_key()  # rotation, as root: it is the worker's as before
        assert _can(separate, "cat", keys, "worker")
        assert not _can(separate, "cat", keys, "web")
        assert _can(separate, "cat", recipients, "web")


def _can(accounts: Accounts, act: str, path: Path, account: str = "asker") -> bool:
    command = [*accounts.prefix(account), act, str(path)]
    return subprocess.run(command, capture_output=True, check=False, cwd="/").returncode == 0


def test_who_is_forked_may_look_at_itself(separate: Accounts) -> None:
    """Its name is written there, and starting a program lists the open files there."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            become(separate, "scheduler")
            Path("/proc/self/comm").write_text("scheduler")
            code = 0 if list(Path("/proc/self/fd").iterdir()) else 1
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

"""System users of the processes: started by root, each process gets no more than it needs."""

from __future__ import annotations

import ctypes
import grp
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from app.adapters.cgroups import BUILDS, SANDBOXES, delegate_cgroups
from app.config import Settings

PREFIX = "moonbase-"
SHARED = "moonbase"
"""The group of processes that share database, repositories and logs."""
QUEUE = "moonbase-queue"
"""The group of those that reach the queue's socket."""
ARCHIVES = "moonbase-archives"
"""The group of those that read uploaded packages of addons."""
KEYS = "moonbase-keys"
"""The group of those that read `SITE_KEYS` and the session key."""
DOCKER = "docker"
ROOT_ONLY = "MOONBASE_ACCOUNTS"
"""Set for processes that are started as root and become others by themselves."""
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38  # prctl(2)

MEMBERSHIPS: dict[str, tuple[str, ...]] = {
    "web": (SHARED, KEYS, QUEUE, ARCHIVES),
    "worker": (SHARED, KEYS, QUEUE, ARCHIVES, DOCKER),
    "asker": (QUEUE, ARCHIVES),
    "scheduler": (SHARED, KEYS, QUEUE),
    "observer": (SHARED, KEYS, QUEUE, DOCKER),
    "cron": (SHARED, KEYS, QUEUE, DOCKER),
    "ssh": (SHARED, KEYS, QUEUE),
    "redis": (SHARED, QUEUE),
    "ingress": (),
}
"""Which groups each user is in (architecture §1, "who may touch what")."""


@dataclass(frozen=True)
class Accounts:
    """How processes change their user. `are_separate` is False when all run as whoever starts."""

    are_separate: bool

    def prefix(self, account: str) -> tuple[str, ...]:
        """The words in front of a command that make it run as its user, and end with its parent."""
        setpriv = ("setpriv", "--pdeathsig", "TERM")
        if not self.are_separate or account not in MEMBERSHIPS:
            return (*setpriv, "--")
        who = _identity(account)
        groups = ",".join(map(str, who.groups))
        return (
            *setpriv,
            f"--reuid={who.user}",
            f"--regid={who.group}",
            *([f"--groups={groups}"] if groups else ["--clear-groups"]),
            "--no-new-privs",
            "--",
        )

    def family(self) -> dict[str, str]:
        """Tells the parent of the panel's processes that each gets a user of its own."""
        return {ROOT_ONLY: "separate"} if self.are_separate else {}

    def ingress(self) -> dict[str, str]:
        """Who Traefik runs as, for the process that opens its port as root and becomes it."""
        return {"INGRESS_ACCOUNT": f"{PREFIX}ingress"} if self.are_separate else {}

    def delegate_cgroups(self) -> None:
        """Let the worker limit builds and the asker questions, which only root could do else."""
        if self.are_separate:
            delegate_cgroups(BUILDS, pwd.getpwnam(f"{PREFIX}worker").pw_uid)
            delegate_cgroups(SANDBOXES, pwd.getpwnam(f"{PREFIX}asker").pw_uid)


@dataclass(frozen=True)
class _Identity:
    """What the kernel knows an account by."""

    user: int
    group: int
    groups: tuple[int, ...]


def _identity(account: str) -> _Identity:
    """Those that share files make them with the shared group."""
    memberships = MEMBERSHIPS[account]
    entry = pwd.getpwnam(PREFIX + account)
    own = grp.getgrnam(SHARED).gr_gid if SHARED in memberships else entry.pw_gid
    return _Identity(entry.pw_uid, own, tuple(grp.getgrnam(name).gr_gid for name in memberships))


def become(accounts: Accounts, account: str) -> None:
    """Turn this process into one of `account`, for good; nothing when all run as whoever starts."""
    if accounts.are_separate:
        who = _identity(account)
        os.setgroups(who.groups)
        os.setresgid(who.group, who.group, who.group)
        os.setresuid(who.user, who.user, who.user)
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        # As after starting a program: or /proc/self would be root's, and closed to the process.
        _prctl(_PR_SET_DUMPABLE, 1)


def set_parent_death_signal(number: int) -> None:
    """Have this process signalled when its parent dies. To be said after a change of user, which
    forgets it."""
    _prctl(_PR_SET_PDEATHSIG, number)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl failed")


def prepare_accounts(interpreter: str, root: Path) -> Accounts:
    """Make the users when started by root. They are not used when they could not run the panel's
    own files, e.g. from a home directory that is closed to others."""
    if os.geteuid() != 0 or not shutil.which("useradd"):
        return Accounts(are_separate=False)
    for group in (SHARED, KEYS, QUEUE, ARCHIVES, DOCKER):
        if not _has_group(group):
            subprocess.run(["groupadd", "--system", group], check=True)
    for account in MEMBERSHIPS:
        if not _has_user(PREFIX + account):
            words = ["--system", "--no-create-home", "--shell", "/usr/sbin/nologin"]
            subprocess.run(["useradd", *words, PREFIX + account], check=True)
    accounts = Accounts(are_separate=True)
    probe = [*accounts.prefix("ingress"), interpreter, "-c", "import app.errors"]
    tried = subprocess.run(probe, cwd=root, capture_output=True, check=False)
    return Accounts(are_separate=tried.returncode == 0)


def prepare_directories(settings: Settings, accounts: Accounts) -> None:
    """Make the folders of the installation, each open to just the processes that use it."""
    data = settings.data_dir
    for name in ("repositories", "logs", "tmp", "redis"):
        _make(data / name, Owner("web", SHARED, 0o2770), accounts)
    _make(data / "run", Owner("web", QUEUE, 0o2770), accounts)
    _make(data / "addons", Owner("web", ARCHIVES, 0o2750), accounts)
    _make(data / "panel", Owner("web", SHARED, 0o2770), accounts)
    _make(data / "secrets", Owner(None, KEYS, 0o3771), accounts)
    _make(data / "ingress", Owner("ingress", None, 0o700), accounts)
    _make(data / "backups", Owner("worker", None, 0o700), accounts)
    _make(data / "downloads", Owner("worker", KEYS, 0o2750), accounts)
    _make(data / "uploads", Owner("web", SHARED, 0o2770), accounts)  # encrypted; workers take them
    _make(data / "mail", Owner("worker", None, 0o700), accounts)  # letters may open an account
    for name in ("log", "supervisor"):
        # The supervisor, as root, writes and reads here: nobody else may lay a link or a file.
        _make(data / name, Owner(None, None, 0o700), accounts)
    if accounts.are_separate:
        # The way in is open to all users; what lies behind it is not. What an operator's command
        # has made as root (database, keys) belongs to the processes too.
        data.chmod(0o711)
        _give(data / "panel", Owner("web", SHARED, 0o660))
        _give(data / "secrets", Owner("web", KEYS, 0o640), but=("operator.*", "backup.recipients"))
        # Who may seal need not open. In this folder nobody replaces what is another's (its mode).
        _give(data / "secrets", Owner("worker", None, 0o600), "operator.keys")
        _give(data / "secrets", Owner("worker", KEYS, 0o640), "operator.recipients")
        _give(data / "secrets", Owner(None, KEYS, 0o640), "backup.recipients")
        _give(data / "secrets", Owner("ingress", KEYS, 0o640), "ingress.token")
        _give(data / "secrets", Owner("ssh", KEYS, 0o600), "ssh_host.key")


@dataclass(frozen=True)
class Owner:
    """Whose a file or folder is. `account` None is root, `group` None the account's own."""

    account: str | None
    group: str | None
    mode: int

    def numbers(self) -> tuple[int, int]:
        """User and group id."""
        entry = pwd.getpwnam(PREFIX + self.account if self.account else "root")
        return entry.pw_uid, grp.getgrnam(self.group).gr_gid if self.group else entry.pw_gid


def _make(path: Path, owner: Owner, accounts: Accounts) -> None:
    """Make a folder. When it was somebody else's, e.g. of a time when all ran as root, all that
    lies in it changes hands too."""
    path.mkdir(parents=True, exist_ok=True)
    if not accounts.are_separate:
        return
    numbers = owner.numbers()
    if (path.stat().st_uid, path.stat().st_gid) != numbers:
        for found in path.rglob("*"):
            os.chown(found, *numbers, follow_symlinks=False)
        os.chown(path, *numbers)
    path.chmod(owner.mode)


def _give(directory: Path, owner: Owner, pattern: str = "*", but: tuple[str, ...] = ()) -> None:
    """Hand the files in `directory` over, not those like one of `but`. Links are left alone: a
    process of the group may have laid one, to be given what it points to."""
    for path in directory.glob(pattern):
        is_left_out = any(fnmatch(path.name, one) for one in but)
        if not is_left_out and path.is_file() and not path.is_symlink():
            os.chown(path, *owner.numbers(), follow_symlinks=False)
            path.chmod(owner.mode)


def _has_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True

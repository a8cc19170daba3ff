"""Supervisord: its configuration from the list of programs, and starting and stopping it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.config import Settings
from app.processes.accounts import Accounts
from app.processes.programs import Program

RESTARTS = 1000
"""A process that keeps failing is tried again for as long as the panel runs, with back-off."""
ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Supervisor:
    """One supervisord and what it runs; `name` is `panel` or `ingress`."""

    name: str
    settings: Settings

    @property
    def pid_file(self) -> Path:
        return self.settings.data_dir / "supervisor" / f"{self.name}.pid"

    @property
    def configuration_file(self) -> Path:
        return self.settings.data_dir / "supervisor" / f"{self.name}.conf"

    def pid(self) -> int | None:
        """The supervisord that runs, if one does. A pid file that a kill left behind may name a
        stranger by now, so the command line is looked at too."""
        try:
            pid = int(self.pid_file.read_text())
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if str(self.configuration_file).encode() in words else None

    def start(
        self, programs: Sequence[Program], environment: Mapping[str, str], accounts: Accounts
    ) -> int:
        """Start it in a session of its own, so that Ctrl-C in a terminal does not reach its
        processes in disorder. Returns its pid; when it runs already, that one's. One that runs
        other programs, e.g. of an older version, is stopped first."""
        text = configuration(self, programs, environment, accounts)
        running = self.pid()
        if running and self.configuration_file.read_text() == text:
            return running
        self.stop()
        self.configuration_file.touch(mode=0o600)
        self.configuration_file.write_text(text)
        command = [
            str(Path(sys.executable).with_name("supervisord")),
            "--nodaemon",
            "--configuration",
            str(self.configuration_file),
        ]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return process.pid

    def stop(self, seconds: float = 60) -> bool:
        """Stop it and all it runs. Returns whether there was one."""
        pid = self.pid()
        if pid is None:
            return False
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + seconds
        while self.pid() == pid and time.monotonic() < until:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            time.sleep(0.05)
        return True


def configuration(
    supervisor: Supervisor,
    programs: Sequence[Program],
    environment: Mapping[str, str],
    accounts: Accounts,
) -> str:
    """The text of supervisord's configuration file."""
    logs = supervisor.settings.data_dir / "log"
    parts = [
        "[supervisord]",
        f"pidfile={_escaped(str(supervisor.pid_file))}",
        f"logfile={_escaped(str(logs / f'{supervisor.name}.log'))}",
        "logfile_maxbytes=10MB",
        "logfile_backups=2",
        f"childlogdir={_escaped(str(logs))}",
        f"directory={_escaped(str(ROOT))}",
        "umask=007",
        *(["user=root"] if os.geteuid() == 0 else []),
    ]
    for program in programs:
        parts += ["", *_section(program, environment, accounts, logs)]
    return "\n".join(parts) + "\n"


def _section(
    program: Program, environment: Mapping[str, str], accounts: Accounts, logs: Path
) -> list[str]:
    # setpriv: a supervisor that is killed takes its processes along, so that the next start
    # finds their ports and locks free.
    words = (*accounts.prefix(program.account), *program.command)
    several = ["process_name=%(program_name)s-%(process_num)s", f"numprocs={program.count}"]
    log = _escaped(str(logs / program.name))
    return [
        f"[program:{program.name}]",
        f"command={' '.join(_word(word) for word in words)}",
        f"environment={_assignments({**environment, **program.environment})}",
        *(several if program.count > 1 else []),
        f"priority={program.priority}",
        "autorestart=true",
        f"startretries={RESTARTS}",
        "startsecs=1",
        f"stopwaitsecs={program.stop_seconds}",
        "stopasgroup=false",
        "killasgroup=true",
        "redirect_stderr=true",
        f"stdout_logfile={log}{'-%(process_num)s' if program.count > 1 else ''}.log",
        "stdout_logfile_maxbytes=10MB",
        "stdout_logfile_backups=2",
    ]


def _escaped(text: str) -> str:
    """`%` begins an expansion in supervisord's files."""
    return text.replace("%", "%%")


def _word(word: str) -> str:
    quoted = word.replace("\\", "\\\\").replace('"', '\\"')
    return _escaped(f'"{quoted}"')


def _assignments(values: Mapping[str, str]) -> str:
    return ",".join(f"{name}={_word(value)}" for name, value in sorted(values.items()))

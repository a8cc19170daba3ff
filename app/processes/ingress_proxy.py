"""`python -m app.processes.ingress_proxy`: Traefik, let in front of people only once it has routes.

This process opens the public port deaf (`app.adapters.ingress.door`), leaves a doorkeeper that lets
people in once the feed is loaded, and becomes Traefik, which inherits the port (systemd's socket
activation).

INGRESS_LISTEN (host:port), INGRESS_AGENT_PORT; INGRESS_TRUSTED (addresses of proxies in front),
INGRESS_TRAEFIK (the program), INGRESS_ACCESS_LOG, INGRESS_ACCOUNT (the user Traefik runs as, when
this process is started by root: some kernels let only root close the door).
"""

from __future__ import annotations

import logging
import os
import pwd
import shutil
import socket
import sys
from pathlib import Path
from typing import NoReturn

from app.adapters.ingress import traefik
from app.adapters.ingress.agent import split_address
from app.adapters.ingress.door import leave_doorkeeper, open_closed_door, reserve_port

_ACTIVATED = 3  # the first descriptor handed on by socket activation (sd_listen_fds(3))


def main() -> int:
    """Become Traefik; returns only with 2, when a setting is missing or the port is taken."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        listen = os.environ["INGRESS_LISTEN"]
        port = int(os.environ["INGRESS_AGENT_PORT"])
        program = os.environ.get("INGRESS_TRAEFIK") or find_traefik()
        probe = reserve_port(split_address(listen)[0])
        public = open_closed_door(split_address(listen), probe.getsockname()[1])
    except (KeyError, ValueError, OSError) as error:
        logging.error("the ingress proxy's settings: %r", error)
        return 2
    configuration = f"http://127.0.0.1:{port}/configuration"
    leave_doorkeeper(public, probe, configuration)
    access_log = os.environ.get("INGRESS_ACCESS_LOG")
    arguments = traefik.static_arguments(
        listen,
        configuration,
        Path(access_log).absolute() if access_log else None,
        trusted=os.environ.get("INGRESS_TRUSTED", ""),
    )
    return _become(program, arguments, public)


def find_traefik() -> str:
    """Traefik's program: beside Python, else on PATH. `FileNotFoundError` when it is nowhere."""
    beside = Path(sys.executable).with_name("traefik")
    found = str(beside) if beside.exists() else shutil.which("traefik")
    if not found:
        raise FileNotFoundError("traefik is neither beside Python nor on PATH")
    return found


def _become(program: str, arguments: tuple[str, ...], public: socket.socket) -> NoReturn:
    os.dup2(public.fileno(), _ACTIVATED, inheritable=True)
    if public.fileno() == _ACTIVATED:
        os.set_inheritable(_ACTIVATED, True)
    environment = {
        **os.environ,
        "LISTEN_PID": str(os.getpid()),
        "LISTEN_FDS": "1",
        "LISTEN_FDNAMES": traefik.ENTRY_POINT,
    }
    program = str(Path(program).absolute())
    os.chdir(traefik.START_FOLDER)  # only read from: it may belong to somebody else
    _drop_rights(os.environ.get("INGRESS_ACCOUNT"))
    os.execve(program, [program, *arguments], environment)  # noqa: S606 - an argument list


def _drop_rights(account: str | None) -> None:
    if account and os.geteuid() == 0:
        entry = pwd.getpwnam(account)
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)


if __name__ == "__main__":
    sys.exit(main())

"""A Docker engine of the tests' own, in its own network namespace.

The machine's engine, its firewall rules and a running panel are never touched: on the host there
is one veth end, one route to the pool and three commented iptables rules, all gone at exit.
Two runs can coexist: every name carries the pid, and the pool is claimed by adding its route.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import ipaddress
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import docker
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from app.adapters.docker_api import DockerConnection
from tests.memory import MEMORY, folder_in_memory

_counter = itertools.count()
_LINKS = ipaddress.ip_network("100.64.0.0/10")  # RFC 6598: for links nobody else routes
_STATE = "moonbase-engine-"
_PLACES = (Path(tempfile.gettempdir()), MEMORY)
_CGROUPS = Path("/sys/fs/cgroup")
_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
# The state of the host's forwarding is shared by all runs, so one lock orders their changes.
_LOCK = Path(tempfile.gettempdir()) / "moonbase-engine.lock"


def _run(*command: str, check: bool = True) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def why_not_here() -> str | None:
    """Why a private engine cannot run on this machine, or None when it can."""
    if os.geteuid() != 0:
        return "a private engine needs root"
    missing = [name for name in ("dockerd", "ip", "iptables", "nsenter") if not shutil.which(name)]
    return f"not installed: {', '.join(missing)}" if missing else None


def _free_pools() -> list[str]:
    """Those no route of the machine touches: an installation beside us may have networks there."""
    first_words = [line.split()[0] for line in _run("ip", "-4", "route", "show").splitlines()]
    taken = [ipaddress.IPv4Network(word) for word in first_words if "/" in word]
    pools = [ipaddress.IPv4Network(f"10.{number}.0.0/16") for number in range(214, 254)]
    return [str(pool) for pool in pools if not any(pool.overlaps(other) for other in taken)]


class PrivateEngine:
    """A context manager: an engine that answers on `.socket` while it is open.

    `pool` is where test networks take their subnets from; the host reaches every container
    address in it. Without one, the first free /16 from 10.214.0.0 on is claimed. Its images and
    containers lie on the disk, or `in_memory` where there is enough: of what such tests take of
    the kernel that is a third.
    """

    build_network = "moonbase-test-build"

    def __init__(
        self, live_restore: bool = False, pool: str | None = None, in_memory: bool = False
    ) -> None:
        self.live_restore = live_restore
        self._place = (folder_in_memory() if in_memory else None) or _PLACES[0]
        self._wanted_pool = pool
        self.pool = pool or ""
        self.name = f"mb{os.getpid()}x{next(_counter)}"
        self._daemon: subprocess.Popen[bytes] | None = None
        self._root = Path()
        self._host_address = self._inner_address = ""

    @property
    def socket(self) -> str:
        """The engine's address for the SDK, `unix://…`."""
        return f"unix://{self._root}/docker.sock"

    @property
    def cgroup_parent(self) -> str:
        """The cgroup all containers of this engine lie under, e.g. `/mb123x0`."""
        return f"/{self.name}"

    def __enter__(self) -> PrivateEngine:
        sweep_abandoned()
        self._root = Path(tempfile.mkdtemp(prefix=f"{_STATE}{self.name}-", dir=self._place))
        try:
            self._keep_containerd_on_disk()
            self._connect_networks()
            self._configure()
            self.start()
            self._make_build_network()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def client(self) -> docker.DockerClient:
        """A plain SDK client, for looking past the adapters in tests."""
        return docker.DockerClient(base_url=self.socket, version=self._version, timeout=60)

    @functools.cached_property
    def _version(self) -> str:
        return str(DockerConnection(self.socket).api().api_version)

    def start(self) -> None:
        """Start the daemon and wait until it answers; `RuntimeError` with its log after 30 s."""
        command = ["nsenter", f"--net=/run/netns/{self.name}", "dockerd"]
        command += ["--config-file", str(self._root / "daemon.json")]
        # It calls itself twice for each container: a third of such a call was looking for garbage.
        environ = {**os.environ, "GOGC": "400"}
        with (self._root / "log").open("ab") as log:
            self._daemon = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=environ,
                start_new_session=True,
            )
        deadline = time.monotonic() + 30
        while not self._answers():
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                tail = (self._root / "log").read_text(errors="replace")[-3000:]
                raise RuntimeError(f"the private engine did not start:\n{tail}")
            time.sleep(0.05)

    def stop(self, kill: bool = False) -> None:
        """End the daemon, by SIGTERM or SIGKILL. With `live_restore` containers run on."""
        if self._daemon is None:
            return
        self._daemon.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            self._daemon.wait(30)
        except subprocess.TimeoutExpired:
            self._daemon.kill()
            self._daemon.wait(10)
        self._daemon = None
        # The managed containerd follows its parent's death; a new daemon must not meet the old.
        self._wait_for_no_process(f"containerd --config {self._root}")

    def restart(self, kill: bool = False) -> None:
        """Stop (or kill) the daemon and start it again on the same data."""
        self.stop(kill=kill)
        # A killed containerd stays a zombie where init reaps nothing: by its pid file the new
        # daemon would take it for alive and wait for it.
        for pid_file in ("pid", "exec/containerd/containerd.pid"):
            (self._root / pid_file).unlink(missing_ok=True)
        self.start()

    def close(self) -> None:
        """Remove everything: containers, daemon, mounts, cgroups, namespace, rules, data."""
        with contextlib.suppress(DockerException, RequestException):
            for container in self.client().api.containers(all=True):
                with contextlib.suppress(APIError):
                    self.client().api.remove_container(container["Id"], force=True, v=True)
        self.stop()
        _remove_traces(self.name, self._root)

    def _answers(self) -> bool:
        try:
            client = docker.APIClient(base_url=self.socket, version="1.41", timeout=5)
            return bool(client.ping())
        except (DockerException, RequestException):
            return False

    def _configure(self) -> None:
        settings = {
            "data-root": f"{self._root}/data",
            "exec-root": f"{self._root}/exec",
            "pidfile": f"{self._root}/pid",
            "hosts": [self.socket],
            "bridge": "none",
            "live-restore": self.live_restore,
            "cgroup-parent": self.cgroup_parent,
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "ip6tables": False,
        }
        (self._root / "daemon.json").write_text(json.dumps(settings))

    def _keep_containerd_on_disk(self) -> None:
        # It looks for garbage again after fifty times what that took: in memory all the time.
        kept = _PLACES[0] / self._root.name
        if kept != self._root:
            kept.mkdir()
            (self._root / "data").mkdir()
            (self._root / "data" / "containerd").symlink_to(kept)

    def _connect_networks(self) -> None:
        host, inner = f"{self.name}h", f"{self.name}i"
        _run("ip", "netns", "add", self.name)
        _run("ip", "link", "add", host, "type", "veth", "peer", "name", inner)
        _run("ip", "link", "set", inner, "netns", self.name)
        # A /30 per run: pids are unique among living runs, the counter within one.
        index = (os.getpid() * 8 + int(self.name.rpartition("x")[2])) % (_LINKS.num_addresses // 4)
        base = int(_LINKS.network_address) + 4 * index
        self._host_address, self._inner_address = (
            str(ipaddress.ip_address(base + offset)) for offset in (1, 2)
        )
        _run("ip", "addr", "add", f"{self._host_address}/30", "dev", host)
        _run("ip", "link", "set", host, "up")
        self._inside("ip", "addr", "add", f"{self._inner_address}/30", "dev", inner)
        for device in ("lo", inner):
            self._inside("ip", "link", "set", device, "up")
        self._inside("ip", "route", "add", "default", "via", self._host_address)
        self._inside("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
        # Docker keeps what stands in DOCKER-USER and asks it before its own drops.
        self._inside("iptables", "-w", "-N", "DOCKER-USER")
        self._inside("iptables", "-w", "-A", "DOCKER-USER", "-i", inner, "-j", "ACCEPT")
        self.pool = self._claim_pool(host)
        self._open_host(host)

    def _claim_pool(self, device: str) -> str:
        wanted = self._wanted_pool
        candidates = [wanted] if wanted else _free_pools()
        for pool in candidates:
            with contextlib.suppress(RuntimeError):  # "File exists": another run has it
                _run("ip", "route", "add", pool, "via", self._inner_address, "dev", device)
                return pool
        raise RuntimeError(f"no free address pool among {', '.join(candidates)}")

    def _open_host(self, device: str) -> None:
        with _locked():
            (self._root / "needs-forwarding").touch()
            if _FORWARDING.read_text().strip() == "0":
                (self._root / "set-forwarding").touch()
                _FORWARDING.write_text("1")
        comment = ("-m", "comment", "--comment", self.name)
        accept = ("iptables", "-w", "-I", "FORWARD")
        _run(*accept, "-i", device, *comment, "-j", "ACCEPT")
        _run(*accept, "-o", device, *comment, "-j", "ACCEPT")
        masquerade = ("iptables", "-w", "-t", "nat", "-A", "POSTROUTING")
        source = ("-s", f"{self._inner_address}/32")
        _run(*masquerade, *source, "!", "-o", device, *comment, "-j", "MASQUERADE")

    def _make_build_network(self) -> None:
        # The pool's last /24 is the builds'; without a default bridge they need one of our own.
        subnet = str(list(ipaddress.ip_network(self.pool).subnets(new_prefix=24))[-1])
        self.client().networks.create(
            self.build_network,
            driver="bridge",
            labels={"moonbase.role": "build"},
            ipam=docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet=subnet)]),
        )

    def _inside(self, *command: str) -> None:
        _run("nsenter", f"--net=/run/netns/{self.name}", *command)

    def _wait_for_no_process(self, words: str) -> None:
        deadline = time.monotonic() + 10
        while any(words in line for _, line in processes()) and time.monotonic() < deadline:
            time.sleep(0.02)


def state_folders(name: str = "mb") -> list[Path]:
    """Of all engines there are, or of those whose name begins so."""
    found = [root for place in _PLACES for root in place.glob(f"{_STATE}{name}*")]
    return list({root.name: root for root in found}.values())  # one in memory has two, by one name


def sweep_abandoned() -> None:
    """Remove what runs that were killed left behind: those whose pid no longer lives."""
    for root in state_folders():
        match = re.match(r"(mb(\d+)x\d+)-", root.name.removeprefix(_STATE))
        if match and not Path(f"/proc/{match[2]}").exists():
            _remove_traces(match[1], root)


def processes() -> list[tuple[int, str]]:
    """Pid and command line of every process of the machine. One may end while it is read."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
            found.append((int(entry.name), words.decode(errors="replace")))
    return found


def _pids_in(group: Path) -> set[int]:
    """Processes of a control group and of those below, any of which may go meanwhile."""
    pids: set[int] = set()
    for place, _, _ in os.walk(group):
        with contextlib.suppress(OSError):
            pids |= {int(pid) for pid in (Path(place) / "cgroup.procs").read_text().split()}
    return pids


def _remove_traces(name: str, root: Path) -> None:
    # Every process of the engine (daemon, containerd, shims) has the state folder in its
    # command line; containers themselves are found by their cgroup.
    def ours() -> set[int]:
        return _pids_in(_CGROUPS / "pids" / name) | {
            pid for pid, line in processes() if f"{root}/" in line
        }

    deadline = time.monotonic() + 10
    while (left := ours()) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in reversed([m for m in mounts if m.startswith(f"{root}/")]):
        _run("umount", "-l", mount, check=False)
    while (groups := list(_CGROUPS.glob(f"*/{name}"))) and time.monotonic() < deadline:
        for folder in (*(one for group in groups for one in _folders_below(group)), *groups):
            with contextlib.suppress(OSError):  # what was killed may still be in it for a moment
                folder.rmdir()
        time.sleep(0.02)
    _close_host(name, root)
    # Images are tens of thousands of files.
    _run("rm", "-rf", *(str(place / root.name) for place in _PLACES), check=False)


def _folders_below(group: Path) -> list[Path]:
    """The deepest first. Somebody else may remove them at the same moment, which `walk` skips."""
    return [
        Path(place) / name
        for place, folders, _ in os.walk(group, topdown=False)
        for name in folders
    ]


def _close_host(name: str, root: Path) -> None:
    for table in ("filter", "nat"):
        rules = _run("iptables-save", "-t", table, check=False).splitlines()
        for rule in (r for r in rules if f"--comment {name} " in r and r.startswith("-A ")):
            _run("iptables", "-w", "-t", table, "-D", *rule.split()[1:], check=False)
    _run("ip", "link", "del", f"{name}h", check=False)
    _run("ip", "netns", "del", name, check=False)
    with _locked():
        (root / "needs-forwarding").unlink(missing_ok=True)
        if not (root / "set-forwarding").exists():
            return
        heirs = [other for other in state_folders() if (other / "needs-forwarding").exists()]
        if heirs:  # forwarding is still in use: the last one to leave turns it off
            (heirs[0] / "set-forwarding").touch()
        else:
            _FORWARDING.write_text("0")


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

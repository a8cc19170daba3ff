"""A container's settings for Docker's API, computed from a `ContainerSpec`; nothing is executed.

The answers are plain JSON values as `POST /containers/create` and `/networks/create` take them
(Docker API 1.41), so that they can be tested without an engine.
"""

from __future__ import annotations

import io
import ipaddress
import tarfile
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from app.adapters.engine import ContainerSpec, NetworkSpec

# All rights of root are dropped but these, without which ordinary images do not start.
CAPABILITIES = (
    "CHOWN",  # entrypoints give their data folders to the user they run as
    "DAC_OVERRIDE",  # root in the image reads and writes files of that user
    "FOWNER",  # chmod and utime on them
    "SETGID",  # nginx, gunicorn and su-exec give up root …
    "SETUID",  # … for that user
    "KILL",  # a root master signals workers that run as another user
    "NET_BIND_SERVICE",  # port 80 by a user other than root
)
_NANO = 10**9
# Docker keeps at most 30 MB of raw output per container; the observer keeps the log people see.
_LOG = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}


def container_settings(spec: ContainerSpec, one_off: bool = False) -> dict[str, Any]:
    """The body of a create call. `one_off` keeps no log: its output is read as it comes."""
    settings: dict[str, Any] = {
        "Image": spec.image,
        "Labels": dict(spec.labels),
        "Env": [f"{name}={value}" for name, value in spec.environment.items()],
        "AttachStdin": False,
        "OpenStdin": False,
        "Tty": False,
        "HostConfig": host_settings(spec, one_off),
        "NetworkingConfig": {"EndpointsConfig": {spec.network: _endpoint(spec)}},
    }
    if spec.command is not None:
        settings["Cmd"] = list(spec.command)
    if spec.user:
        settings["User"] = spec.user
    return settings


def host_settings(spec: ContainerSpec, one_off: bool = False) -> dict[str, Any]:
    """What the container may do and use: no ports, no privileges, hard limits; of the machine's
    files only the volumes it names, which are never folders of the machine."""
    restarts = spec.restarts and not one_off
    settings: dict[str, Any] = {
        "NetworkMode": spec.network,
        "Privileged": False,
        "SecurityOpt": ["no-new-privileges:true"],
        "CapDrop": ["ALL"],
        "CapAdd": list(CAPABILITIES),
        "IpcMode": "private",
        "Init": True,
        "Memory": spec.limits.memory_bytes,
        # Equal to the memory: no swap on top, so the limit is hard.
        "MemorySwap": spec.limits.memory_bytes,
        "NanoCpus": round(spec.limits.cpus * _NANO),
        "PidsLimit": spec.limits.pids,
        "RestartPolicy": {"Name": "unless-stopped" if restarts else "no"},
        "LogConfig": {"Type": "none", "Config": {}} if one_off else _LOG,
        "PublishAllPorts": False,
        "PortBindings": {},
    }
    if spec.volumes:
        settings["Mounts"] = [
            {"Type": "volume", "Source": name, "Target": path}
            for path, name in spec.volumes.items()
        ]
    return settings


def files_archive(files: Mapping[str, str]) -> bytes:
    """A tar of these files by absolute path, with the folder of each: root's, readable by all."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for parent in dict.fromkeys(PurePosixPath(path).parent for path in files):
            folder = tarfile.TarInfo(str(parent).lstrip("/"))
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder)
        for path, text in files.items():
            content = text.encode()
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


def network_settings(spec: NetworkSpec) -> dict[str, Any]:
    """The body of a network create call: a bridge with the one explicit subnet.

    What the engine gives out by itself comes from the upper half; the lower half is for addresses
    that are fixed beforehand.
    """
    network = ipaddress.ip_network(spec.subnet)
    pool = {
        "Subnet": spec.subnet,
        "IPRange": str(list(network.subnets())[-1]),
        "Gateway": str(next(network.hosts())),  # else the engine takes one of its own range
    }
    return {
        "Name": spec.name,
        "CheckDuplicate": True,
        "Driver": "bridge",
        "IPAM": {
            "Driver": "default",
            "Config": [pool],
        },
        "Labels": dict(spec.labels),
    }


def _endpoint(spec: ContainerSpec) -> dict[str, Any]:
    endpoint: dict[str, Any] = {}
    if spec.address is not None:
        endpoint["IPAMConfig"] = {"IPv4Address": spec.address}
    if spec.aliases:
        endpoint["Aliases"] = list(spec.aliases)
    return endpoint

"""A container's settings: what ordinary images need, and nothing that lets a site out."""

from __future__ import annotations

from dataclasses import replace

from app.adapters.engine import ContainerSpec, Limits, NetworkSpec
from app.adapters.engine.commands import CAPABILITIES, container_settings, network_settings

SPEC = ContainerSpec(
    name="site-1",
    image="sites/one:1",
    labels={"moonbase.installation": "x"},
    network="net-1",
    limits=Limits(memory_bytes=256 * 2**20, cpus=0.5, pids=100),
    environment={"PORT": "80"},
    restarts=True,
)


def test_limits_are_hard() -> None:
    host = container_settings(SPEC)["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 256 * 2**20
    assert host["NanoCpus"] == 500_000_000
    assert host["PidsLimit"] == 100


def test_a_site_gets_no_way_out() -> None:
    settings = container_settings(SPEC)
    host = settings["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert set(host["CapAdd"]) == set(CAPABILITIES)
    assert not {"SYS_ADMIN", "NET_ADMIN", "NET_RAW", "SYS_PTRACE", "MKNOD"} & set(CAPABILITIES)
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Privileged"] is False
    assert host["IpcMode"] == "private"
    assert host["PortBindings"] == {}
    assert host["PublishAllPorts"] is False
    assert not {"Binds", "Mounts", "Devices", "PidMode", "ExposedPorts"} & {*host, *settings}


def test_restart_and_log_follow_the_purpose() -> None:
    assert container_settings(SPEC)["HostConfig"]["RestartPolicy"] == {"Name": "unless-stopped"}
    still = container_settings(replace(SPEC, restarts=False))["HostConfig"]
    assert still["RestartPolicy"] == {"Name": "no"}
    assert still["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}
    one_off = container_settings(SPEC, one_off=True)["HostConfig"]
    assert one_off["RestartPolicy"] == {"Name": "no"}
    assert one_off["LogConfig"]["Type"] == "none"


def test_command_and_address_only_when_given() -> None:
    plain = container_settings(SPEC)
    assert "Cmd" not in plain
    assert plain["Env"] == ["PORT=80"]
    assert plain["NetworkingConfig"] == {"EndpointsConfig": {"net-1": {}}}
    full = container_settings(replace(SPEC, command=("run", "it"), address="10.213.0.34"))
    assert full["Cmd"] == ["run", "it"]
    endpoint = full["NetworkingConfig"]["EndpointsConfig"]["net-1"]
    assert endpoint == {"IPAMConfig": {"IPv4Address": "10.213.0.34"}}


def test_volumes_are_named_and_take_nothing_away_from_the_hardening() -> None:
    plain = container_settings(SPEC)
    full = container_settings(replace(SPEC, volumes={"/data": "one-data"}, user="70:70"))
    assert full["User"] == "70:70"
    assert "User" not in plain
    mounts = full["HostConfig"].pop("Mounts")
    assert mounts == [{"Type": "volume", "Source": "one-data", "Target": "/data"}]
    assert full["HostConfig"] == plain["HostConfig"]


def test_aliases_only_when_given() -> None:
    settings = container_settings(replace(SPEC, aliases=("postgresql-15",)))
    endpoints = {"net-1": {"Aliases": ["postgresql-15"]}}
    assert settings["NetworkingConfig"] == {"EndpointsConfig": endpoints}


def test_a_network_has_its_one_subnet() -> None:
    settings = network_settings(NetworkSpec("net-1", "10.213.0.32/27", {"a": "b"}))
    pool = {"Subnet": "10.213.0.32/27", "IPRange": "10.213.0.48/28", "Gateway": "10.213.0.33"}
    assert settings["IPAM"]["Config"] == [pool]
    assert settings["Driver"] == "bridge"
    assert settings["Labels"] == {"a": "b"}

"""What every `Engine` does for servers that sites need: more networks, volumes, commands inside."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import BinaryIO

import pytest

from app.adapters.engine import (
    LABEL_ENVIRONMENT,
    LABEL_INSTALLATION,
    LABEL_SERVICE,
    ContainerState,
    NetworkSpec,
)
from app.adapters.engine.fake import ScriptedExecution
from app.errors import Invalid, Unavailable
from tests.contracts.engine_fixtures import EngineCase


@pytest.fixture
def server(engine_case: EngineCase) -> ContainerState:
    """A server in a network of its own, known to no environment."""
    own = NetworkSpec(
        f"{engine_case.installation}-own", engine_case.next_subnet(), _ours(engine_case)
    )
    engine_case.engine.ensure_network(own)
    labels = {**_ours(engine_case), LABEL_SERVICE: "one"}
    return engine_case.engine.start_container(
        engine_case.spec("server", network=own.name, labels=labels, restarts=True)
    )


def _ours(case: EngineCase) -> dict[str, str]:
    return {LABEL_INSTALLATION: case.installation}


def _run(
    case: EngineCase,
    container: str,
    script: str,
    acted: ScriptedExecution | None = None,
    source: BinaryIO | None = None,
) -> tuple[int | None, bytes, str]:
    command = case.acts(("sh", "-c", script), acted or ScriptedExecution())
    sink, variables = io.BytesIO(), {"GREETING": "hello"}
    done = case.engine.execute(container, command, variables, 20, source, sink)
    return done.exit_code, sink.getvalue(), done.errors


def test_a_container_is_put_into_more_networks(
    engine_case: EngineCase, server: ContainerState
) -> None:
    engine, network = engine_case.engine, engine_case.network
    engine.connect(network, server.name, ("postgresql-15",))
    engine.connect(network, server.name, ("postgresql-15",))
    assert engine.networks_of(server.name) == {f"{engine_case.installation}-own", network}
    found = engine.inspect_container(server.name)
    assert found is not None
    assert found.address == server.address  # the one in its own network, as before
    site = engine.start_container(engine_case.spec())
    if engine_case.fake is not None:
        assert engine_case.fake.aliases_of(server.name, network) == ("postgresql-15",)
    else:
        code, said, _ = _run(engine_case, site.name, "nslookup postgresql-15")
        assert (code, b"Address" in said) == (0, True)
    engine.disconnect(network, server.name)
    engine.disconnect(network, server.name)
    assert engine.networks_of(server.name) == {f"{engine_case.installation}-own"}
    engine.disconnect(network, "nothing-here")
    engine.disconnect("nowhere", server.name)
    assert engine.networks_of("nothing-here") == frozenset()


def test_connecting_what_is_not_there_is_refused(
    engine_case: EngineCase, server: ContainerState
) -> None:
    with pytest.raises(Invalid, match="The network “nowhere” does not exist"):
        engine_case.engine.connect("nowhere", server.name)
    with pytest.raises(Invalid, match="is gone"):
        engine_case.engine.connect(engine_case.network, "nothing-here")


@pytest.mark.parametrize("stopped", [False, True])
def test_a_connected_server_does_not_keep_an_environments_network(
    engine_case: EngineCase, server: ContainerState, stopped: bool
) -> None:
    engine = engine_case.engine
    engine.connect(engine_case.network, server.name)
    if stopped:
        engine.stop_container(server.name, 0)
    engine.remove_network(engine_case.network)
    assert engine.list_networks({**_ours(engine_case), LABEL_ENVIRONMENT: "7"}) == []
    assert engine.networks_of(server.name) == {f"{engine_case.installation}-own"}


def test_a_server_keeps_its_own_network(engine_case: EngineCase, server: ContainerState) -> None:
    with pytest.raises(Invalid, match="still has containers"):
        engine_case.engine.remove_network(f"{engine_case.installation}-own")


def test_a_volume_outlives_its_containers(engine_case: EngineCase) -> None:
    engine, name = engine_case.engine, f"{engine_case.installation}-data"
    engine.ensure_volume(name, engine_case.labels)
    engine.ensure_volume(name, engine_case.labels)
    assert engine.list_volumes(_ours(engine_case)) == [name]
    spec = engine_case.spec(volumes={"/data": name})
    engine.start_container(spec)
    _run(engine_case, spec.name, "echo kept > /data/file")
    with pytest.raises(Invalid, match="volume is still in use"):
        engine.remove_volume(name)
    engine.remove_container(spec.name)
    engine.start_container(spec)
    _, said, _ = _run(engine_case, spec.name, "cat /data/file", ScriptedExecution(b"kept\n"))
    assert said == b"kept\n"
    engine.remove_container(spec.name)
    engine.remove_volume(name)
    engine.remove_volume(name)
    assert engine.list_volumes(_ours(engine_case)) == []


def test_somebody_elses_volume_is_not_taken(engine_case: EngineCase) -> None:
    name = f"{engine_case.installation}-data"
    engine_case.engine.ensure_volume(name, engine_case.labels)
    with pytest.raises(Invalid, match="not ours"):
        engine_case.engine.ensure_volume(name, {LABEL_INSTALLATION: "somebody-else"})


def test_a_container_runs_as_somebody_else(engine_case: EngineCase) -> None:
    state = engine_case.engine.start_container(engine_case.spec(user="33:33"))
    _, said, _ = _run(engine_case, state.name, "id -u", ScriptedExecution(b"33\n"))
    assert said == b"33\n"


def test_a_command_inside_keeps_its_streams_apart(engine_case: EngineCase) -> None:
    state = engine_case.engine.start_container(engine_case.spec())
    code, said, errors = _run(
        engine_case,
        state.name,
        "echo $GREETING; cat; echo wrong >&2; exit 3",
        ScriptedExecution(b"hello\nread", "wrong\n", 3),
        source=io.BytesIO(b"read"),
    )
    assert (code, said, errors) == (3, b"hello\nread", "wrong\n")


def test_of_many_errors_the_end_is_kept(engine_case: EngineCase) -> None:
    state = engine_case.engine.start_container(engine_case.spec())
    _, said, errors = _run(
        engine_case,
        state.name,
        "i=0; while [ $i -lt 3000 ]; do echo é$i >&2; i=$((i+1)); done",
        ScriptedExecution(errors="é0\n" * 2000 + "é2999\n"),
    )
    assert said == b""
    assert len(errors) == 4000
    assert errors.endswith("é2999\n")


def test_a_command_that_outlives_its_time_is_killed(engine_case: EngineCase) -> None:
    state = engine_case.engine.start_container(engine_case.spec())
    command = engine_case.acts(
        ("sh", "-c", "sleep 77 & sleep 77; echo late"), ScriptedExecution(seconds=77)
    )
    began = time.monotonic()
    done = engine_case.engine.execute(state.name, command, {}, 0.3)
    assert (done.exit_code, done.timed_out) == (None, True)
    assert time.monotonic() - began < 4
    _, left, _ = _run(
        engine_case, state.name, "ps | grep -c '[s]leep 77'", ScriptedExecution(b"0\n")
    )
    assert left == b"0\n"  # its child neither


def test_only_in_a_container_that_runs(engine_case: EngineCase) -> None:
    with pytest.raises(Unavailable, match="does not run"):
        engine_case.engine.execute("nothing-here", ("true",), {}, 5)
    state = engine_case.engine.start_container(engine_case.spec())
    engine_case.engine.stop_container(state.name, 0)
    with pytest.raises(Unavailable, match="does not run"):
        engine_case.engine.execute(state.name, ("true",), {}, 5)


class _Broken(io.RawIOBase):
    """Breaks after some bytes, as a disk does or a wrong key."""

    def __init__(self, good: int) -> None:
        self.left = good

    def read(self, size: int = -1) -> bytes:
        if self.left <= 0:
            raise OSError("the disk broke")
        self.left -= size
        return b"x" * size

    def write(self, data: object) -> int:
        raise OSError("the disk is full")


@pytest.mark.parametrize("engine_case", ["docker"], indirect=True)
@pytest.mark.parametrize("side", ["source", "sink"])
def test_a_broken_stream_kills_the_command(engine_case: EngineCase, side: str) -> None:
    """Above all a broken input must not look like a whole one."""
    state = engine_case.engine.start_container(engine_case.spec())
    script = "cat > /tmp/got && touch /tmp/whole" if side == "source" else "yes; touch /tmp/whole"
    with pytest.raises(OSError, match="the disk"):
        engine_case.engine.execute(
            state.name,
            ("sh", "-c", script),
            {},
            20,
            **{side: _Broken(1_000_000)},  # type: ignore[arg-type]
        )
    code, _, _ = _run(engine_case, state.name, "ps | grep -q '[y]es$' || [ -e /tmp/whole ]")
    assert code == 1


@pytest.mark.parametrize("engine_case", ["docker"], indirect=True)
@pytest.mark.parametrize("how", ["kill", "remove"])
def test_a_container_that_ends_under_its_command_is_no_success(
    engine_case: EngineCase, how: str
) -> None:
    state = engine_case.engine.start_container(engine_case.spec())
    end: Callable[[], None] = {
        "kill": lambda: engine_case.engine.stop_container(state.name, 0),
        "remove": lambda: engine_case.engine.remove_container(state.name),
    }[how]

    class Ending(io.BytesIO):
        def write(self, data: object) -> int:
            end()
            return 0

    try:
        done = engine_case.engine.execute(
            state.name, ("sh", "-c", "echo here; sleep 60"), {}, 20, sink=Ending()
        )
    except Unavailable:
        return
    assert done.exit_code != 0

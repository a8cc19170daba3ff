"""What only a real Docker engine can show: limits, its absence, its restart, its log format."""

from __future__ import annotations

import concurrent.futures
import datetime
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.adapters.engine import Limits, NetworkSpec
from app.adapters.engine.docker import DockerEngine
from app.adapters.lines import LONGEST_LINE
from app.errors import Invalid, Unavailable
from base_images.making import ensure
from tests.contracts.engine_fixtures import EngineCase
from tests.engine.private_engine import PrivateEngine, why_not_here

MB = 1024 * 1024


@pytest.fixture
def case(private_engine: PrivateEngine, static_base_image: str) -> Iterator[EngineCase]:
    made = EngineCase(
        DockerEngine(private_engine.socket), static_base_image, private_engine.pool, None
    )
    made.engine.ensure_network(NetworkSpec(made.network, made.subnet, made.labels))
    yield made
    for container in made.engine.list_containers(made.labels):
        made.engine.remove_container(container.name)
    for network in made.engine.list_networks(made.labels):
        made.engine.remove_network(network)


def output(case: EngineCase, script: str, limits: Limits | None = None) -> list[str]:
    """The lines of a one-off shell script, which must succeed."""
    lines: list[str] = []
    spec = case.spec("job", ("sh", "-c", script))
    result = case.engine.run_command(
        replace(spec, limits=limits or spec.limits), 60, lines.append, threading.Event()
    )
    assert result.exit_code == 0, lines
    return lines


def get(address: str) -> bytes:
    """The page at `address`, port 80, once it answers; fails after 10 s."""
    deadline = time.monotonic() + 10
    while True:
        try:
            with urllib.request.urlopen(f"http://{address}/", timeout=2) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError:
            raise
        except OSError:
            assert time.monotonic() < deadline, f"{address} does not answer"
            time.sleep(0.02)


@pytest.mark.parametrize("address", ["unix:///nonexistent/docker.sock", "tcp://127.0.0.1:9"])
def test_an_absent_engine_is_unavailable(address: str) -> None:
    engine = DockerEngine(address)
    with pytest.raises(Unavailable, match="does not answer"):
        engine.ping()
    with pytest.raises(Unavailable):
        engine.list_containers({})
    with pytest.raises(Unavailable):
        next(engine.follow_events({}, None))


def test_rights_are_few_but_enough(case: EngineCase) -> None:
    # CHOWN 0, DAC_OVERRIDE 1, FOWNER 3, KILL 5, SETGID 6, SETUID 7, NET_BIND_SERVICE 10.
    rights = sum(1 << bit for bit in (0, 1, 3, 5, 6, 7, 10))
    lines = output(
        case,
        "grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status;"
        "touch /f; chown 33 /f; chmod 600 /f; cat /f; echo fine; mknod /n c 1 3 || echo refused",
    )
    assert f"CapEff:\t{rights:016x}" in lines
    assert f"CapBnd:\t{rights:016x}" in lines
    assert "NoNewPrivs:\t1" in lines
    assert {"fine", "refused"} <= set(lines)  # errors come on a stream of their own, in any order


def test_processes_are_limited(case: EngineCase) -> None:
    script = "for i in $(seq 30); do sleep 5 & done; echo survived"
    lines: list[str] = []
    spec = replace(case.spec("job", ("sh", "-c", script)), limits=Limits(64 * MB, 1.0, 10))
    case.engine.run_command(spec, 60, lines.append, threading.Event())
    assert any("can't fork" in line for line in lines)


def test_memory_beyond_the_limit_kills(case: EngineCase) -> None:
    command = ("sh", "-c", "a=x; while :; do a=$a$a; done")
    spec = replace(case.spec("job", command), limits=Limits(16 * MB, 1.0, 20))
    result = case.engine.run_command(spec, 60, lambda line: None, threading.Event())
    assert result.exit_code == 137
    assert result.oom_killed


def test_a_child_killed_for_memory_is_noticed(case: EngineCase) -> None:
    since = datetime.datetime.now(datetime.UTC)
    hog = "sh -c 'a=x; while :; do a=$a$a; done'; echo still here; sleep 300"
    spec = replace(case.spec("web", ("sh", "-c", hog)), limits=Limits(16 * MB, 1.0, 20))
    name = case.engine.start_container(spec).name
    assert next(line.text for line in case.engine.follow_logs(name, None) if "still" in line.text)
    state = case.engine.inspect_container(name)
    assert state is not None
    assert state.running
    assert not state.oom_killed
    deadline = time.monotonic() + 5
    while not case.engine.was_killed_for_memory(name, since):
        assert time.monotonic() < deadline, "no oom event"
    assert not case.engine.was_killed_for_memory(name, datetime.datetime.now(datetime.UTC))


def test_refused_commands_are_plain_sentences(case: EngineCase) -> None:
    with pytest.raises(Invalid, match="The command “no-such-thing” is not in the image"):
        case.engine.start_container(case.spec("web", ("no-such-thing",)))
    with pytest.raises(Invalid, match="The command “/bin/nothing” is not in the image"):
        case.engine.run_command(
            case.spec("job", ("/bin/nothing",)), 20, lambda line: None, threading.Event()
        )
    with pytest.raises(Invalid, match="at least 6MB of memory"):
        case.engine.start_container(replace(case.spec(), limits=Limits(1 * MB, 1.0, 20)))
    with pytest.raises(Invalid, match="address is taken"):
        case.engine.start_container(case.spec("a", address=case.address(7)))
        case.engine.start_container(case.spec("b", address=case.address(7)))
    assert [c.name for c in case.engine.list_containers(case.labels)] == [case.spec("a").name]


def test_overlapping_networks_are_refused(case: EngineCase) -> None:
    with pytest.raises(Invalid, match="overlap"):
        case.engine.ensure_network(NetworkSpec(f"{case.network}-2", case.subnet, case.labels))


def test_a_line_of_megabytes_comes_in_pieces(case: EngineCase) -> None:
    lines = output(case, "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end")
    assert max(map(len, lines)) == LONGEST_LINE
    assert sum(map(len, lines)) == 3_000_003
    assert lines[-1] == "end"


def test_the_log_of_a_line_of_megabytes(case: EngineCase) -> None:
    script = "head -c 2000000 /dev/zero | tr '\\0' x; echo; echo end >&2; sleep 0.3"
    name = case.engine.start_container(case.spec("web", ("sh", "-c", script))).name
    lines = list(case.engine.follow_logs(name, None))
    assert max(len(line.text) for line in lines) <= LONGEST_LINE
    assert sum(len(line.text) for line in lines if line.stream == "stdout") == 2_000_000
    assert [line.text for line in lines if line.stream == "stderr"] == ["end"]
    assert len(case.engine.tail_logs(name, 5)) == 5


def test_a_command_with_much_output_loses_none(case: EngineCase) -> None:
    count = 0
    last = ""

    def on_line(line: str) -> None:
        nonlocal count, last
        count, last = count + 1, line

    spec = case.spec("job", ("seq", "1", "2000000"))
    assert case.engine.run_command(spec, 60, on_line, threading.Event()).exit_code == 0
    assert (count, last) == (2_000_000, "2000000")


def test_the_static_image_serves_and_stops_at_once(case: EngineCase) -> None:
    state = case.engine.start_container(case.spec("web", None, address=case.address(5)))
    assert state.address == case.address(5)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(case.address(5))  # it answers, and /site is empty
    began = time.monotonic()
    case.engine.stop_container(state.name, 10)
    assert time.monotonic() - began < 3


def test_many_threads_share_one_engine(case: EngineCase) -> None:
    def life(number: int) -> str:
        spec = case.spec(f"web-{number}", address=case.address(number + 3))
        case.engine.start_container(spec)
        case.engine.stop_container(spec.name, 1)
        case.engine.remove_container(spec.name)
        return spec.name

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(life, range(16)))) == 16
    assert case.engine.list_containers(case.labels) == []


def test_more_networks_than_docker_has_pools_for(case: EngineCase) -> None:
    specs = [
        NetworkSpec(f"{case.installation}-{n}", case.next_subnet(), case.labels) for n in range(40)
    ]
    for spec in specs:
        case.engine.ensure_network(spec)
    assert len(case.engine.list_networks(case.labels)) == 41


def test_networks_reach_no_neighbour_by_default(case: EngineCase) -> None:
    other = NetworkSpec(f"{case.installation}-other", case.next_subnet(), case.labels)
    case.engine.ensure_network(other)
    case.engine.start_container(case.spec("web", None, address=case.address(5)))
    spec = case.spec("job", ("sh", "-c", f"nc -w 2 {case.address(5)} 80 </dev/null"))
    exit_codes = {
        network: case.engine.run_command(
            replace(spec, network=network), 20, lambda line: None, threading.Event()
        ).exit_code
        for network in (case.network, other.name)
    }
    assert exit_codes == {case.network: 0, other.name: 1}


@pytest.mark.timeout(120)
def test_containers_outlive_the_engine(package_cache: Path) -> None:
    if reason := why_not_here():
        pytest.skip(reason)
    with PrivateEngine(live_restore=True, in_memory=True) as private:
        image = ensure(["static"], private.client().api, package_cache)["static"]
        case = EngineCase(DockerEngine(private.socket), image, private.pool, None)
        case.engine.ensure_network(NetworkSpec(case.network, case.subnet, case.labels))
        script = "echo hello >/site/index.html; exec /bin/serve"
        spec = case.spec("web", ("sh", "-c", script), address=case.address(9), restarts=True)
        before = case.engine.start_container(spec)
        assert get(case.address(9)) == b"hello\n"
        began = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=1)
        events = case.engine.follow_events(case.labels, began)
        assert next(events).action == "start"
        private.stop(kill=True)
        assert get(case.address(9)) == b"hello\n"
        assert list(events) == []  # an engine gone ends the stream, it does not hang it
        with pytest.raises(Unavailable):
            case.engine.ping()
        private.restart()
        after = case.engine.inspect_container(before.name)
        assert after is not None
        assert (after.id, after.running, after.address) == (before.id, True, case.address(9))
        assert get(case.address(9)) == b"hello\n"

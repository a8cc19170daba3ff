"""What every `Engine` does, asked of the one in memory and of Docker alike."""

from __future__ import annotations

import datetime
import io
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from app.adapters.engine import LABEL_INSTALLATION, ContainerState, EngineEvent, NetworkSpec
from app.adapters.engine.fake import ScriptedExecution, ScriptedRun
from app.errors import Invalid
from tests.contracts.engine_fixtures import EngineCase


def _until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def _state(case: EngineCase, name: str) -> ContainerState:
    state = case.engine.inspect_container(name)
    assert state is not None
    return state


def _begun(case: EngineCase) -> ContainerState:
    """A container whose program runs already. A start is done before that: a SIGTERM that comes
    earlier finds nobody who takes it, and the container is killed when its grace is over."""
    state = case.start_writing([("stdout", "begun")])
    _until(lambda: bool(case.engine.tail_logs(state.name, 1)))
    return state


def test_ping_tells_a_version(engine_case: EngineCase) -> None:
    assert engine_case.engine.ping()


def test_a_network_is_made_once_and_removed_silently(engine_case: EngineCase) -> None:
    spec = NetworkSpec(
        f"{engine_case.installation}-more", engine_case.next_subnet(), engine_case.labels
    )
    engine_case.engine.ensure_network(spec)
    engine_case.engine.ensure_network(spec)
    both = [f"{engine_case.installation}-more", engine_case.network]
    assert engine_case.engine.list_networks(engine_case.labels) == both
    engine_case.engine.remove_network(spec.name)
    engine_case.engine.remove_network(spec.name)
    assert engine_case.engine.list_networks(engine_case.labels) == [engine_case.network]


def test_our_network_with_another_subnet_is_made_anew(engine_case: EngineCase) -> None:
    wanted = NetworkSpec(engine_case.network, engine_case.next_subnet(), engine_case.labels)
    engine_case.engine.ensure_network(wanted)
    assert engine_case.engine.list_networks(engine_case.labels) == [engine_case.network]


def test_a_foreign_network_is_left_alone(engine_case: EngineCase) -> None:
    foreign = {LABEL_INSTALLATION: "somebody-else"}
    with pytest.raises(Invalid, match="not ours"):
        engine_case.engine.ensure_network(
            NetworkSpec(engine_case.network, engine_case.next_subnet(), foreign)
        )


def test_a_network_with_containers_stays(engine_case: EngineCase) -> None:
    engine_case.engine.start_container(engine_case.spec())
    with pytest.raises(Invalid, match="still has containers"):
        engine_case.engine.remove_network(engine_case.network)


def test_a_container_runs_at_its_address(engine_case: EngineCase) -> None:
    spec = engine_case.spec(address=engine_case.address(9))
    state = engine_case.engine.start_container(spec)
    assert state.running
    assert state.exit_code is None
    assert state.address == engine_case.address(9)
    assert state.image == engine_case.image
    assert state.labels.items() >= engine_case.labels.items()
    assert engine_case.engine.list_containers(engine_case.labels) == [state]
    assert engine_case.engine.list_containers({**engine_case.labels, "moonbase.role": "x"}) == []


def test_a_leftover_of_ours_is_replaced(engine_case: EngineCase) -> None:
    first = engine_case.engine.start_container(engine_case.spec())
    second = engine_case.engine.start_container(engine_case.spec())
    assert second.id != first.id
    assert [c.id for c in engine_case.engine.list_containers(engine_case.labels)] == [second.id]


def test_a_leftover_of_others_is_not_touched(engine_case: EngineCase) -> None:
    first = engine_case.engine.start_container(engine_case.spec())
    foreign = replace(engine_case.spec(), labels={LABEL_INSTALLATION: "somebody-else"})
    with pytest.raises(Invalid, match="not ours"):
        engine_case.engine.start_container(foreign)
    assert _state(engine_case, first.name).id == first.id
    assert _state(engine_case, first.name).running


def test_stop_and_remove(engine_case: EngineCase) -> None:
    state = _begun(engine_case)
    engine_case.engine.stop_container(state.name, 5)
    stopped = _state(engine_case, state.name)
    assert not stopped.running
    assert stopped.exit_code == 143
    engine_case.engine.stop_container(state.name, 5)
    engine_case.engine.remove_container(state.name)
    engine_case.engine.remove_container(state.name)
    engine_case.engine.stop_container(state.name, 5)
    assert engine_case.engine.inspect_container(state.name) is None


def test_a_missing_image_or_network_is_a_plain_sentence(engine_case: EngineCase) -> None:
    with pytest.raises(Invalid, match="The image “moonbase/none:1” is not on this engine"):
        engine_case.engine.start_container(engine_case.spec(image="moonbase/none:1"))
    with pytest.raises(Invalid, match="The network “nowhere” does not exist"):
        engine_case.engine.start_container(engine_case.spec(network="nowhere"))
    assert engine_case.engine.list_containers(engine_case.labels) == []


def test_the_log_keeps_streams_and_order(engine_case: EngineCase) -> None:
    written = [("stdout", "one"), ("stderr", "zwei ✓"), ("stdout", ""), ("stdout", "four")]
    began = datetime.datetime.now(datetime.UTC)
    name = engine_case.start_writing(written).name
    _until(lambda: len(engine_case.engine.tail_logs(name, 10)) == 4)
    lines = engine_case.engine.tail_logs(name, 10)
    assert [(line.stream, line.text) for line in lines] == written
    assert all(
        began - datetime.timedelta(seconds=1) <= line.at <= datetime.datetime.now(datetime.UTC)
        for line in lines
    )
    assert engine_case.engine.tail_logs(name, 2) == lines[-2:]
    assert engine_case.engine.tail_logs(name, 0) == []
    assert engine_case.engine.tail_logs("nothing-here", 5) == []


def test_following_ends_with_the_container(engine_case: EngineCase) -> None:
    written = [("stdout", "first"), ("stderr", "second"), ("stdout", "third")]
    name = engine_case.start_writing(written, then="exit 3").name
    followed = list(engine_case.engine.follow_logs(name, None))
    assert [(line.stream, line.text) for line in followed] == written
    _until(lambda: not _state(engine_case, name).running)
    assert _state(engine_case, name).exit_code == 3
    later = list(engine_case.engine.follow_logs(name, followed[1].at))
    assert [line.text for line in later] == ["second", "third"]
    assert list(engine_case.engine.follow_logs("nothing-here", None)) == []


def test_following_ends_when_it_is_removed(engine_case: EngineCase) -> None:
    name = engine_case.start_writing([("stdout", "here")]).name
    lines = engine_case.engine.follow_logs(name, None)
    assert next(lines).text == "here"
    engine_case.engine.remove_container(name)
    assert list(lines) == []


def test_files_are_there_when_it_starts(engine_case: EngineCase) -> None:
    """For any user to read, whatever the image has at that place."""
    path, script = "/etc/moonbase/told.txt", "cat /etc/moonbase/told.txt; ls -l /etc/moonbase"
    command = engine_case.plays(
        ("sh", "-c", script), ScriptedRun(("first", "zweite ü", "-rw-r--r-- 1 0 0 told.txt"))
    )
    files, lines = {path: "first\nzweite ü\n"}, list[str]()
    spec = engine_case.spec("job", command, files=files, user="65534:65534")
    result = engine_case.engine.run_command(spec, 30, lines.append, threading.Event())
    assert result.exit_code == 0 and lines[:2] == ["first", "zweite ü"]
    assert lines[-1].startswith("-rw-r--r--") and lines[-1].endswith("told.txt")
    state = engine_case.engine.start_container(engine_case.spec(files=files, user="65534:65534"))
    reading = engine_case.acts(("cat", path), ScriptedExecution(files[path].encode()))
    sink = io.BytesIO()
    engine_case.engine.execute(state.name, reading, {}, 20, sink=sink)
    assert sink.getvalue().decode() == files[path]


@pytest.mark.parametrize("code", [0, 7])
def test_a_command_passes_on_lines_and_code(engine_case: EngineCase, code: int) -> None:
    command = engine_case.plays(
        ("sh", "-c", f"echo migrating; echo '' ; printf unfinished; exit {code}"),
        ScriptedRun(("migrating", "", "unfinished"), code),
    )
    lines: list[str] = []
    result = engine_case.engine.run_command(
        engine_case.spec("job", command), 30, lines.append, threading.Event()
    )
    assert lines == ["migrating", "", "unfinished"]
    assert (result.exit_code, result.timed_out, result.cancelled) == (code, False, False)
    assert engine_case.engine.list_containers(engine_case.labels) == []


def test_a_command_ends_at_its_time_limit(engine_case: EngineCase) -> None:
    command = engine_case.plays(("sleep", "60"), ScriptedRun(seconds=60))
    began = time.monotonic()
    result = engine_case.engine.run_command(
        engine_case.spec("job", command), 0.5, lambda line: None, threading.Event()
    )
    assert result.timed_out
    assert result.exit_code is None
    assert 0.5 <= time.monotonic() - began < 3
    assert engine_case.engine.list_containers(engine_case.labels) == []


def test_a_command_can_be_cancelled(engine_case: EngineCase) -> None:
    command = engine_case.plays(
        ("sh", "-c", "echo ready; sleep 60"), ScriptedRun(("ready",), seconds=60)
    )
    cancelled = threading.Event()
    asked_at: list[float] = []

    def cancel(line: str) -> None:
        asked_at.append(time.monotonic())
        cancelled.set()

    result = engine_case.engine.run_command(engine_case.spec("job", command), 30, cancel, cancelled)
    assert result.cancelled
    assert not result.timed_out
    assert result.exit_code is None
    assert time.monotonic() - asked_at[0] < 1.5
    assert engine_case.engine.list_containers(engine_case.labels) == []


def test_a_command_is_cleaned_up_after_the_listener_fails(engine_case: EngineCase) -> None:
    command = engine_case.plays(
        ("sh", "-c", "echo out; sleep 60"), ScriptedRun(("out",), seconds=60)
    )

    def full(line: str) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        engine_case.engine.run_command(
            engine_case.spec("job", command), 30, full, threading.Event()
        )
    assert engine_case.engine.list_containers(engine_case.labels) == []


def test_images_are_described(engine_case: EngineCase) -> None:
    image = engine_case.engine.inspect_image(engine_case.image)
    assert image is not None
    assert image.tags == (engine_case.image,)
    assert image.exposed_ports == (80,)
    assert image.command == ("/bin/serve",)
    assert image.size > 0
    assert image.created_at.tzinfo is not None
    assert engine_case.engine.inspect_image("moonbase/none:1") is None
    assert engine_case.engine.list_images({LABEL_INSTALLATION: "nobody"}) == []


def test_an_image_in_use_stays(engine_case: EngineCase) -> None:
    engine_case.engine.start_container(engine_case.spec())
    engine_case.engine.remove_image(engine_case.image)
    assert engine_case.engine.inspect_image(engine_case.image) is not None
    engine_case.engine.remove_image("moonbase/none:1")


def test_events_of_labelled_containers_arrive(engine_case: EngineCase) -> None:
    since = datetime.datetime.now(datetime.UTC)
    ours = {LABEL_INSTALLATION: engine_case.installation}
    seen: list[EngineEvent] = []

    def watch() -> None:
        for event in engine_case.engine.follow_events(ours, since):
            seen.append(event)
            if event.action == "destroy":
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    state = _begun(engine_case)
    engine_case.engine.stop_container(state.name, 5)
    engine_case.engine.remove_container(state.name)
    watcher.join(10)
    assert [event.action for event in seen] == ["start", "die", "destroy"]
    assert {event.container for event in seen} == {state.name}
    assert seen[1].exit_code == 143
    assert dict(seen[0].labels).items() >= engine_case.labels.items()


def test_a_container_that_was_not_killed_for_memory(engine_case: EngineCase) -> None:
    since = datetime.datetime.now(datetime.UTC)
    state = engine_case.engine.start_container(engine_case.spec())
    assert not engine_case.engine.was_killed_for_memory(state.name, since)


def test_a_program_is_looked_for_without_being_started(engine_case: EngineCase) -> None:
    case = engine_case
    case.engine.check_program(case.spec("check"))
    if case.fake is not None:
        case.fake.missing_programs.add("no-such-program")
    with pytest.raises(Invalid, match="“no-such-program” is not in the image"):
        case.engine.check_program(case.spec("check", ("no-such-program", "now")))
    assert case.engine.list_containers(case.labels) == []

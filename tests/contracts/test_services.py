"""What every backend of services does, asked of the real servers; `service_fixtures` names them."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from app.adapters.services import Contents, Facts
from app.errors import Invalid, PanelError, Unavailable
from tests.contracts.service_fixtures import Killing, ServiceCase, Site


def test_what_is_provisioned_twice_is_one(service: ServiceCase) -> None:
    order = service.order()
    first = service.backend.provision(service.server, order)
    service.fill(first, 3)
    before = service.read(first)
    assert service.backend.provision(service.server, order) == first
    assert service.read(first) == before


def test_a_site_reads_its_variables(service: ServiceCase) -> None:
    facts = service.provision(password="p@ss/w:rd?#[] %20+&")
    for prefix in ("DEFAULT", "SECOND"):
        variables = service.backend.variables(prefix, facts)
        read = service.guest.facts_of(variables, prefix)
        assert {**facts, **read}.items() >= facts.items()
        service.guest.fill(service.reached({**facts, **read}), 1)
        assert all(name.startswith(prefix) or prefix == "DEFAULT" for name in variables)


def test_nobody_gets_at_anothers(service: ServiceCase) -> None:
    mine, others = service.provision(rows=1), service.provision(rows=1)
    mine, others = service.reached(mine), service.reached(others)
    assert not service.guest.may_enter(mine, others)
    assert not service.guest.may_enter(others, mine)
    with_his_password = {**mine, "user": others.get("user", ""), "database": others["key"]}
    assert not service.guest.may_enter(with_his_password, others)


def test_usage_grows(service: ServiceCase) -> None:
    facts = service.provision()
    before = service.backend.usage(service.server, facts)
    service.fill(facts, 3000)
    after = service.backend.usage(service.server, facts)
    for name in ("bytes", "objects"):
        old, new = getattr(before, name), getattr(after, name)
        assert (old is None) == (new is None)
        assert old is None or old < new
    assert before.bytes is not None


def test_only_attached_environments_reach_it(service: ServiceCase, site: Site) -> None:
    facts = service.provision()
    assert not site.reaches(facts["host"], facts["port"])
    assert not site.reaches(service.reached(facts)["host"], facts["port"])
    service.backend.attach(service.server, facts, site.network)
    service.backend.attach(service.server, facts, site.network)
    assert site.reaches(facts["host"], facts["port"])
    service.backend.stop(service.server)
    service.backend.start(service.server)  # a new container is in the same networks
    assert site.reaches(facts["host"], facts["port"])
    service.backend.detach(service.server, facts, site.network)
    service.backend.detach(service.server, facts, site.network)
    assert not site.reaches(facts["host"], facts["port"])


def test_a_backup_comes_back_in_another_instance(kept_service: ServiceCase) -> None:
    case, sink = kept_service, io.BytesIO()
    source, target = case.provision(rows=50), case.provision(rows=7)
    held = case.backend.backup(case.server, source, sink)
    assert counted(held) == 50
    assert held == case.backend.contents(case.server, source)
    case.fill(source, 1)  # what comes later is not in it
    case.backend.restore(case.server, target, io.BytesIO(sink.getvalue()))
    assert case.backend.contents(case.server, target).counts == held.counts
    assert case.read(target) == case.read(source)[:50]  # type: ignore[index]
    case.fill(target, 2)  # and it is the site's own again
    assert counted(case.backend.contents(case.server, target)) == 52
    assert not case.guest.may_enter(case.reached(source), case.reached(target))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda dump: b"",
        lambda dump: b"no dump at all\n" * 100,
        lambda dump: dump[:-20],
        lambda dump: dump[: len(dump) // 2],
        lambda dump: dump[: len(dump) * 2 // 3] + bytes(200) + dump[len(dump) * 2 // 3 + 200 :],
    ],
    ids=["empty", "foreign", "end-missing", "half", "overwritten"],
)
def test_a_damaged_backup_leaves_everything_as_it_was(
    kept_service: ServiceCase, spoil: Callable[[bytes], bytes]
) -> None:
    case, sink = kept_service, io.BytesIO()
    facts = case.provision(rows=200)
    case.backend.backup(case.server, facts, sink)
    case.fill(facts, 1)
    before = case.read(facts)
    with pytest.raises(Invalid):
        case.backend.restore(case.server, facts, io.BytesIO(spoil(sink.getvalue())))
    assert case.read(facts) == before


def test_a_backup_that_cannot_be_read_to_its_end_is_not_restored(kept_service: ServiceCase) -> None:
    case, sink = kept_service, io.BytesIO()
    facts = case.provision(rows=20)
    case.backend.backup(case.server, facts, sink)
    case.fill(facts, 1)
    before = case.read(facts)

    class Forged(io.BytesIO):
        """Whole, but its end does not prove what it should, as an encrypted file's may."""

        def read(self, size: int | None = -1) -> bytes:
            if piece := super().read(size):
                return piece
            raise Invalid("The backup was tampered with.")

    with pytest.raises(Invalid, match="tampered"):
        case.backend.restore(case.server, facts, Forged(sink.getvalue()))
    assert case.read(facts) == before


def test_what_is_deprovisioned_is_gone(service: ServiceCase) -> None:
    facts = service.provision(rows=1)
    other = service.provision(rows=1)
    service.backend.deprovision(service.server, facts["key"], facts)
    service.backend.deprovision(service.server, facts["key"], facts)
    service.backend.deprovision(service.server, facts["key"], {})
    with pytest.raises(Unavailable):
        service.backend.contents(service.server, facts)
    assert service.read(other)


def test_a_server_that_is_down_is_a_sentence(service: ServiceCase) -> None:
    """And comes back with its data: a broker with its messages, too, if it was stopped in order.
    Killed it does not every time: docs/services.md says how often it was seen."""
    facts = service.provision(rows=2)
    before = service.read(facts)
    service.backend.stop(service.server)
    service.backend.stop(service.server)
    for said in _asked_everything(service, facts):
        assert isinstance(said, Unavailable)
        assert said.sentence
        for secret in (service.server.secret, facts.get("password") or facts["secret_key"]):
            assert secret not in f"{said.sentence} {said!r} {said.__cause__!r}"
    service.backend.start(service.server)
    assert service.read(facts) == before


def counted(contents: Contents) -> int:
    """Rows of all tables, or objects."""
    return contents.counts.get("objects", sum(contents.counts.values()))


def test_a_server_killed_in_a_backup_or_restore_leaves_nothing_half_made(
    kept_service: ServiceCase,
) -> None:
    case, dump = kept_service, io.BytesIO()
    facts = case.provision(rows=3000)
    before = case.read(facts)
    broken = Killing(case)
    said: Contents | None = None
    with suppress(Unavailable):  # unless all was on its way already
        said = case.backend.backup(case.server, facts, broken)
    case.wait_until_back(facts)
    assert case.read(facts) == before
    if said is not None:
        case.backend.restore(case.server, facts, io.BytesIO(broken.getvalue()))
        assert case.read(facts) == before
    held = case.backend.backup(case.server, facts, dump)
    whole = dump.getvalue()
    with suppress(Unavailable):  # unless it was back before its client gave up
        case.backend.restore(case.server, facts, Killing(case, whole, len(whole)))
    case.renew_server()
    assert case.read(facts) == before
    case.backend.restore(case.server, facts, io.BytesIO(whole))
    assert case.backend.contents(case.server, facts) == held


@pytest.mark.parametrize("seconds", [0.2, 0.7])
def test_a_server_killed_at_any_moment_can_be_asked_again(
    kept_service: ServiceCase, seconds: float
) -> None:
    case, dump = kept_service, io.BytesIO()
    facts = case.provision(rows=500)
    case.backend.backup(case.server, facts, dump)
    before = case.read(facts)
    case.fill(facts, 1)
    changed = case.read(facts)
    order = case.order()
    _is_done(case, seconds / 5, lambda: case.backend.provision(case.server, order))
    case.renew_server()
    case.fill(case.backend.provision(case.server, order), 1)
    whole = io.BytesIO(dump.getvalue())
    done = _is_done(case, seconds, lambda: case.backend.restore(case.server, facts, whole))
    case.renew_server()
    assert case.read(facts) in ((before,) if done else (before, changed))


def _is_done(case: ServiceCase, seconds: float, act: Callable[[], object]) -> bool:
    """Whether `act` says it was done, although the server was killed after so many seconds."""
    killing = threading.Timer(seconds, case.kill_server)
    killing.start()
    try:
        act()
    except Unavailable:
        return False
    else:
        return True
    finally:
        killing.join()


def _asked_everything(case: ServiceCase, facts: Facts) -> list[PanelError | None]:
    order = case.order()
    asked: list[Callable[[], object]] = [
        lambda: case.backend.provision(case.server, order),
        lambda: case.backend.usage(case.server, facts),
        lambda: case.backend.contents(case.server, facts),
        lambda: case.backend.deprovision(case.server, facts["key"], facts),
    ]
    if case.backend.content is not None:
        asked += [
            lambda: case.backend.backup(case.server, facts, io.BytesIO()),
            lambda: case.backend.restore(case.server, facts, io.BytesIO(b"x")),
        ]
    return [_error_of(question) for question in asked]


def _error_of(question: Callable[[], object]) -> PanelError | None:
    try:
        question()
    except PanelError as error:
        return error
    return None

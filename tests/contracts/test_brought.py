"""Files that people bring, and such as they take home, with the real servers."""

from __future__ import annotations

import io
import resource
from collections.abc import Iterator

import pytest

from app.adapters.services import Facts
from app.errors import Invalid
from tests.contracts.brought import bring, dump
from tests.contracts.service_fixtures import (
    CASES,
    Place,
    Server,
    ServiceCase,
    cleaned,
    running_case,
)

MOST = 10**9


def taken(case: ServiceCase, brought: bytes, most: int = MOST) -> io.BytesIO:
    sink = io.BytesIO()
    case.backend.take_in(io.BytesIO(brought), sink, most)
    sink.seek(0)
    return sink


def test_what_is_brought_is_in_it(kept_service: ServiceCase) -> None:
    case = kept_service
    source, target = case.provision(rows=50), case.provision(rows=7)
    brought = bring(case, source)
    case.backend.restore(case.server, target, taken(case, brought))
    assert case.read(target) == case.read(source)
    case.fill(target, 2)  # and it is the site's own again
    assert not case.guest.may_enter(case.reached(source), case.reached(target))
    again = io.BytesIO()
    case.backend.backup(case.server, target, again)


@pytest.mark.parametrize("brought", [b"", b"no dump at all\n" * 100, b"\x1f\x8b" + bytes(600)])
def test_something_else_is_refused(kept_service: ServiceCase, brought: bytes) -> None:
    with pytest.raises(Invalid, match="is no "):
        taken(kept_service, brought)


def test_more_than_may_be_brought(kept_service: ServiceCase) -> None:
    facts = kept_service.provision(rows=50)
    with pytest.raises(Invalid, match="more than may be brought"):
        taken(kept_service, bring(kept_service, facts), 20)


@pytest.fixture
def postgresql(services_place: Place, servers: dict[str, Server]) -> ServiceCase:  # type: ignore[misc]
    yield from cleaned(running_case(services_place, servers, CASES[0]))


def test_a_dump_with_everything_in_it(postgresql: ServiceCase) -> None:
    """Rows with backslashes, functions with semicolons, quotes of all kinds, an extension."""
    case = postgresql
    source, target = case.provision(extensions=("hstore",)), case.provision(rows=3)
    case.backend.restore(case.server, source, io.BytesIO(EVERYTHING))
    for more in ([], ["--inserts"], ["--format=custom"]):
        brought = dump(case, source, *more)
        case.backend.restore(case.server, target, taken(case, brought))
        # Dumps of the same are the same, but for the words by which psql is guarded.
        assert plain(dump(case, target)) == plain(dump(case, source)), more
    case.backend.restore(
        case.server, target, taken(case, dump(case, source, "--clean", "--if-exists"))
    )


def plain(text: bytes) -> list[bytes]:
    return [line for line in text.splitlines() if b"restrict " not in line]


EVERYTHING = rb"""--
-- PostgreSQL database dump
--
\restrict 6hVdYp0
SET transaction_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE SCHEMA public;
ALTER SCHEMA public OWNER TO somebody;
CREATE EXTENSION IF NOT EXISTS hstore WITH SCHEMA public;
COMMENT ON EXTENSION hstore IS 'sets of (key, value) pairs; and more';
CREATE TABLE public."a;b" (id integer, note text, more public.hstore);
ALTER TABLE public."a;b" OWNER TO somebody;
/* a comment; /* in a comment; */ ' */
CREATE FUNCTION public.two() RETURNS integer LANGUAGE sql BEGIN ATOMIC
 SELECT CASE WHEN true THEN 1 END;
 SELECT 2;
END;
CREATE FUNCTION public.three() RETURNS integer LANGUAGE plpgsql AS $_$
BEGIN -- it's; $$
  RETURN 3;
END $_$;
CREATE RULE twice AS ON UPDATE TO public."a;b" DO ALSO (SELECT 1; SELECT 2);
COPY public."a;b" (id, note, more) FROM stdin;
1	\\\\! touch /tmp/owned	\N
2	\\.	"a"=>"1;"
3	\restrict is a carriage return	\N
\.
INSERT INTO public."a;b" VALUES (4, E'it\'s; \\', NULL); SELECT 1;
INSERT INTO public."a;b" VALUES (5, 'x''; \', NULL);
GRANT ALL ON TABLE public."a;b" TO somebody;
--
-- PostgreSQL database dump complete
--
\unrestrict 6hVdYp0
"""


def script(*lines: str) -> io.BytesIO:
    text = "\n".join(lines)
    head, end = "--\n-- PostgreSQL database dump\n--\n", "\n-- PostgreSQL database dump complete\n"
    return io.BytesIO((head + text + end).encode())


MALICIOUS = {
    "shell": r"\! touch /tmp/owned",
    "shell in a line": r"SELECT 1 \! touch /tmp/owned",
    "shell after a statement": "SELECT 1; \\! touch /tmp/owned",
    "local file": r"\copy t from '/etc/passwd'",
    "include": r"\i /etc/passwd",
    "write": r"\o /tmp/owned",
    "connect": r"\connect postgres",
    "unguard": "\\restrict a\n\\unrestrict a\n\\! touch /tmp/owned",
    "server's file": "CREATE TABLE t (x text); COPY t FROM '/etc/passwd';",
    "server's program": "COPY (SELECT 1) TO PROGRAM 'touch /tmp/owned';",
    "write a file": "COPY (SELECT 1) TO '/tmp/owned';",
    "large object": "SELECT lo_import('/etc/passwd');",
    "read": "SELECT pg_read_file('/etc/passwd');",
    "superuser": "ALTER ROLE CURRENT_USER SUPERUSER;",
    "role": "CREATE ROLE another SUPERUSER LOGIN;",
    "administrator": "SET SESSION AUTHORIZATION postgres;",
    "set role": "SET ROLE postgres;",
    "language": "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'libc', 'system';",
    "extension": "CREATE EXTENSION file_fdw;",
    "settings": "ALTER SYSTEM SET archive_command = 'touch /tmp/owned';",
    "others": "DROP DATABASE {victim};",
    "others' role": "SET ROLE {victim};",
    "end of rows": "CREATE TABLE t (x text); COPY t FROM stdin;\nx",
    "output": "COPY (SELECT 1) TO STDOUT;",
}


Pair = tuple[ServiceCase, Facts, Facts]


@pytest.fixture(scope="module")
def pair(services_place: Place, servers: dict[str, Server]) -> Iterator[Pair]:
    """A victim, and an instance that files are brought into."""
    for case in cleaned(running_case(services_place, servers, CASES[0])):
        yield case, case.provision(rows=2), case.provision(rows=2)


@pytest.mark.parametrize("line", MALICIOUS.values(), ids=MALICIOUS)
def test_what_a_file_may_not_do(pair: Pair, line: str) -> None:
    case, victim, facts = pair
    before, untouched = case.read(facts), case.read(victim)
    with pytest.raises(Invalid):
        case.backend.restore(case.server, facts, script(line.replace("{victim}", victim["key"])))
    assert case.read(facts) == before and case.read(victim) == untouched
    found = case.place.engine.execute(case.container, ("ls", "/tmp/owned"), {}, 20)
    assert found.exit_code not in (0, None)


def test_after_one_that_was_refused_the_next_is_taken(pair: Pair) -> None:
    case, _, facts = pair
    with pytest.raises(Invalid):
        case.backend.restore(case.server, facts, script(MALICIOUS["unguard"]))
    case.backend.restore(case.server, facts, script("CREATE TABLE fine (x int);"))


def test_what_a_file_selects_is_not_kept(postgresql: ServiceCase) -> None:
    facts = postgresql.provision()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    line = "SELECT repeat('x', 1000) FROM generate_series(1, 400000);"
    postgresql.backend.restore(postgresql.server, facts, script(line))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024, "kilobytes"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-200],
        lambda text: text[: len(text) // 2],
        lambda text: text + b"SELECT 1",
    ],
    ids=["end-missing", "half", "more"],
)
def test_a_script_that_was_cut_off(postgresql: ServiceCase, spoil) -> None:  # type: ignore[no-untyped-def]
    case = postgresql
    facts = case.provision(rows=30)
    brought = dump(case, facts)
    case.fill(facts, 1)
    before = case.read(facts)
    with pytest.raises(Invalid):
        case.backend.restore(case.server, facts, io.BytesIO(spoil(brought)))
    assert case.read(facts) == before

"""How much an environment may have: in number, in bytes, and what Linux itself takes."""

from __future__ import annotations

import subprocess

import pytest

from app.errors import Invalid
from app.variables import limits
from app.variables.limits import MOST, STRING_BYTES, TOTAL_BYTES, Entry, looks_secret, size_of
from app.variables.operations import set_variable, set_variables
from app.variables.queries import bound_of_total, count_variables, exact_total
from tests.panel import ALICE, Panel, environment, user_of


def set_all(panel: Panel, entries: list[Entry]) -> int:
    with panel.work():
        return set_variables(environment(), entries, user_of(ALICE))


def test_five_thousand_are_taken_and_not_one_more(panel: Panel) -> None:
    assert set_all(panel, [Entry(f"NAME_{n}", f"value {n}", n % 2 == 0) for n in range(MOST)])
    with pytest.raises(Invalid, match="at most 5,000 variables; this would make 5,001"):
        set_all(panel, [Entry("ANOTHER", "", False)])
    assert set_all(panel, [Entry("NAME_1", "changed", False)]) == 1
    with panel.reading():
        assert count_variables(environment().id) == MOST


def test_all_together_have_at_most_a_mebibyte(panel: Panel) -> None:
    large = "x" * 100_000
    set_all(panel, [Entry(f"LARGE_{n}", large, True) for n in range(10)])
    with pytest.raises(Invalid, match="together have at most 1024 KiB") as refused:
        set_all(panel, [Entry("ONE_MORE", large, False)])
    assert refused.value.field == "value"
    assert set_all(panel, [Entry("LARGE_3", large[:-1], True)]) == 1, "replacing needs no room"
    assert set_all(panel, [Entry("SMALL", "x", True)]) == 1
    with panel.reading():
        number = environment().id
        assert exact_total(number) <= bound_of_total(number)
        assert exact_total(number) <= TOTAL_BYTES


def test_linux_takes_what_is_allowed_and_no_longer_string() -> None:
    """The numbers of `limits`, asked of the kernel: a program is started with them."""
    room = 1000
    many = {f"N{n}": "x" * room for n in range(TOTAL_BYTES // (room + 20))}
    allowed = many | {"BIG": "x" * (STRING_BYTES - size_of("BIG", ""))}
    assert subprocess.run(["/bin/true"], env=allowed, check=False).returncode == 0
    with pytest.raises(OSError, match="Argument list too long"):
        subprocess.run(["/bin/true"], env=allowed | {"BIG": allowed["BIG"] + "x"}, check=False)


def test_one_bad_entry_refuses_all(panel: Panel) -> None:
    for bad in (Entry("1X", "", False), Entry("X", "a\0", False), Entry("PORT", "http", False)):
        with pytest.raises(Invalid):
            set_all(panel, [Entry("GOOD", "x", False), bad])
    with panel.reading():
        assert count_variables(environment().id) == 0


def test_names_that_differ_in_capitals_are_two(panel: Panel) -> None:
    with panel.work():
        set_variable(environment(), "Name", "one", False, user_of(ALICE))
        set_variable(environment(), "NAME", "two", False, user_of(ALICE))
    with panel.reading():
        assert count_variables(environment().id) == 2


@pytest.mark.parametrize(
    ("name", "value", "is_secret"),
    [
        ("API_KEY", "x", True),
        ("smtp_password", "x", True),
        ("DEFAULT_DATABASE_DSN", "x", True),
        ("HOME_URL", "https://example.com/", False),
        ("CACHE_URL", "redis://:geheim@cache/1", True),
        ("CACHE_URL", "http://[broken", False),
        ("KEYBOARD", "qwertz", False),
        ("SITE_NAME", "Token & Key", False),
    ],
)
def test_secrets_are_guessed_from_name_or_address(name: str, value: str, is_secret: bool) -> None:
    assert looks_secret(name, value) is is_secret


def test_the_shortest_masked_secret_is_the_one_of_the_logs() -> None:
    from app.logs import masking

    assert limits.MASKED_FROM == masking.SHORTEST

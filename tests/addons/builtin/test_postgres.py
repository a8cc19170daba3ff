"""The PostgreSQL addon."""

from __future__ import annotations

import pytest

from app.addons.api import ServiceKind, SettingsError
from tests.addons.builtin.asking import clean, contribution_of


def test_it_asks_for_a_database_with_extensions() -> None:
    service = contribution_of("postgres", extensions="citext, hstore", prefix="REPORTS").services[0]
    assert (service.kind, service.prefix) == (ServiceKind.POSTGRESQL, "REPORTS")
    assert service.options == {"extensions": "citext,hstore"}
    assert contribution_of("postgres").services[0].options == {}


def test_it_adds_the_driver() -> None:
    assert contribution_of("postgres").requirements[0].line.startswith("psycopg[binary]")


def test_what_is_no_name_is_refused() -> None:
    assert clean("postgres", extensions="Citext  hstore")["extensions"] == "citext, hstore"
    with pytest.raises(SettingsError) as refused:
        clean("postgres", extensions="citext; drop", prefix="default")
    assert set(refused.value.sentences) == {"extensions", "prefix"}

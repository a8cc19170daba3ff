"""Every kind of service with its backend. A new kind: one module beside this one, one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from app.adapters.engine import Engine
from app.adapters.services import Facts, ServiceBackend, ServiceKind
from app.adapters.services.variables import variables_of
from app.config import Settings


def _object_storage(engine: Engine, settings: Settings) -> ServiceBackend:
    from app.adapters.services.object_storage import ObjectStorage

    return ObjectStorage(engine, settings)


def _postgresql(engine: Engine, settings: Settings) -> ServiceBackend:
    from app.adapters.services.postgresql import PostgreSQL

    return PostgreSQL(engine, settings)


def _rabbitmq(engine: Engine, settings: Settings) -> ServiceBackend:
    from app.adapters.services.rabbitmq import RabbitMq

    return RabbitMq(engine, settings)


def _redis(engine: Engine, settings: Settings) -> ServiceBackend:
    from app.adapters.services.base_images import BaseImages
    from app.adapters.services.redis import Redis

    return Redis(engine, BaseImages(engine, settings).ensure)


def _search(engine: Engine, settings: Settings) -> ServiceBackend:
    from app.adapters.services.search import Search

    return Search()


def _mysql(engine: Engine, settings: Settings) -> ServiceBackend:
    from app.adapters.services.mysql import MySQL

    return MySQL(engine, settings)


MAKERS: Mapping[ServiceKind, Callable[[Engine, Settings], ServiceBackend]] = {
    ServiceKind.POSTGRESQL: _postgresql,
    ServiceKind.MYSQL: _mysql,
    ServiceKind.OBJECT_STORAGE: _object_storage,
    ServiceKind.RABBITMQ: _rabbitmq,
    ServiceKind.REDIS: _redis,
    ServiceKind.SEARCH: _search,
}


class AllKinds:
    """Each backend is made, and its library loaded, when it is first asked for."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine, self._settings = engine, settings
        self._made: dict[ServiceKind, ServiceBackend] = {}

    def of(self, kind: ServiceKind) -> ServiceBackend:
        """The backend of this kind."""
        if kind not in self._made:
            self._made[kind] = MAKERS[kind](self._engine, self._settings)
        return self._made[kind]

    def variables(self, kind: ServiceKind, prefix: str, facts: Facts) -> dict[str, str]:
        """See `variables_of`."""
        return variables_of(kind, prefix, facts)

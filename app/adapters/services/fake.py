"""Services in memory, for tests of everything above them. They can be told to fail."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import BinaryIO

from app.adapters.services import (
    Content,
    Contents,
    Facts,
    Order,
    Server,
    ServiceKind,
    Usage,
)
from app.adapters.services.exchange import hand_on, take_dump
from app.adapters.services.variables import variable_names
from app.errors import Invalid, Unavailable

CONTENTS = {
    ServiceKind.POSTGRESQL: Content.DATABASE,
    ServiceKind.MYSQL: Content.DATABASE,
    ServiceKind.OBJECT_STORAGE: Content.MEDIA,
}
NO_DUMP = "The file is no dump."
VERSIONS = {ServiceKind.POSTGRESQL: ("15", "18")}


@dataclass
class FakeBackend:
    """Keeps rows of text by table for each instance. `failures` maps the name of a question to
    the sentence with which it is refused, until the test takes it out again."""

    kind: ServiceKind
    data: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """Tables of each instance, by its key."""
    running: set[str] = field(default_factory=set)
    attached: set[tuple[str, str]] = field(default_factory=set)
    """Key of the instance, and the network."""
    failures: dict[str, str] = field(default_factory=dict)
    tidied: list[str] = field(default_factory=list)
    """Keys of instances beside which something was to be removed."""

    certificate: str = ""
    """Of its servers, for those that sign for themselves."""

    @property
    def content(self) -> Content | None:
        return CONTENTS.get(self.kind)

    @property
    def versions(self) -> tuple[str, ...]:
        return VERSIONS.get(self.kind, ("1",))

    def start(self, server: Server) -> None:
        self._refuse("start")
        self.running.add(server.key)

    def stop(self, server: Server) -> None:
        self.running.discard(server.key)

    def remove(self, server: Server) -> None:
        self._refuse("remove")
        self.running.discard(server.key)

    def provision(self, server: Server, order: Order) -> Facts:
        self._refuse("provision")
        if server.key not in self.running:
            raise Unavailable("The server does not answer.")
        self.data.setdefault(order.key, {})
        facts = {"key": order.key, "host": f"{self.kind}.example", "password": order.password}
        return facts | ({"certificate": self.certificate} if self.certificate else {})

    def attach(self, server: Server, facts: Facts, network: str) -> None:
        self._refuse("attach")
        self.attached.add((facts["key"], network))

    def detach(self, server: Server, facts: Facts, network: str) -> None:
        self._refuse("detach")
        self.attached.discard((facts["key"], network))

    def variables(self, prefix: str, facts: Facts) -> dict[str, str]:
        url = f"{self.kind}://{facts['key']}:{facts['password']}@{facts['host']}/{facts['key']}"
        return dict.fromkeys(variable_names(self.kind, prefix), url)

    def usage(self, server: Server, facts: Facts) -> Usage:
        self._refuse("usage")
        rows = [row for table in self._of(facts).values() for row in table]
        return Usage(bytes=sum(map(len, rows)), connections=0, objects=len(rows))

    def contents(self, server: Server, facts: Facts) -> Contents:
        self._refuse("contents")
        return Contents({name: len(rows) for name, rows in self._of(facts).items()})

    def backup(self, server: Server, facts: Facts, sink: BinaryIO) -> Contents:
        self._refuse("backup")
        sink.write(json.dumps({"kind": self.kind, "tables": self._of(facts)}).encode())
        return self.contents(server, facts)

    def restore(
        self, server: Server, facts: Facts, source: BinaryIO, *, is_whole: bool = False
    ) -> None:
        self._refuse("restore")
        try:
            found = json.loads(source.read())
        except ValueError as error:
            raise Invalid("The backup is damaged.") from error
        if found["kind"] != self.kind:
            raise Invalid(f"This is a backup of {found['kind']}.")
        self.data[facts["key"]] = found["tables"]

    def tidy(self, server: Server, key: str, facts: Facts) -> None:
        self._refuse("tidy")
        self.tidied.append(key)

    def take_in(self, source: BinaryIO, sink: BinaryIO, most: int) -> Contents:
        """What `backup` writes."""
        self._refuse("take_in")
        return take_dump(source, sink, most, lambda head: head.startswith(b"{"), NO_DUMP)

    def hand_out(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._refuse("hand_out")
        hand_on(source, sink)

    def deprovision(self, server: Server, key: str, facts: Facts) -> None:
        self._refuse("deprovision")
        self.data.pop(key, None)
        self.attached = {pair for pair in self.attached if pair[0] != key}

    def _of(self, facts: Facts) -> dict[str, list[str]]:
        try:
            return self.data[facts["key"]]
        except KeyError as error:
            raise Unavailable("The server has no such instance.") from error

    def _refuse(self, question: str) -> None:
        if question in self.failures:
            raise Unavailable(self.failures[question])


class FakeBackends:
    """One fake a kind."""

    def __init__(self) -> None:
        self._made = {kind: FakeBackend(kind) for kind in ServiceKind}

    def of(self, kind: ServiceKind) -> FakeBackend:
        return self._made[kind]

    def variables(self, kind: ServiceKind, prefix: str, facts: Facts) -> dict[str, str]:
        return self._made[kind].variables(prefix, facts)

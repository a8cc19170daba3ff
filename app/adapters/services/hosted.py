"""What backends have in common whose servers are embedded, or an operator's known by URL."""

from __future__ import annotations

from abc import ABC, abstractmethod

from app.adapters.services import Facts, Server, ServiceKind
from app.adapters.services.embedded import Embedded, Program
from app.adapters.services.variables import variables_of


class Hosted(ABC):
    """Stopping, removing and networks of embedded servers; another one is left alone, and reached
    as its URL says."""

    kind: ServiceKind

    def __init__(self, embedded: Embedded) -> None:
        self._embedded = embedded

    @abstractmethod
    def _program(self, server: Server) -> Program:
        """How the server's version runs."""

    def stop(self, server: Server) -> None:
        """Stop an embedded server; sessions of sites end, what is kept on its volume stays."""
        if server.is_embedded:
            self._embedded.stop(server, self._program(server))

    def remove(self, server: Server) -> None:
        """Remove an embedded server with all its data."""
        if server.is_embedded:
            self._embedded.remove(server)

    def attach(self, server: Server, facts: Facts, network: str) -> None:
        """Put an embedded server into the network, under the name sites know it by."""
        if server.is_embedded:
            self._embedded.attach(server, network, facts["host"])

    def detach(self, server: Server, facts: Facts, network: str) -> None:
        """Take an embedded server out of the network."""
        if server.is_embedded:
            self._embedded.detach(server, network)

    def variables(self, prefix: str, facts: Facts) -> dict[str, str]:
        """See `variables_of`."""
        return variables_of(self.kind, prefix, facts)

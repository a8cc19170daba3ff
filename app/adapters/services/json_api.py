"""HTTP APIs of servers that sites need: one question at a time, JSON both ways.

Called by the backends of RabbitMQ and search. The administrator's password goes to the one server
it is for: redirects are not followed, and the proxies of the panel's environment are not asked.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Any

import requests
from requests.auth import HTTPBasicAuth
from requests.exceptions import RequestException

from app.adapters.services.server_urls import Address
from app.errors import Invalid, Unavailable

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
_MISSING = 404
_REFUSED = frozenset({401, 403})
_SERVER_ERROR = 500
_REASON_CHARACTERS = 200


class JsonApi:
    """One server, asked as its administrator. `name` stands in sentences: “RabbitMQ”."""

    def __init__(self, address: Address, name: str) -> None:
        self._address, self._name = address, name

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        unless: Collection[int] = (_MISSING,),
    ) -> Any:
        """What the server answers, parsed; None with one of the statuses in `unless`, and `""`
        for an answer without a body.

        Raises `Unavailable` when nothing usable comes, `Invalid` when the server refuses.
        """
        response = self._exchange(method, path, body)
        status = response.status_code
        if status in unless:
            return None
        if status in _REFUSED:
            raise Invalid(f"{self._name} refuses the administrator that Moonbase knows.")
        if status >= _SERVER_ERROR:
            raise Unavailable(f"{self._name} failed with status {status}.")
        if not response.ok or response.is_redirect:
            raise Invalid(f"{self._name} refused with status {status}: {_reason(response)}")
        if not response.content:
            return ""
        try:
            return response.json()
        except ValueError as error:
            raise Unavailable(f"What answers in place of {self._name} is not it.") from error

    def _exchange(
        self, method: str, path: str, body: Mapping[str, Any] | None
    ) -> requests.Response:
        address = self._address
        with requests.Session() as session:
            session.trust_env = False
            session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
            if address.user:
                session.auth = HTTPBasicAuth(address.user.encode(), address.password.encode())
            try:
                return session.request(
                    method,
                    f"{address.root}/{path}",
                    json=body,
                    timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
                    allow_redirects=False,
                )
            except RequestException as error:
                raise Unavailable(f"{self._name} does not answer.") from error


def _reason(response: requests.Response) -> str:
    """The server's own words, shortened: they name fields and rules, never values."""
    try:
        said = response.json()
    except ValueError:
        return response.reason or "no reason given"
    reason = said.get("reason") or said.get("message") or said.get("error") or ""
    if isinstance(reason, dict):
        reason = reason.get("reason", "")
    return str(reason)[:_REASON_CHARACTERS] or "no reason given"

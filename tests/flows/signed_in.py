"""A person at the panel's pages: signs in, sends forms, as a browser without JavaScript does."""

from __future__ import annotations

import html
import re

import requests

from tests.flows.running_panel import OWNER, PASSWORD, RunningPanel

_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
_REMARK = re.compile(r'class="[^"]*(?:invalid-feedback|notice|alert)[^"]*"[^>]*>(.*?)</div>', re.S)


class SignedIn:
    """The owner of the running panel's organisation, in one browser."""

    def __init__(self, panel: RunningPanel) -> None:
        self.url = panel.settings.panel_url
        self.session = requests.Session()
        self.session.trust_env = False
        self._token = ""
        self._token = self._token_of("/account/sign-in/")
        self.post("/account/sign-in/", email=OWNER, password=PASSWORD)
        self._token = self._token_of("/account/")

    def get(self, path: str) -> str:
        """A page, as text; fails unless it is there."""
        answer = self.session.get(f"{self.url}{path}", timeout=30)
        assert answer.status_code == 200, (path, answer.status_code, _remarks(answer.text))
        return html.unescape(answer.text)

    def post(self, path: str, **fields: object) -> str:
        """Send a form; returns where it leads. Fails with what the page says when it is refused."""
        sent = {name: str(value) for name, value in fields.items()}
        answer = self.session.post(
            f"{self.url}{path}",
            data={**sent, "csrf_token": self._token},
            headers={"Referer": f"{self.url}{path}"},
            allow_redirects=False,
            timeout=30,
        )
        assert answer.status_code in (302, 303), (path, answer.status_code, _remarks(answer.text))
        return answer.headers["Location"]

    def _token_of(self, path: str) -> str:
        found = _TOKEN.search(self.get(path))
        assert found, f"no form at {path}"
        return found.group(1)


def _remarks(page: str) -> str:
    """What a page complains of, without its tags."""
    found = _REMARK.findall(page) or [page[-3000:]]
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", html.unescape(" ".join(found))))

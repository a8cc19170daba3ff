"""The permission matrix: asks every route for every person on own, foreign and trashed objects.

What is expected and what forms and addresses hold stands in `tests/test_permissions.py`; here is
how it is asked. `bench/matrix.py` measures it.
"""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app.accounts.operations import create_access_token
from app.extensions import db
from app.permissions import Permission
from app.web.extensions import limiter
from tests.panel import PEOPLE, Panel, Person, user_of


class About(StrEnum):
    """What a route is about, which decides whose rights count."""

    APPLICATION = "application"
    ORGANISATION = "organisation"
    CREATION = "creation"
    """Of an application or an addon: the organisation stands in the form."""
    ADDON = "addon"
    ACCOUNT = "account"
    INSTALLATION = "installation"


class On(StrEnum):
    """Which object is asked for."""

    OWN = "own"
    """`demo` and `moon`, to which all but strangers belong."""
    FOREIGN = "foreign"
    """`other` and the organisation `charlie`, of which only Charlie is."""
    FOREIGN_ROWS = "foreign rows"
    """Charlie's own address with the numbers of somebody else's rows in it."""
    TRASHED_ENVIRONMENT = "trashed environment"
    TRASHED_APPLICATION = "trashed application"


STREAMS = {"environments.log_stream", "deployments.events"}
"""Asked with HEAD: the guard is the same, and no thread is held."""
NAMING = {"slug", "name", "kind", "package_name"}
"""Arguments that name a place; all others name a row in it."""
DONE = frozenset({200, 302, 303})
SEEN = frozenset({200, 302, 303, 400})
"""Of one's own account pages: let in, whatever the form says."""


@dataclass(frozen=True)
class Cell:
    """One question and its right answers."""

    rule: Rule
    method: str
    person: Person | None
    on: On
    path: str
    wanted: frozenset[int]

    def __str__(self) -> str:
        who = self.person or "nobody"
        return f"{self.method} {self.rule.endpoint} as {who} on {self.on}"


Values = Callable[[Rule, On], Mapping[str, object]]
"""Route and object to values of an address; called inside an app context."""
Form = Callable[[str, Person | None, On], Mapping[str, str]]
Rights = Callable[[About, Person, On], set[str] | None]
"""What a person may do with an object; None: it is not there for them."""


@dataclass
class Matrix:
    """The routes of a panel and what is known about them."""

    panel: Panel
    values: Values
    form: Form
    rights: Rights
    exceptions: Mapping[tuple[str, Person], int]
    """Answers of acts that depend on more than a right, for the own object."""
    people: tuple[Person, ...] = PEOPLE
    stranger_with_own: Person = PEOPLE[-1]
    wrong: list[str] = field(default_factory=list)
    asked: int = 0

    def __post_init__(self) -> None:
        self.panel.app.config["PROPAGATE_EXCEPTIONS"] = False  # a page that breaks is a 500
        self._cookies = {person: _cookie(self.panel, person) for person in (*self.people, None)}
        self._tokens = {person: _token(self.panel, person) for person in self.people}
        self._snapshot = Snapshot(self.panel)

    # What is asked -----------------------------------------------------------------------------

    def cells(self) -> Iterator[Cell]:
        """Every cell but those of a trashed application."""
        for rule, method in guarded(self.panel.app):
            about = about_of(self.panel.app, rule)
            for on in _objects(about, rule):
                yield from self._cells_on(rule, method, about, on)

    def trashed_cells(self) -> Iterator[Cell]:
        """Every route about an application, asked about one in the trash."""
        for rule, method in guarded(self.panel.app):
            about = about_of(self.panel.app, rule)
            if about == About.APPLICATION:
                yield from self._cells_on(rule, method, about, On.TRASHED_APPLICATION)

    def _cells_on(self, rule: Rule, method: str, about: About, on: On) -> Iterator[Cell]:
        with self.panel.reading():
            path = self._address(rule, on)
        permission = permission_of(self.panel.app, rule)
        if on == On.FOREIGN_ROWS:
            wanted = frozenset({404})
            yield Cell(rule, method, self.stranger_with_own, on, path, wanted)
            return
        yield Cell(rule, method, None, on, path, frozenset({302}))
        for person in self.people:
            if on == On.FOREIGN and person == self.stranger_with_own:
                continue  # the address holds rows of `demo`: `FOREIGN_ROWS`
            wanted = self._wanted(rule, about, permission, person, on)
            yield Cell(rule, method, person, on, path, wanted)

    def _wanted(
        self, rule: Rule, about: About, permission: Permission, person: Person, on: On
    ) -> frozenset[int]:
        if on == On.OWN and (rule.endpoint, person) in self.exceptions:
            return frozenset({self.exceptions[rule.endpoint, person]})
        if about == About.ACCOUNT:
            is_theirs = person == self.people[0] or not rule.arguments - NAMING
            return SEEN if is_theirs else frozenset({404})  # rows are the first person's
        rights = self.rights(about, person, on)
        if rights is None:
            return frozenset({404})
        if permission == Permission.ACCOUNT_OWN:
            return DONE
        if permission.value not in rights:
            return frozenset({403})
        return frozenset({404}) if on == On.TRASHED_ENVIRONMENT else DONE

    def _address(self, rule: Rule, on: On) -> str:
        known = self.values(rule, on)
        missing = sorted(rule.arguments - set(known))
        if missing:
            raise LookupError(
                f"{rule.endpoint} needs a value for {', '.join(missing)}: add it to `values` in "
                "tests/test_permissions.py, with a row in `busy_panel` for it to name"
            )
        built = rule.build({name: known[name] for name in rule.arguments}, append_unknown=False)
        if built is None:
            raise LookupError(f"{rule.endpoint} takes no such values: {dict(known)}")
        return str(built[1])

    # Asking ------------------------------------------------------------------------------------

    def ask_all(self) -> None:
        """Ask all cells; `wrong` says which answers are not right."""
        for cell in self.cells():
            self._judge(cell)
        self._ask_git((On.OWN, On.FOREIGN))

    def ask_trashed(self) -> None:
        """The same with the application in the trash. Call it after moving it there."""
        self._snapshot = Snapshot(self.panel)
        for cell in self.trashed_cells():
            self._judge(cell)
        self._ask_git((On.TRASHED_APPLICATION,))

    def _judge(self, cell: Cell) -> None:
        with self.panel.reading():
            limiter.reset()
        answer = self._ask(cell)
        self.asked += 1
        if answer.status_code not in cell.wanted:
            self.wrong.append(self._complaint(cell, answer))
        if cell.method != "GET" and (answer.status_code < 400 or cell.wanted & DONE):
            self._snapshot.restore(self.panel)

    def _ask(self, cell: Cell) -> TestResponse:
        method = "HEAD" if cell.rule.endpoint in STREAMS else cell.method
        form = self.form(cell.rule.endpoint, cell.person, cell.on) if method == "POST" else None
        client = self.panel.app.test_client(use_cookies=False)
        cookie, environ = self._cookies[cell.person]
        client.environ_base.update(environ)
        headers = {"Cookie": cookie}
        if not cell.wanted & DONE:
            headers["Accept"] = "text/plain"  # thousands of refusals need no page drawn for each
        answer = client.open(cell.path, method=method, data=form, headers=headers)
        answer.close()
        return answer

    def _complaint(self, cell: Cell, answer: TestResponse) -> str:
        wanted = "/".join(map(str, sorted(cell.wanted)))
        hint = ""
        if answer.status_code == 400 and cell.wanted == DONE:
            hint = " (add a form that it takes to FORMS in tests/test_permissions.py)"
        return f"{cell}: {answer.status_code}, not {wanted}{hint}"

    def _ask_git(self, objects: tuple[On, ...]) -> None:
        """Git over HTTP: the same rights by another road, opened by a token."""
        needed = {"git-upload-pack": "repository.read", "git-receive-pack": "repository.write"}
        dashboard = next(self.panel.app.url_map.iter_rules("deployments.dashboard"))
        for on in objects:
            with self.panel.reading():
                slug = self.values(dashboard, on)["slug"]
            for service, permission in needed.items():
                path = f"/git/{slug}.git/info/refs?service={service}"
                for person in (None, *self.people):
                    if on == On.FOREIGN and person == self.stranger_with_own:
                        continue
                    wanted = 401 if person is None else self._git_status(person, permission, on)
                    headers = {"Authorization": self._tokens[person]} if person else {}
                    answer = self.panel.app.test_client().get(path, headers=headers)
                    answer.close()
                    self.asked += 1
                    if answer.status_code != wanted:
                        who = person or "nobody"
                        self.wrong.append(
                            f"{service} as {who} on {on}: {answer.status_code}, not {wanted}"
                        )

    def _git_status(self, person: Person, permission: str, on: On) -> int:
        rights = self.rights(About.APPLICATION, person, on)
        if rights is None or "repository.read" not in rights:
            return 404
        return 200 if permission in rights else 403


def guarded(app: Flask) -> list[tuple[Rule, str]]:
    """Every route that names a right, by method."""
    return [
        (rule, method)
        for rule in app.url_map.iter_rules()
        if hasattr(app.view_functions[rule.endpoint], "permission")
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def permission_of(app: Flask, rule: Rule) -> Permission:
    permission: Permission = app.view_functions[rule.endpoint].permission  # type: ignore[attr-defined]
    return permission


def about_of(app: Flask, rule: Rule) -> About:
    """What the route is about. Raises LookupError for one nobody has told us of."""
    permission = permission_of(app, rule)
    if rule.rule.startswith(("/applications/<slug>/", "/sites/<slug>/")):
        return About.APPLICATION
    if rule.rule.startswith("/organisations/<slug>/"):
        return About.ORGANISATION
    if permission == Permission.INSTALLATION_OPERATE:
        return About.INSTALLATION
    if permission in (Permission.APPLICATION_CREATE, Permission.ADDON_CREATE):
        return About.CREATION
    if rule.rule.startswith(("/marketplace/<package_name>/", "/addons/<package_name>/")):
        return About.ADDON
    if permission == Permission.ACCOUNT_OWN:
        return About.ACCOUNT
    raise LookupError(f"{rule.endpoint} is about nothing that `about_of` in tests/matrix.py knows")


def _objects(about: About, rule: Rule) -> list[On]:
    rows = rule.arguments - NAMING
    if about in (About.ACCOUNT, About.INSTALLATION):
        return [On.OWN]
    found = [On.OWN, On.FOREIGN]
    found += [On.FOREIGN_ROWS] if rows and about != About.CREATION else []
    found += [On.TRASHED_ENVIRONMENT] if "name" in rule.arguments else []
    return found


def _cookie(panel: Panel, person: Person | None) -> tuple[str, dict[str, str]]:
    """What the browser of a person sends: their cookie, and headers."""
    client = panel.client_of(person) if person else panel.client()
    cookie = client.get_cookie("session")
    assert cookie is not None
    headers = {key: value for key, value in client.environ_base.items() if key.startswith("HTTP_")}
    return f"session={cookie.value}", {key: str(value) for key, value in headers.items()}


def _token(panel: Panel, person: Person) -> str:
    with panel.work():
        text = create_access_token(user_of(person), "matrix")[1]
    return "Basic " + base64.b64encode(f"{person.email}:{text}".encode()).decode()


class Snapshot:
    """A panel's database and repositories as they stand, to go back to after an act."""

    def __init__(self, panel: Panel) -> None:
        self._home = panel.settings.data_dir
        self._kept = self._home.with_name(f"{self._home.name}-kept")
        shutil.rmtree(self._kept, ignore_errors=True)
        self._kept.mkdir()
        self._let_go(panel)
        shutil.copytree(self._home / "panel", self._kept / "panel")
        shutil.copytree(self._home / "repositories", self._kept / "repositories")
        self._tree = self._look()

    def restore(self, panel: Panel) -> None:
        """Everything as it was; repositories only if an act has touched them."""
        self._let_go(panel)
        for path in (self._home / "panel").glob("panel.sqlite3*"):
            path.unlink()
        for path in (self._kept / "panel").glob("panel.sqlite3*"):
            shutil.copyfile(path, self._home / "panel" / path.name)
        if self._look() != self._tree:
            shutil.rmtree(self._home / "repositories")
            shutil.copytree(self._kept / "repositories", self._home / "repositories")
            self._tree = self._look()

    def _let_go(self, panel: Panel) -> None:
        """Close the database file; the last connection takes its log in (WAL checkpoint)."""
        with panel.reading():
            db.session.remove()
            db.engine.dispose()

    def _look(self) -> dict[str, tuple[int, int]]:
        paths = (self._home / "repositories").rglob("*")
        found = ((path, path.stat()) for path in paths if path.is_file())
        return {str(path): (stat.st_mtime_ns, stat.st_size) for path, stat in found}

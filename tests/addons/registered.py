"""Addons of the tests: `susan-example` of organisation `moon`, registered by Alice."""

from __future__ import annotations

import io
from collections.abc import Callable

from app.accounts.operations import create_access_token
from app.addons.models import Addon, AddonVersion, Audience
from app.addons.operations import NewAddon, register_addon
from app.addons.packages.findings import Finding, Refused
from app.addons.queries import find_addon
from app.addons.uploads import upload_version
from app.permissions import Scope
from tests.addons.archives import NAME, archive
from tests.panel import ALICE, Panel, Person, organisation, user_of


def register(
    panel: Panel,
    name: str = NAME,
    *,
    person: Person = ALICE,
    audience: Audience = Audience.PRIVATE,
    licence: str = "MIT",
) -> None:
    with panel.work():
        wanted = NewAddon(name, name.title(), licence, audience=audience)
        register_addon(wanted, organisation(), user_of(person))


def addon(name: str = NAME) -> Addon:
    """Its row; inside `reading()` or `work()`."""
    found = find_addon(name)
    assert found is not None
    return found


def upload(
    panel: Panel, data: bytes | None = None, look: Callable[[AddonVersion], object] | None = None
) -> object:
    """Upload as Alice; gives what `look` makes of the new row."""
    with panel.reading():
        version = upload_version(addon(), io.BytesIO(data or archive()), user_of(ALICE))
        return look(version) if look else None


def refusals(panel: Panel, data: bytes) -> list[Finding]:
    """What the author is told of an archive that is refused."""
    try:
        upload(panel, data)
    except Refused as refused:
        return list(refused.findings)
    raise AssertionError("the archive was taken")


def left_behind(panel: Panel) -> list[str]:
    """Everything that lies in the folder of addons."""
    home = panel.settings.data_dir / "addons"
    return sorted(str(path.relative_to(home)) for path in home.rglob("*")) if home.exists() else []


def header(panel: Panel, person: Person, scope: Scope = Scope.WRITE) -> dict[str, str]:
    """What `divio` sends along."""
    with panel.work():
        text = create_access_token(user_of(person), "Laptop", scope=scope)[1]
    return {"Authorization": f"Token {text}"}

"""What a person has entered in an addon's form, on its way into a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.addons import api
from app.addons.answers import Validated
from app.addons.models import AddonVersion
from app.addons.questions import validate
from app.errors import Invalid


class Refused(Invalid):
    """The addon does not take what was entered; `sentences` by field, `""` is the form."""

    def __init__(self, sentences: Mapping[str, str]) -> None:
        super().__init__(" ".join(sentences.values()))
        self.sentences = dict(sentences)


@dataclass
class Entered:
    """`settings` by field, of a secret whether it will be set; `secrets` are those to replace, None
    removes one. A version is asked once, however often the change is planned."""

    settings: Mapping[str, Any]
    secrets: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    _checked: Validated | None = None
    _checked_by: int = 0
    """Number of the version."""

    def check(self, version: AddonVersion, site: api.Site | None = None) -> Validated:
        """What the addon makes of it; asked outside of units of work. `site` is what its hooks are
        told now, so that it may be asked at once what it adds. Raises `Refused`."""
        number = version.id
        if self._checked is None or self._checked_by != number:
            self._checked = validate(version, self.settings, site)
            self._checked_by = number
        if self._checked.errors:
            raise Refused(self._checked.errors)
        return self._checked

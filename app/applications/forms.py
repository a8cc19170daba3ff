"""The form that gives a person access."""

from __future__ import annotations

from collections.abc import Sequence

from flask_babel import lazy_gettext as _l
from wtforms import SelectField
from wtforms.validators import DataRequired

from app.organisations.models import Member
from app.permissions import Access
from app.web.forms import PanelForm

ACCESSES = [
    (Access.COLLABORATOR.value, _l("Work on it: code, settings, deployments")),
    (Access.VIEWER.value, _l("Look only")),
    (Access.EDITOR.value, _l("Edit content: only its site page, no code")),
]


class CollaboratorForm(PanelForm):
    """`offer` fills the people; an address that is not offered is the operation's to refuse."""

    email = SelectField(_l("Member"), [DataRequired()], validate_choice=False)
    access = SelectField(_l("May"), choices=ACCESSES, default=Access.VIEWER.value)

    def offer(self, members: Sequence[Member]) -> None:
        """People to choose from."""
        self.email.choices = [
            (row.user.email, f"{row.user.name} ({row.user.email})") for row in members
        ]

"""Forms of the organisation pages."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import EmailField, SelectField, StringField
from wtforms.validators import DataRequired

from app.permissions import Role
from app.web.forms import PanelForm

ROLES = [
    (Role.REGULAR.value, _l("Regular: sees only the applications they are given")),
    (Role.ADMINISTRATOR.value, _l("Administrator: works on everything")),
    (Role.OWNER.value, _l("Owner: may also change the organisation")),
]


class OrganisationForm(PanelForm):
    name = StringField(_l("Name"), [DataRequired()])


class MemberForm(PanelForm):
    email = EmailField(_l("E-mail"), [DataRequired()])
    role = SelectField(_l("Role"), choices=ROLES)

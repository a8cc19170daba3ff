"""Forms of the organisation pages."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import EmailField, PasswordField, SelectField, StringField
from wtforms.validators import DataRequired

from app.permissions import Role
from app.web.forms import PanelForm

ROLES = [
    (Role.REGULAR.value, _l("Regular: sees only the applications they are given")),
    (Role.ADMINISTRATOR.value, _l("Administrator: works on everything")),
    (Role.OWNER.value, _l("Owner: may also change the organisation")),
]


class SignUpForm(PanelForm):
    name = StringField(_l("Name"), [DataRequired()], render_kw={"autocomplete": "name"})
    email = EmailField(_l("E-mail"), [DataRequired()], render_kw={"autocomplete": "username"})
    password = PasswordField(
        _l("Password"), [DataRequired()], render_kw={"autocomplete": "new-password"}
    )


class OrganisationForm(PanelForm):
    name = StringField(_l("Name"), [DataRequired()])


class MemberForm(PanelForm):
    email = EmailField(_l("E-mail"), [DataRequired()])
    role = SelectField(_l("Role"), choices=ROLES)

"""The forms of a new application and a new environment, and the one that confirms a loss."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import PasswordField, RadioField, SelectField, StringField
from wtforms.validators import DataRequired

from app.applications.models import Starter
from app.errors import Invalid
from app.transactions import unit_of_work
from app.web.forms import PanelForm

STARTERS = [
    (Starter.STATIC.value, _l("Static site")),
    (Starter.BLANK.value, _l("Build your own")),
]


class ApplicationForm(PanelForm):
    """Choices of `organisation` are set by the view: slugs of those the person belongs to."""

    name = StringField(_l("Name"), [DataRequired()])
    slug = StringField(
        _l("Address name"),
        [DataRequired()],
        description=_l("Small letters, digits and dashes. It cannot be changed later."),
        render_kw={"autocapitalize": "none", "spellcheck": "false"},
    )
    organisation = SelectField(_l("Organisation"))
    starter = RadioField(_l("Begin with"), choices=STARTERS, default=Starter.STATIC.value)


class EnvironmentForm(PanelForm):
    """Choices of `source` are set by the view: slugs of the application's environments."""

    name = StringField(_l("Name"), [DataRequired()])
    slug = StringField(
        _l("Address name"),
        [DataRequired()],
        description=_l("Small letters, digits and dashes. It cannot be changed later."),
        render_kw={"autocapitalize": "none", "spellcheck": "false"},
    )
    source = SelectField(_l("Begin with"), validate_choice=False)
    branch = StringField(_l("Branch"), render_kw={"spellcheck": "false", "autocapitalize": "none"})


class ConfirmationForm(PanelForm):
    """What is to be lost is named by whoever loses it."""

    name = StringField(
        _l("Name"), [DataRequired()], render_kw={"autocomplete": "off", "spellcheck": "false"}
    )

    def require(self, name: str) -> None:
        """Raise `Invalid` unless `name` was typed, in whatever case."""
        typed = unicodedata.normalize("NFC", self.name.data or "").strip()
        if typed.casefold() != name.casefold():
            raise Invalid(_("This is not the name. Type “%(name)s”.", name=name), "name")

    def is_done(self, name: str, act: Callable[[], object]) -> bool:
        """Whether it was sent with `name` typed right, and `act` was done, in a unit of work."""
        if not self.validate_on_submit():
            return False
        try:
            self.require(name)
            with unit_of_work():
                act()
        except Invalid as error:
            self.refuse(error)
            return False
        return True


class AccountDeletionForm(ConfirmationForm):
    name = StringField(
        _l("Your name"), [DataRequired()], render_kw={"autocomplete": "off", "spellcheck": "false"}
    )
    password = PasswordField(
        _l("Your password"), [DataRequired()], render_kw={"autocomplete": "current-password"}
    )

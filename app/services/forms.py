"""Forms of an environment's services, and the operator's of servers."""

from __future__ import annotations

from collections.abc import Sequence

from flask_babel import lazy_gettext as _l
from wtforms import PasswordField, SelectField, SelectMultipleField, StringField
from wtforms.validators import DataRequired
from wtforms.widgets import CheckboxInput, ListWidget

from app.adapters.services import ServiceKind
from app.services.models import DEFAULT, TITLES, ServiceServer
from app.web.forms import PanelForm

PREFIX_MARKS = {"autocapitalize": "characters", "spellcheck": "false", "class": "font-monospace"}


class ServiceForm(PanelForm):
    """What there is to choose is told by `offer`."""

    server = SelectField(_l("Service"), validate_choice=False)
    prefix = StringField(_l("Prefix"), [DataRequired()], default=DEFAULT, render_kw=PREFIX_MARKS)
    extensions = SelectMultipleField(
        _l("Extensions of PostgreSQL"),
        validate_choice=False,
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )

    def offer(self, servers: Sequence[ServiceServer], extensions: Sequence[str]) -> None:
        """Have people choose among these."""
        self.server.choices = [(row.uuid, row.name) for row in servers]
        is_postgresql = any(row.kind == ServiceKind.POSTGRESQL for row in servers)
        self.extensions.choices = [(name, name) for name in extensions if is_postgresql]


class PrefixForm(PanelForm):
    prefix = StringField(_l("Prefix"), [DataRequired()], render_kw=PREFIX_MARKS)


class ShareForm(PanelForm):
    place = StringField(
        _l("Site and environment"),
        [DataRequired()],
        render_kw={"spellcheck": "false", "class": "font-monospace", "placeholder": "demo/live"},
    )


class ServerForm(PanelForm):
    """One of the operator's own. What was typed as URL is never sent back."""

    kind = SelectField(_l("Kind"), choices=[(kind.value, title) for kind, title in TITLES.items()])
    version = StringField(_l("Version"), [DataRequired()])
    url = PasswordField(
        _l("Administrator's URL"),
        [DataRequired()],
        description=_l(
            "With name and password. It is sealed: only workers can read it, and no page shows it."
        ),
        render_kw={"autocomplete": "off"},
    )

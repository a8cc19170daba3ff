"""Forms of the domains page."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import SelectField, StringField
from wtforms.validators import DataRequired

from app.domains.models import DomainKind, RedirectBy
from app.web.forms import PanelForm

USES = {
    "primary": (DomainKind.PRIMARY, RedirectBy.FOUND),
    "alias": (DomainKind.ALIAS, RedirectBy.FOUND),
    "redirect-302": (DomainKind.REDIRECT, RedirectBy.FOUND),
    "redirect-301": (DomainKind.REDIRECT, RedirectBy.MOVED_PERMANENTLY),
    "redirect-application": (DomainKind.REDIRECT, RedirectBy.APPLICATION),
}
"""What the one field of the page stands for."""


class DomainForm(PanelForm):
    host = StringField(
        _l("Domain"),
        [DataRequired()],
        render_kw={
            "autocapitalize": "none",
            "autocomplete": "off",
            "spellcheck": "false",
            "inputmode": "url",
        },
    )


class UseForm(PanelForm):
    use = SelectField(
        _l("Use"),
        choices=[
            ("primary", _l("Primary: the address people are shown")),
            ("alias", _l("Alias: the same site under another name")),
            ("redirect-302", _l("Redirect to the primary (302, for now)")),
            ("redirect-301", _l("Redirect to the primary (301, browsers remember it)")),
            ("redirect-application", _l("Redirect, left to the application")),
        ],
    )

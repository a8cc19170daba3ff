"""The forms around an addon: which channel to follow, agreeing to what it asks for, removing it."""

from __future__ import annotations

import unicodedata

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, HiddenField, RadioField, StringField
from wtforms.validators import DataRequired

from app.addons.models import Channel
from app.errors import Invalid
from app.web.forms import PanelForm

CHANNELS = [
    (Channel.STABLE.value, _l("Stable")),
    (Channel.BETA.value, _l("Beta")),
    (Channel.ALPHA.value, _l("Alpha")),
]


class ChannelForm(PanelForm):
    channel = RadioField(_l("Tell this site of"), choices=CHANNELS)


class ConsentForm(PanelForm):
    """`seen` is the plan the person was shown. `agrees` is asked for only where it asks for
    something."""

    seen = HiddenField()
    agrees = BooleanField(_l("I agree to all of this"))

    def require(self) -> None:
        """Raise `Invalid` unless it was agreed to."""
        if not self.agrees.data:
            raise Invalid(_("Tick this to agree, or leave things as they are."), "agrees")


class RemovalForm(PanelForm):
    """What is to be removed is named by whoever removes it."""

    seen = HiddenField()
    name = StringField(
        _l("Name"), [DataRequired()], render_kw={"autocomplete": "off", "spellcheck": "false"}
    )

    def require(self, name: str) -> None:
        """Raise `Invalid` unless `name` was typed, in whatever case."""
        typed = unicodedata.normalize("NFC", self.name.data or "").strip()
        if typed.casefold() != name.casefold():
            raise Invalid(_("This is not the name. Type “%(name)s”.", name=name), "name")

"""Forms of processes beside the web server."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, IntegerField, StringField
from wtforms.validators import DataRequired, InputRequired

from app.web.forms import PanelForm

PLAIN = {"autocapitalize": "none", "spellcheck": "false", "class": "font-monospace"}


class ProcessForm(PanelForm):
    """Command and count of a process that is there."""

    command = StringField(
        _l("Command"),
        [DataRequired()],
        description=_l("Run without a shell. For a shell, write: sh -c '…'"),
        render_kw=PLAIN,
    )
    count = IntegerField(_l("Containers in each environment"), [InputRequired()], default=1)


class NewProcessForm(ProcessForm):
    """A new one."""

    name = StringField(
        _l("Name"),
        [DataRequired()],
        description=_l("Small letters, digits and dashes, e.g. “worker”. It cannot be changed."),
        render_kw=PLAIN,
    )


class CeleryForm(PanelForm):
    workers = IntegerField(_l("Containers of the worker"), [InputRequired()], default=1)
    with_camera = BooleanField(_l("Camera: snapshots for monitoring"))

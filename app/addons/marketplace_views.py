"""The marketplace: its list, an addon's page, and the way from there to a site."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.addons import marketplace
from app.addons.access import load_addon
from app.addons.models import Addon, AddonVersion, Channel
from app.addons.queries import rights_on_addon
from app.addons.readme import show_readme
from app.addons.rights import read_rights, words_of
from app.addons.versions import most_trusted, newest_first
from app.addons.wording import read_form
from app.permissions import Permission
from app.transactions import unit_of_work
from app.web.access import requires
from app.web.paging import paged

blueprint = Blueprint("marketplace", __name__, url_prefix="/marketplace")

PAGE_SIZE = 24

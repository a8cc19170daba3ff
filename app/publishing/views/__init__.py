"""The addons of a site: list, installation, forms, history, versions, publishing."""

from app.publishing.views import (  # noqa: F401 -- their routes
    filling,
    history,
    installing,
    listing,
    publishing,
    versions,
)
from app.publishing.views.blueprints import application_pages, site_pages

__all__ = ["application_pages", "site_pages"]

"""The addons that come with Moonbase: a folder each, which imports `app.addons.api` only."""

"""Collects the settings of a site from its addons. Written by the control panel: edits are lost.

In order: this addon's own (site_settings.py beside this file), the same file of other addons by
their names, then those of INSTALLED_ADDONS, which have an aldryn_config.py, by aldryn-addons.
"""

import importlib.util
import json
from pathlib import Path

OWN = "django"
PART = "site_settings.py"
GONE = ("FORMS_URLFIELD_ASSUME_HTTPS",)
"""Defaults that aldryn-addons copies and Django would then warn of."""


def load(settings):
    """Fill the namespace of settings.py."""
    base = Path(settings["__file__"]).resolve().parent
    settings["BASE_DIR"] = str(base)
    parts = sorted((base / "addons").glob(f"*/{PART}"), key=lambda path: path.parent.name)
    for part in sorted(parts, key=lambda path: path.parent.name != OWN):
        _module(part).to_settings(_data(part.parent), settings)
    if settings.get("INSTALLED_ADDONS"):
        _load_aldryn(settings)


def addon_urls():
    """The addresses of addons with an aldryn_config.py."""
    from django.conf import settings

    if "aldryn_addons" not in settings.INSTALLED_APPS:
        return []
    import aldryn_addons.urls
    from django.conf.urls.i18n import i18n_patterns

    return [
        *aldryn_addons.urls.patterns(),
        *i18n_patterns(*aldryn_addons.urls.i18n_patterns()),
    ]


def _load_aldryn(settings):
    before = set(settings)
    try:
        import aldryn_addons.settings
    except ImportError as error:
        raise RuntimeError(
            "An addon has an aldryn_config.py: switch on “Load addons with an aldryn_config.py” "
            "in the settings of the Django addon."
        ) from error
    aldryn_addons.settings.load(settings)
    for name in GONE:
        if name not in before:
            settings.pop(name, None)


def _module(path):
    spec = importlib.util.spec_from_file_location(
        f"settings_of_{path.parent.name.replace('-', '_')}", path
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _data(folder):
    """What the addon's form holds."""
    path = folder / "settings.json"
    return json.loads(path.read_text()) if path.exists() else {}

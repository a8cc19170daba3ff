"""What a browser calls itself (User-Agent), in the words people know it by."""

from __future__ import annotations

from flask_babel import gettext as _

BROWSERS = (
    ("Edg", "Edge"),  # Edg/, EdgA/, EdgiOS/
    ("OPR/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
"""By a word of the line; nearly all of them also claim to be those further down."""
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)


def describe_agent(agent: str) -> str:
    """“Firefox on Linux”; the line itself where it is none of those."""
    browser = _first_in(agent, BROWSERS)
    system = _first_in(agent, SYSTEMS)
    if browser and system:
        return str(_("%(browser)s on %(system)s", browser=browser, system=system))
    return browser or agent or str(_("An unknown browser"))


def is_phone(agent: str) -> bool:
    """Whether it is held in a hand."""
    return any(word in agent for word in ("iPhone", "Android", "Mobile"))


def _first_in(agent: str, known: tuple[tuple[str, str], ...]) -> str:
    return next((name for word, name in known if word in agent), "")

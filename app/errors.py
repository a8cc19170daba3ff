"""The errors that carry a sentence for the person; every room raises these and no others."""

from __future__ import annotations


class PanelError(Exception):
    """Something a person can be told. `sentence` is shown to them as it stands."""

    status = 500

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Invalid(PanelError):
    """What was entered cannot be used. `field` names the form field at fault, if one is."""

    status = 400

    def __init__(self, sentence: str, field: str | None = None) -> None:
        super().__init__(sentence)
        self.field = field


class NotAllowed(PanelError):
    """The person may see the thing, but not do this to it."""

    status = 403


class SecondFactorNeeded(NotAllowed):
    """The organisation wants a second factor that this sign-in has not shown."""


class NotFound(PanelError):
    """The thing is not there, or is not for this person to know about."""

    status = 404


class Conflict(PanelError):
    """Someone else was faster: what the person saw is no longer how it stands."""

    status = 409


class Unavailable(PanelError):
    """A part of the installation does not answer. `retry` says that trying again may help."""

    status = 503

    def __init__(self, sentence: str, retry: bool = True) -> None:
        super().__init__(sentence)
        self.retry = retry

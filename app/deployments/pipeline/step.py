"""What every step is: rows before, work without a transaction, rows after, and how to undo it."""

from __future__ import annotations

from app.deployments.pipeline.context import Context


class Step:
    """One step. Each method may be left out.

    The runner alone opens units of work, around `plan`, `record` and `undo_rows`; `run` and `undo`
    touch the outside world and hold no lock meanwhile. A worker may die anywhere, so `undo_rows`
    and `undo` find what to undo in rows and labels, not in the context of the run.
    """

    name: str
    title: str
    is_cancellable = True

    def plan(self, context: Context) -> None:
        """Rows that must be there before the work: what will exist is known before it does."""

    def run(self, context: Context) -> None:
        """The work. Raises `PanelError` with a sentence when it cannot be done."""

    def record(self, context: Context) -> None:
        """Rows that say that it is done."""

    def undo_rows(self, context: Context) -> None:
        """Rows as they were before `plan`."""

    def undo(self, context: Context) -> None:
        """The world as it was before `run`; fine with nothing to do. Comes after `undo_rows`."""

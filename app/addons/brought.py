"""What addons bring, told to the pages of the room below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.addons.stored import form_fields, stored_addons
from app.applications.models import Application
from app.environments.models import TEST, Environment
from app.environments.queries import find_environment
from app.runtime.brought import BroughtCommand, BroughtVariable


class AddonTeller:
    """See `app.runtime.brought.Teller`."""

    def commands(self, application: Application) -> Sequence[BroughtCommand]:
        """As the addons of Test's branch said at their last change."""
        return [
            BroughtCommand(label, command, row.name)
            for row in stored_addons(application.id)
            if not row.is_removed
            for label, command in row.commands
        ]

    def variables(self, environment: Environment) -> Mapping[str, BroughtVariable]:
        """Those that fields name, where the environment follows Test's branch: of others only a
        deployment learns the value."""
        test = find_environment(environment.application_id, TEST)
        if test is None or test.branch != environment.branch:
            return {}
        rows = [row for row in stored_addons(environment.application_id) if row.variables]
        rows = [row for row in rows if not row.is_removed]
        fields = form_fields(environment.application_id, [row.package_name for row in rows])
        named = {name: {one.variable for one in form.values()} for name, form in fields.items()}
        return {
            name: BroughtVariable(value, row.name)
            for row in rows
            for name, value in row.variables.items()
            if name in named[row.package_name]
        }

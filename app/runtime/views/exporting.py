"""Taking an environment's variables away as a `.env` file."""

from __future__ import annotations

from flask import Response, request
from flask.typing import ResponseReturnValue

from app.accounts.access import signed_in
from app.environments.access import load_environment
from app.permissions import Permission
from app.runtime.queries import automatic_variables, service_variables
from app.runtime.views.blueprint import blueprint
from app.services.uses import variables_from
from app.transactions import unit_of_work
from app.variables.dotenv_text import write_lines
from app.variables.operations import record_export
from app.variables.queries import list_variables
from app.web.access import requires


@blueprint.post("/environments/<name>/variables/export/")
@requires(Permission.VARIABLES_REVEAL)
def export_variables(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    with unit_of_work():
        values = {row.name: row.value for row in list_variables(environment.id)}
        if request.form.get("automatic"):
            services = service_variables(environment).values()
            values = variables_from(services) | automatic_variables(environment) | values
        record_export(environment, len(values), signed_in())
    response = Response(write_lines(sorted(values.items())), mimetype="text/plain")
    response.headers["Content-Disposition"] = f'attachment; filename="{slug}-{name}.env"'
    response.headers["Cache-Control"] = "no-store"
    return response

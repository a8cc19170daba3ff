"""`flask panel …`: what an operator does from a shell. Values only are printed, for scripts."""

from __future__ import annotations

import secrets
from pathlib import Path

import click
from flask import Flask
from flask.cli import AppGroup
from flask_migrate import Migrate

from app import factory
from app.accounts import operations as accounts
from app.accounts.models import User
from app.accounts.operators import appoint_operator
from app.accounts.queries import load_user
from app.addons.builtin import publish_plugins
from app.applications.models import Starter
from app.applications.queries import find_application
from app.audit.chain import seed_chain
from app.audit.commands import audit
from app.background import ROOT
from app.config import Settings, kept_secret
from app.deployments.operations import request_deployment
from app.domains.queries import primary_host
from app.environments.queries import find_environment
from app.errors import Invalid, PanelError
from app.extensions import db
from app.installation import Adapters, installation
from app.keys.commands import keys
from app.lifecycle.operations import NewApplication, create_application
from app.mails.commands import mail
from app.organisations.operations import sign_up
from app.organisations.queries import find_member, find_organisation
from app.panel_backups.commands import backup, backup_key, restore
from app.permissions import Scope
from app.plans.operations import seed_plans
from app.platform_status.commands import incident, operator
from app.regions.operations import seed_regions
from app.routes.operations import seed_feed
from app.schema import upgrade_schema
from app.seals import present_seal
from app.services.commands import service_server
from app.services.servers import seed_servers
from app.transactions import unit_of_work


class PanelGroup(AppGroup):
    """What a command refuses is said in a sentence, as on a page."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except PanelError as error:
            raise click.ClickException(error.sentence) from error


panel = PanelGroup("panel", help="Run and look after this installation.")
user = AppGroup("user", help="People.")
token = AppGroup("token", help="Access tokens.")
key = AppGroup("key", help="SSH keys.")
application = AppGroup("application", help="Applications.")
for group in (user, token, key, application, audit, keys, incident, operator, mail, service_server):
    panel.add_command(group)
for command in (backup, backup_key, restore):
    panel.add_command(command)

LOCAL_NODE = "local"


def create_app(settings: Settings | None = None, adapters: Adapters | None = None) -> Flask:
    """The panel with its commands and migrations, for `flask …`: what serves pages needs neither,
    and is 10 MB smaller for it."""
    app = factory.create_app(settings, adapters)
    Migrate(app, db, directory=str(ROOT / "migrations"), render_as_batch=True, compare_type=True)
    app.cli.add_command(panel)
    return app


@panel.command()
def migrate() -> None:
    """Bring the database to the newest schema and add the rows every installation has."""
    settings = installation().settings
    upgrade_schema(settings)
    present_seal().ensure()
    node_token = kept_secret(settings.data_dir / "secrets" / "ingress.token")
    with unit_of_work():
        seed_regions(settings.network_pool)
        seed_plans()
        publish_plugins()
        seed_servers()
        seed_chain()
        seed_feed(LOCAL_NODE, node_token)


@user.command("create")
@click.argument("email")
@click.option("--name", default="", help="Shown to others; the address's first part by default.")
@click.option("--password", default="", help="Made up and printed when left out.")
@click.option("--operator", "is_operator", is_flag=True, help="May look after the installation.")
def create_user(email: str, name: str, password: str, is_operator: bool) -> None:
    """Make an account with an organisation of its own; prints the password."""
    secret = password or secrets.token_urlsafe(12)
    with unit_of_work():
        made = sign_up(email, name or email.partition("@")[0], secret)
        if is_operator:
            appoint_operator(made, None)
    click.echo(secret)


@token.command("create")
@click.argument("email")
@click.option("--name", default="command line")
@click.option("--scope", type=click.Choice([item.value for item in Scope]), default="write")
@click.option("--organisation", default="", help="Its slug; all of the person's when left out.")
@click.option("--days", type=click.IntRange(0, 3650), default=0, help="0: it does not end.")
def create_token(email: str, name: str, scope: str, organisation: str, days: int) -> None:
    """Make an access token for a person; prints it."""
    with unit_of_work():
        person = load_user(email)
        only = _organisation_of(person, organisation) if organisation else None
        text = accounts.create_access_token(
            person, name, days, scope=Scope(scope), organisation_id=only
        )[1]
    click.echo(text)


def _organisation_of(person: User, slug: str) -> int:
    found = find_organisation(slug)
    if found is None or find_member(found.id, person.id) is None:
        raise Invalid(f"{person.email} is in no organisation “{slug}”.")
    return found.id


@key.command("add")
@click.argument("email")
@click.argument("public_key_file", type=click.Path(exists=True, path_type=Path))
def add_key(email: str, public_key_file: Path) -> None:
    """Add a public SSH key for a person; prints its fingerprint."""
    with unit_of_work():
        text = public_key_file.read_text()
        fingerprint = accounts.add_ssh_key(load_user(email), "", text).fingerprint
    click.echo(fingerprint)


@application.command("create")
@click.argument("slug")
@click.option("--organisation", required=True, help="Its slug.")
@click.option("--owner", required=True, help="E-mail address of who makes it.")
@click.option("--name", default="")
@click.option("--starter", type=click.Choice([item.value for item in Starter]), default="blank")
def create_app_row(slug: str, organisation: str, owner: str, name: str, starter: str) -> None:
    """Make an application; prints its slug."""
    here = installation()
    with unit_of_work():
        found = find_organisation(organisation)
        if found is None:
            raise Invalid(f"There is no organisation “{organisation}”.")
        create_application(
            NewApplication(name or slug, slug, Starter(starter)),
            found,
            load_user(owner),
            here.adapters.repositories,
            here.settings,
        )
    click.echo(slug)


@application.command("deploy")
@click.argument("slug")
@click.argument("environment")
@click.option("--actor", required=True, help="E-mail address of who deploys.")
def deploy(slug: str, environment: str, actor: str) -> None:
    """Deploy the tip of an environment's branch; prints the deployment's uuid."""
    with unit_of_work():
        found = find_application(slug)
        row = find_environment(found.id, environment) if found else None
        if row is None:
            raise Invalid(f"There is no environment {slug}/{environment}.")
        store = installation().adapters.repositories
        uuid = request_deployment(row, store, load_user(actor)).uuid
    click.echo(uuid)


@application.command("url")
@click.argument("slug")
@click.argument("environment")
def url(slug: str, environment: str) -> None:
    """Print where an environment is reached."""
    found = find_application(slug)
    row = find_environment(found.id, environment) if found else None
    if row is None:
        raise click.ClickException(f"There is no environment {slug}/{environment}.")
    click.echo(installation().settings.site_url(primary_host(row.id)))

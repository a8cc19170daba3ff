"""Audit lines in words. `{name}` stands for the line's actor, subject, and details."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _l

from app.audit.models import AuditLine

GROUPS = {
    "application": _l("Applications"),
    "environment": _l("Environments"),
    "addon": _l("Addons"),
    "site_addon": _l("Addons of sites"),
    "variable": _l("Variables"),
    "domain": _l("Domains"),
    "service": _l("Services"),
    "backup": _l("Backups"),
    "release_command": _l("Release commands"),
    "process": _l("Workers"),
    "deployment": _l("Deployments"),
    "cron_job": _l("Cron jobs"),
    "repository": _l("Pushes"),
    "collaborator": _l("Collaborators"),
    "member": _l("Members"),
    "invitation": _l("Invitations"),
    "organisation": _l("Organisation"),
    "account": _l("Accounts"),
}
OF_OPERATORS = {
    "incident": _l("Incidents"),
    "operator": _l("Operators"),
    "keys": _l("Keys"),
    "panel": _l("Backups of the panel"),
    "service_server": _l("Servers for services"),
}
"""Groups that only operators see lines of."""

SENTENCES = {
    "account.authenticator.add": _l("{actor} set up an authenticator app"),
    "account.authenticator.remove": _l("{actor} removed the authenticator app"),
    "account.create": _l("{actor} signed up"),
    "account.delete": _l("{actor} deleted the account {subject}"),
    "account.email": _l("{actor} changed the address to {subject}"),
    "account.email.request": _l("{actor} asked for another address"),
    "account.operator": _l("{subject} became an operator"),
    "account.passkey.add": _l("{actor} added the passkey {subject}"),
    "account.passkey.remove": _l("{actor} removed the passkey {subject}"),
    "account.password": _l("{actor} changed the password"),
    "account.password.forgotten": _l("Somebody asked for a new password for {subject}"),
    "account.password.reset": _l("{actor} chose a new password by mail"),
    "account.recovery_code.use": _l("{actor} signed in with a recovery code"),
    "account.recovery_codes.renew": _l("{actor} made new recovery codes"),
    "account.rename": _l("{before} is called {after} from now on"),
    "account.sign_in": _l("{actor} signed in"),
    "account.sign_out": _l("{actor} signed out"),
    "account.sign_out_everywhere": _l("{actor} signed {subject} out everywhere"),
    "account.ssh_key.add": _l("{actor} added the SSH key {subject}"),
    "account.ssh_key.remove": _l("{actor} removed the SSH key {subject}"),
    "account.token.create": _l("{actor} made the access token {subject}"),
    "account.token.revoke": _l("{actor} revoked the access token {subject}"),
    "addon.changes": _l("{actor} said what is new in {subject} {version}"),
    "addon.collaborator.add": _l("{actor} let {email} work on the addon {subject}"),
    "addon.collaborator.change": _l("{actor} changed what {email} may do on the addon {subject}"),
    "addon.collaborator.remove": _l("{actor} took the addon {subject} from {email}"),
    "addon.move": _l("{actor} moved {subject} {version} to the channel {after}"),
    "addon.register": _l("{actor} registered the addon {subject}"),
    "addon.unyank": _l("{actor} offers {subject} {version} again"),
    "addon.update": _l("{actor} changed the settings of the addon {subject}"),
    "addon.upload": _l("{actor} uploaded {subject} {version}"),
    "addon.yank": _l("{actor} yanked {subject} {version}"),
    "application.create": _l("{actor} created the application {subject}"),
    "application.delete": _l("{actor} deleted {subject} for good"),
    "application.rename": _l("{actor} renamed {subject} to {after}"),
    "application.restore": _l("{actor} restored {subject} from the trash"),
    "application.transfer_away": _l("{actor} gave {subject} to {after}"),
    "application.transfer_here": _l("{actor} brought {subject} here from {before}"),
    "application.trash": _l("{actor} put {subject} into the trash"),
    "backup.ask_restore": _l("{actor} asked for a restore of {subject}"),
    "backup.copy": _l("{actor} copied data from {source} to {service} of {subject}"),
    "backup.delete": _l("{actor} deleted a backup of {subject}"),
    "backup.download": _l("{actor} had a backup of {subject} prepared for download"),
    "backup.restore": _l("{actor} restored a backup into {service} of {subject}"),
    "backup.schedule": _l("{actor} changed when {subject} is backed up"),
    "backup.take": _l("{actor} asked for a backup of {subject}"),
    "collaborator.add": _l("{actor} gave {email} access to {subject}"),
    "collaborator.change": _l("{actor} changed what {email} may do on {subject}"),
    "collaborator.remove": _l("{actor} took access to {subject} from {email}"),
    "cron_job.add": _l("{actor} added the cron job “{label}” to {subject}"),
    "cron_job.change": _l("{actor} changed the cron job “{label}” of {subject}"),
    "cron_job.pause": _l("{actor} paused the cron job “{label}” of {subject}"),
    "cron_job.remove": _l("{actor} removed the cron job “{label}” of {subject}"),
    "cron_job.resume": _l("{actor} resumed the cron job “{label}” of {subject}"),
    "cron_job.run": _l("{actor} ran the cron job “{label}” of {subject}"),
    "deployment.cancel": _l("{actor} cancelled a deployment of {subject}"),
    "deployment.deploy": _l("{actor} deployed {subject}"),
    "deployment.roll_back": _l("{actor} rolled {subject} back"),
    "domain.change": _l("{actor} changed the domain {host} of {subject}"),
    "domain.claim": _l("{actor} added the domain {host} to {subject}"),
    "domain.delete": _l("{actor} gave up the domain {host} of {subject}"),
    "domain.prove": _l("The domain {host} of {subject} was proved"),
    "domain.restore": _l("{actor} restored the domain {host} of {subject}"),
    "domain.trash": _l("{actor} put the domain {host} of {subject} into the trash"),
    "domain.withdraw": _l("{actor} withdrew the domain {host} of {subject}"),
    "environment.create": _l("{actor} created the environment {subject}"),
    "environment.delete": _l("{actor} deleted {subject} for good"),
    "environment.restore": _l("{actor} restored {subject} from the trash"),
    "environment.trash": _l("{actor} put {subject} into the trash"),
    "environment.update": _l("{actor} changed the settings of {subject}"),
    "incident.open": _l("{actor} opened the incident “{subject}”"),
    "incident.resolve": _l("{actor} resolved the incident “{subject}”"),
    "incident.update": _l("{actor} wrote about the incident “{subject}”"),
    "invitation.accept": _l("{actor} accepted the invitation"),
    "invitation.resend": _l("{actor} invited {subject} again"),
    "invitation.revoke": _l("{actor} took the invitation of {subject} back"),
    "invitation.send": _l("{actor} invited {subject}"),
    "keys.retire": _l("{actor} removed the old {subject} keys"),
    "keys.rotate": _l("{actor} added a new {subject} key"),
    "member.add": _l("{actor} added {subject} to the organisation"),
    "member.leave": _l("{actor} left the organisation"),
    "member.remove": _l("{actor} removed {subject} from the organisation"),
    "member.role": _l("{actor} changed the role of {subject}"),
    "operator.add": _l("{actor} made {subject} an operator"),
    "operator.remove": _l("{actor} took the operator’s right from {subject}"),
    "panel.backup": _l("{actor} backed the panel up"),
    "panel.restore": _l("{actor} restored the panel from a backup"),
    "organisation.create": _l("{actor} founded {subject}"),
    "organisation.delete": _l("{actor} deleted the organisation {subject}"),
    "organisation.rename": _l("{actor} renamed the organisation to {subject}"),
    "organisation.second_factor": _l("{actor} changed the second factor rule of {subject}"),
    "process.add": _l("{actor} added the process “{process}” to {subject}"),
    "process.change": _l("{actor} changed the process “{process}” of {subject}"),
    "process.remove": _l("{actor} removed the process “{process}” of {subject}"),
    "process.restart": _l("{actor} restarted the process “{process}” of {subject}"),
    "release_command.add": _l("{actor} added the release command “{label}” to {subject}"),
    "release_command.remove": _l("{actor} removed the release command “{label}” of {subject}"),
    "repository.push": _l("{actor} pushed to {subject}"),
    "service.add": _l("{actor} added {service} to {subject}"),
    "service.accept": _l("{actor} has {subject} use {service}, which {owner} shares"),
    "service.attach": _l("{actor} has {service} of {subject} attached"),
    "service.delete": _l("{actor} deleted {service} of {subject} for good"),
    "service.detach": _l("{actor} has {service} of {subject} detached"),
    "service.provision": _l("{actor} had {service} of {subject} provisioned"),
    "service.rename": _l("{actor} renamed the prefix {before} of {subject} to {after}"),
    "service.restore": _l("{actor} restored {service} of {subject}"),
    "service.reveal": _l("{actor} looked at the credentials of {service} of {subject}"),
    "service.share": _l("{actor} shares {service} of {subject} with {user}"),
    "service.trash": _l("{actor} put {service} of {subject} into the trash"),
    "service.unshare": _l("{actor} ended the sharing of {service} of {subject} with {user}"),
    "service_server.add": _l("{actor} added the server {subject}"),
    "service_server.change": _l("{actor} changed the URL of the server {subject}"),
    "service_server.offer": _l("{actor} offers the server {subject}"),
    "service_server.withdraw": _l("{actor} took the server {subject} off the offer"),
    "service_server.write_off": _l("{actor} wrote the server {subject} off"),
    "site_addon.follow": _l("{actor} has {subject} follow the channel {after} of {addon}"),
    "site_addon.install": _l("{actor} installed {addon} {version} on {subject}"),
    "site_addon.remove": _l("{actor} removed {addon} from {subject}"),
    "site_addon.save": _l("{actor} changed the settings of {addon} on {subject}"),
    "site_addon.undo": _l("{actor} took a change of the settings of {addon} on {subject} back"),
    "site_addon.upgrade": _l("{actor} moved {addon} on {subject} to version {version}"),
    "variable.copy": _l("{actor} copied variables to {subject}"),
    "variable.export": _l("{actor} downloaded all variables of {subject}"),
    "variable.remove": _l("{actor} removed {name} from {subject}"),
    "variable.reveal": _l("{actor} looked at the secret {name} of {subject}"),
    "variable.set": _l("{actor} changed {name} of {subject}"),
    "variable.undo": _l("{actor} took a change of {name} on {subject} back"),
}


NEWLY = {
    "variable.set": _l("{actor} added {name} to {subject}"),
}
"""Said of a line that tells of nothing before it."""


class _Known(dict[str, object]):
    """A detail that a line does not have reads as “…”."""

    def __missing__(self, key: str) -> str:
        return "…"


def sentence(line: AuditLine) -> str:
    """What happened, e.g. “Alice changed SMTP_HOST of demo/live”."""
    known = _Known(line.details) | {"actor": line.actor_name, "subject": line.subject}
    is_new = line.action in NEWLY and "before" not in line.details
    words = (NEWLY if is_new else SENTENCES).get(line.action)
    if words is None:
        return f"{line.actor_name}: {line.action.replace('_', ' ')} – {line.subject}"
    return str(words).format_map(_Known(known))


def facts(line: AuditLine) -> Mapping[str, Any]:
    """The details as rows of a table: words for the names, text for the values."""
    return {name.replace("_", " "): _plain(value) for name, value in line.details.items()}


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_plain(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value)
    if value is None:
        return "–"
    return {"True": "yes", "False": "no"}.get(str(value), str(value))

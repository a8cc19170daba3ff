"""Setting, removing, undoing and copying variables. Each change is a line of the history."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from app.accounts.models import User
from app.audit.operations import fingerprint
from app.environments.models import Environment
from app.environments.operations import record_on, take_turns
from app.errors import Conflict, Invalid
from app.extensions import db
from app.variables import queries
from app.variables.limits import (
    POINTER_BYTES,
    TOTAL_BYTES,
    Entry,
    check_count,
    check_total,
    check_value,
    clean_key,
    looks_secret,
    size_of,
)
from app.variables.models import Variable, VariableChange
from app.variables.planning import is_same, seen_in

SHOWN_IN_AUDIT = 200
"""Characters of an ordinary value that an audit line keeps."""


class Overtaken(Conflict):
    """Somebody else changed the variable after the person had seen it."""


def set_variable(
    environment: Environment,
    name: str,
    value: str,
    is_secret: bool,
    actor: User,
    version: int | None = None,
) -> Variable:
    """Set `name`; an empty value is a value. Takes effect at the next deployment.

    `version` is the one the person saw, 0 for a variable that was not there; None overwrites
    whatever is there. Raises `Overtaken` when it is not that one any more.
    """
    entry = Entry(clean_key(name), value, is_secret)
    take_turns(environment.id)
    row = queries.find_variable(environment.id, entry.name)
    if version is not None and version != (row.version if row else 0):
        raise Overtaken(f"Somebody else has just changed {entry.name}. Nothing was saved.")
    set_variables(environment, [entry], actor)
    db.session.flush()
    found = queries.find_variable(environment.id, entry.name)
    if found is None:
        raise RuntimeError("a variable that was just set is not there")
    return found


def set_variables(
    environment: Environment,
    entries: Sequence[Entry],
    actor: User,
    seen: str | None = None,
    **details: str,
) -> int:
    """Set all of them, or none when one cannot be; returns how many differ from before.

    `seen` is what a plan has found of them, None overwrites whatever is there; `details` go into
    the audit lines. Raises `Overtaken` when they are not as seen any more, and `Invalid` when a
    name, a value, their number or their size is more than an environment may have.
    """
    for entry in entries:
        clean_key(entry.name)
        check_value(entry.name, entry.value)
    take_turns(environment.id)
    rows = queries.find_variables(environment.id, [entry.name for entry in entries])
    if seen is not None and seen != seen_in(rows.values()):
        raise Overtaken("Somebody else has changed one of these meanwhile. Look again, then apply.")
    changed = [entry for entry in entries if not is_same(rows.get(entry.name), entry)]
    _check_room(environment.id, rows, changed)
    for entry in changed:
        _set(environment, rows.get(entry.name), entry, actor, details)
    return len(changed)


def remove_variable(
    environment: Environment, variable: Variable, actor: User, **details: str
) -> None:
    """Remove it; an automatic one of that name shows again. The history keeps its value."""
    _remember(environment, variable, None, actor, details)
    db.session.delete(variable)


def undo_change(environment: Environment, change: VariableChange, actor: User) -> None:
    """Put back what was before `change`, as a new change, which can be undone in its turn.

    Raises `Conflict` when the variable was changed again since.
    """
    take_turns(environment.id)
    row = queries.find_variable(environment.id, change.name)
    left = Entry(change.name, change.after, change.is_secret) if change.after is not None else None
    is_untouched = is_same(row, left) if left else row is None
    if not is_untouched:
        raise Conflict(
            f"{change.name} was changed again since. Undo the later change first, or set the "
            "value by hand."
        )
    if change.before is not None:
        entry = Entry(change.name, change.before, change.was_secret)
        set_variables(environment, [entry], actor, undoes=str(change.id))
    elif row is not None:
        remove_variable(environment, row, actor, undoes=str(change.id))


def copy_variables(
    source: Environment,
    target: Environment,
    names: Collection[str] | None,
    actor: User,
    seen: str | None = None,
) -> int:
    """Set in `target` what `source` has of `names` (None: all), secrets as secrets; returns how
    many differ from before. Others of `target` stay as they are.

    Raises `Invalid` when the two are not different environments of one application.
    """
    if source.application_id != target.application_id or source.id == target.id:
        raise Invalid("Variables are copied between environments of one application.")
    chosen = entries_from(source, names)
    return set_variables(target, chosen, actor, seen, copied_from=source.slug)


def entries_from(source: Environment, names: Collection[str] | None) -> list[Entry]:
    """What `source` has of `names`, or all of it."""
    return [
        Entry(row.name, row.value, row.is_secret)
        for row in queries.list_variables(source.id)
        if names is None or row.name in names
    ]


def record_reveal(environment: Environment, name: str, actor: User) -> None:
    """Write down that the value of a secret was looked at."""
    record_on(environment, "variable.reveal", actor, name=name)


def record_export(environment: Environment, count: int, actor: User) -> None:
    """Write down that all values were taken away as a file."""
    record_on(environment, "variable.export", actor, variables=str(count))


def _check_room(
    environment_id: int, rows: Mapping[str, Variable], changed: Sequence[Entry]
) -> None:
    if not changed:
        return
    added = sum(entry.name not in rows for entry in changed)
    if added:
        check_count(queries.count_variables(environment_id) + added)
    size = sum(size_of(entry.name, entry.value) + POINTER_BYTES for entry in changed)
    if queries.bound_of_total(environment_id) + size > TOTAL_BYTES:
        replaced = [rows[entry.name] for entry in changed if entry.name in rows]
        freed = sum(size_of(row.name, row.value) + POINTER_BYTES for row in replaced)
        check_total(queries.exact_total(environment_id) - freed + size)


def _set(
    environment: Environment,
    row: Variable | None,
    entry: Entry,
    actor: User,
    details: Mapping[str, str],
) -> None:
    _remember(environment, row, entry, actor, details)
    if row is None:
        row = Variable(environment_id=environment.id, name=entry.name)
        db.session.add(row)
    else:
        row.version += 1
    row.value = entry.value
    row.is_secret = entry.is_secret


def _remember(
    environment: Environment,
    row: Variable | None,
    entry: Entry | None,
    actor: User,
    details: Mapping[str, str],
) -> None:
    """A line of the history, encrypted as the values are, and one of the audit."""
    name = entry.name if entry else row.name if row else ""
    before, after = row.value if row else None, entry.value if entry else None
    was_secret = bool(row and row.is_secret)
    is_secret = entry.is_secret if entry else was_secret
    db.session.add(
        VariableChange(
            environment_id=environment.id,
            name=name,
            actor_id=actor.id,
            actor_name=actor.name,
            before=before,
            after=after,
            was_secret=was_secret,
            is_secret=is_secret,
        )
    )
    # What was meant to be a secret is often made one a moment later; audit lines stay for ever.
    seems_secret = any(looks_secret(name, value) for value in (before, after) if value)
    shown = _for_audit(before, after, is_secret=was_secret or is_secret or seems_secret)
    action = "variable.set" if entry else "variable.remove"
    record_on(environment, action, actor, **{"name": name, **shown, **details})


def _for_audit(before: str | None, after: str | None, is_secret: bool) -> dict[str, str]:
    """The values themselves, or of a secret what tells a change and no more; what was not there
    is left out."""
    tell = fingerprint if is_secret else _cut
    values = {"before": before, "after": after}
    return {name: tell(value) for name, value in values.items() if value is not None}


def _cut(value: str) -> str:
    if len(value) <= SHOWN_IN_AUDIT:
        return value
    return f"{value[:SHOWN_IN_AUDIT]}… ({len(value.encode())} bytes)"

"""The backups of what is deleted for good go with it; those of what lies in the trash stay."""

from __future__ import annotations

import pytest

from app.adapters.services import ServiceKind
from app.backups.deletion import WAITS, remove_backups
from app.backups.models import Backup, Restoration, WorkStatus
from app.backups.restoring import request_restoration
from app.errors import Unavailable
from app.extensions import db
from app.installation import installation
from app.lifecycle import deletion, trash
from app.lifecycle.models import TrashEntry
from tests.backups import data
from tests.panel import ALICE, Panel, application, environment, user_of


def count(model: type[Backup] | type[Restoration]) -> int:
    return db.session.scalar(db.select(db.func.count(model.id))) or 0


def test_the_final_deletion_of_an_application(panel: Panel) -> None:
    data.fill(panel)
    data.fill(panel, "live", ServiceKind.OBJECT_STORAGE, data.FILES, version="1")
    data.fill(panel, of="other")
    data.take(panel)
    data.take(panel, "live")
    with panel.work():
        entry_id = trash.trash_application(application(), user_of(ALICE)).id
    data.run(panel, "take_due_backups")
    data.run(panel, "tidy_backups")
    assert len(data.stored(panel)) == 2, "what lies in the trash keeps its backups"
    with panel.work():
        trash.begin_deletion(db.session.get_one(TrashEntry, entry_id), user_of(ALICE))
    with panel.reading():
        number = db.session.scalars(db.select(Backup.id)).first()
    with panel.work():
        db.session.get_one(Backup, number).status = WorkStatus.RUNNING
    with panel.reading():
        assert not deletion.delete_for_good(installation(), entry_id)
        assert db.session.get_one(TrashEntry, entry_id).failure == WAITS
    with panel.work():
        db.session.get_one(Backup, number).status = WorkStatus.FAILED
    with panel.reading():
        assert deletion.delete_for_good(installation(), entry_id)
        assert count(Backup) == 0
    assert data.stored(panel) == []


def test_what_waits_is_dropped_and_a_store_that_is_down_keeps_the_rows(panel: Panel) -> None:
    source, target = data.fill(panel), data.fill(panel, of="other")
    backup = data.take(panel)
    data.ask(panel)
    with panel.work():
        row = data.backup(backup).parts[0]
        data.instance(
            target
        ).environment.application.organisation_id = application().organisation_id
        request_restoration(row, data.instance(target), user_of(ALICE))
        number = environment().id
    folder = panel.settings.data_dir / "backups"
    folder.rename(folder.with_name("elsewhere"))
    folder.write_text("not a folder")
    with panel.reading(), pytest.raises(Unavailable, match="cannot be used"):
        remove_backups([number])
    with panel.reading():
        assert (count(Backup), count(Restoration)) == (2, 0)
    folder.unlink()
    folder.with_name("elsewhere").rename(folder)
    with panel.reading():
        remove_backups([number])
        assert count(Backup) == 0
    assert data.stored(panel) == []
    assert data.data_of(panel, source) == data.ROWS

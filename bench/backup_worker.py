"""One job of a worker, as a process of its own: `python -m bench.backup_worker take|restore N`.
Prints how long it took and the most memory it held, as JSON. Before, it makes ready as the parent
of a worker's jobs does."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from app.adapters.services import ServiceKind
from app.background import create_background_app
from app.backups import bringing_back, taking
from app.backups.models import Backup, Restoration, WorkStatus
from app.extensions import db, rehearse
from app.installation import installation

JOBS = {"take": (taking.take, Backup), "restore": (bringing_back.restore, Restoration)}


def main(job: str, number: int) -> None:
    """Ends with an error when the job did not succeed."""
    act, model = JOBS[job]
    with create_background_app().app_context():
        rehearse()
        for kind in (ServiceKind.POSTGRESQL, ServiceKind.OBJECT_STORAGE):
            installation().adapters.services.of(kind)
        began = time.perf_counter()
        act(number)
        seconds = time.perf_counter() - began
        row = db.session.get_one(model, number)
        assert row.status == WorkStatus.SUCCEEDED, row.sentence
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
    print(json.dumps({"seconds": seconds, "peak_mb": int(peak) / 1024}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

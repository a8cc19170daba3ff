"""Looking for whatever is left of a thing: in every table, in the engine, on the disk."""

from __future__ import annotations

import json
import os
from pathlib import Path

from app.adapters.engine import Engine
from app.applications.models import Application
from app.deployments.models import Deployment
from app.environments.models import Environment
from app.extensions import Base, db
from app.repositories.models import Repository

OWN = {"applications": "application_id", "environments": "environment_id"}
TOLD = {"audit_lines"}
"""Tables that keep what was: they name things, and refer to none."""


class Trace:
    """What there was of an application or of one of its environments. Make it before the
    deletion, inside an app context."""

    def __init__(self, application: Application, environment: Environment | None = None) -> None:
        of_application = db.select(Environment).where(Environment.application_id == application.id)
        rows = [environment] if environment else db.session.scalars(of_application).all()
        self.numbers: dict[str, set[int]] = {"environments": {row.id for row in rows if row}}
        self.uuids = {row.uuid for row in rows if row}
        deployments = db.select(Deployment).where(
            Deployment.environment_id.in_(self.numbers["environments"])
        )
        for row in db.session.scalars(deployments):
            self.uuids.add(row.uuid)
            self.numbers.setdefault("deployments", set()).add(row.id)
        self.words: set[str] = set()
        if environment is None:
            self.numbers["applications"] = {application.id}
            self.words.add(application.slug)
            key = db.select(Repository.uuid).where(Repository.application_id == application.id)
            self.uuids |= {application.uuid, *db.session.scalars(key)}

    def rows(self) -> list[str]:
        """Rows that are one of them, refer to one of them, or hold one of the uuids."""
        found = []
        for table in Base.metadata.sorted_tables:
            if table.name in TOLD:
                continue
            referring = {
                column.name: self.numbers.get(key.column.table.name, set())
                for column in table.columns
                for key in column.foreign_keys
            }
            for row in db.session.execute(db.select(table)).mappings():
                is_one = row.get("id") in self.numbers.get(table.name, set())
                refers = any(row[name] in numbers for name, numbers in referring.items())
                text = json.dumps([str(value) for value in row.values()])
                holds = any(word in text for word in self.uuids)
                if is_one or refers or holds:
                    found.append(f"{table.name} {row.get('id')}")
        return found

    def files(self, data_dir: Path) -> list[str]:
        """Files and folders with one of the uuids in their name."""
        # os.walk, and not a glob: folders go away while this looks
        return [
            str(Path(folder, name).relative_to(data_dir))
            for folder, folders, files in os.walk(data_dir)
            for name in [*folders, *files]
            if any(uuid in name for uuid in self.uuids)
        ]

    def in_engine(self, engine: Engine, installation_id: str) -> list[str]:
        """Containers, networks and images that carry a uuid or the application's name."""
        labels = {"moonbase.installation": installation_id}
        containers = engine.list_containers(labels)
        found = [state.name for state in containers if self.uuids & set(state.labels.values())]
        found += [
            name
            for name in engine.list_networks(labels)
            if any(uuid in name for uuid in self.uuids)
        ]
        tags = [tag for image in engine.list_images(labels) for tag in image.tags]
        return found + [tag for tag in tags if any(f"/{word}:" in tag for word in self.words)]

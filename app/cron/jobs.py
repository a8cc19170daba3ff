"""Nothing waits in the queue for cron: rows say what is due, and the process `cron` reads them.
Imported by every process, so that all of them know the tables."""

from __future__ import annotations

from app.cron import models as models

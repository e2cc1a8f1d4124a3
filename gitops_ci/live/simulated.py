"""What runs in a cluster that somebody plays: kept in the refs of a local forge's ops repository.

Fulfils `gitops_ci.live.LiveSource`; knows nothing of releases or merge requests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from gitops_ci.errors import ConfigError, ForgeError, Temporary
from gitops_ci.live import Health, Look
from gitops_ci.names import app_fault, stage_fault
from gitops_ci.refstore import Documents, Entry, Repository


@dataclass(frozen=True, slots=True)
class Running:
    """What the cluster says about one application."""

    revision: str | None
    health: Health
    failed: str | None = None
    message: str = ""


_NOTHING = Running(None, Health.MISSING)


class SimulatedLive:
    """The clusters of one ops project on a local forge."""

    settle = timedelta(0)

    def __init__(self, root: Path, project: str, *, now: Callable[[], datetime]) -> None:
        self._documents = Documents(Repository.at(root, project), "cluster", now)

    def look(self, *, stage: str, app: str, application: str) -> Look:
        try:
            found = self._documents.read(_name(stage, app), Running)
        except ForgeError as error:
            raise Temporary(error.message, hint=error.hint) from error
        seen = found.data if found else _NOTHING
        return Look(application, seen.revision, seen.health, seen.failed, seen.message)

    def set_live(
        self,
        *,
        stage: str,
        app: str,
        revision: str | None,
        health: Health = Health.HEALTHY,
        failed: str | None = None,
        message: str = "",
    ) -> None:
        """From now on the application looks like this; saying it again changes nothing."""
        new = Running(revision, health, failed, message)
        sentence = f"{app} in {stage}: {health.value} at {revision or 'nothing'}"
        self._documents.change(
            _name(stage, app),
            Running,
            lambda old: None if new == old else Entry(sentence, new),
        )


def _name(stage: str, app: str) -> str:
    for kind, text, fault in (("stage", stage, stage_fault(stage)), ("app", app, app_fault(app))):
        if fault:
            raise ConfigError(f"`{text}` cannot be a name of this {kind}: {fault}")
    return f"live/{stage}/{app}"

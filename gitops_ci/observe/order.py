"""Which of two releases is newer: asked of the dev project, or of a complete checkout of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gitops_ci.errors import NotFound
from gitops_ci.forge import Forge, Relation


class Order(Protocol):
    """Tells how two commits of a dev project stand to each other."""

    def __call__(self, project: str, base: str, head: str) -> Relation: ...


@dataclass(frozen=True, slots=True)
class DevOrder:
    """Asks the dev project's forge, then what else can tell; UNKNOWN where nobody can."""

    projects: DevProjects
    checkout: Order | None = None

    def __call__(self, project: str, base: str, head: str) -> Relation:
        if base == head:
            return Relation.SAME
        relation = self._forge(project, base, head)
        if relation is Relation.UNKNOWN and self.checkout:
            return self.checkout(project, base, head)
        return relation

    def _forge(self, project: str, base: str, head: str) -> Relation:
        try:
            dev = self.projects(project)
            return dev.compare(base, head) if dev else Relation.UNKNOWN
        except NotFound:
            return Relation.UNKNOWN


class DevProjects(Protocol):
    """Gives the forge of a dev project, None where no token may see it."""

    def __call__(self, project: str) -> Forge | None: ...

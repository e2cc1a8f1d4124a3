"""Who may do what in a project of the local forge."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from gitops_ci.errors import ConfigError, Forbidden
from gitops_ci.forge._records import Project, Role
from gitops_ci.refstore import Documents, Entry

_REVIEWERS = frozenset(Role)
_WRITERS = frozenset({Role.DEVELOPER, Role.MAINTAINER})
_MERGERS = frozenset({Role.MAINTAINER})


@dataclass(frozen=True, slots=True)
class People:
    """The project's members and groups, asked on behalf of the documents' user."""

    documents: Documents

    def setup(
        self,
        *,
        members: Mapping[str, str] | None,
        groups: Mapping[str, Collection[str]] | None,
    ) -> None:
        roles = None if members is None else {name: _role(role) for name, role in members.items()}
        teams = None if groups is None else {name: tuple(sorted(g)) for name, g in groups.items()}

        def change(found: Project | None) -> Entry[Project] | None:
            old = found or Project()
            self._require(old, _MERGERS, "manage members")
            new = Project(
                old.members if roles is None else roles, old.groups if teams is None else teams
            )
            return None if new == old else Entry(f"{self.documents.user} set the members", new)

        self.documents.change("project", Project, change)

    def group(self, owner: str) -> frozenset[str]:
        return frozenset(self._read().groups.get(owner, (owner,)))

    def may_merge(self) -> bool:
        return self._allowed(self._read(), _MERGERS)

    def require_merge(self) -> None:
        self._require(self._read(), _MERGERS, "merge into the default branch")

    def require_write(self) -> None:
        self._require(self._read(), _WRITERS, "write")

    def require_review(self) -> None:
        self._require(self._read(), _REVIEWERS, "approve")

    def _read(self) -> Project:
        found = self.documents.read("project", Project)
        return found.data if found else Project()

    def _allowed(self, project: Project, roles: frozenset[Role]) -> bool:
        return project.members is None or project.members.get(self.documents.user) in roles

    def _require(self, project: Project, roles: frozenset[Role], what: str) -> None:
        if self._allowed(project, roles):
            return
        user, place = self.documents.user, self.documents.repository.project
        role = (project.members or {}).get(user)
        raise Forbidden(
            f"`{user}` ({role or 'no member'}) may not {what} in `{place}`",
            hint="ask a maintainer of the project to do it, or for a role that may",
        )


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError as error:
        raise ConfigError(f"`{text}` is no role: {', '.join(Role)}") from error

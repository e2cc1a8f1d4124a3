"""`check`: a preview of the gate, in a checkout of the ops repository, without token and network.

Reads committed objects only, never the files of the work tree. Policy and holds are those of the
base, so that a merge request cannot weaken its own check; what it proposes is read as well.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from gitops_ci import config, holds, layout, ops, policy, release, render, resources
from gitops_ci.config import OpsRepository, Stage
from gitops_ci.errors import ConfigError, Exit, worst
from gitops_ci.git import SUBMODULE_MODE, Entry, Objects, Place
from gitops_ci.helm import Helm
from gitops_ci.holds import Hold
from gitops_ci.layout import Writer
from gitops_ci.release import Passport
from gitops_ci.resources import Manifests, RenderedDiff

LINK_MODE = "120000"


class Rule(StrEnum):
    """What a finding offends against."""

    CONFIGURATION = "configuration"  # gitops-ci.yaml or a hold cannot be used
    NAME = "name"
    RELEASE = "release"
    OWNERSHIP = "ownership"
    HOLD = "hold"
    SECRET = "secret"  # noqa: S105 - the name of a rule
    HOSTILE = "hostile"
    RENDER = "render"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault, and the path that has it; `line` counts from 1, 0 where none can be named."""

    path: str
    rule: Rule
    message: str
    line: int = 0

    def __str__(self) -> str:
        place = "".join(char if char.isprintable() else "?" for char in self.path)
        return f"{place}:{self.line}: {self.message}" if self.line else f"{place}: {self.message}"


@dataclass(frozen=True, slots=True)
class Difference:
    """What the cluster will be told because of one directory."""

    path: str
    diff: RenderedDiff


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found."""

    findings: tuple[Finding, ...] = ()
    differences: tuple[Difference, ...] = ()

    @property
    def code(self) -> Exit:
        return worst(
            Exit.USAGE if finding.rule is Rule.CONFIGURATION else Exit.REFUSED
            for finding in self.findings
        )


@dataclass(frozen=True, slots=True)
class Change:
    """The commit that is checked, and what it differs from; `base` None: everything is new."""

    objects: Objects
    head: str
    base: str | None

    def paths(self) -> tuple[str, ...]:
        """Every path that differs, sorted."""
        if self.base is None:
            return tuple(sorted(self.objects.entries(Place(self.head, ""))))
        return self.objects.changed(self.base, self.head)

    def here(self, path: str) -> Place:
        return Place(self.head, path)

    def file(self, path: str) -> bytes | None:
        return self.objects.read(self.here(path))


def run(change: Change, *, helm: Callable[[], Helm] | None) -> Report:
    """Check one change; `helm` None renders nothing."""
    touched = change.paths()
    proposed, faults = _configuration(change, touched)
    judging = _policy(change) or proposed
    if judging is None:
        return Report(faults)
    known = _Known(change, judging, proposed or judging, _holds(change), touched)
    findings = [
        *faults,
        *_name_faults(known),
        *_ownership_faults(known),
        *_directory_faults(known),
        *_file_faults(known),
    ]
    rendered = list(_rendered(known, helm)) if helm else []
    findings += [each for each in rendered if isinstance(each, Finding)]
    differences = [each for each in rendered if isinstance(each, Difference)]
    return Report(tuple(dict.fromkeys(findings)), tuple(differences if change.base else ()))


@dataclass(frozen=True, slots=True)
class _Known:
    """A change together with what it is judged by."""

    change: Change
    policy: OpsRepository
    proposed: OpsRepository
    holds: tuple[Hold, ...]
    touched: tuple[str, ...]

    def stage(self, name: str) -> Stage | None:
        """A stage's policy: the base's, and the proposed one where the stage is new."""
        return self.policy.stage(name) or self.proposed.stage(name)

    def directory(self, path: str) -> str | None:
        """The application's directory that a path lies in, whatever that is called."""
        depth = self.policy.layout.path.count("/") + 1
        top = "/".join(path.split("/")[:depth])
        return top if layout.parse_directory(self.policy.layout, top) else None

    @property
    def directories(self) -> dict[str, layout.Place]:
        """The directories that the change touches, by path."""
        found = {}
        for path in self.touched:
            place = layout.parse_directory(self.policy.layout, path)
            if place:
                top = layout.directory(self.policy.layout, place.stage, place.app)
                found[top] = place._replace(rest="")
        return found

    @property
    def promoted(self) -> tuple[str, ...]:
        """The touched directories whose passport or release changes, and is still there."""
        found = {}
        for top, place in self.directories.items():
            ours = [p for p in self.touched if p.startswith(f"{top}/") and self._is_ours(p)]
            if ours and _has_release(self.change, top):
                found[top] = place
        return tuple(found)

    def _is_ours(self, path: str) -> bool:
        return layout.owner(self.policy.layout, path) is Writer.CI

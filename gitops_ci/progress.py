"""Where one release stands in one stage: everything a decision needs, read once, as data.

Pure. `observe` fills these types, `promotion` and `policy` decide from them and from nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gitops_ci import names
from gitops_ci.changeset import Edit
from gitops_ci.config import OpsRepository, Stage
from gitops_ci.forge import MergeRequest, MergeState, Relation
from gitops_ci.holds import Hold
from gitops_ci.passports import Passport, Result


class Shape(StrEnum):
    """Whose work a promotion branch is."""

    OURS = "ours"  # one commit of ours on a commit of the target, with the planned release
    WELCOME = "welcome"  # the same, and people's commits to values-ops.yaml or secrets/
    FOREIGN = "foreign"  # anything else


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to enter the stage: its branch, its merge request, or both."""

    branch: names.PromotionBranch
    tip: str | None = None  # None: the branch is gone
    shape: Shape = Shape.OURS
    parent: str | None = None  # the target's commit beneath it
    fresh: bool = True  # release.yaml and release/ on the target are as at `parent`
    carried: tuple[Edit, ...] = ()  # people's welcome edits
    clashes: tuple[str, ...] = ()  # those of their paths that the target has changed too
    accepted: str | None = None  # why an unclear order was accepted
    passport: Passport | None = None
    touched: tuple[str, ...] = ()  # every path that the branch changes
    request: MergeRequest | None = None

    @property
    def is_open(self) -> bool:
        return self.request is not None and self.request.state is MergeState.OPEN

    @property
    def is_merged(self) -> bool:
        return self.request is not None and self.request.state is MergeState.MERGED

    @property
    def is_declined(self) -> bool:
        """Closed by a person, not by us."""
        request = self.request
        return bool(
            request
            and request.state is MergeState.CLOSED
            and names.SUPERSEDED not in request.labels
        )


@dataclass(frozen=True, slots=True)
class Rival:
    """Another release of the same application that an open merge request proposes."""

    request: MergeRequest
    release: str
    commit: str  # its source commit
    relation: Relation  # how our source commit stands to its: AHEAD means ours is newer
    keep: str | None = None  # why it may not be closed by us: approved, or people's commits


@dataclass(frozen=True, slots=True)
class Entered:
    """What is known of the release in a stage that it must have passed."""

    stage: str
    passport: Passport | None = None
    merge_commit: str | None = None
    live_since: datetime | None = None
    suites: Mapping[str, Result] = field(default_factory=dict)  # final results only


@dataclass(frozen=True, slots=True)
class Seen:
    """The world as one promotion sees it."""

    ops: OpsRepository
    stage: Stage
    directory: str
    tip: str
    target: str  # the default branch
    passport: Passport  # of the release that wants in, as it left the stage before
    files: Mapping[str, bytes] | None  # its tree's files; None: the ops repository has the tree
    current: Passport | None = None  # what the stage holds
    relation: Relation | None = None  # our source commit to the current one's; None: not asked
    attempts: tuple[Attempt, ...] = ()
    rivals: tuple[Rival, ...] = ()
    before: tuple[Entered, ...] = ()
    holds: tuple[Hold, ...] = ()
    claims: Mapping[str, Result] = field(default_factory=dict)

    @property
    def last(self) -> Attempt | None:
        """The highest attempt."""
        return max(self.attempts, key=lambda attempt: attempt.branch.attempt, default=None)

    @property
    def merged(self) -> MergeRequest | None:
        """The newest merge request by which this release entered the stage."""
        merged = [attempt for attempt in self.attempts if attempt.is_merged]
        last = max(merged, key=lambda attempt: attempt.branch.attempt, default=None)
        return last.request if last else None

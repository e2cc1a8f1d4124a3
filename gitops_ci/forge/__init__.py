"""What a forge is to us: the Protocol that GitLab, GitHub and the local forge fulfil, and its data.

Pure: types only. Policy (adopting, superseding, which label means what) stands above this line,
third-party objects and exceptions stay below it. Every call is bound to one project.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class MergeState(StrEnum):
    """Where a merge request stands."""

    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


class CheckState(StrEnum):
    """A commit status; the three words both forges know."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"


class JobState(StrEnum):
    """Where a job of a pipeline stands; MANUAL waits to be played."""

    MANUAL = "manual"
    WAITING = "waiting"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    CANCELED = "canceled"
    SKIPPED = "skipped"


class Relation(StrEnum):
    """How commit `head` stands to commit `base` in a complete history."""

    SAME = "same"
    AHEAD = "ahead"  # head descends from base
    BEHIND = "behind"  # base descends from head
    DIVERGED = "diverged"
    UNKNOWN = "unknown"  # no such commit, or no complete history to ask


@dataclass(frozen=True, slots=True)
class MergeRequest:
    """A merge or pull request as the forge tells it now.

    `head` is the source branch's commit, or its last one where the branch is gone. Times are UTC.
    """

    number: int
    url: str
    title: str
    description: str
    source: str
    target: str
    head: str
    state: MergeState
    author: str
    created: datetime
    labels: frozenset[str] = frozenset()
    merge_commit: str | None = None
    merged_by: str | None = None
    merged_at: datetime | None = None
    closed_by: str | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's approval, with the head commit it was given on."""

    user: str
    head: str


@dataclass(frozen=True, slots=True)
class Status:
    """A commit status; the newest of each (context, creator) is what counts."""

    context: str
    state: CheckState
    description: str
    creator: str
    created: datetime


@dataclass(frozen=True, slots=True)
class Job:
    """One run of a job; a retry is a run of its own with a higher `id`."""

    id: int
    name: str
    state: JobState
    allow_failure: bool = False
    started: datetime | None = None
    finished: datetime | None = None
    url: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the token acts as, and whether it may merge into the default branch."""

    name: str
    may_merge: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """A merge request to be opened or brought up to date."""

    source: str
    target: str
    title: str
    description: str
    labels: frozenset[str] = field(default_factory=frozenset)


class Forge(Protocol):
    """One project on a forge.

    Calls raise `errors.ForgeError` and its kinds, or `errors.Temporary`; nothing else.
    Lists are complete unless `limit` says otherwise.
    """

    @property
    def project(self) -> str:
        """Path of the project, as people write it: `platform/shop-ops`."""

    @property
    def noun(self) -> str:
        """What the forge calls it: `merge request` or `pull request`."""

    @property
    def sigil(self) -> str:
        """What stands before its number: `!` or `#`."""

    @property
    def git_url(self) -> str:
        """Where git fetches and pushes; never holds a credential."""

    def whoami(self) -> Identity: ...

    def default_branch(self) -> str: ...

    def find(self, source: str) -> tuple[MergeRequest, ...]:
        """All merge requests ever opened from exactly this branch of this project, oldest first."""

    def list(
        self, *, labels: Collection[str], state: MergeState | None = None, limit: int | None = None
    ) -> tuple[MergeRequest, ...]:
        """Those that carry all the labels, newest first; at the most `limit`, the newest."""

    def get(self, number: int) -> MergeRequest: ...

    def open(self, draft: Draft) -> MergeRequest:
        """Open one. `Conflict` where the branch has an open one already."""

    def update(
        self,
        number: int,
        *,
        title: str | None = None,
        description: str | None = None,
        add_labels: Collection[str] = (),
        remove_labels: Collection[str] = (),
    ) -> MergeRequest:
        """Change what is given. Labels are united with what is there, never replaced."""

    def close(self, number: int) -> MergeRequest:
        """Close it; closing a closed one changes nothing, a merged one is a `Conflict`."""

    def merge(self, number: int, *, head: str) -> MergeRequest:
        """Merge exactly `head`. `Conflict` where the branch has moved or does not merge cleanly."""

    def approvals(self, number: int) -> tuple[Approval, ...]: ...

    def members(self, owner: str) -> frozenset[str]:
        """The users of a group or team; a user's own name stands for itself."""

    def comment(self, number: int, *, marker: str, body: str) -> None:
        """Create or replace our one comment that begins with `marker`."""

    def comment_with(self, number: int, marker: str) -> str | None:
        """The body of our comment that begins with `marker`, where there is one."""

    def statuses(self, commit: str) -> tuple[Status, ...]:
        """The newest status of each (context, creator)."""

    def set_status(
        self, commit: str, *, context: str, state: CheckState, description: str, url: str = ""
    ) -> None:
        """Record a status; recording what is there already changes nothing."""

    def jobs(self, commit: str) -> tuple[Job, ...]:
        """Every run of every job of the default branch's pipeline of this commit, by id."""

    def play(self, job: Job) -> Job:
        """Start a manual job; one that was started already is returned as it is."""

    def compare(self, base: str, head: str) -> Relation: ...

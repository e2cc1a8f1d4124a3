"""What the local forge keeps in its documents. Pure data; the rules stand in `local`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from gitops_ci.forge import Approval, Job, JobState, MergeRequest, Status


class Role(StrEnum):
    """What a member of a project may do."""

    REPORTER = "reporter"  # read, approve
    DEVELOPER = "developer"  # also open, edit, close, comment, record statuses, play jobs
    MAINTAINER = "maintainer"  # also merge into the default branch, manage members


@dataclass(frozen=True, slots=True)
class Project:
    """Members and groups; without members everybody may do everything."""

    members: dict[str, Role] | None = None
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Comment:
    author: str
    body: str
    created: datetime


@dataclass(frozen=True, slots=True)
class MergeRecord:
    """A merge request as of one record; `request.head` is the head seen then."""

    request: MergeRequest
    approvals: tuple[Approval, ...] = ()
    comments: tuple[Comment, ...] = ()

    def approved(self, approval: Approval) -> MergeRecord:
        return replace(self, approvals=(*self.without(approval.user).approvals, approval))

    def without(self, user: str) -> MergeRecord:
        """The record without `user`'s approval."""
        return replace(self, approvals=tuple(a for a in self.approvals if a.user != user))

    def comment(self, author: str, marker: str) -> Comment | None:
        """`author`'s comment that begins with `marker`."""
        mine = (c for c in self.comments if c.author == author and c.body.startswith(marker))
        return next(mine, None)

    def commented(self, comment: Comment, *, instead_of: Comment | None) -> MergeRecord:
        """The record with `comment` at the place of the one it replaces, else at the end."""
        if instead_of is None:
            return replace(self, comments=(*self.comments, comment))
        kept = tuple(comment if c is instead_of else c for c in self.comments)
        return replace(self, comments=kept)


@dataclass(frozen=True, slots=True)
class Posted:
    """A status with the page it links to."""

    status: Status
    url: str = ""


@dataclass(frozen=True, slots=True)
class Statuses:
    """The newest status of each (context, creator) of one commit."""

    posted: tuple[Posted, ...] = ()

    def newest(self, context: str, creator: str) -> Posted | None:
        keys = ((p.status.context, p.status.creator) for p in self.posted)
        pairs = zip(keys, self.posted, strict=True)
        return next((p for key, p in pairs if key == (context, creator)), None)

    def with_(self, posted: Posted) -> Statuses:
        old = self.newest(posted.status.context, posted.status.creator)
        return Statuses((*(p for p in self.posted if p is not old), posted))


FINAL = frozenset({JobState.PASSED, JobState.FAILED, JobState.CANCELED})


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The runs of one commit's jobs, by id."""

    jobs: tuple[Job, ...]

    def job(self, number: int) -> Job | None:
        return next((job for job in self.jobs if job.id == number), None)

    def with_(self, job: Job) -> Pipeline:
        """The pipeline with `job` in the place of its namesake by id, else at the end."""
        if self.job(job.id) is None:
            return Pipeline((*self.jobs, job))
        return Pipeline(tuple(job if old.id == job.id else old for old in self.jobs))


def moved(job: Job, state: JobState, *, now: datetime) -> Job:
    """`job` in another state, with the times that this sets."""
    if state is JobState.RUNNING:
        return replace(job, state=state, started=job.started or now)
    if state in FINAL:
        return replace(job, state=state, started=job.started or now, finished=now)
    return replace(job, state=state)

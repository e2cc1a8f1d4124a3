"""The `local` forge: merge requests, statuses and jobs in the refs of one bare repository.

Fulfils `gitops_ci.forge.Forge` without a server. Knows how a forge behaves and nothing of
promotions; where documents lie and how races end is `gitops_ci.refstore`' business.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from gitops_ci.errors import Conflict, Forbidden, NotFound
from gitops_ci.forge import (
    Approval,
    CheckState,
    Draft,
    Identity,
    Job,
    JobState,
    MergeRequest,
    MergeState,
    Relation,
    Status,
)
from gitops_ci.forge._people import People
from gitops_ci.forge._pipelines import Pipelines
from gitops_ci.forge._records import Comment, MergeRecord, Posted, Statuses
from gitops_ci.names import is_commit
from gitops_ci.refstore import (
    Document,
    Documents,
    Entry,
    Repository,
    Swap,
    check_user,
)

_HEADS = "refs/heads/"
_CONFIG = {
    "receive.hiderefs": "refs/gitops-ci",  # nobody pushes a merge request's record
    "uploadpack.allowanysha1inwant": "true",
    "uploadpack.allowfilter": "true",
}


class LocalForge:
    """One project of a local forge, used by one person or machine."""

    noun = "merge request"
    sigil = "!"

    def __init__(
        self,
        root: Path,
        project: str,
        *,
        user: str,
        git_url: str | None = None,
        now: Callable[[], datetime],
    ) -> None:
        self._repository = Repository.at(root, project)
        self._documents = Documents(self._repository, check_user(user), now)
        self._people = People(self._documents)
        self._pipelines = Pipelines(self._documents)
        self._user = user
        self._place = self._repository.git.git_dir.as_uri()
        self.project = project
        self.git_url = git_url or self._place

    @classmethod
    def create(
        cls,
        root: Path,
        project: str,
        *,
        user: str,
        git_url: str | None = None,
        now: Callable[[], datetime],
    ) -> LocalForge:
        """The project, made if it is not there yet; safe to repeat."""
        forge = cls(root, project, user=user, git_url=git_url, now=now)
        forge._repository.make(_CONFIG)
        return forge

    # people

    def setup(
        self,
        *,
        members: Mapping[str, str] | None = None,
        groups: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        """Set the members with their roles, the groups, or both; what is not given stays.

        Roles are `reporter`, `developer` and `maintainer`; before members are set everybody may
        do everything.
        """
        self._people.setup(members=members, groups=groups)

    def whoami(self) -> Identity:
        return Identity(self._user, may_merge=self._people.may_merge())

    def members(self, owner: str) -> frozenset[str]:
        return self._people.group(owner)

    # branches and commits

    def default_branch(self) -> str:
        head = self._repository.out("symbolic-ref", "--end-of-options", "HEAD")
        return head.removeprefix(_HEADS)

    def compare(self, base: str, head: str) -> Relation:
        if not is_commit(base) or not is_commit(head) or self._is_shallow():
            return Relation.UNKNOWN
        done = self._repository.run(
            "rev-list", "--left-right", "--count", "--end-of-options", f"{base}...{head}"
        )
        if not done.ok:
            return Relation.UNKNOWN
        only_base, only_head = (int(count) > 0 for count in done.text().split())
        if only_base and only_head:
            return Relation.DIVERGED
        if only_base or only_head:
            return Relation.AHEAD if only_head else Relation.BEHIND
        return Relation.SAME

    def _is_shallow(self) -> bool:
        return (self._repository.git.git_dir / "shallow").exists()

    def _tip(self, branch: str) -> str | None:
        return self._repository.tip(_HEADS + branch)

    def _tips(self) -> dict[str, str]:
        listed = self._repository.out(
            "for-each-ref", "--format=%(objectname) %(refname)", "--end-of-options", _HEADS
        )
        pairs = (line.split(" ", 1) for line in listed.splitlines())
        return {ref.removeprefix(_HEADS): commit for commit, ref in pairs}

    def _merge_base(self, one: str, other: str) -> str | None:
        done = self._repository.run("merge-base", "--end-of-options", one, other)
        return done.text().strip() if done.ok else None

    # merge requests: reading

    def find(self, source: str) -> tuple[MergeRequest, ...]:
        return tuple(request for request in self._requests() if request.source == source)

    def list(
        self, *, labels: Collection[str], state: MergeState | None = None, limit: int | None = None
    ) -> tuple[MergeRequest, ...]:
        wanted = frozenset(labels)
        found = [
            request
            for request in reversed(self._requests())
            if wanted <= request.labels and state in {None, request.state}
        ]
        return tuple(found[:limit])

    def get(self, number: int) -> MergeRequest:
        return self._shown(self._current(self._existing(number).data))

    def approvals(self, number: int) -> tuple[Approval, ...]:
        return self._existing(number).data.approvals

    def _requests(self) -> tuple[MergeRequest, ...]:
        """All of them, oldest first."""
        tips = self._tips()
        records = (document.data for document in self._documents.all("mr", MergeRecord))
        shown = (
            self._shown(_at_tip(record, tips.get(record.request.source))) for record in records
        )
        return tuple(sorted(shown, key=lambda request: request.number))

    def _existing(self, number: int) -> Document[MergeRecord]:
        found = self._documents.read(_name(number), MergeRecord)
        if found is None:
            raise self._missing(number)
        return found

    def _missing(self, number: int) -> NotFound:
        return NotFound(f"there is no merge request !{number} in `{self.project}`")

    def _current(self, record: MergeRecord) -> MergeRecord:
        return _at_tip(record, self._tip(record.request.source))

    def _shown(self, record: MergeRecord) -> MergeRequest:
        return replace(record.request, url=f"{self._place}#mr-{record.request.number}")

    # merge requests: writing

    def open(self, draft: Draft) -> MergeRequest:
        self._people.require_write()
        head = self._proposable(draft)
        return self.get(self._repository.persist(lambda: self._claim(draft, head)))

    def _claim(self, draft: Draft, head: str) -> int:
        """One attempt; that the number is still free proves that the look at all is current."""
        requests = [document.data.request for document in self._documents.all("mr", MergeRecord)]
        for request in requests:
            if request.source == draft.source and request.state is MergeState.OPEN:
                raise Conflict(f"!{request.number} is open for `{draft.source}` already")
        number = max((request.number for request in requests), default=0) + 1
        name = f"!{number}, `{draft.source}` into `{draft.target}`"
        record = MergeRecord(self._new(draft, number=number, head=head))
        entry = Entry(f"{self._user} opened {name}", record, keep=(head,))
        self._documents.create(_name(number), entry)
        return number

    def _new(self, draft: Draft, *, number: int, head: str) -> MergeRequest:
        return MergeRequest(
            number=number,
            url="",
            title=draft.title,
            description=draft.description,
            source=draft.source,
            target=draft.target,
            head=head,
            state=MergeState.OPEN,
            author=self._user,
            created=self._documents.time(),
            labels=draft.labels,
        )

    def _proposable(self, draft: Draft) -> str:
        """The head to propose; `Conflict` where there is nothing that can be."""
        head, target = self._tip(draft.source), self._tip(draft.target)
        if head is None or target is None:
            lacking = draft.target if head else draft.source
            raise Conflict(f"there is no branch `{lacking}` in `{self.project}`")
        base = self._merge_base(target, head)
        if base in {None, head}:
            why = "holds nothing new for" if base else "shares no history with"
            raise Conflict(f"`{draft.source}` {why} `{draft.target}`")
        return head

    def update(
        self,
        number: int,
        *,
        title: str | None = None,
        description: str | None = None,
        add_labels: Collection[str] = (),
        remove_labels: Collection[str] = (),
    ) -> MergeRequest:
        def edit(record: MergeRecord) -> MergeRecord:
            old = record.request
            request = replace(
                old,
                title=old.title if title is None else title,
                description=old.description if description is None else description,
                labels=(old.labels | frozenset(add_labels)) - frozenset(remove_labels),
            )
            return replace(record, request=request)

        self._people.require_write()
        return self._edit(number, "edited", edit)

    def close(self, number: int) -> MergeRequest:
        def edit(record: MergeRecord) -> MergeRecord:
            if record.request.state is MergeState.MERGED:
                raise Conflict(f"!{number} is merged and cannot be closed")
            if record.request.state is MergeState.CLOSED:
                return record
            closed = replace(record.request, state=MergeState.CLOSED, closed_by=self._user)
            return replace(record, request=closed)

        self._people.require_write()
        return self._edit(number, "closed", edit)

    def _edit(
        self, number: int, verb: str, edit: Callable[[MergeRecord], MergeRecord]
    ) -> MergeRequest:
        def change(found: MergeRecord | None) -> Entry[MergeRecord] | None:
            if found is None:
                raise self._missing(number)
            old = self._current(found)
            new = edit(old)
            sentence = f"{self._user} {verb} !{number}"
            return None if new == old else Entry(sentence, new, keep=(new.request.head,))

        self._documents.change(_name(number), MergeRecord, change)
        return self.get(number)

    # merging

    def merge(self, number: int, *, head: str) -> MergeRequest:
        self._repository.persist(lambda: self._merge(number, head))
        return self.get(number)

    def _merge(self, number: int, head: str) -> None:
        """One attempt: merge on the target's tip, then move target and record together."""
        document = self._existing(number)
        request = self._current(document.data).request
        self._mergeable(request, head)
        old = self._target(request)
        commit = self._merged_before(old, head)
        new = old if commit else self._merge_commit(request, onto=old)
        merged = replace(
            request,
            state=MergeState.MERGED,
            merge_commit=commit or new,
            merged_by=self._user,
            merged_at=self._documents.time(),
        )
        entry = Entry(
            f"{self._user} merged !{number} as {commit or new}",
            replace(document.data, request=merged),
            keep=(head,),
        )
        record = self._documents.record(entry, after=document.record)
        self._repository.swap(
            Swap(_HEADS + request.source, head),
            Swap(_HEADS + request.target, old, new),
            Swap(document.ref, document.record, record),
        )

    def _mergeable(self, request: MergeRequest, head: str) -> None:
        if request.target == self.default_branch():
            self._people.require_merge()
        else:
            self._people.require_write()
        if request.state is not MergeState.OPEN:
            raise Conflict(f"!{request.number} is {request.state}, not open")
        if self._tip(request.source) != head:
            raise Conflict(f"`{request.source}` of !{request.number} is not at `{head}`")

    def _target(self, request: MergeRequest) -> str:
        tip = self._tip(request.target)
        if tip is None:
            raise Conflict(f"the target `{request.target}` of !{request.number} is gone")
        return tip

    def _merged_before(self, target: str, head: str) -> str | None:
        """The commit that took `head` into `target` already: by hand, or before we were killed."""
        if self._merge_base(target, head) != head:
            return None
        listed = self._repository.out(
            "rev-list", "--first-parent", "--parents", "--end-of-options", target, f"^{head}"
        )
        lines = (line.split() for line in listed.splitlines())
        return next((commit for commit, *parents in lines if head in parents), head)

    def _merge_commit(self, request: MergeRequest, *, onto: str) -> str:
        done = self._repository.run(
            "merge-tree", "--write-tree", "--end-of-options", onto, request.head
        )
        if not done.ok:
            raise Conflict(
                f"!{request.number} does not merge cleanly into `{request.target}`",
                hint=f"bring `{request.source}` up to date with `{request.target}`",
            )
        message = (
            f"Merge {request.source} into {request.target}\n\n"
            f"See merge request {self.project}!{request.number}\n"
        )
        tree = done.text().strip()
        return self._documents.commit(message, parents=(onto, request.head), tree=tree)

    # review

    def approve(self, number: int, head: str | None = None) -> None:
        """Approve the head, in a person's name. `Conflict` where it is not `head` any more."""

        def edit(record: MergeRecord) -> MergeRecord:
            request = record.request
            self._reviewable(request, head)
            approval = Approval(self._user, request.head)
            return record if approval in record.approvals else record.approved(approval)

        self._people.require_review()
        self._edit(number, "approved", edit)

    def unapprove(self, number: int) -> None:
        """Take one's own approval back; nothing happens where there is none."""
        self._edit(number, "took the approval back from", lambda record: record.without(self._user))

    def _reviewable(self, request: MergeRequest, head: str | None) -> None:
        if request.author == self._user:
            raise Forbidden(
                f"`{self._user}` opened !{request.number} and cannot approve it",
                hint="ask somebody else",
            )
        if request.state is not MergeState.OPEN:
            raise Conflict(f"!{request.number} is {request.state}, not open")
        if head not in {None, request.head}:
            raise Conflict(f"`{request.source}` of !{request.number} is not at `{head}`")

    def comment(self, number: int, *, marker: str, body: str) -> None:
        text = body if body.startswith(marker) else f"{marker}\n{body}"

        def edit(record: MergeRecord) -> MergeRecord:
            mine = record.comment(self._user, marker)
            if mine and mine.body == text:
                return record
            created = mine.created if mine else self._documents.time()
            return record.commented(Comment(self._user, text, created), instead_of=mine)

        self._people.require_write()
        self._edit(number, "commented on", edit)

    def comment_with(self, number: int, marker: str) -> str | None:
        mine = self._existing(number).data.comment(self._user, marker)
        return mine.body if mine else None

    # statuses

    def statuses(self, commit: str) -> tuple[Status, ...]:
        if not is_commit(commit):
            return ()
        found = self._documents.read(f"status/{commit}", Statuses)
        return tuple(posted.status for posted in found.data.posted) if found else ()

    def set_status(
        self, commit: str, *, context: str, state: CheckState, description: str, url: str = ""
    ) -> None:
        def change(found: Statuses | None) -> Entry[Statuses] | None:
            book = found or Statuses()
            posted = Posted(
                Status(context, state, description, self._user, self._documents.time()), url
            )
            old = book.newest(context, self._user)
            if old and (old.status.state, old.status.description) == (state, description):
                return None
            sentence = f"{self._user}: {context} is {state}"
            return Entry(sentence, book.with_(posted), keep=(commit,))

        self._people.require_write()
        self._require_commit(commit)
        self._documents.change(f"status/{commit}", Statuses, change)

    def _require_commit(self, commit: str) -> None:
        if not is_commit(commit) or not self._repository.has_commit(commit):
            raise NotFound(f"there is no commit `{commit}` in `{self.project}`")

    # jobs

    def jobs(self, commit: str) -> tuple[Job, ...]:
        return self._pipelines.jobs(commit) if is_commit(commit) else ()

    def create_pipeline(self, commit: str, jobs: Sequence[Job]) -> tuple[Job, ...]:
        """The commit's pipeline, made of `jobs` unless it has one; the forge gives the ids."""
        self._people.require_write()
        self._require_commit(commit)
        self._pipelines.create(commit, jobs)
        return self.jobs(commit)

    def play(self, job: Job) -> Job:
        self._people.require_write()
        return self._pipelines.play(job.id)

    def set_job(self, number: int, state: JobState) -> Job:
        """What a runner reports; a run that has ended keeps its state, `Conflict` otherwise."""
        self._people.require_write()
        return self._pipelines.report(number, state)

    def retry(self, number: int) -> Job:
        """A new run of a job that has ended, `Conflict` where it has not."""
        self._people.require_write()
        return self._pipelines.retry(number)


def _name(number: int) -> str:
    return f"mr/{number}"


def _at_tip(record: MergeRecord, tip: str | None) -> MergeRecord:
    """`record` with the source branch's tip as head while it is open and the branch is there."""
    if tip is None or record.request.state is not MergeState.OPEN:
        return record
    return replace(record, request=replace(record.request, head=tip))

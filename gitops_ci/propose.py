"""Carries a plan out: the branch, its merge request, and closing what it replaces.

Every step first looks whether it is done: a run that was killed is finished by the next one.
Knows no rules: what to do is in the plan.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from gitops_ci import names, review
from gitops_ci.errors import Conflict, GitError, Rejected
from gitops_ci.forge import Draft, Forge, MergeRequest, MergeState
from gitops_ci.git import Remote
from gitops_ci.promotion import Closing, Plan

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Proposed:
    """What a plan has become."""

    plan: Plan
    request: MergeRequest | None = None
    commit: str | None = None


def carry_out(plan: Plan, *, remote: Remote, forge: Forge, say: Say) -> Proposed:
    """Write everything the plan names. Raises `LostRace` where the branch moved meanwhile."""
    commit = _push(plan, remote, say)
    if plan.draft is None:
        return Proposed(plan, commit=commit or plan.merge_commit)
    request = _request(plan, plan.draft, forge, say)
    for closing in plan.close:
        close(closing, request, remote=remote, forge=forge, say=say)
    return Proposed(plan, request, commit or request.head)


def _push(plan: Plan, remote: Remote, say: Say) -> str | None:
    change = plan.change
    if change is None:
        return None
    commit = remote.write(change)
    remote.push(change.branch, commit, expect=change.expect)
    say(f"pushed {commit[:12]} to `{change.branch}`")
    return commit


def _request(plan: Plan, draft: Draft, forge: Forge, say: Say) -> MergeRequest:
    if plan.adopt is not None:
        return _up_to_date(forge.get(plan.adopt), draft, forge, say)
    try:
        request = forge.open(draft)
    except Conflict:
        return _adopt(draft, forge, say)
    say(f"opened {request.url}")
    return request


def _adopt(draft: Draft, forge: Forge, say: Say) -> MergeRequest:
    """Somebody opened it in the same moment, or an answer was lost: it is ours all the same."""
    still_open = [each for each in forge.find(draft.source) if each.state is MergeState.OPEN]
    if not still_open:
        raise GitError(f"`{draft.source}` has nothing to merge into `{draft.target}`")
    return _up_to_date(still_open[0], draft, forge, say)


def _up_to_date(request: MergeRequest, draft: Draft, forge: Forge, say: Say) -> MergeRequest:
    """Title, our part of the description, and our labels; what people wrote below it stays."""
    description = review.with_peoples_part(draft.description, request.description)
    missing = draft.labels - request.labels
    same = (request.title, request.description) == (draft.title, description)
    if same and not missing:
        return request
    say(f"brought {request.url} up to date")
    return forge.update(
        request.number, title=draft.title, description=description, add_labels=sorted(missing)
    )


def close(
    closing: Closing, successor: MergeRequest | None, *, remote: Remote, forge: Forge, say: Say
) -> None:
    """Close a merge request with a reason; the label tells that it was us, not a person.

    Its branch goes last: nothing is deleted before the step before it is done.
    """
    request = forge.get(closing.number)
    if request.state is not MergeState.OPEN:
        return
    forge.update(closing.number, add_labels=[names.SUPERSEDED])
    body = review.closing_comment(closing.why, successor.url if successor else "")
    forge.comment(closing.number, marker=review.NEWS_MARKER, body=body)
    forge.close(closing.number)
    say(f"closed {request.url}: {closing.why}")
    tidy(request, remote=remote, forge=forge)


def tidy(request: MergeRequest, *, remote: Remote, forge: Forge) -> None:
    """After the end of a merge request: its branch, if it is still where it was, and its label."""
    with suppress(Rejected):  # where branches may not be deleted, it stays
        remote.delete(request.source, expect=request.head)
    if names.PENDING in request.labels:
        forge.update(request.number, remove_labels=[names.PENDING])

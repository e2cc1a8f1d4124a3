"""Everything that one promotion needs to know, read once: git, the forge, policy -> `Seen`.

Reads only. What it means is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from gitops_ci import names, policy, release
from gitops_ci.config import Stage
from gitops_ci.errors import LostRace, NotYet, Refused
from gitops_ci.forge import CheckState, Forge, MergeRequest, MergeState, Relation, Status
from gitops_ci.git import Remote
from gitops_ci.observe.branches import looked_at
from gitops_ci.observe.order import DevOrder, DevProjects, Order
from gitops_ci.ops import Ops, passport_at, passport_then
from gitops_ci.passports import Passport, Result
from gitops_ci.progress import Attempt, Entered, Rival, Seen, Shape

__all__ = [
    "DevOrder",
    "DevProjects",
    "Order",
    "Wanted",
    "approvers",
    "kept",
    "promotion",
    "proposals",
    "recorded",
]

RECENT = 100  # merge requests of one application and stage that are looked through


@dataclass(frozen=True, slots=True)
class Wanted:
    """The release that wants in: made just now (with its files), or known by its id."""

    app: str
    id: str
    made: release.Release | None = None


def promotion(
    wanted: Wanted,
    stage: Stage,
    *,
    ops: Ops,
    order: Order,
    claims: Mapping[str, Result] | None = None,
) -> Seen:
    """Everything about one release and one stage."""
    remote, app = ops.remote, wanted.app
    stages = (stage.name, *stage.after)
    remote.need(*(ops.place(remote.tip, name, app) for name in stages))
    listed = ops.forge.list(labels=names.labels(stage.name, app), limit=RECENT)
    requests = tuple(request for request in listed if not _merged_elsewhere(request, ops))
    wanted = _adopted(wanted, stage, requests, remote)
    current = passport_at(remote, ops.place(remote.tip, stage.name, app))
    before = tuple(_entered(wanted, name, ops) for name in stage.after)
    attempts = _attempts(wanted, stage, requests, ops)
    _same_moment((*requests, *(a.request for a in attempts if a.request)), remote)
    _merged_meanwhile(attempts, ops)
    passport = _passport(wanted, stage, before, attempts)
    return Seen(
        ops=ops.config,
        stage=stage,
        directory=ops.directory(stage.name, app),
        tip=remote.tip,
        target=remote.default_branch,
        passport=passport,
        files=wanted.made.files if wanted.made else None,
        current=current,
        relation=_relation(order, current, passport),
        attempts=attempts,
        rivals=_rivals(passport, stage, requests, ops, order),
        before=before,
        holds=ops.holds,
        claims=claims or {},
    )


def _merged_elsewhere(request: MergeRequest, ops: Ops) -> bool:
    """Somebody aimed it at another branch and merged it there: it has entered nothing."""
    return request.state is MergeState.MERGED and not ops.has_entered(request)


def _same_moment(requests: Iterable[MergeRequest], remote: Remote) -> None:
    """git is read before the forge; a branch that was moved in between has to be looked at anew."""
    for request in requests:
        seen = remote.branches.get(request.source)
        behind = request.state is MergeState.OPEN and request.head != seen
        if behind and remote.remote_tip(request.source) != seen:
            raise LostRace(f"`{request.source}` was moved meanwhile")


def _merged_meanwhile(attempts: Sequence[Attempt], ops: Ops) -> None:
    """A merge that is newer than our copy must not look like one that was reverted."""
    commits = [a.request.merge_commit for a in attempts[-1:] if a.request and a.is_merged]
    for commit in filter(None, commits):
        if commit != ops.remote.tip and ops.forge.compare(ops.remote.tip, commit) is Relation.AHEAD:
            raise LostRace(f"`{attempts[-1].branch}` was merged meanwhile")


def _adopted(
    wanted: Wanted, stage: Stage, requests: Sequence[MergeRequest], remote: Remote
) -> Wanted:
    """The same content is the same release, under the id that it was first known by."""
    if wanted.made is None:
        return wanted
    prefix = names.promotion_prefix(stage.name, wanted.app)
    known = [name for name in remote.branches if name.startswith(prefix)]
    known += [request.source for request in reversed(requests)]
    tree = wanted.made.passport.tree
    for branch in filter(None, map(names.parse_branch, known)):
        if branch.app == wanted.app and branch.tree_prefix == tree[: names.TREE_DIGITS]:
            passport = replace(wanted.made.passport, id=branch.release)
            return Wanted(wanted.app, branch.release, replace(wanted.made, passport=passport))
    return wanted


def _passport(
    wanted: Wanted, stage: Stage, before: tuple[Entered, ...], attempts: tuple[Attempt, ...]
) -> Passport:
    if wanted.made:
        return wanted.made.passport
    found = [entered.passport for entered in before if entered.passport]
    found += [a.passport for a in reversed(attempts) if a.passport and not stage.after]
    if not found and not stage.after:
        raise Refused(f"the branch of `{wanted.id}` holds no release that can be read")
    if not found:
        where = " and ".join(stage.after)
        raise NotYet(
            f"`{wanted.id}` has not entered {where}", hint=f"`gitops-ci status --app {wanted.app}`"
        )
    if any(passport.tree != found[0].tree for passport in found):
        raise Refused(f"`{wanted.id}` is not the same content in all of {', '.join(stage.after)}")
    lines = [line for passport in found for line in passport.evidence]
    return found[0].with_evidence(lines)


def _relation(order: Order, current: Passport | None, ours: Passport) -> Relation | None:
    if (
        current is None
        or current.tree == ours.tree
        or current.source.project != ours.source.project
    ):
        return None
    return order(ours.source.project, current.source.commit, ours.source.commit)


# --- attempts ----------------------------------------------------------------


def _attempts(
    wanted: Wanted, stage: Stage, requests: Sequence[MergeRequest], ops: Ops
) -> tuple[Attempt, ...]:
    """Every attempt of this release, by number, with the branch's content looked at."""
    first = names.PromotionBranch(stage.name, wanted.app, wanted.id)
    found = {request.source: request for request in reversed(requests)}
    if str(first) not in found:
        asked = ops.forge.find(str(first))
        found |= {each.source: each for each in asked if not _merged_elsewhere(each, ops)}
    branches = {*ops.remote.branches, *found}
    ours = [
        b
        for b in map(names.parse_branch, branches)
        if b and b.release == wanted.id and b.stage == stage.name
    ]
    ours.sort(key=lambda branch: branch.attempt)
    return tuple(
        _attempt(branch, found.get(str(branch)), wanted, ops, look=branch is ours[-1])
        for branch in ours
    )


def _attempt(
    branch: names.PromotionBranch,
    request: MergeRequest | None,
    wanted: Wanted,
    ops: Ops,
    *,
    look: bool,
) -> Attempt:
    tip = ops.remote.branches.get(str(branch))
    attempt = Attempt(branch, tip=tip, request=request)
    if tip is None or not look or attempt.is_merged:
        return attempt
    return looked_at(attempt, ops, tree=wanted.made.passport.tree if wanted.made else None)


# --- the stages before -------------------------------------------------------


def _entered(wanted: Wanted, stage: str, ops: Ops) -> Entered:
    """What is known of the release in a stage before: its merge, and what was recorded there."""
    here = passport_at(ops.remote, ops.place(ops.remote.tip, stage, wanted.app))
    known = here if here and here.id == wanted.id else None
    entered = Entered(stage, known)
    for merged in proposals(ops.forge, stage, wanted.app, wanted.id):
        if ops.has_entered(merged) and merged.merge_commit:
            passport = known or passport_then(ops, merged.merge_commit, stage, wanted.app)
            found = recorded(stage, passport, merged.merge_commit, ops)
            entered = found if found.live_since or not entered.live_since else entered
    return entered


def proposals(forge: Forge, stage: str, app: str, wanted: str) -> Iterable[MergeRequest]:
    """The merge requests that have proposed a release for a stage, oldest first."""
    for attempt in count(1):
        found = forge.find(str(names.PromotionBranch(stage, app, wanted, attempt)))
        yield from found
        if not found:
            return


def recorded(stage: str, passport: Passport | None, merge_commit: str, ops: Ops) -> Entered:
    """What the statuses of a merge commit record, as far as their writer is trusted."""
    final = {
        status.context: status
        for status in ops.forge.statuses(merge_commit)
        if status.state is not CheckState.PENDING and ops.trusted in {None, status.creator}
    }
    live = final.get(names.LIVE)
    prefix = names.suite_context("")
    return Entered(
        stage=stage,
        passport=passport,
        merge_commit=merge_commit,
        live_since=live.created if live and live.state is CheckState.SUCCESS else None,
        suites={
            context.removeprefix(prefix): _result(status)
            for context, status in final.items()
            if context.startswith(prefix)
        },
    )


def _result(status: Status) -> Result:
    return Result.PASSED if status.state is CheckState.SUCCESS else Result.FAILED


# --- rivals ------------------------------------------------------------------


def _rivals(
    ours: Passport, stage: Stage, requests: Sequence[MergeRequest], ops: Ops, order: Order
) -> tuple[Rival, ...]:
    """The other releases that are proposed for this application and stage."""
    rivals = []
    for request in requests:
        branch = names.parse_branch(request.source)
        other = (
            branch
            and branch.app == ours.app
            and branch.stage == stage.name
            and branch.release != ours.id
        )
        if branch and other and request.state is MergeState.OPEN:
            rivals.append(_rival(ours, request, branch, stage, ops, order))
    return tuple(rivals)


def _rival(
    ours: Passport,
    request: MergeRequest,
    branch: names.PromotionBranch,
    stage: Stage,
    ops: Ops,
    order: Order,
) -> Rival:
    attempt = looked_at(
        Attempt(branch, tip=ops.remote.branches.get(str(branch)), request=request), ops, tree=None
    )
    theirs = attempt.passport
    if theirs is None or theirs.source.project != ours.source.project:
        keep = "its branch is not one of this application's promotions"
        return Rival(request, branch.release, "", Relation.AHEAD, keep=keep)
    relation = order(ours.source.project, theirs.source.commit, ours.source.commit)
    commit = theirs.source.commit
    return Rival(request, branch.release, commit, relation, keep=kept(request, attempt, stage, ops))


def kept(request: MergeRequest, attempt: Attempt, stage: Stage, ops: Ops) -> str | None:
    """Why this merge request may not be closed by us, None where it may."""
    if attempt.shape is not Shape.OURS:
        return "it holds commits of people"
    given = ops.forge.approvals(request.number)
    counted = policy.counted(request, given, approvers(ops.forge, stage))
    return "it is approved" if counted else None


def approvers(forge: Forge, stage: Stage) -> frozenset[str] | None:
    """Whose approval counts in a stage; None: anybody's."""
    if not stage.owners:
        return None
    return frozenset().union(*(forge.members(owner) for owner in stage.owners))

"""One open promotion: supersede it, propose it anew, or judge its gate and merge it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gitops_ci import (
    layout,
    names,
    observe,
    ops,
    policy,
    promotion,
    propose,
    release,
    render,
    review,
)
from gitops_ci.commands.reconcile.work import Item, Step, Work, World, post
from gitops_ci.config import Merge, Stage
from gitops_ci.errors import Conflict, Exit, GitopsCiError, NotYet, Refused
from gitops_ci.forge import CheckState, MergeRequest, Relation
from gitops_ci.git import Place, Remote
from gitops_ci.helm import Helm
from gitops_ci.observe import Wanted
from gitops_ci.ops import Ops
from gitops_ci.passports import By, ImageRef
from gitops_ci.policy import Facts, Gate, Verdict
from gitops_ci.progress import Attempt, Seen, Shape
from gitops_ci.promotion import Closing, Plan, Word
from gitops_ci.render import Manifests, Target


def advance(work: Work, world: World, repository: Ops) -> Item:
    """The next step of one open promotion."""
    stage = repository.config.stage(work.branch.stage)
    if stage is None:
        return _stopped(work, world, Refused(f"there is no stage `{work.branch.stage}`"))
    try:
        seen = _seen(work, stage, world, repository)
    except (NotYet, Refused) as error:
        return _stopped(work, world, error)
    plan = promotion.plan(seen)
    if plan.outcome.word in {Word.SUPERSEDED, Word.UNCHANGED}:
        closing = Closing(work.request.number, plan.outcome.message)
        propose.close(closing, None, remote=repository.remote, forge=world.forge, say=world.say)
        return work.item(Step.CLOSED, plan.outcome.message)
    if plan.change or plan.adopt:
        propose.carry_out(plan, remote=repository.remote, forge=world.forge, say=world.say)
    if plan.change:
        return work.item(Step.PROPOSED_AGAIN, "the stage has changed since it was proposed")
    return _judge(work, stage, plan, seen, world, repository)


def _stopped(work: Work, world: World, why: NotYet | Refused) -> Item:
    """The gate of what cannot even be looked at."""
    waits = isinstance(why, NotYet)
    state = CheckState.PENDING if waits else CheckState.FAILURE
    post(world.forge, work.request.head, names.GATE, state, why.message)
    return work.item(Step.WAITING if waits else Step.REFUSED, why.message)


def _seen(work: Work, stage: Stage, world: World, repository: Ops) -> Seen:
    """The world as `promote` would see it, with the claims that the passport carries."""
    wanted = Wanted(work.branch.app, work.branch.release)
    seen = observe.promotion(wanted, stage, ops=repository, order=world.order)
    last = seen.last
    lines = last.passport.evidence if last and last.passport else ()
    claims = {
        line.suite: line.result
        for line in lines
        if line.stage in stage.after and line.by is By.CLAIMED
    }
    return _kept(_trusting(replace(seen, claims=claims), last), last, repository)


def _trusting(seen: Seen, last: Attempt | None) -> Seen:
    """Where nobody can tell which is newer, `promote`'s verdict stands while its view does."""
    fresh = last is not None and last.fresh
    relation = Relation.AHEAD if fresh and seen.relation is Relation.UNKNOWN else seen.relation
    rivals = tuple(rival for rival in seen.rivals if rival.relation is not Relation.UNKNOWN)
    return replace(seen, relation=relation, rivals=rivals)


def _kept(seen: Seen, last: Attempt | None, repository: Ops) -> Seen:
    """What is approved or holds people's commits goes its way, whatever newer one is proposed."""
    older = tuple(rival for rival in seen.rivals if rival.relation is Relation.AHEAD)
    if older == seen.rivals or last is None or last.request is None:
        return seen
    kept = observe.kept(last.request, last, seen.stage, repository)
    return replace(seen, rivals=older) if kept else seen


def _judge(work: Work, stage: Stage, plan: Plan, seen: Seen, world: World, repository: Ops) -> Item:
    request = world.forge.get(work.request.number)
    attempt = seen.last
    if attempt is None or attempt.tip != request.head:
        return work.item(Step.WAITING, "its branch has moved, looking again")
    if attempt.passport is None:
        said = f"branch `{attempt.branch}` holds commits that are not ours"
        return _stopped(work, world, Refused(said))
    gate = _agreed(policy.gate(_facts(request, stage, attempt, seen, repository)), plan)
    post(world.forge, request.head, names.GATE, _STATES[gate.verdict], gate.summary)
    _show_difference(request, stage, seen, world, repository)
    if gate.verdict is not Verdict.GREEN:
        step = Step.REFUSED if gate.verdict is Verdict.REFUSED else Step.WAITING
        return work.item(step, *gate.reasons)
    if stage.merge is Merge.MANUAL:
        return work.item(Step.WAITING, "the gate is green, a person merges it")
    return _merge(work, request, gate, seen, world, repository)


def _agreed(gate: Gate, plan: Plan) -> Gate:
    """Nothing is green that `promote` would not propose."""
    if gate.verdict is not Verdict.GREEN or plan.outcome.word in {Word.OPEN, Word.OPENED}:
        return gate
    return Gate(Verdict.WAITING, (plan.outcome.message,))


_STATES = {
    Verdict.GREEN: CheckState.SUCCESS,
    Verdict.WAITING: CheckState.PENDING,
    Verdict.REFUSED: CheckState.FAILURE,
}


def _facts(
    request: MergeRequest, stage: Stage, attempt: Attempt, seen: Seen, repository: Ops
) -> Facts:
    passport = attempt.passport or seen.passport
    place = Place(request.head, seen.directory)
    content = ops.content(repository.remote, place, passport, attempt.touched)
    waits = ["it holds commits that are not ours"] if attempt.shape is Shape.FOREIGN else []
    if request.target != seen.target:
        waits.append(f"somebody aimed it at `{request.target}` instead of `{seen.target}`")
    return Facts(
        stage=stage,
        request=request,
        passport=passport,
        faults=policy.content_faults(seen.ops, stage, seen.directory, content),
        waits=tuple(waits),
        current=seen.current,
        before=seen.before,
        holds=repository.holds,
        approvals=repository.forge.approvals(request.number) if stage.approvals else (),
        approvers=observe.approvers(repository.forge, stage) if stage.approvals else None,
    )


def _show_difference(
    request: MergeRequest, stage: Stage, seen: Seen, world: World, repository: Ops
) -> None:
    """Post the rendered difference, once per head and target directory; the gate needs it not."""
    if world.helm is None:
        return
    before, after = Place(seen.tip, seen.directory), Place(request.head, seen.directory)
    target = repository.remote.entry(before)
    key = review.diff_key(request.head, target.oid if target else "none")
    posted = world.forge.comment_with(request.number, review.DIFF_MARKER)
    if posted and key in posted:
        return
    sides = [_target(repository, place, stage, seen.passport.app) for place in (before, after)]
    try:
        body = _difference(world.helm(), sides, seen, key=key)
    except GitopsCiError as error:
        body = review.no_diff_comment(error.message, key=key)
    world.forge.comment(request.number, marker=review.DIFF_MARKER, body=body)


def _difference(helm: Helm, sides: Sequence[Target | None], seen: Seen, *, key: str) -> str:
    there = [side for side in sides if side]
    if sides[-1] is None:
        raise Refused("there is no chart to render")
    rendered = render.render_many(helm, there, render=seen.ops.render)
    new = rendered[-1]
    unused = [image.name for image in seen.passport.images if not _is_used(image, new)]
    diff = render.diff(rendered[0] if sides[0] else None, new)
    return review.diff_comment(diff, key=key, remarks=map(review.unused_image, unused))


def _is_used(image: ImageRef, manifests: Manifests) -> bool:
    parts = release.parse_ref(image.ref, source=image.name)
    mark = parts.digest or parts.tag or parts.repository
    return any(mark in resource.text for resource in manifests.resources)


def _target(repository: Ops, place: Place, stage: Stage, app: str) -> render.Target | None:
    files = repository.remote.files(place)
    if f"{layout.CHART}/Chart.yaml" not in files:
        return None
    namespace = layout.namespace(repository.config.layout, stage.name, app)
    return render.Target(files, stage.name, app, namespace)


def _merge(
    work: Work, request: MergeRequest, gate: Gate, seen: Seen, world: World, repository: Ops
) -> Item:
    remote = repository.remote
    remote.fetch("promote/*")
    if _has_moved(seen, remote):
        return work.item(Step.WAITING, "policy or stage have changed meanwhile, looking again")
    try:
        merged = world.forge.merge(request.number, head=request.head)
    except Conflict as conflict:
        return work.item(Step.WAITING, conflict.message)
    remote.fetch("promote/*")
    place = repository.place(remote.tip, work.branch.stage, work.branch.app)
    remote.need(place)
    passport = ops.passport_at(remote, place)
    if passport is None or passport.id != work.branch.release:
        holds = f"`{passport.id}`" if passport else "nothing"
        message = f"merged as {merged.merge_commit}, but the stage holds {holds}"
        return work.item(Step.ERROR, message, code=Exit.FAILED)
    return work.item(Step.MERGED, gate.summary)


def _has_moved(seen: Seen, remote: Remote) -> bool:
    """Whether anything that the gate was judged by has changed on the target since."""
    if remote.tip == seen.tip:
        return False
    paths = (layout.CONFIG, layout.HOLDS, seen.directory)
    remote.need(*(Place(remote.tip, path) for path in paths))
    return any(
        remote.entry(Place(seen.tip, path)) != remote.entry(Place(remote.tip, path))
        for path in paths
    )

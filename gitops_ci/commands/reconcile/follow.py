"""One merged promotion: is it live, start its tests, record how they ended."""

from __future__ import annotations

from gitops_ci import evidence, liveness, names, observe, ops, propose, trigger, watch
from gitops_ci.commands.reconcile.work import Item, Step, Work, World, post
from gitops_ci.config import Sync
from gitops_ci.evidence import Finding, Span
from gitops_ci.forge import CheckState, Forge, MergeState
from gitops_ci.live import LiveState, LiveVerdict
from gitops_ci.ops import Ops
from gitops_ci.passports import Result
from gitops_ci.progress import Entered


def finish(work: Work, world: World, repository: Ops) -> Item:
    """The next step of a promotion whose merge request has ended."""
    if not repository.has_entered(work.request) or work.request.merge_commit is None:
        ended = f"{work.request.state}, not into {repository.remote.default_branch}"
        closed = work.request.state is MergeState.CLOSED
        return _drop(work, world, repository, work.item(Step.DONE, "closed" if closed else ended))
    return _follow(work, work.request.merge_commit, world, repository)


def _follow(work: Work, merge_commit: str, world: World, repository: Ops) -> Item:
    entered = observe.recorded(work.branch.stage, None, merge_commit, repository)
    if entered.live_since is None:
        verdict = watch.settled(
            lambda: liveness.look(work.request, work.branch, source=world.live, ops=repository),
            settle=world.live.settle,
            clock=world.clock,
        )
        item = _record_live(work, merge_commit, verdict, world)
        if verdict.state is LiveState.OVERTAKEN:
            return _drop(work, world, repository, item)
        if verdict.state is not LiveState.LIVE:
            return item
        entered = observe.recorded(work.branch.stage, None, merge_commit, repository)
    return _tests(work, entered, world, repository)


def _record_live(work: Work, merge_commit: str, verdict: LiveVerdict, world: World) -> Item:
    if verdict.state is LiveState.LIVE:
        post(world.forge, merge_commit, names.LIVE, CheckState.SUCCESS, verdict.message)
        return work.item(Step.LIVE, verdict.message)
    if verdict.state in {LiveState.FAILED, LiveState.OVERTAKEN}:
        post(world.forge, merge_commit, names.LIVE, CheckState.FAILURE, verdict.message)
        step = Step.FAILED if verdict.state is LiveState.FAILED else Step.DONE
        return work.item(step, verdict.message)
    return work.item(Step.WAITING, verdict.message)


def _tests(work: Work, entered: Entered, world: World, repository: Ops) -> Item:
    """Start the stage's tests and record how its suites ended."""
    branch = work.branch
    merge_commit = entered.merge_commit or ""
    passport = ops.passport_then(repository, merge_commit, branch.stage, branch.app)
    dev = world.dev(passport.source.project)
    wanted = dict.fromkeys(
        s for stage in repository.config.following(branch.stage) for s in stage.requires
    )
    if dev is None:
        said = f"no token for `{passport.source.project}`: play `{names.live_job(branch.stage)}`"
        return _drop(work, world, repository, work.item(Step.LIVE, said if wanted else ""))
    commit = passport.source.commit
    span = _span(work, entered, world, repository)
    if span.end is None:
        trigger.play(dev, commit, names.live_job(branch.stage))
    open_suites = [s for s in wanted if entered.suites.get(s) is not Result.PASSED]
    findings = [_suite(s, entered, dev, commit, span, world) for s in open_suites]
    messages = tuple(finding.message for finding in findings)
    passed = all(finding.result is Result.PASSED for finding in findings)
    if passed or span.end is not None:
        return _drop(work, world, repository, work.item(Step.DONE, *messages))
    return work.item(Step.LIVE, *messages)


def _suite(
    suite: str, entered: Entered, dev: Forge, commit: str, span: Span, world: World
) -> Finding:
    finding = evidence.verify(dev, commit, suite, live=span)
    if finding.result:
        state = CheckState.SUCCESS if finding.result is Result.PASSED else CheckState.FAILURE
        post(
            world.forge,
            entered.merge_commit or "",
            names.suite_context(suite),
            state,
            finding.message,
        )
    return finding


def _span(work: Work, entered: Entered, world: World, repository: Ops) -> Span:
    """While it was live: an automatic stage changes with the next merge, another with a Sync."""
    begin = entered.live_since or world.clock.now()
    stage = ops.stage_of(repository.config, work.branch.stage)
    ends = []
    for request in liveness.later(work.request, work.branch, repository).values():
        if stage.sync is Sync.AUTO:
            ends.append(request.merged_at)
        elif request.merge_commit:
            ends.append(observe.recorded("", None, request.merge_commit, repository).live_since)
    return Span(begin, min((end for end in ends if end and end > begin), default=None))


def _drop(work: Work, world: World, repository: Ops, item: Item) -> Item:
    """Nothing is left to do. What a person has closed keeps its branch: it may be opened again."""
    request = work.request
    if request.state is MergeState.MERGED or names.SUPERSEDED in request.labels:
        propose.tidy(request, remote=repository.remote, forge=world.forge)
    else:
        world.forge.update(request.number, remove_labels=[names.PENDING])
    return item

"""`wait`: the live job. Green only when the release was seen live in the stage."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta

from gitops_ci import liveness, names, observe, ops, watch
from gitops_ci.errors import Exit
from gitops_ci.forge import CheckState, Forge, MergeRequest, MergeState
from gitops_ci.git import Remote
from gitops_ci.live import LiveSource, LiveState, LiveVerdict
from gitops_ci.ops import Ops
from gitops_ci.propose import Say
from gitops_ci.watch import Clock


@dataclass(frozen=True, slots=True)
class World:
    """What `wait` works with."""

    remotes: Callable[[], AbstractContextManager[Remote]]
    forge: Forge
    live: LiveSource
    clock: Clock
    say: Say


_CODES = {
    LiveState.LIVE: Exit.DONE,
    LiveState.FAILED: Exit.FAILED,
    LiveState.OVERTAKEN: Exit.REFUSED,
    LiveState.PENDING: Exit.NOT_YET,
    LiveState.WAITING: Exit.NOT_YET,
}


@dataclass(frozen=True, slots=True)
class Result:
    """What was seen last."""

    stage: str
    release: str
    verdict: LiveVerdict

    @property
    def code(self) -> Exit:
        return _CODES[self.verdict.state]


def run(world: World, *, stage: str, app: str, release: str, timeout: timedelta) -> Result:
    """Look until the answer is final or `timeout` has passed; zero looks once."""
    with world.remotes() as remote:
        remote.fetch()
        repository = ops.read(remote, world.forge, stage, app)
        ops.stage_of(repository.config, stage)
        verdict = watch.until(
            lambda: _look(world, repository, stage, app, release),
            decided=lambda verdict: _CODES[verdict.state] is not Exit.NOT_YET,
            timeout=timeout,
            clock=world.clock,
            changed=lambda verdict: world.say(f"{release} -> {stage}: {verdict.message}"),
        )
    return Result(stage, release, verdict)


def _look(world: World, repository: Ops, stage: str, app: str, release: str) -> LiveVerdict:
    proposed = list(observe.proposals(world.forge, stage, app, release))
    merged = [request for request in proposed if repository.has_entered(request)]
    if not merged:
        return _unmerged(proposed[-1] if proposed else None, stage, release)
    recorded = next(filter(None, (_recorded(world.forge, request) for request in merged)), None)
    return recorded or _seen(merged[-1], world.live, world.clock, repository)


def _unmerged(request: MergeRequest | None, stage: str, release: str) -> LiveVerdict:
    if request and names.SUPERSEDED in request.labels:
        said = f"a newer release took over before `{release}` entered {stage}"
        return LiveVerdict(LiveState.OVERTAKEN, said)
    if request and request.state is MergeState.CLOSED:
        said = f"{request.url} was declined by {request.closed_by or 'somebody'}"
        return LiveVerdict(LiveState.PENDING, said)
    return LiveVerdict(LiveState.PENDING, f"`{release}` has not been merged into {stage}")


def _recorded(forge: Forge, merged: MergeRequest) -> LiveVerdict | None:
    """That it was live once stays true; a recorded failure may be mended by the next sync."""
    for status in forge.statuses(merged.merge_commit) if merged.merge_commit else ():
        if status.context == names.LIVE and status.state is CheckState.SUCCESS:
            return LiveVerdict(LiveState.LIVE, status.description)
    return None


def _seen(merged: MergeRequest, source: LiveSource, clock: Clock, repository: Ops) -> LiveVerdict:
    branch = names.parse_branch(merged.source)
    if branch is None:
        return LiveVerdict(LiveState.PENDING, f"`{merged.source}` is no promotion")
    return watch.settled(
        lambda: liveness.look(merged, branch, source=source, ops=repository),
        settle=source.settle,
        clock=clock,
    )

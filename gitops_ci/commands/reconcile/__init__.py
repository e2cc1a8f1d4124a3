"""`reconcile`: look at every promotion, do the next possible step for each, and end.

The only judge and the only one that merges. It stores nothing: a lost, doubled or forged event can
do nothing worse than one more look.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from dataclasses import replace

from gitops_ci import names, ops
from gitops_ci.commands.reconcile.advance import advance
from gitops_ci.commands.reconcile.follow import finish
from gitops_ci.commands.reconcile.work import Item, Step, Work, World
from gitops_ci.errors import Exit, GitopsCiError, LostRace, NotYet
from gitops_ci.forge import MergeRequest, MergeState
from gitops_ci.git import Place
from gitops_ci.ops import Ops

__all__ = ["Item", "Step", "World", "run"]


def run(world: World, *, everything: bool = False) -> tuple[Item, ...]:
    """One pass. What was merged is followed first: it lets others become ready."""
    label = names.LABEL if everything else names.PENDING
    todo = tuple(_work(world.forge.list(labels={label})))
    if not todo:
        return ()
    with world.remotes() as remote:
        remote.fetch("promote/*")
        me = world.forge.whoami().name
        repository = replace(ops.read(remote, world.forge), trusted=me)
        _fetch_directories(repository, todo)
        ended = [work for work in todo if work.request.state is not MergeState.OPEN]
        items = [_guarded(finish, work, world, repository) for work in ended]
        still_open = [work for work in todo if work.request.state is MergeState.OPEN]
        items += [_guarded(advance, work, world, repository) for work in still_open]
    return tuple(items)


def _work(requests: Iterable[MergeRequest]) -> Iterable[Work]:
    for request in requests:
        branch = names.parse_branch(request.source)
        if branch:
            yield Work(request, branch)


def _fetch_directories(repository: Ops, todo: Iterable[Work]) -> None:
    """Everything at the tip that this pass will ask for, in as few requests as possible."""
    tip = repository.remote.tip
    wanted: dict[Place, None] = {}
    for work in todo:
        stage = repository.config.stage(work.branch.stage)
        for name in (work.branch.stage, *(stage.after if stage else ())):
            wanted[repository.place(tip, name, work.branch.app)] = None
    repository.remote.need(*wanted)


Handler = Callable[[Work, World, Ops], Item]


def _guarded(handler: Handler, work: Work, world: World, repository: Ops) -> Item:
    """One promotion's trouble does not stop the others."""
    try:
        item = handler(work, world, repository)
    except (LostRace, NotYet) as wait:
        item = work.item(Step.WAITING, wait.message)
    except GitopsCiError as error:
        item = replace(work.item(Step.ERROR, error.message, code=error.exit_code), hint=error.hint)
    except Exception:  # met through one promotion; it must not stop the others
        world.say(traceback.format_exc())
        item = work.item(Step.ERROR, "a bug in gitops-ci, see the log", code=Exit.BUG)
    for message in item.messages or ("",):
        where = f"{world.forge.sigil}{item.number} {item.release} -> {item.stage}"
        world.say(f"{where}: {item.step}{message and ', '}{message}")
    if item.hint:
        world.say(f"  hint: {item.hint}")
    return item

"""What a pass of `reconcile` works with and what it reports."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum

from gitops_ci import review
from gitops_ci.errors import Exit
from gitops_ci.forge import CheckState, Forge, MergeRequest
from gitops_ci.git import Remote
from gitops_ci.helm import Helm
from gitops_ci.live import LiveSource
from gitops_ci.names import PromotionBranch
from gitops_ci.observe import DevProjects, Order
from gitops_ci.propose import Say
from gitops_ci.watch import Clock


class Step(StrEnum):
    """What became of one merge request in this pass."""

    MERGED = "merged"
    WAITING = "waiting"
    REFUSED = "refused"
    CLOSED = "closed"
    PROPOSED_AGAIN = "proposed-again"
    LIVE = "live"
    FAILED = "failed"
    DONE = "done"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Item:
    """One merge request, and the sentences that tell what happened to it."""

    number: int
    url: str
    stage: str
    app: str
    release: str
    step: Step
    messages: tuple[str, ...] = ()
    code: Exit = Exit.DONE
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class World:
    """What `reconcile` works with."""

    remotes: Callable[[], AbstractContextManager[Remote]]
    forge: Forge
    dev: DevProjects
    order: Order
    live: LiveSource
    helm: Callable[[], Helm] | None  # None: no rendered diffs
    clock: Clock
    say: Say


@dataclass(frozen=True, slots=True)
class Work:
    """One merge request to look at."""

    request: MergeRequest
    branch: PromotionBranch

    def item(self, step: Step, *messages: str, code: Exit = Exit.DONE) -> Item:
        branch = self.branch
        return Item(
            self.request.number, self.request.url, branch.stage, branch.app, branch.release,
            step, tuple(filter(None, messages)), code,
        )  # fmt: skip


def post(forge: Forge, commit: str, context: str, state: CheckState, said: str) -> None:
    """Record a status; one that says the same is there already changes nothing."""
    forge.set_status(commit, context=context, state=state, description=review.short(said))

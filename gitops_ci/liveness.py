"""Is a release live in a stage: one look at the live source, read against the ops repository.

Looks once; repeating looks is `watch`'s work, and what a look means is `live.judge`'s.
"""

from __future__ import annotations

from gitops_ci import layout, live, names
from gitops_ci.config import Sync
from gitops_ci.errors import ConfigError, GitError
from gitops_ci.forge import MergeRequest, MergeState
from gitops_ci.live import LiveSource, LiveVerdict
from gitops_ci.ops import Ops, passport_at, stage_of

RECENT = 100


def look(
    merged: MergeRequest, branch: names.PromotionBranch, *, source: LiveSource, ops: Ops
) -> LiveVerdict:
    """What the cluster shows about the release that `merged` brought into its stage."""
    stage = stage_of(ops.config, branch.stage)
    application = layout.application(ops.config.layout, branch.stage, branch.app)
    seen = source.look(stage=branch.stage, app=branch.app, application=application)
    return live.judge(
        seen,
        release=branch.release,
        running=_release_at(ops, seen.revision, branch),
        failed=_release_at(ops, seen.failed, branch),
        newer=frozenset(later(merged, branch, ops)),
        manual=stage.sync is Sync.MANUAL,
    )


def _release_at(ops: Ops, revision: str | None, branch: names.PromotionBranch) -> str | None:
    """The release that a revision of the ops repository has in the stage."""
    if revision is None:
        return None
    place = ops.place(revision, branch.stage, branch.app)
    try:
        ops.remote.fetch_commits(revision)
        ops.remote.need(place)
        passport = passport_at(ops.remote, place)
    except (GitError, ConfigError):
        return None
    return passport.id if passport else None


def later(merged: MergeRequest, branch: names.PromotionBranch, ops: Ops) -> dict[str, MergeRequest]:
    """The releases that entered the stage after this one, by id."""
    found = {}
    for request in ops.forge.list(
        labels=names.labels(branch.stage, branch.app), state=MergeState.MERGED, limit=RECENT
    ):
        other = names.parse_branch(request.source)
        after = request.merged_at and merged.merged_at and request.merged_at > merged.merged_at
        if other and ops.has_entered(request) and after and other.release != branch.release:
            found[other.release] = request
    return found

"""What a promotion branch holds: whose commits, on what, and whether the target has moved since."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gitops_ci import layout
from gitops_ci.changeset import ACCEPTED, Edit, PutObject, Remove, trailers
from gitops_ci.config import OpsRepository
from gitops_ci.errors import ConfigError
from gitops_ci.forge import Relation
from gitops_ci.git import FILE_MODE, Commit, Entry, Place, Remote
from gitops_ci.ops import Ops, passport_at
from gitops_ci.passports import Passport
from gitops_ci.progress import Attempt, Shape

PEOPLES_COMMITS = 30  # how deep a branch is followed to find our own commit beneath theirs


def looked_at(attempt: Attempt, ops: Ops, *, tree: str | None) -> Attempt:
    """An attempt with what its branch holds. `tree` is what `release/` should be, if known."""
    tip = attempt.tip
    if tip is None:
        return attempt
    remote, branch = ops.remote, attempt.branch
    chain = _our_commit(remote, tip, ops.config)
    if chain is None:
        return replace(attempt, shape=Shape.FOREIGN)
    own, parent = chain
    remote.fetch_commits(parent)
    directory = ops.directory(branch.stage, branch.app)
    remote.need(Place(tip, directory), Place(own.oid, directory))
    touched = remote.changed(parent, tip)
    welcome = _welcome(touched, directory)
    remote.need(Place(parent, directory))
    passport = _readable(remote, Place(tip, directory))
    theirs = remote.changed(own.oid, tip) if own.oid != tip else ()
    shape = _shape(attempt, ops, own, passport, theirs, tree=tree, directory=directory)
    if shape is not Shape.FOREIGN and not _on_target(ops, parent):
        shape = Shape.FOREIGN
    return replace(
        attempt,
        shape=shape,
        parent=parent,
        fresh=_fresh(remote, parent, directory),
        carried=tuple(_carried(remote, tip, path) for path in welcome),
        clashes=tuple(path for path in welcome if _differs(remote, parent, path)),
        accepted=trailers(own.message).get(ACCEPTED),
        passport=passport,
        touched=touched,
    )


def _readable(remote: Remote, place: Place) -> Passport | None:
    """The passport on a branch; anybody may have pushed one there that cannot be read."""
    try:
        return passport_at(remote, place)
    except ConfigError:
        return None


def _our_commit(remote: Remote, tip: str, ops: OpsRepository) -> tuple[Commit, str] | None:
    """Our commit on a branch, below people's commits if there are any, and its parent."""
    commit = remote.commit(tip)
    if not _is_ours(commit, ops):
        remote.fetch_commits(tip, depth=PEOPLES_COMMITS)
        for _ in range(PEOPLES_COMMITS):
            if (
                _is_ours(commit, ops)
                or len(commit.parents) != 1
                or not remote.has(commit.parents[0])
            ):
                break
            commit = remote.commit(commit.parents[0])
    if not _is_ours(commit, ops) or len(commit.parents) != 1:
        return None
    return commit, commit.parents[0]


def _is_ours(commit: Commit, ops: OpsRepository) -> bool:
    person = f"{ops.commits.name} <{ops.commits.email}>"
    return commit.committer == commit.author == person and "Gitops-Release" in trailers(
        commit.message
    )


def _shape(
    attempt: Attempt,
    ops: Ops,
    own: Commit,
    passport: Passport | None,
    theirs: tuple[str, ...],
    *,
    tree: str | None,
    directory: str,
) -> Shape:
    branch = attempt.branch
    if passport is None or passport.id != branch.release or passport.app != branch.app:
        return Shape.FOREIGN
    if trailers(own.message).get("Gitops-Release") != branch.release:
        return Shape.FOREIGN
    entry = ops.remote.entry(Place(attempt.tip or "", f"{directory}/{layout.RELEASE}"))
    if entry is None or entry.oid != passport.tree or (tree and entry.oid != tree):
        return Shape.FOREIGN
    if set(theirs) - set(_welcome(theirs, directory)):
        return Shape.FOREIGN
    entries = [ops.remote.entry(Place(attempt.tip or "", path)) for path in theirs]
    if any(entry and entry.mode != FILE_MODE for entry in entries):
        return Shape.FOREIGN
    return Shape.WELCOME if theirs else Shape.OURS


def _welcome(paths: Iterable[str], directory: str) -> tuple[str, ...]:
    """Those of the paths that people may change on a promotion's branch."""
    exact, below = f"{directory}/{layout.OPS_VALUES}", f"{directory}/{layout.SECRETS}/"
    return tuple(path for path in paths if path == exact or path.startswith(below))


def _on_target(ops: Ops, parent: str) -> bool:
    """Whether a commit lies on the default branch; anything beneath it is then reviewed."""
    tip = ops.remote.tip
    return parent == tip or ops.forge.compare(parent, tip) in {Relation.AHEAD, Relation.SAME}


def _fresh(remote: Remote, parent: str, directory: str) -> bool:
    """Whether passport and release of the stage are on the target as they are at `parent`."""
    if parent == remote.tip:
        return True
    then, now = (_promoted(remote, commit, directory) for commit in (parent, remote.tip))
    return then == now


def _promoted(remote: Remote, commit: str, directory: str) -> tuple[Entry | None, Entry | None]:
    remote.need(Place(commit, directory))
    return (
        remote.entry(Place(commit, f"{directory}/{layout.PASSPORT}")),
        remote.entry(Place(commit, f"{directory}/{layout.RELEASE}")),
    )


def _differs(remote: Remote, parent: str, path: str) -> bool:
    """Whether the target has changed a file since a branch left it."""
    return remote.entry(Place(parent, path)) != remote.entry(Place(remote.tip, path))


def _carried(remote: Remote, tip: str, path: str) -> Edit:
    entry = remote.entry(Place(tip, path))
    return PutObject(path, entry.oid, is_tree=False) if entry else Remove(path)

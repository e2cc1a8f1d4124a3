"""Promotion branches as somebody with push rights might write them, under our own name.

Everything is right about such a branch but what a case changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from gitops_ci import layout, names, passports
from gitops_ci.config import Layout
from gitops_ci.forge import Draft, MergeRequest
from gitops_ci.passports import Passport
from tests.support import builder
from tests.support.world import APP, PROPOSER, World

US = "gitops-ci <gitops-ci@noreply.invalid>"


@dataclass(frozen=True)
class Forgery:
    """What differs from an honest promotion; paths of `release` are relative to `release/`."""

    release: Mapping[str, str | None] = field(default_factory=dict)
    beside: Mapping[str, str | None] = field(default_factory=dict)  # paths of the repository
    modes: Mapping[str, str] = field(default_factory=dict)  # of paths in `release`
    passport: Callable[[Passport], Passport] = lambda passport: passport
    text: str | None = None  # instead of the passport
    follow: bool = True  # the passport names the tree that is really there
    author: str = US
    start: str = "main"
    target: str = "main"
    labels: frozenset[str] = frozenset({names.LABEL, names.PENDING})


def propose(world: World, stage: str, honest: str, forgery: Forgery) -> MergeRequest:
    """A new branch on main's tip with a merge request, made of the branch or commit `honest`."""
    folder = layout.directory(Layout(), stage, APP)
    passport, files = _read(world, honest)
    changed = {f"{folder}/release/{path}": text for path, text in forgery.release.items()}
    content = {f"{folder}/release/{path}": data for path, data in files.items()} | changed
    modes = {f"{folder}/release/{path}": mode for path, mode in forgery.modes.items()}
    if forgery.follow:
        draft = builder.commit(
            world.ops_git,
            {f"{folder}/release": None, **content},
            branch="draft",
            start=forgery.start,
            modes=modes,
        )
        tree = builder.git("rev-parse", f"{draft}:{folder}/release", cwd=world.ops_git)
        builder.git("update-ref", "-d", "refs/heads/draft", cwd=world.ops_git)
        passport = replace(passport, tree=tree, id=names.release_id(APP, passport.version, tree))
    written = forgery.passport(passport)
    branch = str(names.PromotionBranch(stage, APP, written.id))
    text = passports.dump(written) if forgery.text is None else forgery.text
    message = f"Promote\n\nGitops-Release: {written.id}\nGitops-Stage: {stage}\n"
    builder.git("update-ref", "-d", f"refs/heads/{branch}", cwd=world.ops_git)
    builder.commit(
        world.ops_git,
        {f"{folder}/release": None, **content, f"{folder}/release.yaml": text, **forgery.beside},
        message,
        branch=branch,
        start=forgery.start,
        modes=modes,
        author=forgery.author,
    )
    return open_request(world, stage, branch, target=forgery.target, labels=forgery.labels)


def open_request(
    world: World,
    stage: str,
    branch: str,
    *,
    target: str = "main",
    labels: frozenset[str] = frozenset({names.LABEL, names.PENDING}),
) -> MergeRequest:
    """A merge request for a branch that is there."""
    every = labels | names.labels(stage, APP)
    return world.ops(PROPOSER).open(Draft(branch, target, "Promote", "", every))


def _read(world: World, revision: str) -> tuple[Passport, dict[str, bytes]]:
    """The passport and the files of the release that a revision holds in any one stage."""
    listing = builder.git("ls-tree", "-r", "--name-only", revision, cwd=world.ops_git).splitlines()
    at = next(p for p in listing if p.endswith(f"/{APP}/release.yaml"))
    prefix = at.removesuffix(".yaml") + "/"
    files = {
        p.removeprefix(prefix): _blob(world, revision, p) for p in listing if p.startswith(prefix)
    }
    return passports.parse(_blob(world, revision, at), source=at), files


def _blob(world: World, revision: str, path: str) -> bytes:
    return builder.run_git("show", f"{revision}:{path}", cwd=world.ops_git).stdout

"""The ops repository as a command works with it: its copy in git, its forge, its policy and holds.

Reads policy from the tip of the default branch and from nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gitops_ci import chart, config, holds, layout, passports
from gitops_ci.config import Layout, OpsRepository, Stage
from gitops_ci.errors import ConfigError, GitError, Problem
from gitops_ci.forge import Forge, MergeRequest, MergeState
from gitops_ci.git import FILE_MODE, Entry, Objects, Place, Remote
from gitops_ci.holds import Hold
from gitops_ci.passports import Passport
from gitops_ci.policy import Content


@dataclass(frozen=True, slots=True)
class Ops:
    """The ops repository as a command works with it: the copy in git, its forge, its policy."""

    remote: Remote
    forge: Forge
    config: OpsRepository
    holds: tuple[Hold, ...]
    trusted: str | None = None  # whose statuses count; None: anybody's, until `reconcile` judges

    def has_entered(self, request: MergeRequest) -> bool:
        """Whether it was merged, and into the branch that counts."""
        merged = request.state is MergeState.MERGED
        return merged and request.target == self.remote.default_branch

    def directory(self, stage: str, app: str) -> str:
        return layout.directory(self.config.layout, stage, app)

    def place(self, commit: str, stage: str, app: str, rest: str = "") -> Place:
        """A path in the directory of one application in one stage."""
        directory = self.directory(stage, app)
        return Place(commit, f"{directory}/{rest}" if rest else directory)


def read(remote: Remote, forge: Forge, stage: str | None = None, app: str | None = None) -> Ops:
    """Policy and holds from the tip of the default branch, which `remote` has fetched.

    Where a stage and an application are named, their directories come in the same requests.
    """
    tip = remote.tip
    if not (stage and app):
        remote.need(Place(tip, layout.CONFIG), Place(tip, layout.HOLDS))
        return Ops(remote, forge, _policy(remote), holds_at(remote, tip))
    usual = layout.directory(Layout(), stage, app)
    ahead = [Place(commit, usual) for commit in (tip, *remote.branches.values())]
    remote.need(Place(tip, layout.CONFIG), ahead=(Place(tip, layout.HOLDS), *ahead))
    policy = _policy(remote)
    remote.need(Place(tip, layout.HOLDS), *_places(remote, policy, stage, app))
    return Ops(remote, forge, policy, holds_at(remote, tip))


def _places(remote: Remote, policy: OpsRepository, stage: str, app: str) -> Iterable[Place]:
    """The application's directories: in the stage, in those before it, and on our branches."""
    found = policy.stage(stage)
    for name in (stage, *(found.after if found else ())):
        yield Place(remote.tip, layout.directory(policy.layout, name, app))
    for commit in remote.branches.values():
        yield Place(commit, layout.directory(policy.layout, stage, app))


def _policy(remote: Remote) -> OpsRepository:
    raw = remote.read(Place(remote.tip, layout.CONFIG))
    if raw is None:
        raise ConfigError(
            Problem(
                layout.CONFIG, 0, "", f"is missing on `{remote.default_branch}` of `{remote.url}`"
            ),
            hint="run `gitops-ci init ops` in the ops repository and merge what it writes",
        )
    return config.parse_ops(raw, source=f"{layout.CONFIG} of the ops repository")


def holds_at(objects: Objects, commit: str) -> tuple[Hold, ...]:
    """Every hold in a commit."""
    files = objects.files(Place(commit, layout.HOLDS))
    return tuple(
        holds.parse_hold(text, source=f"{layout.HOLDS}/{path}")
        for path, text in sorted(files.items())
        if path.endswith((".yaml", ".yml"))
    )


def directories(objects: Objects, commit: str, where: Layout) -> dict[str, Entry]:
    """Every directory that fits the path template, by path, whatever its names are."""
    level = {"": objects.entry(Place(commit, ""))}
    for segment in where.path.split("/"):
        level = {
            f"{path}/{name}".removeprefix("/"): entry
            for path in level
            for name, entry in objects.names(Place(commit, path)).items()
            if entry.is_tree and segment in {name, "{stage}", "{app}"}
        }
    return {path: entry for path, entry in level.items() if entry}


def stage_of(ops: OpsRepository, name: str) -> Stage:
    """The stage of that name, or an error that lists the names there are."""
    stage = ops.stage(name)
    if stage is None:
        known = ", ".join(f"`{each.name}`" for each in ops.stages)
        raise ConfigError(
            f"there is no stage `{name}` in the ops repository", hint=f"there are {known}"
        )
    return stage


def passport_at(objects: Objects, place: Place) -> Passport | None:
    """The passport in a stage directory that was fetched, None where the directory has none."""
    path = f"{place.path}/{layout.PASSPORT}"
    raw = objects.read(Place(place.commit, path))
    return passports.parse(raw, source=path) if raw is not None else None


def passport_then(ops: Ops, commit: str, stage: str, app: str) -> Passport:
    """The passport that a stage directory had in a commit, which is fetched where it is missing."""
    ops.remote.fetch_commits(commit)
    place = ops.place(commit, stage, app)
    ops.remote.need(place)
    passport = passport_at(ops.remote, place)
    if passport is None:
        raise GitError(f"`{place.path}` has no passport at `{commit}`")
    return passport


def content(
    objects: Objects, place: Place, passport: Passport, touched: tuple[str, ...]
) -> Content:
    """What a promotion's branch has in its stage directory."""
    top = objects.entry(Place(place.commit, f"{place.path}/{layout.RELEASE}"))
    entries = objects.entries(Place(place.commit, f"{place.path}/{layout.RELEASE}"))
    return Content(
        passport=passport,
        tree=top.oid if top else None,
        touched=touched,
        files=tuple(entries),
        special=tuple(path for path in touched if _is_special(objects, Place(place.commit, path))),
        values=objects.read(Place(place.commit, f"{place.path}/{layout.VALUES}")) or b"",
        chart_faults=_chart_faults(objects, place, passport),
    )


def _is_special(objects: Objects, place: Place) -> bool:
    entry = objects.entry(place)
    return entry is not None and entry.mode != FILE_MODE


def _chart_faults(objects: Objects, place: Place, passport: Passport) -> tuple[str, ...]:
    at = Place(place.commit, f"{place.path}/{layout.CHART}")
    regular = objects.files(at)
    special = set(objects.entries(at)) - set(regular)
    try:
        found = chart.inspect(regular, special=special, at=layout.CHART)
    except ConfigError as error:
        return tuple(str(problem) for problem in error.problems) or (error.message,)
    if (found.name, found.version) != (passport.chart.name, passport.chart.version):
        return (f"the passport names chart {passport.chart.name} {passport.chart.version}",)
    return ()

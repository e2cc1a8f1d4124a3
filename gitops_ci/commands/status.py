"""`status`: which release is where, since when, and what it waits for.

Reads only: one fetch, one list of merge requests, the statuses of those with work left on them.
What nobody answers for is shown as unknown. Knows nothing of how it is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gitops_ci import config, layout, names, ops, passports, review
from gitops_ci.config import Stage, Sync
from gitops_ci.errors import ConfigError, GitopsCiError
from gitops_ci.forge import CheckState, Forge, MergeRequest, MergeState, Status
from gitops_ci.git import Entry, Remote
from gitops_ci.ops import Ops


class State(StrEnum):
    """Where a release stands in a stage, in one word."""

    LIVE = "live"
    MERGED = "merged"
    FAILED = "failed"
    OPEN = "open"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Row:
    """A release that a stage holds, or that a merge request proposes for it.

    `since` is when it was seen live, was merged or was proposed: the newest that is known.
    """

    app: str
    stage: str
    release: str
    state: State
    detail: str  # what it waits for, why it failed; empty where the state says it all
    since: datetime | None = None
    number: int | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """All rows, by application and then in the order of the stages.

    `silent` names each source that gave no answer, and why.
    """

    rows: tuple[Row, ...]
    silent: tuple[str, ...] = ()


def run(
    *,
    remotes: Callable[[], AbstractContextManager[Remote]],
    forge: Forge,
    apps: Collection[str] = (),
    stages: Collection[str] = (),
) -> Overview:
    """Look once. Empty `apps` or `stages` mean all of them."""
    listed = _Listed()
    with remotes() as remote:
        remote.fetch(whole=True, meanwhile=lambda: _meanwhile(forge, listed))
        repository = ops.read(remote, forge)
        wanted = [ops.stage_of(repository.config, name) for name in stages]
        scope = _Scope(tuple(wanted) or repository.config.stages, frozenset(apps))
        found = (*_held(repository, scope, listed), *_proposed(scope, listed))
    statuses, silent = _statuses(forge, found)
    order = {stage.name: number for number, stage in enumerate(repository.config.stages)}
    rows = sorted(
        (_row(each, statuses) for each in found),
        key=lambda row: (row.app, order[row.stage], row.state is State.OPEN, row.number or 0),
    )
    return Overview(tuple(rows), tuple(filter(None, (listed.silent, silent))))


def _meanwhile(forge: Forge, listed: _Listed) -> None:
    """What can be done while git is busy: ask the forge, load what reading YAML takes."""
    listed.read(forge)
    with suppress(ConfigError):
        config.parse_ops("{}", source=layout.CONFIG)


# --- what is asked -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Scope:
    """The stages to tell about; an empty `apps` means all."""

    stages: tuple[Stage, ...]
    apps: frozenset[str]

    def stage(self, name: str, app: str) -> Stage | None:
        if self.apps and app not in self.apps:
            return None
        return next((stage for stage in self.stages if stage.name == name), None)


class _Listed:
    """The promotions' merge requests, newest first; `silent` says why there are none to see."""

    def __init__(self) -> None:
        self.promotions: list[tuple[names.PromotionBranch, MergeRequest]] = []
        self.silent = ""

    def read(self, forge: Forge) -> None:
        try:
            requests = forge.list(labels={names.LABEL})
        except GitopsCiError as error:
            self.silent = f"{forge.noun}s: {error.message}"
            return
        for request in requests:
            branch = names.parse_branch(request.source)
            if branch:
                self.promotions.append((branch, request))

    def merged(self) -> dict[tuple[str, str], list[tuple[str, MergeRequest]]]:
        """What entered each stage, newest first, as (release, merge request)."""
        found: dict[tuple[str, str], list[tuple[str, MergeRequest]]] = {}
        for branch, request in self.promotions:
            if request.state is MergeState.MERGED:
                found.setdefault((branch.stage, branch.app), []).append((branch.release, request))
        for entered in found.values():
            entered.sort(key=lambda each: each[1].merged_at or each[1].created, reverse=True)
        return found


# --- what is found -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    """A release in a stage or on its way into it; `doubt` says why no more can be told."""

    stage: Stage
    app: str
    release: str
    request: MergeRequest | None = None
    doubt: str = ""

    @property
    def commit(self) -> str | None:
        """Whose statuses tell more; None where there is no work left on it."""
        request = self.request
        if request is None or self.doubt or names.PENDING not in request.labels:
            return None
        return request.merge_commit if request.state is MergeState.MERGED else request.head


def _held(repository: Ops, scope: _Scope, listed: _Listed) -> Iterable[_Found]:
    """What the stage directories at the tip hold."""
    places = [
        (place, stage, entry.oid)
        for path, entry in _directories(repository).items()
        if (place := layout.parse_directory(repository.config.layout, path))
        and (stage := scope.stage(place.stage, place.app))
    ]
    passports = repository.remote.read_many((tree, layout.PASSPORT) for _, _, tree in places)
    merged = listed.merged()
    for (place, stage, _), raw in zip(places, passports, strict=True):
        if raw is not None:
            entered = merged.get((place.stage, place.app), [])
            yield _holding(place, stage, raw, entered, listed.silent)


def _directories(repository: Ops) -> Mapping[str, Entry]:
    remote = repository.remote
    return ops.directories(remote, remote.tip, repository.config.layout)


def _holding(
    place: layout.Place,
    stage: Stage,
    raw: bytes,
    entered: list[tuple[str, MergeRequest]],
    silent: str,
) -> _Found:
    try:
        held = passports.parse(raw, source=layout.PASSPORT).id
    except ConfigError as error:
        return _Found(stage, place.app, State.UNKNOWN, doubt=review.short(error.message))
    request = next((request for name, request in entered if name == held), None)
    doubt = ""
    if silent:
        doubt = "the merge requests cannot be read"
    elif request is None:
        doubt = "it came by no merge request of ours"
    elif entered[0][0] != held:
        doubt = f"put back after {entered[0][0]}"
    return _Found(stage, place.app, held, request, doubt)


def _proposed(scope: _Scope, listed: _Listed) -> Iterable[_Found]:
    for branch, request in listed.promotions:
        stage = scope.stage(branch.stage, branch.app)
        if stage and request.state is MergeState.OPEN:
            yield _Found(stage, branch.app, branch.release, request)


# --- how it fares ------------------------------------------------------------


_Statuses = Mapping[str, tuple[Status, ...]]


def _statuses(forge: Forge, found: Iterable[_Found]) -> tuple[_Statuses, str]:
    """By commit, as far as they can be read, and why not all of them can."""
    known: dict[str, tuple[Status, ...]] = {}
    try:
        for commit in dict.fromkeys(each.commit for each in found):
            if commit:
                known[commit] = forge.statuses(commit)
    except GitopsCiError as error:
        return known, f"commit statuses: {error.message}"
    return known, ""


@dataclass(frozen=True, slots=True)
class _Fare:
    """How one release fares; `since` None: since it was merged or proposed."""

    state: State
    detail: str = ""
    since: datetime | None = None


def _row(found: _Found, statuses: _Statuses) -> Row:
    fare, request = _fare(found, statuses), found.request
    born = (request.merged_at or request.created) if request else None
    return Row(
        app=found.app,
        stage=found.stage.name,
        release=found.release,
        state=fare.state,
        detail=fare.detail,
        since=fare.since or born,
        number=request.number if request else None,
        url=request.url if request else None,
    )


def _fare(found: _Found, statuses: _Statuses) -> _Fare:
    if found.doubt or found.request is None:
        return _Fare(State.UNKNOWN, found.doubt)
    is_open, commit = found.request.state is MergeState.OPEN, found.commit
    if commit is None:  # `reconcile` has finished with it, which it does not before it was live
        return _Fare(State.OPEN if is_open else State.LIVE)
    if commit not in statuses:
        doubt = "its commit statuses cannot be read"
        return _Fare(State.OPEN, "its gate is unknown") if is_open else _Fare(State.UNKNOWN, doubt)
    return _gate(statuses[commit]) if is_open else _live(found.stage, statuses[commit])


def _gate(statuses: Iterable[Status]) -> _Fare:
    said = _newest(statuses, names.GATE)
    if said is None:
        return _Fare(State.OPEN, "not judged yet")
    word = {CheckState.PENDING: "waits", CheckState.FAILURE: "refused"}.get(said.state)
    text = review.short(said.description)
    return _Fare(State.OPEN, f"{word}: {text}" if word else "the gate is green")


def _live(stage: Stage, statuses: Iterable[Status]) -> _Fare:
    said = _newest(statuses, names.LIVE)
    if said and said.state is CheckState.SUCCESS:
        return _Fare(State.LIVE, since=said.created)
    if said and said.state is CheckState.FAILURE:
        return _Fare(State.FAILED, review.short(said.description), said.created)
    if stage.sync is Sync.AUTO:
        return _Fare(State.MERGED, "not synced yet")
    owners = " or ".join(stage.owners)
    return _Fare(State.MERGED, f"waits for Sync by {owners}" if owners else "waits for Sync")


def _newest(statuses: Iterable[Status], context: str) -> Status | None:
    found = [status for status in statuses if status.context == context]
    return max(found, key=lambda status: status.created, default=None)

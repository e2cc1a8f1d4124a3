"""`check`: a preview of the gate, in a checkout of the ops repository, without token and network.

Reads committed objects only, never the files of the work tree. Policy and holds are those of the
base, so that a merge request cannot weaken its own check; what it proposes is read as well.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from gitops_ci import config, holds, layout, ops, policy, render, resources
from gitops_ci.config import Layout, OpsRepository, Stage
from gitops_ci.errors import ConfigError, Exit, worst
from gitops_ci.git import SUBMODULE_MODE, Entry, Objects, Place, WorkTree
from gitops_ci.helm import Helm
from gitops_ci.holds import Hold
from gitops_ci.layout import Writer
from gitops_ci.passports import Passport
from gitops_ci.render import Target
from gitops_ci.resources import Manifests, RenderedDiff
from gitops_ci.yamltree import shown

LINK_MODE = "120000"


class Rule(StrEnum):
    """What a finding offends against."""

    CONFIGURATION = "configuration"  # gitops-ci.yaml or a hold cannot be used
    NAME = "name"
    RELEASE = "release"
    OWNERSHIP = "ownership"
    HOLD = "hold"
    SECRET = "secret"  # noqa: S105 - the name of a rule
    HOSTILE = "hostile"
    RENDER = "render"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault, and the path that has it; `line` counts from 1, 0 where none can be named."""

    path: str
    rule: Rule
    message: str
    line: int = 0

    def __str__(self) -> str:
        place = "".join(char if char.isprintable() else "?" for char in self.path)
        return f"{place}:{self.line}: {self.message}" if self.line else f"{place}: {self.message}"


@dataclass(frozen=True, slots=True)
class Difference:
    """What the cluster will be told because of one directory."""

    path: str
    diff: RenderedDiff


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found."""

    findings: tuple[Finding, ...] = ()
    differences: tuple[Difference, ...] = ()

    @property
    def code(self) -> Exit:
        return worst(
            Exit.USAGE if finding.rule is Rule.CONFIGURATION else Exit.REFUSED
            for finding in self.findings
        )


@dataclass(frozen=True, slots=True)
class Change:
    """The commit that is checked, and what it differs from; `base` None: everything is new."""

    objects: Objects
    head: str
    base: str | None

    def paths(self) -> tuple[str, ...]:
        """Every path that differs, sorted."""
        if self.base is None:
            return tuple(sorted(self.objects.entries(Place(self.head, ""))))
        return self.objects.changed(self.base, self.head)

    def entry(self, path: str) -> Entry | None:
        return self.objects.entry(Place(self.head, path))

    def read(self, path: str) -> bytes | None:
        return self.objects.read(Place(self.head, path))


@contextmanager
def change_in(tree: WorkTree, base: str | None) -> Iterator[Change]:
    """What is checked out in `tree`, since it left `base`."""
    head = tree.commit()
    if head is None:
        raise ConfigError("there is no commit to check", hint="commit first, then check")
    fork = tree.fork(base, head) if base else None
    if base and fork is None:
        raise ConfigError(
            f"`{base}` shares no history with what is checked out here",
            hint="name another `--base`, or fetch all history (`GIT_DEPTH: 0`, `fetch-depth: 0`)",
        )
    objects = Objects(tree.git)
    try:
        yield Change(objects, head, fork)
    finally:
        objects.close()


def run(change: Change, *, helm: Callable[[], Helm] | None) -> Report:
    """Check one change; `helm` None renders nothing."""
    touched = change.paths()
    proposed, faults = _configuration(change, touched)
    judging = _policy(change) or proposed
    if judging is None:
        return Report(faults)
    directories = _directories(judging.layout, touched)
    known = _Known(change, judging, proposed or judging, touched, directories)
    rendered = tuple(_rendered(known, helm)) if helm else ()
    findings = (
        *faults,
        *_name_faults(known),
        *_ownership_faults(known),
        *_release_faults(known),
        *_file_faults(known),
        *(fault for _, faults_there in rendered for fault in faults_there),
    )
    differences = (each for each, _ in rendered if each) if change.base else ()
    return Report(tuple(dict.fromkeys(findings)), tuple(differences))


# --- what it is judged by ----------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Known:
    """A change together with what it is judged by."""

    change: Change
    policy: OpsRepository
    proposed: OpsRepository
    touched: tuple[str, ...]
    directories: Mapping[str, _Touched]

    @property
    def shape(self) -> Layout:
        return self.policy.layout

    def stage(self, name: str) -> Stage | None:
        """A stage's policy: the base's, and the proposed one where the stage is new."""
        return self.policy.stage(name) or self.proposed.stage(name)

    def promoted(self) -> dict[str, _Touched]:
        """The directories whose passport or release changes, unless it is taken away."""
        return {
            top: here
            for top, here in self.directories.items()
            if here.has(layout.PASSPORT, layout.RELEASE) and any(_halves(self.change, top))
        }


@dataclass(frozen=True, slots=True)
class _Touched:
    """The directory of one application in one stage, and the paths in it that change."""

    stage: str
    app: str
    paths: tuple[str, ...]

    def has(self, *names: str) -> bool:
        """Whether one of these changes, or something below it."""
        return any(_is_below(path, name) for path in self.paths for name in names)


def _directories(where: Layout, touched: tuple[str, ...]) -> dict[str, _Touched]:
    """The directories that a change touches, by path."""
    found: dict[tuple[str, str], list[str]] = {}
    for path in touched:
        place = layout.parse_directory(where, path)
        if place:
            found.setdefault((place.stage, place.app), []).append(place.rest)
    return {
        layout.directory(where, stage, app): _Touched(stage, app, tuple(paths))
        for (stage, app), paths in found.items()
    }


def _is_below(path: str, top: str) -> bool:
    return path == top or path.startswith(f"{top}/")


def _halves(change: Change, top: str) -> tuple[bool, bool]:
    """Whether a directory holds a passport, and a release."""
    passport, tree = (change.entry(f"{top}/{name}") for name in (layout.PASSPORT, layout.RELEASE))
    return passport is not None, tree is not None


def _configuration(
    change: Change, touched: tuple[str, ...]
) -> tuple[OpsRepository | None, tuple[Finding, ...]]:
    """The configuration that is proposed, and what cannot be read of it and of changed holds."""
    proposed, faults = None, []
    raw = change.read(layout.CONFIG)
    if raw is None:
        said = "is missing; `gitops-ci init ops` writes one"
        faults.append(Finding(layout.CONFIG, Rule.CONFIGURATION, said))
    else:
        try:
            proposed = config.parse_ops(raw, source=layout.CONFIG)
        except ConfigError as error:
            faults += _told(error, layout.CONFIG, Rule.CONFIGURATION)
    for path in filter(_is_hold, touched):
        hold = _hold(change.objects, change.head, path)
        faults += _told(hold, path, Rule.CONFIGURATION) if isinstance(hold, ConfigError) else []
    return proposed, tuple(faults)


def _policy(change: Change) -> OpsRepository | None:
    """The base's configuration; None where that cannot be used, so that it can be mended."""
    raw = change.objects.read(Place(change.base, layout.CONFIG)) if change.base else None
    with suppress(ConfigError):
        return config.parse_ops(raw, source=layout.CONFIG) if raw is not None else None
    return None


def _is_hold(path: str) -> bool:
    return path.startswith(f"{layout.HOLDS}/") and path.endswith((".yaml", ".yml"))


def _hold(objects: Objects, commit: str, path: str) -> Hold | ConfigError | None:
    raw = objects.read(Place(commit, path))
    try:
        return holds.parse_hold(raw, source=path) if raw is not None else None
    except ConfigError as error:
        return error


def _holds(change: Change) -> Iterator[Hold]:
    """The holds of the base that can be read."""
    commit = change.base or change.head
    for name in change.objects.entries(Place(commit, layout.HOLDS)):
        path = f"{layout.HOLDS}/{name}"
        hold = _hold(change.objects, commit, path) if _is_hold(path) else None
        if isinstance(hold, Hold):
            yield hold


def _told(error: ConfigError, path: str, rule: Rule) -> list[Finding]:
    if not error.problems:
        return [Finding(path, rule, error.message)]
    return [
        Finding(each.file, rule, ": ".join(filter(None, (each.path, each.message))), each.line)
        for each in error.problems
    ]


# --- names -------------------------------------------------------------------


def _name_faults(known: _Known) -> Iterator[Finding]:
    """Directories whose names cannot be, are another's as well, or belong to no stage."""
    change = known.change
    places = _places(known, change.head)
    for path, place in places.items():
        if place is None and _is_new(known, path) and any(_halves(change, path)):
            yield Finding(path, Rule.NAME, "its path names no stage and application that can be")
    before = _clashing(known, change.base) if change.base else frozenset()
    for stage, app in sorted(_clashing(known, change.head) - before):
        path = layout.directory(known.shape, stage, app)
        yield Finding(path, Rule.NAME, "its directory or Argo CD Application is another's as well")
    stages = {stage.name for stage in known.proposed.stages}
    for path, place in places.items():
        lost = place and place.stage not in stages
        if place and lost and _is_new(known, path) and any(_halves(change, path)):
            known_ones = ", ".join(f"`{name}`" for name in sorted(stages))
            said = f"`{place.stage}` is no stage of `{layout.CONFIG}`; there are {known_ones}"
            yield Finding(path, Rule.NAME, said)


def _is_new(known: _Known, top: str) -> bool:
    """Whether the change touches the directory, or the names that it must fit."""
    return layout.CONFIG in known.touched or any(_is_below(path, top) for path in known.touched)


def _places(known: _Known, commit: str) -> dict[str, layout.Place | None]:
    found = ops.directories(known.change.objects, commit, known.shape)
    return {path: layout.parse_directory(known.shape, path) for path in found}


def _clashing(known: _Known, commit: str) -> frozenset[tuple[str, str]]:
    places = filter(None, _places(known, commit).values())
    return frozenset(layout.clashes(known.shape, ((place.stage, place.app) for place in places)))


# --- releases ----------------------------------------------------------------

_OWNERS = {
    Writer.CI: "another promotion",
    Writer.OPERATIONS: "operations",
    Writer.PLATFORM: "the platform team",
}


def _ownership_faults(known: _Known) -> Iterator[Finding]:
    """A promotion changes one directory, and there nothing that the platform team writes."""
    promoted = tuple(known.promoted()) if known.change.base else ()
    for other in promoted[1:]:
        said = f"a merge request promotes into one directory, this one into `{promoted[0]}` too"
        yield Finding(other, Rule.OWNERSHIP, said)
    for path in known.touched if promoted else ():
        owner = layout.owner(known.shape, path)
        inside = any(_is_below(path, top) for top in promoted)
        if not inside or owner is Writer.PLATFORM:
            said = (
                f"belongs to {_OWNERS[owner]} and cannot come with the promotion of `{promoted[0]}`"
            )
            yield Finding(path, Rule.OWNERSHIP, said)


def _release_faults(known: _Known) -> Iterator[Finding]:
    stops = tuple(_holds(known.change))
    for top, here in known.promoted().items():
        stage = known.stage(here.stage)
        if stage:
            yield from _faults_of(known, top, here.app, stage, stops)


def _faults_of(
    known: _Known, top: str, app: str, stage: Stage, stops: tuple[Hold, ...]
) -> Iterator[Finding]:
    has_passport, has_release = _halves(known.change, top)
    if not (has_passport and has_release):
        there, lacking = f"`{layout.RELEASE}/`", f"`{layout.PASSPORT}`"
        there, lacking = (lacking, there) if has_passport else (there, lacking)
        yield Finding(top, Rule.RELEASE, f"holds {there} without {lacking}")
        return
    place = Place(known.change.head, top)
    try:
        passport = ops.passport_at(known.change.objects, place)
    except ConfigError as error:
        yield from _told(error, f"{top}/{layout.PASSPORT}", Rule.RELEASE)
        return
    if passport is None:
        yield Finding(f"{top}/{layout.PASSPORT}", Rule.RELEASE, "is no regular file")
        return
    for said in _said_of(known, place, passport, app, stage):
        yield Finding(top, Rule.RELEASE, said)
    for hold in stops:
        if hold.release and hold.stops(app=app, stage=stage.name, release=passport.id):
            said = f"hold `{hold.name}` of {hold.owner} stops this release: {hold.reason}"
            yield Finding(top, Rule.HOLD, said)


def _said_of(
    known: _Known, place: Place, passport: Passport, app: str, stage: Stage
) -> Iterator[str]:
    if passport.app != app:
        yield f"the passport is one of `{passport.app}`"
    content = ops.content(known.change.objects, place, passport, ())
    yield from policy.content_faults(known.policy, stage, place.path, content)


# --- single files ------------------------------------------------------------


def _file_faults(known: _Known) -> Iterator[Finding]:
    for path in known.touched:
        entry = known.change.entry(path)
        if entry is None:
            continue
        hostile = _hostile(path, entry) if _is_in_a_stage(known, path) else None
        if hostile:
            yield Finding(path, Rule.HOSTILE, hostile)
        elif path.endswith((".yaml", ".yml", ".json")) and entry.mode.startswith("100"):
            yield from _secrets(path, known.change.objects.blob(entry.oid))


def _is_in_a_stage(known: _Known, path: str) -> bool:
    """Whether a path lies below a stage; what is in a vendored chart is judged with that."""
    place = layout.parse_directory(known.shape, path)
    if place:
        return not _is_below(place.rest, layout.CHART)
    stages = (*known.policy.stages, *known.proposed.stages)
    return any(_is_below(path, layout.stage_directory(known.shape, s.name)) for s in stages)


_RENDERED = frozenset({"chart.yaml", "kustomization", "kustomization.yaml", "kustomization.yml"})


def _hostile(path: str, entry: Entry) -> str | None:
    """Why a file may not lie below a stage, whoever brings it."""
    name = posixpath.basename(path).casefold()
    if entry.mode == LINK_MODE:
        return "is a symbolic link; Argo CD would follow it"
    if entry.mode == SUBMODULE_MODE:
        return "is a submodule, and nobody reviews what is in there"
    if name in {".gitattributes", ".gitmodules"}:
        return "would steer git here, such as what a reviewer gets to see"
    if name.startswith(".argocd-source"):
        return "would be merged over the Argo CD Application"
    if name in _RENDERED and f"/{layout.SECRETS}/" in path:
        return f"makes Argo CD render `{layout.SECRETS}/`, and a render may change what is sealed"
    return None


def _secrets(path: str, raw: bytes) -> Iterator[Finding]:
    text = raw.decode("utf-8", "replace")
    if "{{" in text and f"/{layout.CHART}/" in path:
        return  # a template: what comes out of it is what counts
    for name in resources.plain_secrets(text):
        said = f"holds the Secret `{shown(name)}` in plain text; seal it, and replace its values"
        yield Finding(path, Rule.SECRET, said)


# --- what the cluster will be told -------------------------------------------

_Rendered = tuple[Difference | None, tuple[Finding, ...]]


def _rendered(known: _Known, helm: Callable[[], Helm]) -> Iterator[_Rendered]:
    """The difference of each touched directory, and what is wrong with it."""
    find, change = cache(helm), known.change
    for top, here in known.directories.items():
        if not here.has(layout.RELEASE, layout.OPS_VALUES):
            continue
        old = _target(known, change.base, top, here) if change.base else None
        new = _target(known, change.head, top, here)
        if old or new:
            yield _compared(find(), old, new, top=top, settings=known.policy.render)


def _target(known: _Known, commit: str, top: str, here: _Touched) -> Target | None:
    """What is rendered, None where a part is missing; that is told elsewhere."""
    files = known.change.objects.files(Place(commit, top))
    needed = {f"{layout.CHART}/Chart.yaml", layout.VALUES, layout.stage_values(here.stage)}
    if not needed <= files.keys():
        return None
    namespace = layout.namespace(known.shape, here.stage, here.app)
    return Target(files, here.stage, here.app, namespace)


def _compared(
    helm: Helm, old: Target | None, new: Target | None, *, top: str, settings: config.Render
) -> _Rendered:
    try:
        diff = _difference(helm, old, new, settings)
    except ConfigError as error:
        return None, (Finding(top, Rule.RENDER, error.message),)
    faults = tuple(
        Finding(top, Rule.SECRET, f"renders the Secret `{shown(name)}` in plain text; seal it")
        for name in diff.plain_secrets
    )
    return (Difference(top, diff) if diff.resources else None), faults


def _difference(
    helm: Helm, old: Target | None, new: Target | None, settings: config.Render
) -> RenderedDiff:
    """What broke before does not stop the one who mends it."""
    if new is None:
        before = render.render(helm, old, render=settings) if old else None
        return resources.diff(before, Manifests())
    try:
        return render.difference(helm, old, new, render=settings)
    except ConfigError:
        if old is None:
            raise
        return render.difference(helm, None, new, render=settings)

"""What the two `gitops-ci.yaml` files say, as frozen data with every default filled in.

Pure. `parse_*` takes a file's text and gives these types or one `ConfigError` with every finding;
the JSON Schemas in `schemas/` are the one validator, and their properties are these fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gitops_ci import names, yamldoc
from gitops_ci.schemas import KINDS, Fault, refuse, schema_text, validate
from gitops_ci.yamltree import Path, shown

__all__ = [
    "KINDS",
    "Application",
    "Commits",
    "Evidence",
    "ImageKeys",
    "Layout",
    "Merge",
    "OpsRepository",
    "Render",
    "Stage",
    "Sync",
    "default_application",
    "parse_application",
    "parse_ops",
    "schema_text",
    "validate",
]


class Merge(StrEnum):
    """Who merges a promotion into a stage, and after how many approvals."""

    AUTO = "auto"  # we, as soon as the gate is green
    APPROVED = "approved"  # we, when enough owners have approved
    MANUAL = "manual"  # a person presses the button


class Sync(StrEnum):
    """Who applies what is merged."""

    AUTO = "auto"
    MANUAL = "manual"


class Evidence(StrEnum):
    """What counts as a passed suite."""

    CLAIMED = "claimed"  # the dev pipeline says so
    VERIFIED = "verified"  # the ops side has read the job itself


@dataclass(frozen=True, slots=True)
class ImageKeys:
    """One image, and the dotted keys of values.yaml that it is written to."""

    name: str
    tag: str | None = None
    repository: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Application:
    """kind: Application, in the dev repository. Paths are relative to the file."""

    name: str
    ops_project: str | None = None
    chart: str = "deploy/chart"
    values: str = "deploy/values.yaml"
    stage_values: str = "deploy/values"
    images: tuple[ImageKeys, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage's policy. `after` is filled in with the stage before where the file names none."""

    name: str
    merge: Merge = Merge.APPROVED
    sync: Sync = Sync.MANUAL
    owners: tuple[str, ...] = ()
    approvals: int = 1  # 0 for merge: auto
    requires: tuple[str, ...] = ()
    evidence: Evidence = Evidence.CLAIMED
    after: tuple[str, ...] = ()
    allow_tags: bool = False
    secrets_sync: Sync = Sync.MANUAL  # default: the stage's own `sync`
    cluster: str = ""  # name of the Argo CD destination; default: the stage's name


@dataclass(frozen=True, slots=True)
class Layout:
    """Templates with `{stage}` and `{app}`."""

    path: str = "environments/{stage}/{app}"
    application: str = "{app}-{stage}"
    namespace: str = "{app}"


@dataclass(frozen=True, slots=True)
class Commits:
    """How our commits on the ops repository look; organisations have push rules."""

    name: str = "gitops-ci"
    email: str = "gitops-ci@noreply.invalid"
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Render:
    """What `helm template` is told, so that a review shows what Argo CD will apply."""

    kube_version: str = "1.34.0"
    api_versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OpsRepository:
    """kind: OpsRepository, at the root of the ops repository."""

    stages: tuple[Stage, ...]
    url: str | None = None  # what Argo CD clones; `init ops` writes it into the manifests
    layout: Layout = field(default_factory=Layout)
    commits: Commits = field(default_factory=Commits)
    render: Render = field(default_factory=Render)

    def stage(self, name: str) -> Stage | None:
        """The stage of that name."""
        return next((stage for stage in self.stages if stage.name == name), None)

    def following(self, name: str) -> tuple[Stage, ...]:
        """The stages that a release may enter once it has passed this one."""
        return tuple(stage for stage in self.stages if name in stage.after)


# --- kind: Application -------------------------------------------------------


def default_application(name: str) -> Application:
    """An application that says nothing but its name."""
    return Application(name, images=(ImageKeys(name, tag="image.tag"),))


def parse_application(text: str | bytes, *, source: str) -> Application:
    """Read `kind: Application`; `ConfigError` names file, line and path of every finding."""
    document = yamldoc.load(text, source=source)
    validate("application", document)
    value = document.value
    app = Application(
        ops_project=value.get("ops", {}).get("project"),
        images=_images(value),
        **_given(value, "name", "chart", "values", "stage-values"),
    )
    refuse("application", document, _application_faults(app))
    return app


def _images(value: Any) -> tuple[ImageKeys, ...]:
    if "images" not in value:
        return default_application(value["name"]).images
    return tuple(ImageKeys(item["name"], **item["values"]) for item in value["images"])


def _application_faults(app: Application) -> Iterator[Fault]:
    if fault := names.app_fault(app.name):
        yield ("name",), fault
    if app.ops_project and (fault := _project_fault(app.ops_project)):
        yield ("ops", "project"), fault
    for key, text in (
        ("chart", app.chart),
        ("values", app.values),
        ("stage-values", app.stage_values),
    ):
        if fault := _file_fault(text):
            yield (key,), fault
    yield from _repeated(("images", n, "name", image.name) for n, image in enumerate(app.images))
    yield from _clashing_keys(app.images)


def _project_fault(project: str) -> str | None:
    bad = [part for part in project.split("/") if ".." in part or _is_git(part)]
    return f"`{shown(bad[0])}` cannot be part of a project path" if bad else None


def _file_fault(path: str) -> str | None:
    inside = path.split("/")
    while inside and inside[0] == "..":
        inside = inside[1:]
    bad = [part for part in inside if part in {".", ".."} or _is_git(part)]
    return f"`{bad[0]}` cannot be part of this path" if bad else None


def _is_git(part: str) -> bool:
    return part.lower().rstrip(". ") in {".git", "git~1"}


def _clashing_keys(images: tuple[ImageKeys, ...]) -> Iterator[Fault]:
    """Two values cannot be written to one key, nor one inside the other."""
    taken: dict[str, Path] = {}
    for n, image in enumerate(images):
        for part in ("tag", "repository", "digest"):
            key: str | None = getattr(image, part)
            if key is None:
                continue
            path: Path = ("images", n, "values", part)
            if any(_within(key, other) or _within(other, key) for other in taken):
                yield path, f"`{shown(key)}` is written by another entry too"
            taken[key] = path


def _within(key: str, other: str) -> bool:
    return f"{key}.".startswith(f"{other}.")


# --- kind: OpsRepository -----------------------------------------------------


def parse_ops(text: str | bytes, *, source: str) -> OpsRepository:
    """Read `kind: OpsRepository`; `ConfigError` names file, line and path of every finding."""
    document = yamldoc.load(text, source=source)
    validate("ops-repository", document)
    value = document.value
    render = _given(value.get("render", {}), "kube-version", "api-versions")
    ops = OpsRepository(
        stages=tuple(_stages(value["stages"])),
        url=value.get("url"),
        layout=Layout(**value.get("layout", {})),
        commits=Commits(**value.get("commits", {})),
        render=Render(**render),
    )
    refuse("ops-repository", document, _ops_faults(ops))
    return ops


def _stages(values: list[Any]) -> Iterator[Stage]:
    before: tuple[str, ...] = ()
    for value in values:
        merge = Merge(value.get("merge", Merge.APPROVED))
        sync = Sync(value.get("sync", Sync.MANUAL))
        yield Stage(
            name=value["name"],
            merge=merge,
            sync=sync,
            approvals=value.get("approvals", 0 if merge is Merge.AUTO else 1),
            evidence=Evidence(value.get("evidence", Evidence.CLAIMED)),
            after=tuple(value.get("after", before)),
            secrets_sync=Sync(value.get("secrets-sync", sync)),
            cluster=value.get("cluster", value["name"]),
            **_given(value, "owners", "requires", "allow-tags"),
        )
        before = (value["name"],)


def _ops_faults(ops: OpsRepository) -> Iterator[Fault]:
    yield from _repeated(("stages", n, "name", stage.name) for n, stage in enumerate(ops.stages))
    for index, stage in enumerate(ops.stages):
        for path, message in _stage_faults(stage, ops.stages[:index]):
            yield ("stages", index, *path), message
    if ops.url is not None and (fault := _url_fault(ops.url)):
        yield ("url",), fault
    if fault := _path_fault(ops.layout.path, [stage.name for stage in ops.stages]):
        yield ("layout", "path"), fault
    if fault := _name_fault(ops.layout.application, ("{app}", "{stage}")):
        yield ("layout", "application"), fault
    if fault := _name_fault(ops.layout.namespace, ("{app}",)):
        yield ("layout", "namespace"), fault


def _stage_faults(stage: Stage, earlier: tuple[Stage, ...]) -> Iterator[Fault]:
    known = [other.name for other in earlier]
    if fault := names.stage_fault(stage.name):
        yield ("name",), fault
    if stage.merge is not Merge.AUTO and stage.approvals < 1:
        yield ("approvals",), f"`merge: {stage.merge}` needs at least 1, found {stage.approvals}"
    for index, parent in enumerate(stage.after):
        if parent not in known:
            found = ", ".join(f"`{name}`" for name in known) or "none"
            yield ("after", index), f"`{parent}` is no earlier stage; earlier are: {found}"
    for index, suite in enumerate(stage.requires):
        if fault := names.suite_fault(suite):
            yield ("requires", index), f"expected {fault}, found `{shown(suite)}`"


_CREDENTIAL = re.compile(r"https?://[^/]*@|(?:[a-z]+://)?[^/@]*:[^/@]*@")
_HOST = r"[A-Za-z0-9][A-Za-z0-9.-]*"
_USER = r"[A-Za-z0-9_][A-Za-z0-9._-]*@"
_URL = re.compile(
    rf"(?:https://|ssh://(?:{_USER})?){_HOST}(?::[0-9]{{1,5}})?/[^\s?#]+"
    rf"|file:///[^\s?#]+"
    rf"|{_USER}{_HOST}:[A-Za-z0-9_~/.][^\s?#]*"
)


def _url_fault(url: str) -> str | None:
    if _CREDENTIAL.match(url):
        return "contains a credential; Argo CD has repository secrets for that"
    if not _URL.fullmatch(url):
        return "expected `https://…`, `ssh://…`, `file:///…` or `git@host:group/project.git`"
    return None


_SEGMENT = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*")
_OURS = frozenset({".github", ".gitlab", "argocd", "holds"})


def _path_fault(template: str, stages: list[str]) -> str | None:
    """Why `template` cannot be the directory of an application in a stage."""
    segments = template.split("/")
    for placeholder in ("{stage}", "{app}"):
        if template.count(placeholder) != 1 or placeholder not in segments:
            return f"expected `{placeholder}` exactly once, as a whole part of the path"
    fixed = [part for part in segments if part not in {"{stage}", "{app}"}]
    for part in fixed:
        if not part:
            return "is absolute, or has an empty part"
        if not _SEGMENT.fullmatch(part) or set(part) == {"."} or _is_git(part):
            return f"`{shown(part)}` cannot be part of the path"
    first = stages if segments[0] == "{stage}" else segments[:1]
    taken = sorted(_OURS & {part.lower() for part in first})
    return f"`{taken[0]}/` has another use in an ops repository" if taken else None


def _name_fault(template: str, required: tuple[str, ...]) -> str | None:
    """Why `template` cannot make DNS names out of stage and application."""
    for placeholder in required:
        if placeholder not in template:
            return f"expected `{placeholder}` in it, found `{shown(template)}`"
    sample = template.replace("{app}", "a").replace("{stage}", "s")
    if not re.fullmatch(names.DNS_LABEL, sample):
        allowed = "`{app}`, `{stage}`, lower case letters, digits and `-`"
        return f"expected {allowed}, found `{shown(template)}`"
    return None


# --- both --------------------------------------------------------------------


def _given(value: Any, *keys: str) -> dict[str, Any]:
    """The fields that a file names, lists frozen; the others keep the dataclass' default."""
    return {
        key.replace("-", "_"): tuple(value[key]) if isinstance(value[key], list) else value[key]
        for key in keys
        if key in value
    }


def _repeated(entries: Iterable[tuple[str, int, str, str]]) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for collection, index, key, name in entries:
        if name in first:
            message = f"`{shown(name)}` is the name of `{collection}[{first[name]}]` already"
            yield (collection, index, key), message
        first.setdefault(name, index)

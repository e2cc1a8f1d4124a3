"""What the two `gitops-ci.yaml` files say, as frozen data with every default filled in.

Pure. `parse_*` takes a file's text and gives these types or one `ConfigError` with every finding;
the JSON Schemas in `schemas/` are the one validator, and their properties are these fields.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


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

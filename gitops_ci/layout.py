"""Where things lie in an ops repository, and who writes them.

Pure. Knows the path templates and nothing of what stands in the files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from gitops_ci.config import Layout
from gitops_ci.names import app_fault, stage_fault

CONFIG = "gitops-ci.yaml"
HOLDS = "holds"
ARGOCD = "argocd"
ROOT_APPLICATION = "gitops-ci-root"  # the Application that applies `argocd/`

# In the directory of one application in one stage:
PASSPORT = "release.yaml"
RELEASE = "release"
CHART = "release/chart"
VALUES = "release/values.yaml"
OPS_VALUES = "values-ops.yaml"
SECRETS = "secrets"

SEALING_CERT = "sealing-cert.pem"  # in the directory of a stage

_RESERVED = frozenset({ARGOCD, HOLDS})  # top folders that belong to no application
_PLACEHOLDERS = frozenset({"{stage}", "{app}"})
_REST = "/"


class Writer(StrEnum):
    """Who alone may change a file."""

    CI = "ci"
    OPERATIONS = "operations"
    PLATFORM = "platform"


class Place(NamedTuple):
    """A path of the ops repository; `rest` is empty for the directory itself."""

    stage: str
    app: str
    rest: str


def stage_values(stage: str) -> str:
    """The file of a release that configures one stage."""
    return f"release/values/{stage}.yaml"


def directory(layout: Layout, stage: str, app: str) -> str:
    """The directory of one application in one stage."""
    return _filled(layout.path, stage, app)


def application(layout: Layout, stage: str, app: str) -> str:
    """The name of the Argo CD Application."""
    return _filled(layout.application, stage, app)


def secrets_application(layout: Layout, stage: str, app: str) -> str:
    """The name of the Argo CD Application of the sealed secrets."""
    return f"{application(layout, stage, app)}-{SECRETS}"


def namespace(layout: Layout, stage: str, app: str) -> str:
    """The namespace that the application is deployed to."""
    return _filled(layout.namespace, stage, app)


def stage_directory(layout: Layout, stage: str) -> str:
    """Where the files of a whole stage lie: the path without `{app}`, down to the stage."""
    return _filled(_stage_path(layout), stage, "")


def sealing_cert(layout: Layout, stage: str) -> str:
    """The public certificate that secrets of this stage are sealed against."""
    return f"{stage_directory(layout, stage)}/{SEALING_CERT}"


def stage_glob(layout: Layout, stage: str) -> str:
    """What matches every directory of the stage, and everything in them lies below."""
    return _filled("/".join(_down_to_stage(layout)), stage, "*")


def glob(layout: Layout, stage: str = "*") -> str:
    """What matches the directories of all applications of one stage, or of all stages."""
    return directory(layout, stage, "*")


def app_segment(layout: Layout) -> int:
    """Which folder of the path is the application, from 0."""
    return layout.path.split("/").index("{app}")


def _filled(template: str, stage: str, app: str) -> str:
    return template.replace("{stage}", stage).replace("{app}", app)


def _stage_path(layout: Layout) -> str:
    return "/".join(segment for segment in _down_to_stage(layout) if segment != "{app}")


def _down_to_stage(layout: Layout) -> list[str]:
    segments = layout.path.split("/")
    return segments[: segments.index("{stage}") + 1]


def parse_directory(layout: Layout, path: str) -> Place | None:
    """The stage and application that a path belongs to, None where it belongs to none."""
    found = _matched(layout.path, path)
    if not found or path.split("/", 1)[0] in _RESERVED:
        return None
    stage, app, rest = found["{stage}"], found["{app}"], found[_REST]
    return None if stage_fault(stage) or app_fault(app) else Place(stage, app, rest)


def _matched(template: str, path: str) -> dict[str, str] | None:
    """What stands for each segment of the template, and the rest of the path."""
    said, segments = template.split("/"), path.split("/")
    if not _is_plain(path) or len(segments) < len(said):
        return None
    pairs = tuple(zip(said, segments, strict=False))
    if any(name != segment and name not in _PLACEHOLDERS for name, segment in pairs):
        return None
    return dict(pairs) | {_REST: "/".join(segments[len(said) :])}


def _is_plain(path: str) -> bool:
    return not any(segment in {"", ".", ".."} for segment in path.split("/"))


def owner(layout: Layout, path: str) -> Writer:
    """Who writes a path; whatever nobody else is known to write belongs to the platform."""
    place = parse_directory(layout, path)
    if place:
        return _owner_in_directory(place.rest)
    if not _is_plain(path):
        return Writer.PLATFORM
    if path.startswith(f"{HOLDS}/") or _is_sealing_cert(layout, path):
        return Writer.OPERATIONS
    return Writer.PLATFORM


def _owner_in_directory(rest: str) -> Writer:
    if rest == PASSPORT or _is_below(rest, RELEASE):
        return Writer.CI
    if rest == OPS_VALUES or _is_below(rest, SECRETS):
        return Writer.OPERATIONS
    return Writer.PLATFORM


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _is_sealing_cert(layout: Layout, path: str) -> bool:
    found = _matched(f"{_stage_path(layout)}/{SEALING_CERT}", path)
    return found is not None and not found[_REST] and not stage_fault(found["{stage}"])


def clashes(layout: Layout, places: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Each (stage, app) that would share an Application or a directory with another one.

    Upper and lower case count as equal. So do names that are taken by ourselves.
    """
    users: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for stage, app in set(places):
        for claim in _claims(layout, stage, app):
            users[claim.casefold()].add((stage, app))
    met = (pairs for claim, pairs in users.items() if len(pairs) > 1 or claim in _TAKEN)
    return tuple(sorted({pair for pairs in met for pair in pairs}))


_TAKEN = frozenset({f"application {ROOT_APPLICATION}", *(f"top {name}" for name in _RESERVED)})


def _claims(layout: Layout, stage: str, app: str) -> tuple[str, ...]:
    """What only one application in one stage may have, as text."""
    place = directory(layout, stage, app)
    top = place.split("/", 1)[0]
    return (
        f"directory {place}",
        f"application {application(layout, stage, app)}",
        f"application {secrets_application(layout, stage, app)}",
        *((f"top {top}",) if top.casefold() in _RESERVED else ()),
    )

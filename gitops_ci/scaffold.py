"""What `init` puts into a repository: the files as data, and writing those that are missing.

A file that is there already is never touched. Knows nothing of git and of the command line.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import pairwise
from pathlib import Path
from posixpath import normpath

from gitops_ci import files, manifests, names
from gitops_ci import layout as paths
from gitops_ci.config import Application, OpsRepository
from gitops_ci.errors import ConfigError
from gitops_ci.manifests import Source, Teams, scalar

STAGES = ("itg", "tst", "perf", "prod")
SCHEMAS = "https://gitops-ci.dev/schemas/v1"

_SUITES = {  # what a release has to pass in a stage before it enters the next one
    "itg": ("integration-tests",),
    "tst": ("acceptance-tests", "functional-tests"),
    "perf": ("performance-tests",),
}
_WRAP = ",\n     "
_CHART_FILES = ("templates/deployment.yaml", "templates/service.yaml", "values.yaml", "Chart.yaml")


class Forge(StrEnum):
    """Whose pipelines and code owners a repository uses."""

    GITLAB = "gitlab"
    GITHUB = "github"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that `init` wants. A `seed` belongs to the user as soon as it is there."""

    path: str
    text: str
    seed: bool = False


class Change(StrEnum):
    """How a wanted file and the repository stand to each other."""

    CREATE = "create"
    UNCHANGED = "unchanged"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True)
class Planned:
    """One wanted file, and what is to be done about it."""

    file: NewFile
    change: Change


# --- the dev repository


def app_name(folder: str) -> str:
    """An application's name made of a folder's name."""
    plain = unicodedata.normalize("NFKD", folder).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[: names.APP_LIMIT].rstrip("-")
    if fault := names.app_fault(name):
        raise ConfigError(
            f"the folder's name `{folder}` gives no name for an application: {fault}",
            hint="name it: `gitops-ci init app --name shop-web`",
        )
    return name


def app_config(name: str, *, ops_project: str | None = None) -> str:
    """The text of a new dev repository's `gitops-ci.yaml`."""
    project = scalar(ops_project) if ops_project else "platform/shop-ops"
    ops = f"ops:\n  project: {project} # where promotions are proposed\n"
    return f"""\
{_head("Application")}\
name: {scalar(name)}
{ops if ops_project else _commented(ops)}\
# These are the defaults:
# chart: deploy/chart
# values: deploy/values.yaml
# stage-values: deploy/values
"""


def files_for_app(
    app: Application, *, config: str, stages: Iterable[str] = STAGES, with_chart: bool = True
) -> tuple[NewFile, ...]:
    """Everything of a dev repository; all of it belongs to the user once it is there.

    What the configuration places outside of the repository's folder is left to whoever has it
    there. The chart's `Chart.yaml` comes last: a chart that has one is complete.
    """
    texts = {paths.CONFIG: config, app.values: _values(app.name)}
    texts |= {f"{app.stage_values}/{stage}.yaml": _stage_values(stage) for stage in stages}
    if with_chart:
        texts |= {f"{app.chart}/{name}": _chart_file(name, app.name) for name in _CHART_FILES}
    inside = {normpath(path): text for path, text in texts.items()}
    return tuple(
        NewFile(path, text, seed=True)
        for path, text in inside.items()
        if not path.startswith("../")
    )


def sample() -> dict[str, bytes]:
    """The files of a small application to play with, by path."""
    return dict(_content(resources.files("gitops_ci").joinpath("templates", "sample")))


def _content(folder: Traversable, prefix: str = "") -> Iterable[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _content(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry.read_bytes()


def _values(name: str) -> str:
    return f"""\
# The configuration of {name}, the same in every stage.
image:
  repository: {scalar(f"registry.example.com/{name}")}
  tag: unset # written by gitops-ci, with the digest
"""


def _stage_values(stage: str) -> str:
    return f"""\
# What is different in the stage {stage}. No secrets: those are sealed in the ops repository.
replicas: 1
config: {{}}
"""


def _chart_file(path: str, name: str) -> str:
    text = resources.files("gitops_ci").joinpath("templates", "chart", path).read_text("utf-8")
    return text.replace("APPLICATION", scalar(name))


# --- the ops repository


def ops_config(url: str, stages: tuple[str, ...] = STAGES) -> str:
    """The text of a new ops repository's `gitops-ci.yaml`: the first stage is automatic."""
    check_stages(stages)
    lines = (
        f"  - {{name: {scalar(stages[0])}, merge: auto, sync: auto}}",
        *(_reviewed(stage, before, stage == stages[-1]) for before, stage in pairwise(stages)),
    )
    listed = "\n".join(lines)
    return f"""\
{_head("OpsRepository")}\
url: {scalar(url)} # what Argo CD clones
# A release passes the stages in this order. `requires` must have passed in the stage before.
stages:
{listed}
"""


def check_stages(stages: tuple[str, ...]) -> None:
    """Refuse names that cannot be stages; there must be one at least, each of them once."""
    faults = [f"stage `{s}`: {fault}" for s in stages if (fault := names.stage_fault(s))]
    faults += [f"stage `{s}` is named twice" for s in dict.fromkeys(stages) if stages.count(s) > 1]
    if not stages:
        faults = ["at least one stage is needed"]
    if faults:
        raise ConfigError(*faults, hint="for example `--stages itg,tst,prod`")


def _reviewed(stage: str, before: str, is_last: bool) -> str:
    owners = scalar(f"{stage}-owners")
    suites = ", ".join(_SUITES.get(before, ()))
    keys = [f"name: {scalar(stage)}, merge: approved, sync: manual, owners: [{owners}]"]
    keys += [f"requires: [{suites}]"] if suites else []
    keys += ["approvals: 2, evidence: verified"] if is_last else []
    return f"  - {{{_WRAP.join(keys)}}}"


def files_for_ops(
    ops: OpsRepository, source: Source, *, config: str, forge: Forge, teams: Teams
) -> tuple[NewFile, ...]:
    """Everything of an ops repository, as its configuration says."""
    owners = {
        Forge.GITLAB: (manifests.GITLAB_CODEOWNERS, manifests.gitlab_codeowners),
        Forge.GITHUB: (manifests.GITHUB_CODEOWNERS, manifests.github_codeowners),
    }
    return (
        NewFile(paths.CONFIG, config, seed=True),
        NewFile(f"{paths.HOLDS}/README.md", _HOLDS, seed=True),
        NewFile(manifests.GITATTRIBUTES, manifests.gitattributes(ops)),
        *(
            NewFile(path, text(ops, teams))
            for kind, (path, text) in owners.items()
            if forge in {kind, Forge.BOTH}
        ),
        *(NewFile(path, text) for path, text in manifests.argocd(ops, source)),
    )


def group_of(url: str) -> str:
    """The group or organisation that a repository's address names, empty where it names none."""
    path = re.sub(r"^[a-z+]+://[^/]*/|^[^/]*:", "", url)
    return "" if url.startswith("file:") else path.rpartition("/")[0].strip("/")


_HOLDS = """\
# Holds

A file here stops a release, an application or a whole stage, until the file is removed:

```yaml
# yaml-language-server: $schema=https://gitops-ci.dev/schemas/v1/hold.schema.json
apiVersion: gitops-ci/v1
kind: Hold
stage: prod # and, or instead: `app: shop-web`, `release: shop-web-2.14.0-4be1c07d2a91`
reason: quarter end
owner: olaf
```

Name it as you like, `holds/quarter-end.yaml`, and merge it: from then on nothing that it names is
merged. A hold on a release stops its proposals too.
"""


def _head(kind: str) -> str:
    schema = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind).lower()
    return f"""\
# yaml-language-server: $schema={SCHEMAS}/{schema}.schema.json
apiVersion: gitops-ci/v1
kind: {kind}
"""


def _commented(text: str) -> str:
    return "".join(f"# {line}\n" for line in text.splitlines())


# --- looking and writing


def look(root: Path, paths_wanted: Iterable[str]) -> dict[str, bytes]:
    """The files of these paths that are there; a link that leads nowhere is there and empty."""
    found = {}
    for path in paths_wanted:
        place = root / path
        with files.told("read", place):
            exists, leads_nowhere = place.exists(), place.is_symlink() and not place.exists()
        if exists or leads_nowhere:
            found[path] = files.read_bytes(place) if exists else b""
    return found


def forge_of(root: Path) -> Forge:
    """The forge whose file of code owners is the only one there, else both."""
    there = look(root, (manifests.GITLAB_CODEOWNERS, manifests.GITHUB_CODEOWNERS))
    match tuple(there):
        case (manifests.GITLAB_CODEOWNERS,):
            return Forge.GITLAB
        case (manifests.GITHUB_CODEOWNERS,):
            return Forge.GITHUB
    return Forge.BOTH


def stray(root: Path, wanted: Iterable[NewFile]) -> tuple[str, ...]:
    """Manifests of ours beside the wanted ones, of stages that are gone; Argo CD applies them."""
    known = {file.path: file.text for file in wanted if file.path.startswith(f"{paths.ARGOCD}/")}
    ours = {_first_line(path, text) for path, text in known.items()}
    folder = root / paths.ARGOCD
    found = files.walk(folder).files if folder.is_dir() else {}
    there = {f"{paths.ARGOCD}/{name}": content for name, content in found.items()}
    return tuple(
        path
        for path, content in there.items()
        if path not in known and _first_line(path, content.decode("utf-8", "replace")) in ours
    )


def _first_line(path: str, text: str) -> str:
    """What a manifest says of itself, without its stage."""
    stage = path.rpartition("/")[2].removesuffix(".yaml")
    return text.splitlines()[0].replace(f" {stage} ", " ") if text else ""


def plan(found: Mapping[str, bytes], wanted: Iterable[NewFile]) -> tuple[Planned, ...]:
    """What to do about each file; line endings do not count as a difference."""
    return tuple(Planned(file, _change(found.get(file.path), file)) for file in wanted)


def _change(content: bytes | None, file: NewFile) -> Change:
    if content is None:
        return Change.CREATE
    if file.seed or content.replace(b"\r\n", b"\n") == file.text.encode():
        return Change.UNCHANGED
    return Change.DIFFERS


def write(root: Path, planned: Iterable[Planned]) -> None:
    """Write what is missing, in the order of the plan; another run completes a broken one."""
    for step in planned:
        if step.change is Change.CREATE:
            files.write_text(files.below(root, step.file.path), step.file.text)

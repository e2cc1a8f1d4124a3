"""The files that tell Argo CD and the forge what an ops repository is, as text.

Pure. Made from the configuration alone, so the same configuration gives the same bytes. Foreign
values enter YAML through `scalar` or `templated`, and line formats only after a check.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gitops_ci import layout as paths
from gitops_ci.config import Layout, Merge, OpsRepository, Stage, Sync
from gitops_ci.errors import ConfigError
from gitops_ci.names import stage_fault

ROOT = f"{paths.ARGOCD}/root.yaml"
GITLAB_CODEOWNERS = ".gitlab/CODEOWNERS"
GITHUB_CODEOWNERS = ".github/CODEOWNERS"
GITATTRIBUTES = ".gitattributes"

_PLAIN = re.compile(r"[a-z][a-z0-9-]*")
_YAML_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_URL = re.compile(r"(?:[a-z][a-z0-9+.-]*://|[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:)[!-~]+")
_SECRET_IN_URL = re.compile(r"https?://[^/]*@|[a-z+]+://[^/]*:[^/]*@")
_ADDRESS = "as in `https://git.example.com/shop/ops.git` or `git@git.example.com:shop/ops.git`"
_TEMPLATE = re.compile(r"(?:\{stage\}|\{app\}|[A-Za-z0-9._/-])+")
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+-]*")
_MENTION = re.compile(r"@[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
_OWN_PROJECTS = frozenset({"platform", "default"})  # ours, and the one Argo CD is born with


@dataclass(frozen=True, slots=True)
class Source:
    """The ops repository as Argo CD clones it; `ConfigError` where that cannot be written down."""

    url: str
    branch: str = "main"

    def __post_init__(self) -> None:
        if not _URL.fullmatch(self.url):
            raise ConfigError(f"`{self.url}` is not the address of a repository", hint=_ADDRESS)
        if _SECRET_IN_URL.match(self.url):
            raise ConfigError(
                "the repository's address carries credentials, and manifests are read by many",
                hint="leave them out, and give Argo CD the credentials itself: `argocd repo add`",
            )
        if not _BRANCH.fullmatch(self.branch):
            raise ConfigError(f"`{self.branch}` is not the name of a branch")


@dataclass(frozen=True, slots=True)
class Teams:
    """Who owns what no stage owns. Without a slash a name is completed with `group`."""

    platform: str = "platform"
    operations: str = "operations"
    group: str = ""


def check(ops: OpsRepository) -> None:
    """Refuse what cannot be written down: stages that share an AppProject, odd templates."""
    layout = ops.layout
    for template in (layout.path, layout.application, layout.namespace):
        if not _TEMPLATE.fullmatch(template):
            raise ConfigError(f"`{template}` cannot stand in manifests")
    taken = set(_OWN_PROJECTS)
    for stage in ops.stages:
        if fault := stage_fault(stage.name):
            raise ConfigError(f"stage `{stage.name}`: {fault}")
        for project in (stage.name, f"{stage.name}-{paths.SECRETS}"):
            if project in taken:
                raise ConfigError(
                    f"stage `{stage.name}` needs the AppProject `{project}`, which is taken",
                    hint="give the stage another name",
                )
            taken.add(project)


def argocd(ops: OpsRepository, source: Source) -> tuple[tuple[str, str], ...]:
    """Every manifest as (path, text); `argocd/root.yaml` is the one applied by hand."""
    check(ops)
    return (
        (ROOT, root(source)),
        *((f"{paths.ARGOCD}/projects/{s.name}.yaml", projects(s, source)) for s in ops.stages),
        *(
            (f"{paths.ARGOCD}/applicationsets/{s.name}.yaml", sets(s, ops.layout, source))
            for s in ops.stages
        ),
    )


# --- YAML scalars


def scalar(text: str) -> str:
    """Text as a YAML scalar that every reader of YAML 1.1 or 1.2 takes for the same text."""
    if _PLAIN.fullmatch(text) and text not in _YAML_WORDS:
        return text
    return '"' + "".join(_escaped(character) for character in text) + '"'


def templated(text: str) -> str:
    """The same inside an ApplicationSet's template, where Argo CD would run `{{ … }}`."""
    return scalar(text.replace("{{", '{{"{{"}}'))


def _escaped(character: str) -> str:
    if character in {'"', "\\"}:
        return "\\" + character
    if " " <= character <= "~":
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\U{code:08x}"


# --- Argo CD


def root(source: Source) -> str:
    """The project and the Application that apply everything else below `argocd/`."""
    return f"""\
# Apply this file once by hand: kubectl apply -f {ROOT}
# From then on Argo CD applies the rest of this folder itself, whenever it changes.
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata:
  name: platform
  namespace: argocd
spec:
  sourceRepos:
    - {scalar(source.url)}
  destinations:
    - server: https://kubernetes.default.svc
      namespace: argocd
  namespaceResourceWhitelist: # nothing but these two kinds
    - group: argoproj.io
      kind: AppProject
    - group: argoproj.io
      kind: ApplicationSet
---
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: {paths.ROOT_APPLICATION}
  namespace: argocd
spec:
  project: platform
  source:
    repoURL: {scalar(source.url)}
    targetRevision: {scalar(source.branch)}
    path: {paths.ARGOCD}
    directory:
      recurse: true
      exclude: root.yaml
  destination:
    server: https://kubernetes.default.svc
    namespace: argocd
  syncPolicy:
    automated:
      prune: false # a file deleted by mistake removes no stage
      selfHeal: true
    syncOptions:
      - ServerSideApply=true
"""


def projects(stage: Stage, source: Source) -> str:
    """What the applications and the sealed secrets of one stage may do, and who may sync."""
    return f"{_project(stage, source)}---\n{_secrets_project(stage, source)}"


def _project(stage: Stage, source: Source) -> str:
    return f"""\
# What applications of the stage {stage.name} may do: come from this repository, go to this cluster.
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata:
  name: {scalar(stage.name)}
  namespace: argocd
  annotations:
    argocd.argoproj.io/sync-wave: "-1" # before the ApplicationSets that name it
{_project_spec(stage, source)}\
  namespaceResourceBlacklist: # secrets come from the other project below
    - group: ""
      kind: Secret
    - group: bitnami.com
      kind: SealedSecret
  roles:
{_ci_role(stage.name)}{_owner_role(stage)}"""


def _secrets_project(stage: Stage, source: Source) -> str:
    name = f"{stage.name}-{paths.SECRETS}"
    return f"""\
# Sealed secrets are synced apart from the applications, and nothing else is.
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata:
  name: {scalar(name)}
  namespace: argocd
  annotations:
    argocd.argoproj.io/sync-wave: "-1"
{_project_spec(stage, source)}\
  namespaceResourceWhitelist:
    - group: bitnami.com
      kind: SealedSecret
  roles:
{_ci_role(name)}"""


def _project_spec(stage: Stage, source: Source) -> str:
    return f"""\
spec:
  sourceRepos:
    - {scalar(source.url)}
  destinations: # one rule, negated: two rules would let the excluded namespaces in
    - name: {scalar(_cluster(stage))}
      namespace: "!{{kube-*,argocd}}"
  clusterResourceWhitelist: # for CreateNamespace
    - group: ""
      kind: Namespace
"""


def _ci_role(project: str) -> str:
    return f"""\
    - name: ci # gitops-ci looks and never syncs
      policies:
        - {scalar(_policy(project, "ci", "get"))}
"""


def _owner_role(stage: Stage) -> str:
    if not stage.owners:
        return ""
    groups = "".join(f"        - {scalar(owner)}\n" for owner in stage.owners)
    return f"""\
    - name: owner # sees the stage and presses Sync
      groups:
{groups}\
      policies:
        - {scalar(_policy(stage.name, "owner", "get"))}
        - {scalar(_policy(stage.name, "owner", "sync"))}
"""


def _policy(project: str, role: str, action: str) -> str:
    return f"p, proj:{project}:{role}, applications, {action}, {project}/*, allow"


def sets(stage: Stage, layout: Layout, source: Source) -> str:
    """The ApplicationSets of one stage: one for the releases, one for the sealed secrets."""
    return f"{_apps_set(stage, layout, source)}---\n{_secrets_set(stage, layout, source)}"


def _apps_set(stage: Stage, layout: Layout, source: Source) -> str:
    app = _app_name(layout)
    return f"""\
# One Application for every directory of the stage {stage.name} that holds a release.
# The directory is the whole truth: nothing that is promoted stands in this file.
{_set_head(f"{stage.name}-apps", stage, layout, source, holds=paths.CHART)}\
  template:
    metadata:
      name: {scalar(paths.application(layout, stage.name, app))}
      labels:
        gitops-ci/stage: {scalar(stage.name)}
        gitops-ci/app: {scalar(app)}
      annotations:
{_paths_annotation("../..", stage.sync)}\
        notifications.argoproj.io/subscribe.gitops-ci.gitops-ci: ""
    spec:
      project: {scalar(stage.name)} # never from a template
      source:
        repoURL: {templated(source.url)}
        targetRevision: {templated(source.branch)}
        path: "{{{{.path.path}}}}"
        helm:
          releaseName: {scalar(app)}
          valueFiles: # the last one wins
            - ../values.yaml
            - {scalar(f"../values/{stage.name}.yaml")}
            - ../../{paths.OPS_VALUES}
          ignoreMissingValueFiles: true # most have no {paths.OPS_VALUES}
{_destination(stage, layout)}\
      syncPolicy:
{_apps_automation(stage)}\
        syncOptions:
          - CreateNamespace=true
          - ServerSideApply=true
"""


def _secrets_set(stage: Stage, layout: Layout, source: Source) -> str:
    name = paths.secrets_application(layout, stage.name, _app_name(layout))
    project = f"{stage.name}-{paths.SECRETS}"
    return f"""\
# One Application for every directory of sealed secrets.
{_set_head(project, stage, layout, source, holds=paths.SECRETS)}\
  template:
    metadata:
      name: {scalar(name)}
{_secrets_annotations(stage)}\
    spec:
      project: {scalar(project)}
      source:
        repoURL: {templated(source.url)}
        targetRevision: {templated(source.branch)}
        path: "{{{{.path.path}}}}"
{_destination(stage, layout)}\
      syncPolicy:
{_secrets_automation(stage)}\
        syncOptions:
          - CreateNamespace=true
"""


def _set_head(name: str, stage: Stage, layout: Layout, source: Source, *, holds: str) -> str:
    return f"""\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata:
  name: {scalar(name)}
  namespace: argocd
spec:
  goTemplate: true
  goTemplateOptions:
    - missingkey=error
  generators:
    - git:
        repoURL: {scalar(source.url)}
        revision: {scalar(source.branch)}
        directories:
          - path: {scalar(f"{paths.glob(layout, stage.name)}/{holds}")}
  syncPolicy:
    applicationsSync: create-update # never deletes an Application
    preserveResourcesOnDeletion: true
"""


def _destination(stage: Stage, layout: Layout) -> str:
    return f"""\
      destination:
        name: {templated(_cluster(stage))}
        namespace: {scalar(paths.namespace(layout, stage.name, _app_name(layout)))}
"""


def _paths_annotation(covers: str, sync: Sync) -> str:
    """Saves rendering, relative to the source path. Not with automated sync.

    There Argo CD loses hooks, or a whole release, that lands while an operation still runs.
    """
    if sync is Sync.AUTO:
        return ""
    return f"        argocd.argoproj.io/manifest-generate-paths: {scalar(covers)}\n"


def _secrets_annotations(stage: Stage) -> str:
    annotation = _paths_annotation(".", stage.secrets_sync)
    return f"      annotations:\n{annotation}" if annotation else ""


def _apps_automation(stage: Stage) -> str:
    if stage.sync is Sync.MANUAL:
        return ""
    return """\
        automated:
          prune: true
          selfHeal: true
        retry:
          limit: 5
          refresh: true # a retry takes what is merged by then
"""


def _secrets_automation(stage: Stage) -> str:
    if stage.secrets_sync is Sync.MANUAL:
        return ""
    return """\
        automated:
          prune: false # a secret goes only when somebody removes it
          selfHeal: true
"""


def _app_name(layout: Layout) -> str:
    """How an ApplicationSet's template says the application's name: a folder of the path."""
    return f"{{{{index .path.segments {paths.app_segment(layout)}}}}}"


def _cluster(stage: Stage) -> str:
    return stage.cluster or stage.name


# --- The forge


def gitlab_codeowners(ops: OpsRepository, teams: Teams) -> str:
    """Sections add up: a change needs the owners of each section that it touches."""
    check(ops)
    blocks = [
        "# Who must approve what. Needs GitLab Premium; each section is asked on its own.",
        _section("Platform", (teams.platform,), 1, teams),
        *_platform_paths("gitlab"),
    ]
    for stage in _owned(ops):
        blocks += [
            _section(stage.name.upper(), stage.owners, stage.approvals, teams),
            _stage_path(ops, stage),
        ]
    blocks += [_section("Operations", (teams.operations,), 1, teams), *_operations_paths(ops)]
    return "\n".join(blocks) + "\n"


def github_codeowners(ops: OpsRepository, teams: Teams) -> str:
    """The last line that matches a file names its owners; one of them is asked."""
    check(ops)
    platform, operations = _mention(teams.platform, teams), _mention(teams.operations, teams)
    lines = [
        "# Who must approve what. The last line that matches a file counts.",
        *(f"{path} {platform}" for path in _platform_paths("github")),
        *(
            " ".join((_stage_path(ops, stage), *(_mention(o, teams) for o in stage.owners)))
            for stage in _owned(ops)
        ),
        *(f"{path} {operations}" for path in _operations_paths(ops)),
    ]
    return "\n".join(lines) + "\n"


def _owned(ops: OpsRepository) -> tuple[Stage, ...]:
    """Stages where code owners approve; a rule on an automatic one would block every merge."""
    return tuple(stage for stage in ops.stages if stage.owners and stage.merge is not Merge.AUTO)


def _section(name: str, owners: tuple[str, ...], approvals: int, teams: Teams) -> str:
    count = f"[{approvals}]" if approvals > 1 else ""
    return " ".join((f"[{name}]{count}", *(_mention(owner, teams) for owner in owners)))


def _mention(owner: str, teams: Teams) -> str:
    alone = owner.startswith("@") or "/" in owner or not teams.group
    mention = f"@{owner.removeprefix('@')}" if alone else f"@{teams.group}/{owner}"
    if not _MENTION.fullmatch(mention):
        raise ConfigError(
            f"`{owner}` cannot stand in CODEOWNERS",
            hint="name a group, a team or a user with letters, digits, `.`, `_`, `-` and `/`",
        )
    return mention


def _platform_paths(forge: str) -> tuple[str, ...]:
    own = {"gitlab": ("/.gitlab/", "/.gitlab-ci.yml"), "github": ("/.github/",)}
    return (f"/{paths.ARGOCD}/", f"/{paths.CONFIG}", f"/{GITATTRIBUTES}", *own[forge])


def _stage_path(ops: OpsRepository, stage: Stage) -> str:
    return f"/{paths.stage_glob(ops.layout, stage.name)}/"


def _operations_paths(ops: OpsRepository) -> tuple[str, ...]:
    anywhere = f"/{paths.glob(ops.layout)}"
    return (
        f"/{paths.HOLDS}/",
        f"/{paths.sealing_cert(ops.layout, '*')}",
        f"{anywhere}/{paths.OPS_VALUES}",
        f"{anywhere}/{paths.SECRETS}/",
    )


def gitattributes(ops: OpsRepository) -> str:
    """Bytes stay as they were promoted, and a review folds what it need not read."""
    check(ops)
    anywhere = f"/{paths.glob(ops.layout)}"
    folded = "gitlab-generated linguist-generated"
    lines = [
        "# A release is its bytes: no line ending is ever converted.",
        f"/{_fixed_part(ops.layout) or anywhere[1:]}/** -text",
        "# Folded in a review: the chart, and what configures other stages.",
        f"{anywhere}/{paths.CHART}/** {folded}",
        f"{anywhere}/{paths.stage_values('*')} {folded}",
        "# Open in a review: what configures the stage itself.",
        *(_own_values(ops.layout, stage.name) for stage in ops.stages),
    ]
    return "\n".join(lines) + "\n"


def _own_values(layout: Layout, stage: str) -> str:
    path = f"{paths.glob(layout, stage)}/{paths.stage_values(stage)}"
    return f"/{path} -gitlab-generated -linguist-generated"


def _fixed_part(layout: Layout) -> str:
    """The folders above the first placeholder."""
    return layout.path.partition("{")[0].rpartition("/")[0]

"""Ops repositories of any size in the default layout, true to the last object id.

One `git fast-import` writes one commit; the tree ids that passports name are computed beforehand.
Every text comes from a function that can be exchanged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from tests.support.builder import AUTHOR, FROZEN, data, git, init, quoted

STAGES = ("itg", "tst", "perf", "prod")

POLICY = """\
apiVersion: gitops-ci/v1
kind: OpsRepository
stages:
  - {name: itg, merge: auto, sync: auto}
  - {name: tst, merge: approved, sync: manual, owners: [tst-owners], requires: [integration-tests]}
  - {name: perf, merge: approved, sync: manual, owners: [perf-owners], requires: [acceptance-tests]}
  - {name: prod, merge: approved, approvals: 2, sync: manual, owners: [prod-owners],
     requires: [performance-tests]}
"""

SUITES = {"itg": "integration-tests", "tst": "acceptance-tests", "perf": "performance-tests"}
"""The suite that a release has to pass in a stage before it leaves it."""

Passport = Callable[[str, str, str, str], str]
"""(app, version, tree, stage) -> the text of `release.yaml`."""
Content = Callable[[str, str, tuple[str, ...]], Mapping[str, str]]
"""(app, version, stages) -> the files of `release/`."""


@dataclass(frozen=True, slots=True)
class Release:
    """One release of one application, as it lies in one stage or more."""

    app: str
    version: str
    tree: str

    @property
    def id(self) -> str:
        return f"{self.app}-{self.version}-{self.tree[:12]}"


@dataclass(frozen=True, slots=True)
class OpsRepo:
    """A bare repository, its one commit, and what lies where."""

    path: Path
    commit: str
    stages: tuple[str, ...]
    releases: Mapping[tuple[str, str], Release]

    @property
    def apps(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(app for app, _ in self.releases))

    def release(self, app: str, stage: str) -> Release:
        """What lies in the stage."""
        return self.releases[app, stage]


def app_name(number: int) -> str:
    """`app-00007`."""
    return f"app-{number:05d}"


def one_version(app: str, stage: str) -> str:
    """The same version everywhere: nothing is left to promote."""
    return "1.0.0"


def ahead_in(*stages: str, version: str = "1.1.0") -> Callable[[str, str], str]:
    """A newer version in `stages`: a promotion out of the last of them has work to do."""
    return lambda app, stage: version if stage in stages else one_version(app, stage)


def image(app: str, version: str) -> str:
    """An image reference with tag and digest; the digest is that of its name."""
    digest = hashlib.sha256(f"{app}:{version}".encode()).hexdigest()
    return f"registry.example.com/shop/{app}:{version}@sha256:{digest}"


def passport(app: str, version: str, tree: str, stage: str) -> str:
    """The passport of a release that passed the suites of all stages before `stage`."""
    commit = hashlib.sha1(f"{app}:{version}".encode()).hexdigest()
    return f"""\
apiVersion: gitops-ci/v1
kind: Release
app: {app}
id: {Release(app, version, tree).id}
tree: {tree}
images:
  - {{name: web, ref: "{image(app, version)}"}}
chart: {{name: web, version: "1.8.2"}}
source: {{project: shop/{app}, commit: {commit}, merge_request: 118}}
{_evidence(stage)}"""


@cache
def _evidence(stage: str) -> str:
    before = STAGES[: STAGES.index(stage)] if stage in STAGES else ()
    lines = [
        f"  - {{stage: {name}, suite: {SUITES[name]}, result: passed, by: claimed}}\n"
        for name in before
    ]
    return "evidence:\n" + "".join(lines) if lines else "evidence: []\n"


CHART = {
    "Chart.yaml": """\
apiVersion: v2
name: web
description: A web application
type: application
version: 1.8.2
""",
    "values.yaml": """\
replicas: 1
image: {repository: registry.example.com/shop/web, tag: latest}
port: 8080
env: {}
resources:
  requests: {cpu: 50m, memory: 64Mi}
""",
    "templates/deployment.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels: &labels
    app.kubernetes.io/name: {{ .Chart.Name }}
    app.kubernetes.io/instance: {{ .Release.Name }}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: *labels
  template:
    metadata:
      labels: *labels
    spec:
      containers:
        - name: web
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
          ports: [{containerPort: {{ .Values.port }}}]
          env:
            {{- range $name, $value := .Values.env }}
            - {name: {{ $name }}, value: {{ $value | quote }}}
            {{- end }}
          resources: {{- toYaml .Values.resources | nindent 12 }}
""",
    "templates/service.yaml": """\
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  selector:
    app.kubernetes.io/name: {{ .Chart.Name }}
    app.kubernetes.io/instance: {{ .Release.Name }}
  ports: [{port: 80, targetPort: {{ .Values.port }}}]
""",
}


def content(app: str, version: str, stages: tuple[str, ...]) -> dict[str, str]:
    """The files of `release/`: a small chart, the image, and a few settings of every stage."""
    repository, _, tag = image(app, version).partition(":")
    return {
        **{f"chart/{path}": text for path, text in CHART.items()},
        "values.yaml": f'# {app}\nimage: {{repository: {repository}, tag: "{tag}"}}\n',
        **{f"values/{stage}.yaml": f"env: {{STAGE: {stage}}}\n" for stage in stages},
    }


def make_ops_repo(
    path: Path,
    *,
    apps: int,
    stages: tuple[str, ...] = STAGES,
    policy: str = POLICY,
    version: Callable[[str, str], str] = one_version,
    passport: Passport = passport,
    content: Content = content,
    name: Callable[[int], str] = app_name,
    files: Mapping[str, str] | None = None,
    message: str = "Seed\n",
) -> OpsRepo:
    """A bare repository with `apps` applications in every stage, in one commit on `main`.

    `version(app, stage)` says which release lies where; `files` adds holds, CODEOWNERS or
    operations' own files by path.
    """
    names = [name(number) for number in range(apps)]
    wanted = {(app, stage): version(app, stage) for app in names for stage in stages}
    contents = {key: content(*key, stages) for key in dict.fromkeys(_releases(wanted))}
    made = {key: Release(*key, tree_id(text)) for key, text in contents.items()}
    lying = {(app, stage): made[app, number] for (app, stage), number in wanted.items()}
    stream = _Stream()
    stream.files({"gitops-ci.yaml": policy, **(files or {})})
    for number, (app, stage) in enumerate(lying):
        release = lying[app, stage]
        with stream.aside(f"environments/{stage}/{app}", shard=number // 100) as folder:
            text = passport(app, release.version, release.tree, stage)
            stream.file(f"{folder}/release.yaml", text)
            stream.files(contents[app, release.version], under=f"{folder}/release/")
    git("config", "uploadpack.allowFilter", "true", cwd=init(path))  # as every forge has it
    git("fast-import", "--quiet", cwd=path, stdin=stream.commit(message))
    return OpsRepo(path, git("rev-parse", "--verify", "refs/heads/main", cwd=path), stages, lying)


def _releases(wanted: Mapping[tuple[str, str], str]) -> Iterator[tuple[str, str]]:
    return ((app, version) for (app, _), version in wanted.items())


class _Stream:
    """The input of `git fast-import`, every text in it once."""

    def __init__(self) -> None:
        self._blobs: list[bytes] = []
        self._edits: list[bytes] = []
        self._marks: dict[str, int] = {}

    def file(self, path: str, text: str) -> None:
        mark = self._marks.setdefault(text, len(self._marks) + 1)
        if mark > len(self._blobs):
            self._blobs.append(b"blob\nmark :%d\n%s" % (mark, data(text)))
        self._edits.append(b"M 100644 :%d %s\n" % (mark, quoted(path)))

    def files(self, texts: Mapping[str, str], under: str = "") -> None:
        for path, text in texts.items():
            self.file(f"{under}{path}", text)

    @contextmanager
    def aside(self, path: str, *, shard: int) -> Iterator[str]:
        """A folder to fill, moved to `path` at the end.

        fast-import searches a directory from its beginning: ten edits below a directory of
        10 000 entries cost ten searches, one move costs one.
        """
        folder = f"{shard}/{path}"
        yield folder
        self._edits.append(b"R %s %s\n" % (quoted(folder), quoted(path)))

    def commit(self, message: str) -> bytes:
        head = f"commit refs/heads/main\ncommitter {AUTHOR} {FROZEN} +0000\n".encode()
        return b"".join([*self._blobs, head, data(message), *self._edits, b"\n"])


def tree_id(files: Mapping[str, str]) -> str:
    """The id that git gives to a tree of these plain files."""
    return _tree(tuple(sorted(files.items())))


@lru_cache(maxsize=64)  # charts and stage values repeat
def _tree(files: tuple[tuple[str, str], ...]) -> str:
    folders: dict[str, list[tuple[str, str]]] = {}
    entries = []
    for path, text in files:
        name, slash, rest = path.partition("/")
        if slash:
            folders.setdefault(name, []).append((rest, text))
        else:
            entries.append((name, b"100644", _object_id("blob", text.encode())))
    entries += [(f"{name}/", b"40000", _tree(tuple(inner))) for name, inner in folders.items()]
    lines = (
        b"%s %s\0%s" % (mode, name.rstrip("/").encode(), bytes.fromhex(oid))
        for name, mode, oid in sorted(entries)
    )
    return _object_id("tree", b"".join(lines))


def _object_id(kind: str, raw: bytes) -> str:
    return hashlib.sha1(b"%s %d\0%s" % (kind.encode(), len(raw), raw)).hexdigest()

"""Rendering stage directories with Helm as Argo CD does, a directory of equal content only once.

Knows the layout of a stage directory, and nothing of git or of a forge.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gitops_ci import config, files, resources
from gitops_ci.errors import ConfigError, Problem
from gitops_ci.helm import Helm, Request
from gitops_ci.resources import Manifests, RenderedDiff, diff

__all__ = ["Manifests", "RenderedDiff", "Target", "diff", "difference", "render", "render_many"]

_CHART = "release/chart/"
_CHART_FILE = "release/chart/Chart.yaml"
_VALUES = "release/values.yaml"
_OPERATIONS = "values-ops.yaml"


@dataclass(frozen=True, slots=True)
class Target:
    """What is rendered: a stage directory's files by their path in it, and where they go."""

    files: Mapping[str, bytes]
    stage: str
    app: str
    namespace: str

    @property
    def value_files(self) -> tuple[str, ...]:
        """The value files in Argo CD's order; only that of operations may be missing."""
        required = (_VALUES, f"release/values/{self.stage}.yaml")
        missing = [name for name in (_CHART_FILE, *required) if name not in self.files]
        if missing:
            raise ConfigError(
                *(Problem(name, 0, "", f"is missing for `{self.stage}`") for name in missing),
                hint="without a value file Argo CD renders the chart's defaults, silently",
            )
        return (*required, _OPERATIONS) if _OPERATIONS in self.files else required

    @property
    def used(self) -> Mapping[str, bytes]:
        """The files that Helm reads."""
        values = set(self.value_files)
        return {n: c for n, c in self.files.items() if n.startswith(_CHART) or n in values}

    @property
    def content(self) -> Hashable:
        """Equal for targets that render to the same text."""
        chart = frozenset((n, c) for n, c in self.files.items() if n.startswith(_CHART))
        values = tuple(self.files[name] for name in self.value_files)
        return self.app, self.namespace, chart, values


def render(helm: Helm, target: Target, *, render: config.Render) -> Manifests:
    """The manifests of one stage directory."""
    return render_many(helm, (target,), render=render)[0]


def difference(
    helm: Helm, old: Target | None, new: Target, *, render: config.Render
) -> RenderedDiff:
    """What a sync from `old` to `new` changes; both sides are rendered at the same time."""
    sides = (old, new) if old else (new,)
    rendered = render_many(helm, sides, render=render)
    return diff(rendered[0] if old else None, rendered[-1])


def render_many(
    helm: Helm, targets: Sequence[Target], *, render: config.Render
) -> tuple[Manifests, ...]:
    """The manifests of each target, in their order."""
    distinct = {target.content: target for target in targets}
    with files.scratch() as root:
        requests = tuple(
            _placed(target, root / str(number), render)
            for number, target in enumerate(distinct.values())
        )
        texts = helm.template_many(requests)
    parsed = {
        content: resources.parse(text, namespace=target.namespace)
        for (content, target), text in zip(distinct.items(), texts, strict=True)
    }
    return tuple(parsed[target.content] for target in targets)


def _placed(target: Target, root: Path, render: config.Render) -> Request:
    files.make_directory(root)
    files.write_tree(root, target.used)
    return Request(
        chart=root / "release" / "chart",
        release=target.app,
        namespace=target.namespace,
        values=tuple(root / name for name in target.value_files),
        kube_version=render.kube_version,
        api_versions=render.api_versions,
        title=f"`{target.app}` in `{target.stage}`",
        root=root,
    )

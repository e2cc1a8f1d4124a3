"""Reads the dev side from the work tree: configuration, chart and values -> a release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gitops_ci import chart, config, files, release
from gitops_ci.config import Application, OpsRepository, Stage
from gitops_ci.errors import ConfigError, Problem
from gitops_ci.passports import ChartRef, Source
from gitops_ci.release import Material, Release

MR_VALUES = "mr.yaml"  # deploy/values/mr.yaml is for MR environments, not for stages
VALUES_LIMIT = 1024 * 1024


def application(path: Path, *, fallback: str) -> Application:
    """The application's configuration; where there is no file, defaults for the name `fallback`."""
    if not path.exists():
        return config.default_application(fallback)
    return config.parse_application(files.read_bytes(path), source=path.name)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is known of a release before the ops repository's policy has been read."""

    root: Path
    app: Application
    images: Mapping[str, str]
    version: str
    source: Source


def make(recipe: Recipe, ops: OpsRepository, stage: Stage) -> Release:
    """Make the release of the work tree for a stage; stage names come from the ops repository."""
    app, root = recipe.app, recipe.root
    _require(root / app.chart, app.chart, "the Helm chart")
    _require(root / app.values, app.values, "the values of every stage")
    tree = files.walk(root / app.chart)
    found = chart.inspect(tree.files, special=tree.special, at=app.chart)
    return release.build(
        app,
        _material(recipe, tree.files),
        chart=ChartRef(found.name, found.version),
        images=recipe.images,
        version=recipe.version,
        source=recipe.source,
        stages=ops.stages,
        allow_tags=stage.allow_tags,
    )


def _material(recipe: Recipe, chart_files: Mapping[str, bytes]) -> Material:
    app, root = recipe.app, recipe.root
    folder = root / app.stage_values
    found = files.walk(folder, size=VALUES_LIMIT).files if folder.is_dir() else {}
    stages = {
        name.removesuffix(".yaml"): content
        for name, content in found.items()
        if "/" not in name and name.endswith(".yaml") and name != MR_VALUES
    }
    return Material(
        chart=chart_files,
        values=files.read_bytes(root / app.values, limit=VALUES_LIMIT),
        stage_values=stages,
        values_path=app.values,
        stage_values_path=app.stage_values,
    )


def _require(path: Path, name: str, what: str) -> None:
    if not path.exists():
        raise ConfigError(
            Problem(name, 0, "", f"is missing: {what}"),
            hint="`gitops-ci init app` writes one, or name its place in gitops-ci.yaml",
        )

"""Reads the dev side from the work tree: configuration, chart and values -> a release."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gitops_ci import chart, config, files, layout, release, yamldoc
from gitops_ci.config import Application, OpsRepository, Stage
from gitops_ci.errors import ConfigError, Problem
from gitops_ci.passports import ChartRef, Source
from gitops_ci.release import Material, Release

MR_VALUES = "mr.yaml"  # deploy/values/mr.yaml is for MR environments, not for stages
VALUES_LIMIT = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Found:
    """An application and the folder it lies in.

    `doubt` ends the message of an error that a configuration might have prevented.
    """

    app: Application
    root: Path
    doubt: str = ""


def application(path: Path | None, *, fallback: str) -> Found:
    """The application's configuration; where none is named or there, defaults for `fallback`."""
    place = path or Path(layout.CONFIG)
    if place.exists():
        app = config.parse_application(files.read_bytes(place), source=place.name)
        return Found(app, place.parent)
    if path:
        raise ConfigError(f"there is no `{path}`", hint="`--config` names the configuration")
    doubt = f"; there is no {layout.CONFIG} in `{Path.cwd()}`"
    return Found(config.default_application(fallback), place.parent, doubt)


def is_ops_repository(path: Path) -> bool:
    """Whether a configuration says that it is one of an ops repository, sound or not."""
    if not path.exists():
        return False
    with suppress(ConfigError):
        value = yamldoc.load(files.read_bytes(path), source=path.name).value
        return isinstance(value, Mapping) and value.get("kind") == "OpsRepository"
    return False


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is known of a release before the ops repository's policy has been read."""

    found: Found
    images: Mapping[str, str]
    version: str
    source: Source


def make(recipe: Recipe, ops: OpsRepository, stage: Stage) -> Release:
    """Make the release of the work tree for a stage; stage names come from the ops repository."""
    app, root = recipe.found.app, recipe.found.root
    _require_images(recipe)
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
    app, root = recipe.found.app, recipe.found.root
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


def _require_images(recipe: Recipe) -> None:
    """Where the application is a guess, its image is one, too: say so."""
    missing = [each.name for each in recipe.found.app.images if each.name not in recipe.images]
    if missing and recipe.found.doubt:
        raise ConfigError(
            f"image {missing[0]}: no reference was given{recipe.found.doubt}",
            hint=f"pass `--image {missing[0]}=REPOSITORY:TAG@sha256:…`, or write the file: "
            "`gitops-ci init app`",
        )

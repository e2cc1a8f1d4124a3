"""What `promote` and `wait` are told in a checkout of the dev repository: stage and application."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from gitops_ci import collect, names, scaffold
from gitops_ci.cli.app import App
from gitops_ci.collect import Found
from gitops_ci.errors import ConfigError


def check_stage(stage: str) -> None:
    """Refuse what cannot name a stage."""
    fault = names.stage_fault(stage)
    if fault:
        lower = stage.lower()
        raise ConfigError(
            f"`--stage` cannot be `{stage[:60]}`: {fault}",
            hint=None if names.stage_fault(lower) else f"did you mean `{lower}`?",
        )


def application(app: App, config: Path | None) -> tuple[Found, App]:
    """The application, and `app` with the ops repository that it names."""
    project = app.pipeline.project or ""
    fallback = scaffold.app_name((project or str(Path.cwd())).rsplit("/", 1)[-1])
    found = collect.application(config, fallback=fallback)
    return found, dataclasses.replace(
        app, ops_project=app.ops_project or found.app.ops_project, doubt=found.doubt
    )

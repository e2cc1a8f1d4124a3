"""The options of `promote` and `wait`, a dev pipeline's commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ci.cli.options import LISTED, option, with_app

if TYPE_CHECKING:
    from gitops_ci.cli.app import App

CONFIG = option(
    "--config", type=click.Path(path_type=Path),
    help="The application's configuration; default: gitops-ci.yaml, if it is there.",
)  # fmt: skip
STAGE = option("--stage", required=True, metavar="STAGE", help="The stage to enter.")
RELEASE = option(
    "--release", metavar="ID", envvar="GITOPS_RELEASE",
    help="The release; default: the one of this commit.",
)  # fmt: skip
PROJECT = option("--project", metavar="PROJECT", help="The dev project; default: the runner's own.")


@click.command()
@STAGE
@RELEASE
@CONFIG
@PROJECT
@option(
    "--image", "images", multiple=True, type=LISTED, metavar="NAME=REF",
    help="An image, with its digest; repeatable.",
)  # fmt: skip
@option(
    "--version", metavar="VERSION",
    help="Default: the commit's tag, else the short commit. Letters, digits, `.`, `_` and `-`, "
    "a letter or digit at both ends.",
)  # fmt: skip
@option(
    "--suite", "suites", multiple=True, type=LISTED, metavar="NAME=RESULT",
    help="How a suite ended, `passed` or `failed`; repeatable.",
)  # fmt: skip
@option("--reopen", is_flag=True, help="Propose again what was declined or reverted.")
@option(
    "--accept-diverged", metavar="REASON", help="Let this release win where the order is unclear."
)
@option("--dry-run", is_flag=True, help="Print the plan, write nothing.")
@with_app
def promote(
    app: App,
    *,
    stage: str,
    release: str | None,
    config: Path | None,
    project: str | None,
    images: tuple[str, ...],
    version: str | None,
    suites: tuple[str, ...],
    reopen: bool,
    accept_diverged: str | None,
    dry_run: bool,
) -> int:
    """Propose a release for a stage, by a merge request on the ops repository.

    Safe to run again at any time: what is done is found, not done twice.
    """
    from gitops_ci.cli import run_promote

    given = run_promote.Given(config, project, images, version, suites, reopen, accept_diverged)
    return run_promote.promote(app, given, stage=stage, release=release, dry_run=dry_run)


@click.command()
@option("--stage", required=True, metavar="STAGE", help="The stage to look at.")
@option(
    "--release", metavar="ID", envvar="GITOPS_RELEASE", help="The release, as `promote` names it."
)
@CONFIG
@option(
    "--timeout", of="wait", type=click.IntRange(0), default=0, metavar="SECONDS",
    help="How long to look; 0 looks once.",
)  # fmt: skip
@with_app
def wait(app: App, *, stage: str, release: str | None, config: Path | None, timeout: int) -> int:
    """Be green only when the release was seen live in the stage."""
    from gitops_ci.cli import run_wait

    return run_wait.wait(app, config, stage=stage, release=release, timeout=timeout)

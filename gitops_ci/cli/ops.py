"""The commands of an ops pipeline: `reconcile`, `check`, `status`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ci.cli.options import HELM, LISTED, OUTPUT, option, with_app

if TYPE_CHECKING:
    from gitops_ci.cli.app import App


@click.command()
@option(
    "--all",
    "everything",
    of="reconcile",
    is_flag=True,
    help="Look at merge requests without the label, too.",
)
@option("--no-diff", is_flag=True, help="Post no rendered differences.")
@HELM
@with_app
def reconcile(app: App, *, everything: bool, no_diff: bool, helm: Path | None) -> int:
    """Do the next possible step of every promotion, and end.

    Runs on the ops repository's protected default branch: judges gates, merges, watches what is
    live, starts tests, records evidence.
    """
    from gitops_ci.cli import run_reconcile

    return run_reconcile.reconcile(app, everything=everything, no_diff=no_diff, program=helm)


@click.command()
@option(
    "--directory", of="check", type=click.Path(path_type=Path), default=Path(),
    help="The checkout to look at.",
)  # fmt: skip
@option(
    "--base", of="check", metavar="REVISION",
    help="What to compare with; default: the merge request's base.",
)  # fmt: skip
@option("--no-diff", is_flag=True, help="Render nothing.")
@HELM
@OUTPUT
def check(
    *, directory: Path, base: str | None, no_diff: bool, helm: Path | None, output: str
) -> int:
    """Preview the gate of a merge request on the ops repository, in its checkout.

    Needs no token and no network. Looks at what is committed; without a base at everything.
    """
    from gitops_ci.cli import run_check

    return run_check.check(directory, base=base, no_diff=no_diff, program=helm, output=output)


@click.command()
@option(
    "--app", "apps", of="status", multiple=True, type=LISTED, metavar="NAME",
    help="Only this application; repeatable.",
)  # fmt: skip
@option(
    "--stage", "stages", of="status", multiple=True, type=LISTED, metavar="NAME",
    help="Only this stage; repeatable.",
)  # fmt: skip
@with_app
def status(app: App, *, apps: tuple[str, ...], stages: tuple[str, ...]) -> int:
    """Show which release is where, since when, and what it waits for."""
    from gitops_ci.cli import run_status

    return run_status.status(app, apps=apps, stages=stages)

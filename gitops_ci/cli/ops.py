"""The commands of an ops pipeline: `reconcile`, `check`, `status`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ci.cli.options import HELM, option, with_app

if TYPE_CHECKING:
    from gitops_ci.cli.app import App


@click.command()
@option("--all", "everything", is_flag=True, help="Look at merge requests without the label, too.")
@option("--no-diff", is_flag=True, help="Post no rendered differences.")
@HELM
@with_app
def reconcile(app: App, *, everything: bool, no_diff: bool, helm: Path | None) -> int:
    """Do the next possible step of every promotion, and end.

    Runs on the ops repository's protected default branch: judges gates, merges, watches what is
    live, starts tests, records evidence.
    """
    from gitops_ci.cli import operation

    return operation.reconcile(app, everything=everything, no_diff=no_diff, program=helm)

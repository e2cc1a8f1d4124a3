"""The commands of an ops pipeline: `reconcile`, `check`, `status`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from gitops_ci import helm
from gitops_ci.cli.app import App
from gitops_ci.cli.options import option, with_app
from gitops_ci.commands import reconcile as reconciling
from gitops_ci.errors import worst


@click.command()
@option("--all", "everything", is_flag=True, help="Look at merge requests without the label, too.")
@option("--no-diff", is_flag=True, help="Post no rendered differences.")
@option("--helm", "program", type=click.Path(path_type=Path), help="The helm program to use.")
@with_app
def reconcile(app: App, *, everything: bool, no_diff: bool, program: Path | None) -> int:
    """Do the next possible step of every promotion, and end.

    Runs on the ops repository's protected default branch: judges gates, merges, watches what is
    live, starts tests, records evidence.
    """
    app = dataclasses.replace(app, ops_project=app.ops_project or app.pipeline.project)
    world = reconciling.World(
        remotes=app.remote,
        forge=app.ops,
        dev=app.dev,
        order=app.order,
        live=app.live,
        helm=None if no_diff else lambda: helm.find(app.env, path=program),
        clock=app.clock,
        say=app.say,
    )
    items = reconciling.run(world, everything=everything)
    data = [dataclasses.asdict(item) for item in items]
    text = f"looked at {len(items)} promotion{'s' if len(items) != 1 else ''}"
    return app.finish(data, text, code=worst(item.code for item in items))

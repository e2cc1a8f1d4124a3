"""The commands of an ops pipeline between command line and command: unpack, call, print."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from gitops_ci import helm
from gitops_ci.cli.app import App
from gitops_ci.commands import reconcile as reconciling
from gitops_ci.errors import worst


def reconcile(app: App, *, everything: bool, no_diff: bool, program: Path | None) -> int:
    """One pass over all promotions."""
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

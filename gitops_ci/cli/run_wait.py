"""`wait` between command line and command: unpack, call, print."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from gitops_ci.cli import dev_side
from gitops_ci.cli.app import App
from gitops_ci.commands import promote as promoting
from gitops_ci.commands import wait as waiting
from gitops_ci.errors import ConfigError


def wait(app: App, config: Path | None, *, stage: str, release: str | None, timeout: int) -> int:
    """Look until it is decided or the time is over."""
    dev_side.check_stage(stage)
    found, app = dev_side.application(app, config)
    if not release:
        raise ConfigError(
            "`--release` is missing", hint="pass the output `GITOPS_RELEASE` of `promote` on"
        )
    release = promoting.checked(release, found.app.name)
    world = waiting.World(app.remote, app.ops, app.live, app.clock, app.say)
    result = waiting.run(
        world, stage=stage, app=found.app.name, release=release, timeout=timedelta(seconds=timeout)
    )
    data = {
        "stage": stage,
        "release": release,
        "state": result.verdict.state,
        "message": result.verdict.message,
    }
    app.leave({"GITOPS_LIVE": result.verdict.state}, result.verdict.message)
    return app.finish(data, f"{result.verdict.state}: {result.verdict.message}", code=result.code)

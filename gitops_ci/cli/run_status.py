"""`status` between command line and command: unpack, call, print."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

from gitops_ci import collect, layout, names
from gitops_ci.cli.app import App, now
from gitops_ci.commands import status as overview
from gitops_ci.errors import ConfigError


def status(app: App, *, apps: tuple[str, ...], stages: tuple[str, ...]) -> int:
    """Look once and print the table."""
    app = app if app.ops_project else _with_ops_project(app)
    for name in apps:
        if fault := names.app_fault(name):
            raise ConfigError(f"`--app {name}` names no application: {fault}")
    found = overview.run(remotes=app.remote, forge=app.ops, apps=apps, stages=stages)
    for source in found.silent:
        app.say(f"unknown, {source}")
    return app.finish(_rows(found), table(found.rows, now=now()))


def _with_ops_project(app: App) -> App:
    """That of the application whose repository we stand in, else the project of the pipeline."""
    if collect.is_ops_repository(Path(layout.CONFIG)):
        return dataclasses.replace(app, ops_project=app.pipeline.project)
    found = collect.application(None, fallback="app")
    project = found.app.ops_project or app.pipeline.project
    return dataclasses.replace(app, ops_project=project, doubt=found.doubt)


def _rows(found: overview.Overview) -> dict[str, object]:
    names_of = [field.name for field in dataclasses.fields(overview.Row)]
    rows = [{name: getattr(row, name) for name in names_of} for row in found.rows]
    for row in rows:
        row["since"] = row["since"].isoformat() if row["since"] else None
    return {"releases": rows, "unknown": list(found.silent)}


def table(rows: Iterable[overview.Row], *, now: datetime) -> str:
    """The rows in aligned columns, grouped by application."""
    cells = [
        (row.app, (row.stage, row.release, row.state, _age(row.since, now), row.url or "-"), row)
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*(each for _, each, _ in cells), strict=True)]
    lines = []
    for app, group in groupby(cells, key=lambda cell: cell[0]):
        lines += ["", app]
        for _, each, row in group:
            columns = [text.ljust(width) for text, width in zip(each, widths, strict=True)]
            lines.append("  ".join(("", *columns, row.detail)).rstrip())
    return "\n".join(lines[1:]) or "no release is in any stage, and none is proposed"


_UNITS = (
    (timedelta(days=2), timedelta(days=1), "d"),
    (timedelta(hours=2), timedelta(hours=1), "h"),
)


def _age(since: datetime | None, now: datetime) -> str:
    """`3 h`: how long ago, in the largest unit of which two have passed."""
    if since is None:
        return "-"
    passed = now - since
    for least, unit, sign in _UNITS:
        if passed >= least:
            return f"{passed // unit} {sign}"
    return f"{max(passed, timedelta()) // timedelta(minutes=1)} min"

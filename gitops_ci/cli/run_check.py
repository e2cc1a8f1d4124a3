"""`check` between command line and command: unpack, call, print."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from gitops_ci import helm
from gitops_ci.cli.app import App
from gitops_ci.commands import check as checking
from gitops_ci.errors import ConfigError
from gitops_ci.git import WorkTree


def check(
    directory: Path, *, base: str | None, no_diff: bool, program: Path | None, output: str
) -> int:
    """Check what is checked out in a directory."""
    app = App(output=output)
    tree = WorkTree.at(directory, app.env)
    if tree is None:
        raise ConfigError(
            f"`{directory}` is no git repository that can be read",
            hint="pass the checkout of the ops repository as `--directory`",
        )
    find = None if no_diff else lambda: helm.find(app.env, path=program)
    with checking.change_in(tree, base or app.pipeline.base) as change:
        report = checking.run(change, helm=find)
    return app.finish(dataclasses.asdict(report), _report(report), code=report.code)


def _report(report: checking.Report) -> str:
    return "\n".join((*_differences(report), *map(str, report.findings), _count(report)))


def _differences(report: checking.Report) -> Iterator[str]:
    for difference in report.differences:
        yield f"{difference.path}:"
        for each in difference.diff.resources:
            place = f"{each.namespace}/{each.name}" if each.namespace else each.name
            yield f"  {each.change}: {each.kind} {place}"
            yield from (f"    {line}" for line in each.text.split("\n"))
        yield ""


def _count(report: checking.Report) -> str:
    number = len(report.findings)
    return f"{number} finding{'s' if number > 1 else ''}" if number else "no findings"

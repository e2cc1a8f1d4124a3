"""`init`: what a repository needs, written where it is missing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ci.cli.options import OUTPUT, option

if TYPE_CHECKING:
    from gitops_ci.commands.init import Result

FORGES = ("gitlab", "github", "both")

DIRECTORY = option(
    "--directory",
    of="init",
    type=click.Path(path_type=Path),
    default=Path(),
    help="The repository.",
)
CHECK = option(
    "--check", of="init", is_flag=True, help="Write nothing; exit 1 where something drifted."
)


@click.group()
def init() -> None:
    """Write what a repository needs. Files that are there are never changed."""


@init.command()
@DIRECTORY
@option("--name", of="init", metavar="NAME", help="The application's name; default: the folder's.")
@option("--ops-repo", metavar="PROJECT", help="Project of the ops repository.")
@option("--stages", of="init", metavar="A,B,C", help="Stages to write values for.")
@CHECK
@OUTPUT
def app(
    directory: Path,
    name: str | None,
    ops_repo: str | None,
    stages: str | None,
    check: bool,
    output: str,
) -> int:
    """Prepare a dev repository: configuration, values, a chart where there is none."""
    from gitops_ci.commands import init as initialising

    named = {"stages": _list(stages)} if stages else {}
    result = initialising.app(directory, name=name, ops_project=ops_repo, check=check, **named)
    return _finish(result, output)


@init.command()
@DIRECTORY
@option(
    "--forge",
    type=click.Choice(FORGES),
    of="init",
    help="Whose files to write; default: those that are there already, else both.",
)
@option("--url", of="init", metavar="URL", help="Where Argo CD clones the repository from.")
@option(
    "--branch",
    of="init",
    metavar="NAME",
    default="main",
    show_default=True,
    help="Its default branch.",
)
@option(
    "--stages", of="init", metavar="A,B,C", help="The stages, in order; the first one is automatic."
)
@option(
    "--platform",
    of="init",
    metavar="GROUP",
    default="platform",
    show_default=True,
    help="Who owns policy.",
)
@option(
    "--operations",
    of="init",
    metavar="GROUP",
    default="operations",
    show_default=True,
    help="Who owns secrets.",
)
@CHECK
@OUTPUT
def ops(
    directory: Path,
    forge: str | None,
    url: str | None,
    branch: str,
    stages: str | None,
    platform: str,
    operations: str,
    check: bool,
    output: str,
) -> int:
    """Prepare an ops repository: policy, owners, the Argo CD manifests."""
    from gitops_ci.commands import init as initialising
    from gitops_ci.scaffold import Forge

    result = initialising.ops(
        directory,
        forge=Forge(forge) if forge else None,
        url=url,
        branch=branch,
        stages=_list(stages) if stages else None,
        platform=platform,
        operations=operations,
        check=check,
    )
    return _finish(result, output)


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


_WORDS = {
    "written": "wrote",
    "missing": "missing",
    "differs": "differs, left as it is (remove it and run again to have it written)",
    "stray": "of no stage that is configured, remove it",
    "unchanged": "as it should be",
}


def _finish(result: Result, output: str) -> int:
    import dataclasses

    from gitops_ci.cli.app import App

    data = dataclasses.asdict(result)
    lines = [f"{word}: {path}" for key, word in _WORDS.items() for path in data[key]]
    return App(output=output).finish(data, "\n".join(lines), code=result.exit_code)

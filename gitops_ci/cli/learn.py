"""The commands that teach: `demo` and `schema`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from gitops_ci import config, process
from gitops_ci.cli.options import option
from gitops_ci.process import Completed


@click.command()
@option("--kind", type=click.Choice(config.KINDS), required=True, help="The kind of file.")
def schema(kind: str) -> int:
    """Print the JSON Schema of a kind of file, for editors and other tools."""
    click.echo(config.schema_text(kind), nl=False)
    return 0


@click.command()
@option(
    "--directory", type=click.Path(path_type=Path), default=Path("gitops-ci-demo"), show_default=True,
    help="Where to play; made anew.",
)  # fmt: skip
@option("--quiet", is_flag=True, help="Tell nothing, only check that it works.")
def demo(directory: Path, quiet: bool) -> int:
    """Watch a release travel through four stages, on a forge made here: no server, no cluster.

    Real git, real Helm and the real commands; only people, the cluster and the CI runner are
    played.
    """
    from gitops_ci.commands import demo as playing

    def program(argv: tuple[str, ...], env: Mapping[str, str], cwd: Path) -> Completed:
        own = (sys.executable, "-m", "gitops_ci") if argv[0] == "gitops-ci" else argv[:1]
        return process.run((*own, *argv[1:]), env={**_plain_environment(), **env}, cwd=cwd)

    result = playing.run(
        directory.absolute(), program=program, say=(lambda _: None) if quiet else click.echo
    )
    return 0 if dict(result.story.live)["prod"].startswith("shop-web-1.0.0-") else 1


def _plain_environment() -> dict[str, str]:
    """Ours, without what a real runner or a real set-up has put into it."""
    foreign = ("CI_", "GITHUB_", "GITLAB_", "GITOPS_", "GIT_")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}

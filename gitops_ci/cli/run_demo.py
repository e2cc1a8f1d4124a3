"""`demo` between command line and command: lends it a way to run the real commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from gitops_ci import process
from gitops_ci.cli.app import now
from gitops_ci.commands import demo as playing
from gitops_ci.process import Completed

FOREIGN = ("CI_", "GITHUB_", "GITLAB_", "GITOPS_", "GIT_")


def demo(directory: Path, *, say: Callable[[str], None]) -> int:
    """Tell the story; it ended well where the first release, and no other, is in production."""

    def program(argv: tuple[str, ...], env: Mapping[str, str], cwd: Path) -> Completed:
        own = (sys.executable, "-m", "gitops_ci") if argv[0] == "gitops-ci" else argv[:1]
        return process.run((*own, *argv[1:]), env={**_plain_environment(), **env}, cwd=cwd)

    result = playing.run(directory, program=program, say=say, now=now)
    return 0 if dict(result.story.live)["prod"].startswith("shop-web-1.0.0-") else 1


def _plain_environment() -> dict[str, str]:
    """Ours, without what a real runner or a real set-up has put into it."""
    return {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}


def tell(lines: str) -> None:
    """Print a part of the story; on a terminal headings and commands stand out."""
    for line in lines.split("\n"):
        click.echo(_styled(line))


def _styled(line: str) -> str:
    if line.startswith("== "):
        return click.style(line, bold=True)
    return click.style(line, fg="cyan") if line.lstrip().startswith("$ ") else line

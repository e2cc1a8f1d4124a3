"""`demo`: a release travels through four stages, on a forge that is made here.

Only people, the cluster and the runner are played; every other step is the real command, run as a
pipeline would run it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gitops_ci import files
from gitops_ci.commands.demo.story import Story, tell
from gitops_ci.commands.demo.world import Now, Program, Say, World
from gitops_ci.errors import ConfigError

__all__ = ["Result", "run"]

MARK = ".gitops-ci-demo"


@dataclass(frozen=True, slots=True)
class Result:
    """Where everything lies, and how the story ended."""

    root: Path
    forge_url: str
    story: Story


def run(root: Path, *, program: Program, say: Say, now: Now) -> Result:
    """Tell the story in `root`, which is made anew; another folder's content is never removed."""
    _clear(root)
    world = World.build(root, program=program, say=say, now=now)
    return Result(root, world.forge_url, tell(world))


def _clear(root: Path) -> None:
    if not files.is_empty(root) and not (root / MARK).exists():
        raise ConfigError(
            f"`{root}` is not empty and no demo made it",
            hint="name another folder with `--directory`",
        )
    files.remove_tree(root)
    files.make_directory(root)
    files.write_text(root / MARK, "Made by `gitops-ci demo`; it may be removed at any time.\n")

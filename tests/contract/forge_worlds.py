"""What the contract suite needs of a forge besides the Protocol: people, branches and a runner.

A world has one project with `main`, and these people: `bot` and `mona` (maintainers), `dev`
(developer), `rita`, `tina` and `tom` (reporters); `tst-owners` are tina and tom.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from gitops_ci.forge import Forge, Job, JobState
from gitops_ci.forge.local import LocalForge
from tests.support import builder

BOT = "bot"
MAINTAINERS, DEVELOPERS, REPORTERS = (BOT, "mona"), ("dev",), ("rita", "tina", "tom")
GROUPS = {"tst-owners": ("tina", "tom")}


class ForgeWorld(Protocol):
    """One project on one kind of forge, with the hands to move it."""

    @property
    def forge(self) -> Forge:
        """The project as `bot` sees it."""

    def acting_as(self, user: str) -> Forge: ...

    def commit(self, branch: str, files: Mapping[str, str], *, base: str = "main") -> str:
        """A commit on top of `branch`, which starts at `base` where it does not exist."""

    def delete_branch(self, branch: str) -> None: ...

    def files(self, branch: str) -> Mapping[str, str]:
        """Content by path, without the blanks around it."""

    def parents(self, commit: str) -> tuple[str, ...]: ...

    def approve(self, user: str, number: int) -> None: ...

    def start_pipeline(self, commit: str, jobs: Mapping[str, JobState]) -> None:
        """A pipeline of these jobs, by name, in the states given (MANUAL or WAITING)."""

    def finish(self, job: Job, state: JobState) -> None:
        """Run a job to its end."""

    def retry(self, job: Job) -> None: ...


class Clock:
    """Every look is a second later."""

    def __init__(self) -> None:
        self._now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now


class LocalWorld:
    """The local forge."""

    project = "platform/shop-ops"

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = Clock()
        self.forge = LocalForge.create(root, self.project, user=BOT, now=self.clock)
        self.path = root / f"{self.project}.git"
        self.commit("main", {"README": "ops\n", "shared.txt": "one\n"})
        roles = dict.fromkeys(MAINTAINERS, "maintainer") | dict.fromkeys(DEVELOPERS, "developer")
        self.forge.setup(members=roles | dict.fromkeys(REPORTERS, "reporter"), groups=GROUPS)

    def acting_as(self, user: str) -> LocalForge:
        return LocalForge(self.root, self.project, user=user, now=self.clock)

    def commit(self, branch: str, files: Mapping[str, str], *, base: str = "main") -> str:
        return builder.commit(self.path, files, branch=branch, start=f"refs/heads/{base}")

    def delete_branch(self, branch: str) -> None:
        self.git("update-ref", "-d", f"refs/heads/{branch}")

    def files(self, branch: str) -> dict[str, str]:
        ref = f"refs/heads/{branch}"
        names = self.git("ls-tree", "-r", "--name-only", ref).splitlines()
        return {name: self.git("show", f"{ref}:{name}") for name in names}

    def parents(self, commit: str) -> tuple[str, ...]:
        return tuple(self.git("show", "-s", "--format=%P", commit).split())

    def git(self, *arguments: str) -> str:
        return builder.git("--git-dir", self.path, *arguments)

    def approve(self, user: str, number: int) -> None:
        self.acting_as(user).approve(number)

    def start_pipeline(self, commit: str, jobs: Mapping[str, JobState]) -> None:
        runs = [Job(0, name, state) for name, state in jobs.items()]
        self.forge.create_pipeline(commit, runs)

    def finish(self, job: Job, state: JobState) -> None:
        self.forge.set_job(job.id, JobState.RUNNING)
        self.forge.set_job(job.id, state)

    def retry(self, job: Job) -> None:
        self.forge.retry(job.id)


WORLDS = {"local": LocalWorld}

"""A whole small world on the local forge, driven by the real command line.

An ops project, a dev project with a chart, people, a cluster that is played, and a snapshot of
everything as text. Commands run in this process; `argv_of` gives the same call for a child.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

from gitops_ci import cli, layout, names, passports, release
from gitops_ci.config import Layout
from gitops_ci.forge import Job, JobState, MergeRequest, MergeState
from gitops_ci.forge.local import LocalForge
from gitops_ci.live import Health
from gitops_ci.live.simulated import SimulatedLive
from tests.support import builder
from tests.support.jobs import Job as Process
from tests.support.opsrepo import CHART, POLICY, make_ops_repo

OPS, DEV, APP = "platform/ops", "shop/web", "shop-web"
PROPOSER, MERGER = "propose-bot", "merge-bot"
OWNERS = {"tst-owners": ("tara",), "perf-owners": ("petra",), "prod-owners": ("olaf", "oksana")}
VALUES = "# all stages\nimage:\n  repository: example/web\n  tag: unset # ours\n"
JOBS = ("integration-tests", "acceptance-tests", "performance-tests")


@dataclass(frozen=True, slots=True)
class Ran:
    """How one command ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


@dataclass
class World:
    """Build one with `World.build`; every method is what one person or machine does."""

    root: Path
    git_url: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)  # version -> commit

    @classmethod
    def build(
        cls,
        root: Path,
        *,
        apps: int = 0,
        policy: str = POLICY,
        files: Mapping[str, str] | None = None,
    ) -> World:
        world = cls(root)
        world.forge_root.mkdir(parents=True)
        make_ops_repo(world.ops_git, apps=apps, policy=policy, files=files)
        for project in (OPS, DEV):
            LocalForge.create(world.forge_root, project, user="admin", now=now)
        people = [person for group in OWNERS.values() for person in group]
        world.ops("admin").setup(
            members={PROPOSER: "developer", MERGER: "maintainer", "admin": "maintainer"}
            | dict.fromkeys(people, "reporter"),
            groups=OWNERS,
        )
        builder.init(world.dev_folder, bare=False)
        world._write_app()
        return world

    # --- places ---------------------------------------------------------------

    @property
    def forge_root(self) -> Path:
        return self.root / "forge"

    @property
    def ops_git(self) -> Path:
        return self.forge_root / f"{OPS}.git"

    @property
    def dev_git(self) -> Path:
        return self.forge_root / f"{DEV}.git"

    @property
    def dev_folder(self) -> Path:
        return self.root / "web"

    def ops(self, user: str = MERGER) -> LocalForge:
        return LocalForge(self.forge_root, OPS, user=user, now=now)

    def dev(self) -> LocalForge:
        return LocalForge(self.forge_root, DEV, user="runner", now=now)

    @property
    def live(self) -> SimulatedLive:
        return SimulatedLive(self.forge_root, OPS, now=now)

    # --- developers -----------------------------------------------------------

    def _write_app(self) -> None:
        builder.write_tree(
            {
                "gitops-ci.yaml": (
                    "apiVersion: gitops-ci/v1\nkind: Application\n"
                    f"name: {APP}\nops: {{project: {OPS}}}\n"
                ),
                **{f"deploy/chart/{path}": text for path, text in CHART.items()},
                "deploy/values.yaml": VALUES,
                **{
                    f"deploy/values/{stage}.yaml": f"env: {{STAGE: {stage}}}\n"
                    for stage in ("itg", "tst", "perf", "prod")
                },
            },
            self.dev_folder,
        )

    def commit(self, version: str, files: Mapping[str, str] | None = None) -> str:
        """A developer's merge; its pipeline has a live job and a suite for each stage."""
        content = {"src/version.txt": f"{version}\n", **(files or {})}
        builder.write_tree(content, self.dev_folder)
        builder.git("add", "--all", cwd=self.dev_folder)
        builder.git("commit", "--quiet", "--message", f"Version {version}", cwd=self.dev_folder)
        commit = builder.git("rev-parse", "HEAD", cwd=self.dev_folder).strip()
        builder.git(
            "push", "--quiet", self.dev_git.as_uri(), "HEAD:refs/heads/main", cwd=self.dev_folder
        )
        live = [
            Job(0, names.live_job(stage), JobState.MANUAL)
            for stage in ("itg", "tst", "perf", "prod")
        ]
        suites = [Job(0, suite, JobState.WAITING) for suite in JOBS]
        self.dev().create_pipeline(commit, [*live, *suites])
        self.versions[version] = commit
        return commit

    def suite(self, version: str, suite: str, state: JobState = JobState.PASSED) -> None:
        """The runner runs a suite of a version's pipeline, a second time if need be."""
        dev, commit = self.dev(), self.versions[version]
        job = max((job for job in dev.jobs(commit) if job.name == suite), key=lambda job: job.id)
        if job.state not in {JobState.WAITING, JobState.MANUAL}:
            job = dev.retry(job.id)
        dev.set_job(job.id, JobState.RUNNING)
        dev.set_job(job.id, state)

    # --- commands -------------------------------------------------------------

    def environment(self, user: str) -> dict[str, str]:
        return {
            "GITOPS_CI_FORGE": "local",
            "GITOPS_CI_FORGE_URL": self.forge_root.as_uri(),
            "GITOPS_CI_OPS_REPO": OPS,
            "GITOPS_CI_PROJECT": DEV,
            "GITOPS_CI_TOKEN": user,
            **({"GITOPS_CI_GIT_URL": self.git_url} if self.git_url else {}),
            **self.env,
        }

    def run(self, *args: str, user: str = PROPOSER, folder: Path | None = None) -> Ran:
        """The command line, in this process."""
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, self.environment(user)),
            contextlib.chdir(folder or self.dev_folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = cli.run(args)
        return Ran(int(code), out.getvalue(), err.getvalue())

    def job(self, *args: str, user: str = PROPOSER, **more: str) -> Process:
        """The command line for a child process, with `more` in its environment."""
        env = {**builder.isolated_env(), **self.environment(user), **more}
        return Process(args, env, self.dev_folder)

    def copied(self, root: Path) -> World:
        """The same world a second time, to go another way from here."""
        shutil.copytree(self.root, root, symlinks=True)
        return World(root, self.git_url, dict(self.env), dict(self.versions))

    @staticmethod
    def argv_of(*args: str) -> tuple[str, ...]:
        """The same command line for a child process."""
        return (sys.executable, "-m", "gitops_ci", *args)

    def image(self, version: str) -> str:
        digest = release.tree_id({"image": version.encode()}).ljust(64, "0")
        return f"{APP}=registry.example.com/shop/web:{version}@sha256:{digest}"

    def promote_args(self, stage: str, version: str, *more: str) -> tuple[str, ...]:
        return (
            "promote",
            "--stage",
            stage,
            "--version",
            version,
            "--image",
            self.image(version),
            *more,
        )

    def promote(
        self, stage: str, version: str, *more: str, suites: Sequence[str] = (), user: str = PROPOSER
    ) -> Ran:
        """The promote job of a version's pipeline, in a checkout of its commit."""
        self.checkout(version)
        claims = [word for suite in suites for word in ("--suite", f"{suite}=passed")]
        return self.run(
            *self.promote_args(stage, version, *claims, *more), "--output", "json", user=user
        )

    def clone(self, version: str) -> Path:
        """A checkout of its own, for a job that runs beside others."""
        folder = self.root / "checkouts" / version
        builder.git("clone", "--quiet", "--no-checkout", self.dev_git.as_uri(), folder)
        builder.git("checkout", "--quiet", self.versions[version], cwd=folder)
        return folder

    def checkout(self, version: str) -> None:
        builder.git("checkout", "--quiet", "--force", self.versions[version], cwd=self.dev_folder)

    def reconcile(self, *more: str) -> Ran:
        return self.run("reconcile", "--output", "json", "--no-diff", *more, user=MERGER)

    # --- people and the cluster -----------------------------------------------

    def open_request(self, stage: str) -> MergeRequest:
        found = self.ops().list(labels=names.labels(stage, APP), state=MergeState.OPEN)
        assert len(found) == 1, found
        return found[0]

    def approve(self, stage: str, *people: str) -> None:
        request = self.open_request(stage)
        for person in people:
            self.ops(person).approve(request.number, request.head)

    def sync(self, stage: str, health: Health = Health.HEALTHY) -> None:
        """The cluster runs what main holds now."""
        self.live.set_live(stage=stage, app=APP, revision=self.main, health=health)

    @property
    def main(self) -> str:
        return builder.git("rev-parse", "refs/heads/main", cwd=self.ops_git).strip()

    def push_to_main(self, files: Mapping[str, str | None], message: str = "By a person") -> str:
        """Somebody with the right to changes the ops repository directly."""
        return builder.commit(self.ops_git, files, message, branch="main")

    # --- whole ways -----------------------------------------------------------

    def enter(self, stage: str, version: str, *, suites: Sequence[str] = ()) -> None:
        """Propose, approve, merge, sync, record: the release is live in the stage."""
        assert self.promote(stage, version, suites=suites).code == 0
        self.reconcile()
        people = {"tst": ("tara",), "perf": ("petra",), "prod": ("olaf", "oksana")}.get(stage, ())
        if people:
            self.approve(stage, *people)
            self.reconcile()
        self.sync(stage)
        self.reconcile()

    # --- looking --------------------------------------------------------------

    def holds(self, stage: str) -> str | None:
        """The id of the release that main has in a stage."""
        path = f"{layout.directory(Layout(), stage, APP)}/{layout.PASSPORT}"
        done = builder.run_git("show", f"refs/heads/main:{path}", cwd=self.ops_git)
        return passports.parse(done.stdout, source=path).id if done.returncode == 0 else None

    def branches(self) -> dict[str, str]:
        listing = builder.git(
            "for-each-ref",
            "--format=%(refname:lstrip=2) %(objectname)",
            "refs/heads",
            cwd=self.ops_git,
        )
        return dict(line.split(" ", 1) for line in listing.splitlines())

    def refs(self) -> str:
        """Every ref of both repositories: equal before and after means nothing was written."""
        return "\n".join(
            builder.git("for-each-ref", "--format=%(refname) %(objectname)", cwd=path)
            for path in (self.ops_git, self.dev_git)
        )

    def snapshot(self) -> str:
        """The whole world as text, without anything that differs from run to run."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        commits = {commit: version for version, commit in self.versions.items()}
        for stage in ("itg", "tst", "perf", "prod"):
            look = self.live.look(stage=stage, app=APP, application="")
            runs = f", runs {self._at(stage, look.revision)} {look.health}" if look.revision else ""
            yield f"{stage}: {self.holds(stage) or 'empty'}{runs}"
        for branch in sorted(set(self.branches()) - {"main"}):
            yield f"branch {branch}"
        for request in reversed(self.ops().list(labels={names.LABEL})):
            labels = " ".join(sorted(request.labels - {names.LABEL} - names.labels("x", APP)))
            yield f"!{request.number} {request.state}: {request.title} [{labels}]"
            yield from (f"    {line}" for line in self._statuses(request))
        for commit, version in commits.items():
            jobs = ", ".join(
                f"{job.name} {job.state}"
                for job in self.dev().jobs(commit)
                if job.state not in {JobState.MANUAL, JobState.WAITING}
            )
            if jobs:
                yield f"pipeline of {version}: {jobs}"

    def _at(self, stage: str, revision: str | None) -> str:
        path = f"{layout.directory(Layout(), stage, APP)}/{layout.PASSPORT}"
        done = builder.run_git("show", f"{revision}:{path}", cwd=self.ops_git)
        return passports.parse(done.stdout, source=path).id if done.returncode == 0 else "nothing"

    def _statuses(self, request: MergeRequest) -> Iterator[str]:
        for where, commit in (("head", request.head), ("merge", request.merge_commit)):
            found = self.ops().statuses(commit) if commit else ()
            for status in sorted(found, key=lambda status: status.context):
                yield f"{where} {status.context}: {status.state}, {status.description}"


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)

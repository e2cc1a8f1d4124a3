"""The world of the demo: two projects on a local forge, their people, a cluster, a dev pipeline."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gitops_ci import files, layout, names, passports, review, scaffold
from gitops_ci.commands.demo.pipeline import JOBS, JobSpec
from gitops_ci.config import Layout
from gitops_ci.errors import GitopsCiError
from gitops_ci.forge import Job, JobState, MergeRequest, MergeState
from gitops_ci.forge.local import LocalForge
from gitops_ci.live.simulated import SimulatedLive
from gitops_ci.process import Completed

OPS, DEV, APP = "platform/shop-ops", "shop/web", "shop-web"
PROPOSER, MERGER = "promotion-bot", "reconcile-bot"
OWNERS = {
    "tst-owners": ("tara",),
    "perf-owners": ("petra",),
    "prod-owners": ("olaf", "oksana"),
}

_REPEATED = re.compile(r" *!\d+")  # the address of what the line before has opened
_ROUTINE = re.compile(r"(pushed|opened|brought|looked at) |!.*: done, ")

Say = Callable[[str], None]
Now = Callable[[], datetime]
Program = Callable[[tuple[str, ...], Mapping[str, str], Path], Completed]


@dataclass(frozen=True)
class World:
    """Everything that is played, and the handle that runs real commands."""

    root: Path
    program: Program
    say: Say
    now: Now
    is_brief: bool = False  # of each command only what came of it, and no explanations

    @classmethod
    def build(cls, root: Path, *, program: Program, say: Say, now: Now) -> World:
        """Both repositories, as a team would have set them up."""
        world = cls(root, program, say, now)
        for project in (OPS, DEV):
            LocalForge.create(root / "forge", project, user="admin", now=now)
        world.forge(OPS, "admin").setup(
            members={PROPOSER: "developer", MERGER: "maintainer", "admin": "maintainer"}
            | {person: "reporter" for people in OWNERS.values() for person in people},
            groups=OWNERS,
        )
        world._ops_repository()
        world._dev_repository()
        return world

    @property
    def forge_url(self) -> str:
        return (self.root / "forge").resolve().as_uri()

    def forge(self, project: str, user: str) -> LocalForge:
        return LocalForge(self.root / "forge", project, user=user, now=self.now)

    # --- repositories --------------------------------------------------------

    def _ops_repository(self) -> None:
        self._clone(OPS, "ops")
        self.command(
            "init", "ops", "--url", f"https://git.example.com/{OPS}.git", cwd="ops", quiet=True
        )
        self.commit("ops", "Set up the ops repository")

    def _dev_repository(self) -> None:
        self._clone(DEV, "web")
        files.write_tree(self.root / "web", scaffold.sample())
        self.command("init", "app", "--name", APP, "--ops-repo", OPS, cwd="web", quiet=True)
        self.commit("web", "Begin the shop")

    def _clone(self, project: str, folder: str) -> None:
        url = self.forge(project, "admin").git_url
        self.git("clone", "--quiet", url, folder)
        self.git("symbolic-ref", "HEAD", "refs/heads/main", cwd=folder)

    def commit(self, folder: str, message: str) -> str:
        """Commit everything in a clone, push it, and give the commit."""
        self.git("add", "--all", cwd=folder)
        self.git("commit", "--quiet", "--message", message, cwd=folder)
        self.git("push", "--quiet", "origin", "HEAD:refs/heads/main", cwd=folder)
        return self.git("rev-parse", "HEAD", cwd=folder).strip()

    def git(self, *args: str, cwd: str = ".") -> str:
        """git as a person at a desk uses it."""
        people = {
            "GIT_AUTHOR_NAME": "Anna", "GIT_AUTHOR_EMAIL": "anna@example.com",
            "GIT_COMMITTER_NAME": "Anna", "GIT_COMMITTER_EMAIL": "anna@example.com",
            "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
        }  # fmt: skip
        return self.program(("git", *args), people, self.root / cwd).check().text()

    # --- real commands -------------------------------------------------------

    def command(
        self,
        *args: str,
        cwd: str = ".",
        env: Mapping[str, str] | None = None,
        user: str = PROPOSER,
        quiet: bool = False,
    ) -> Completed:
        """Run `gitops-ci` for real, and show what it says."""
        own = {
            "GITOPS_CI_FORGE": "local",
            "GITOPS_CI_FORGE_URL": self.forge_url,
            "GITOPS_CI_TOKEN": user,
        }
        done = self.program(("gitops-ci", *args), own | dict(env or {}), self.root / cwd)
        if not quiet:
            self._show(args, done)
        if done.code not in {0, 3, 4}:
            raise GitopsCiError(
                f"`gitops-ci {' '.join(args)}` ended with {done.code}\n{done.last_words()}"
            )
        return done

    def _show(self, args: tuple[str, ...], done: Completed) -> None:
        self.say(f"    $ gitops-ci {' '.join(args)}")
        looks = "" if args[0] == "wait" else done.stderr  # `wait` ends with what it saw last
        for line in self._short(looks + done.text()).splitlines():
            if not _REPEATED.fullmatch(line) and not (self.is_brief and _ROUTINE.match(line)):
                self.say(f"      {line}" if line else "")
        if done.code:
            self.say(f"      (exit code {done.code})")

    def _short(self, text: str) -> str:
        return text.replace(f"{self.forge_url}/{OPS}.git#mr-", "!")

    def explain(self, text: str) -> None:
        """What a reader needs once only."""
        if not self.is_brief:
            self.say(text)

    def reconcile(self) -> None:
        """The ops pipeline: one pass."""
        self.command("reconcile", "--ops-repo", OPS, user=MERGER)

    def status(self) -> str:
        done = self.command("status", "--ops-repo", OPS, user=MERGER, quiet=True)
        return self._short(done.text())

    # --- people --------------------------------------------------------------

    def approve(self, person: str, stage: str) -> None:
        """One person reads the open promotion into a stage and approves it."""
        request = self.open_request(stage)
        self.forge(OPS, person).approve(request.number, request.head)
        self.say(f"    {person.capitalize()} reads !{request.number} and approves it.")

    def open_request(self, stage: str) -> MergeRequest:
        found = self.forge(OPS, "admin").list(
            labels=names.labels(stage, APP), state=MergeState.OPEN
        )
        return found[0]

    # --- the cluster ---------------------------------------------------------

    def sync(self, stage: str) -> None:
        """What Argo CD does: run what the tip of main holds."""
        tip = self.git("ls-remote", self.forge(OPS, "admin").git_url, "refs/heads/main").split()[0]
        live = SimulatedLive(self.root / "forge", OPS, now=self.now)
        live.set_live(stage=stage, app=APP, revision=tip)

    # --- the dev pipeline ----------------------------------------------------

    def start_pipeline(self, commit: str) -> None:
        """What the forge does after a push: a pipeline with every job of the file."""
        jobs = [
            Job(0, spec.name, JobState.MANUAL if spec.manual else JobState.WAITING) for spec in JOBS
        ]
        self.forge(DEV, "runner").create_pipeline(commit, jobs)

    def run_jobs(self, commit: str, version: str, *, failing: str = "") -> None:
        """What the runner does: every job that may start, until none may."""
        forge = self.forge(DEV, "runner")
        while job := _next(forge.jobs(commit)):
            spec = next(each for each in JOBS if each.name == job.name)
            forge.set_job(job.id, JobState.RUNNING)
            passed = self._run_job(spec, commit, version, failing)
            forge.set_job(job.id, JobState.PASSED if passed else JobState.FAILED)

    def _run_job(self, spec: JobSpec, commit: str, version: str, failing: str) -> bool:
        if not spec.command:
            word = "failed" if spec.name == failing else "passed"
            self.say(f"    job {spec.name}: {word}")
            return spec.name != failing
        self.say(f"    job {spec.name}:")
        dotenv = self._dotenv(commit, spec)
        files.make_directory(dotenv.parent)
        digest = hashlib.sha256(version.encode()).hexdigest()
        image = f"registry.example.com/shop/web:{version}@sha256:{digest}"
        env = {
            "GITLAB_CI": "true",
            "CI_PROJECT_PATH": DEV,
            "CI_COMMIT_SHA": commit,
            "CI_COMMIT_TAG": version,
            names.image_variable(APP): image,
            "GITOPS_CI_DOTENV": str(dotenv),
        }
        return self.command(*spec.command, cwd="web", env=self.outputs(commit) | env).code == 0

    def outputs(self, commit: str) -> dict[str, str]:
        """What the jobs of a pipeline have left for later ones."""
        lines = (line for spec in JOBS for line in _lines(self._dotenv(commit, spec)))
        return dict(line.split("=", 1) for line in lines)

    def _dotenv(self, commit: str, spec: JobSpec) -> Path:
        return self.root / "jobs" / commit[:12] / f"{spec.name}.env"

    # --- to read afterwards --------------------------------------------------

    def write_down(self) -> None:
        """Every merge request as a page, and the ops repository as it is now."""
        self.git("pull", "--quiet", "--ff-only", "origin", "main", cwd="ops")
        forge = self.forge(OPS, MERGER)
        folder = self.root / "merge-requests"
        files.make_directory(folder)
        for request in forge.list(labels={names.LABEL}):
            diff = forge.comment_with(request.number, review.DIFF_MARKER) or ""
            state = f"This merge request is {request.state}; its text is the one that was reviewed."
            title = f"# !{request.number} {request.title}"
            page = "\n\n".join((state, title, request.description, diff))
            files.write_text(folder / f"{request.number}.md", page + "\n")

    def live_in(self, stage: str) -> str:
        """The release that the cluster runs."""
        live = SimulatedLive(self.root / "forge", OPS, now=self.now)
        seen = live.look(stage=stage, app=APP, application=layout.application(Layout(), stage, APP))
        path = f"{layout.directory(Layout(), stage, APP)}/{layout.PASSPORT}"
        text = self.git(
            "--git-dir", str(self.root / "forge" / f"{OPS}.git"), "show", f"{seen.revision}:{path}"
        )
        return passports.parse(text, source=path).id


def _next(jobs: tuple[Job, ...]) -> Job | None:
    """The first job that waits and whose needs have passed."""
    passed = {job.name for job in jobs if job.state is JobState.PASSED}
    for job in jobs:
        spec = next(each for each in JOBS if each.name == job.name)
        if job.state is JobState.WAITING and passed.issuperset(spec.needs):
            return job
    return None


def _lines(path: Path) -> list[str]:
    return files.read_text(path).splitlines() if path.exists() else []

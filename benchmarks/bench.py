"""Times the product against a plain git script that does the same work, in interleaved pairs.

`python -m benchmarks.bench --output TABLE.md`. Absolute times mean nothing across machines; ratios
of pairs do, and so do requests and bytes, which are counted, not timed.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess  # noqa: TID251 - whole processes are what is timed
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gitops_ci import names
from gitops_ci.forge import CheckState, Draft
from gitops_ci.forge.local import LocalForge
from tests.support.builder import commit, git, init, isolated_env, write_tree
from tests.support.git_http import GitHttpServer
from tests.support.opsrepo import (
    CHART,
    OpsRepo,
    Passport,
    Release,
    content,
    make_ops_repo,
    passport,
)

RAW = Path(__file__).with_name("raw_promote.sh")
PROJECT, DEV = "platform/shop-ops", "shop/app-00005"
APP, BEFORE, STAGE, SUITE = "app-00005", "itg", "tst", "integration-tests"

LOCAL_LIMIT = 2.5  # times the script and one start of Python with the SDK and the validator
HTTP_LIMIT = 1.5

Argv = tuple[str, ...]

START: Argv = (sys.executable, "-c", "import gitlab, jsonschema")


@dataclass(frozen=True, slots=True)
class Work:
    """One promotion, by us and by the script."""

    name: str
    ours: Argv
    theirs: Argv


def later_stage(release: Release) -> Work:
    """A release that was live and tested in the stage before."""
    ours = ("--stage", STAGE, "--release", release.id, "--suite", f"{SUITE}=passed")
    return Work("later stage", ours, (BEFORE, STAGE, APP, SUITE))


def first_stage() -> Work:
    """A release made from a work tree."""
    image = f"{APP}=registry.example.com/shop/web:2.0.0@sha256:{'a' * 64}"
    ours = ("--stage", BEFORE, "--version", "2.0.0", "--image", image)
    return Work("first stage", ours, (BEFORE, BEFORE, APP, SUITE))


def product(root: Path, url: str, work: Work) -> Argv:
    """The promotion under test, on the embedded forge, its git going over `url`."""
    return (
        *(sys.executable, "-m", "gitops_ci", "promote", *work.ours),
        *("--forge", "local", "--forge-url", root.as_uri(), "--git-url", url),
        *("--project", DEV, "--ops-repo", PROJECT),
    )


def raw(url: str, work: Work) -> Argv:
    """The yardstick."""
    return (str(RAW), url, *work.theirs)


HELP: Argv = (sys.executable, "-m", "gitops_ci", "promote", "--help")
NOTHING: Argv = (sys.executable, "-c", "pass")


@dataclass(frozen=True, slots=True)
class Pair:
    """One row of the table: milliseconds of two commands, taken in turns."""

    name: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    limit: float
    requests: int | None = None
    down: int | None = None

    @property
    def ratios(self) -> tuple[float, ...]:
        """One of each two neighbouring runs."""
        return tuple(a / b for a, b in zip(self.ours, self.theirs, strict=True))

    def row(self) -> str:
        ours, theirs, ratio = map(statistics.median, (self.ours, self.theirs, self.ratios))
        cells = (
            self.name,
            f"{ours:.0f} ms",
            f"{theirs:.0f} ms",
            f"{ratio:.2f} ({min(self.ratios):.2f}..{max(self.ratios):.2f})",
            f"{self.limit:.1f}",
            "" if self.requests is None else f"{self.requests}",
            "" if self.down is None else f"{self.down / 1024:.0f} KiB",
        )
        return f"| {' | '.join(cells)} |"


HEAD = """\
| | gitops-ci | yardstick | ratio (range) | goal | requests | down |
|---|---|---|---|---|---|---|"""


def timed(argv: Argv, env: Mapping[str, str], folder: Path | None = None) -> float:
    """Wall milliseconds of a command that must end well."""
    start = time.perf_counter()
    done = subprocess.run(
        argv, env=env, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    spent = (time.perf_counter() - start) * 1000
    if done.returncode:
        raise SystemExit(f"{' '.join(argv)}\nended with {done.returncode}\n{done.stderr}")
    return spent


def in_turns(
    ours: Callable[[], float], theirs: Callable[[], float], rounds: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Both commands `rounds` times, after one run of each that does not count."""
    ours(), theirs()
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    return tuple(a for a, _ in pairs), tuple(b for _, b in pairs)


@dataclass(frozen=True, slots=True)
class Scene:
    """One ops repository below `root`, and the references that every run begins with."""

    root: Path
    repo: OpsRepo
    start: Mapping[str, str]
    release: Release
    rounds: int

    def compare(self, where: str, url: str, server: GitHttpServer | None = None) -> Iterator[Pair]:
        """Both promotions against the script; requests and bytes are those of one promotion."""
        limit = HTTP_LIMIT if server else LOCAL_LIMIT
        for work in (first_stage(), later_stage(self.release)):
            name = f"{len(self.repo.apps)} applications, {where}, {work.name}"
            ours, theirs = in_turns(
                lambda work=work: self._run(product(self.root, url, work)),
                lambda work=work: self._run(raw(url, work)) + timed(START, isolated_env()),
                self.rounds,
            )
            if server is None:
                yield Pair(name, ours, theirs, limit)
                continue
            server.reset()
            self._run(product(self.root, url, work))
            yield Pair(name, ours, theirs, limit, len(server.requests), server.bytes_down)

    def _run(self, argv: Argv) -> float:
        self._restore()
        return timed(argv, isolated_env(), self.root / "web")

    def _restore(self) -> None:
        gone = [f"delete {name}\n" for name in refs(self.repo) if name not in self.start]
        back = [f"update {name} {oid}\n" for name, oid in self.start.items()]
        git("update-ref", "--stdin", cwd=self.repo.path, stdin="".join(gone + back).encode())


def refs(repo: OpsRepo) -> dict[str, str]:
    """Every reference with its object."""
    lines = git("for-each-ref", "--format=%(refname) %(objectname)", cwd=repo.path).splitlines()
    return dict(line.split(" ") for line in lines)


def prepare(root: Path, *, apps: int, rounds: int) -> Scene:
    """An ops repository whose first stage has just proved a newer release of one application."""
    oldest, older = dev_repository(root)
    repo = make_ops_repo(root / f"{PROJECT}.git", apps=apps, passport=made_from(oldest))
    forge = LocalForge.create(root, PROJECT, user="gitops-ci", now=_now)
    release = enter_first_stage(repo, forge, made_from(older))
    return Scene(root, repo, refs(repo), release, rounds)


def made_from(source: str) -> Passport:
    """Passports of releases that were made from this commit."""
    return lambda *words: re.sub("commit: [0-9a-f]{40}", f"commit: {source}", passport(*words))


def dev_repository(root: Path) -> tuple[str, str]:
    """The dev project and a work tree; gives the two commits before the newest."""
    web = init(root / "web", bare=False)
    files = {f"deploy/chart/{path}": text for path, text in CHART.items()}
    files |= {f"deploy/values/{stage}.yaml": "{}\n" for stage in ("itg", "tst", "perf", "prod")}
    files["deploy/values.yaml"] = "image:\n  tag: unset\n"
    files["gitops-ci.yaml"] = (
        f"apiVersion: gitops-ci/v1\nkind: Application\nname: {APP}\nops: {{project: {PROJECT}}}\n"
    )
    oldest, older, new = (commit(web, files | {"src": str(n)}, "change") for n in range(3))
    write_tree(files, web)
    LocalForge.create(root, DEV, user="gitops-ci", now=_now)
    git("push", "--quiet", str(root / f"{DEV}.git"), f"{new}:refs/heads/main", cwd=web)
    return oldest, older


def enter_first_stage(repo: OpsRepo, forge: LocalForge, made: Passport) -> Release:
    """Version 1.1.0 goes through a merge request into the first stage, is live and tested."""
    there = f"environments/{BEFORE}/{APP}"
    files = {
        f"{there}/release/{path}": text for path, text in content(APP, "1.1.0", repo.stages).items()
    }
    draft = commit(repo.path, files, "draft", branch="draft")
    tree = git("rev-parse", f"{draft}:{there}/release", cwd=repo.path).strip()
    release = Release(APP, "1.1.0", tree)
    text = made(APP, "1.1.0", tree, BEFORE)
    branch = str(names.PromotionBranch(BEFORE, APP, release.id))
    commit(
        repo.path, files | {f"{there}/release.yaml": text}, "promote", branch=branch, start="main"
    )
    git("update-ref", "-d", "refs/heads/draft", cwd=repo.path)
    labels = names.labels(BEFORE, APP) | {names.LABEL}
    opened = forge.open(Draft(branch, "main", "Promote", "", labels))
    merged = forge.merge(opened.number, head=opened.head)
    for context in (names.LIVE, names.suite_context(SUITE)):
        forge.set_status(
            str(merged.merge_commit), context=context, state=CheckState.SUCCESS, description=""
        )
    git("update-ref", "-d", f"refs/heads/{branch}", cwd=repo.path)
    return release


def _now() -> datetime:
    return datetime.now(UTC)


def sized(apps: int, rounds: int) -> Iterator[Pair]:
    """One repository, over the file system, over HTTP, and as GitHub serves it."""
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        scene = prepare(Path(made), apps=apps, rounds=rounds)
        yield from scene.compare("`file://`", scene.repo.path.as_uri())
        for where, depth in (("HTTP", None), ("HTTP, `tree:0` only", 0)):
            with GitHttpServer(scene.root, tree_depth=depth) as server:
                yield from scene.compare(where, f"{server.url}/{PROJECT}.git", server)


def start_up(rounds: int) -> Pair:
    """`--help` against an interpreter that does nothing."""
    env = isolated_env()
    ours, theirs = in_turns(lambda: timed(HELP, env), lambda: timed(NOTHING, env), rounds)
    return Pair("`promote --help` / `python -c pass`", ours, theirs, limit=6.0)


def main() -> None:
    """Measure, print, and write the table where it is wanted."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--apps", type=int, nargs="+", default=[10, 1_000, 10_000])
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--output", type=Path, help="file for the Markdown table")
    given = options.parse_args()
    pairs = [start_up(given.rounds)]
    for apps in given.apps:
        pairs += sized(apps, given.rounds)
    table = "\n".join((HEAD, *(pair.row() for pair in pairs))) + "\n"
    print(table, end="")
    if given.output:
        given.output.write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()

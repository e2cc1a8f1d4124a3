"""Times the product against a plain git script that does the same work, in interleaved pairs.

`python -m benchmarks.bench --output TABLE.md`. Absolute times mean nothing across machines; ratios
of pairs do, and so do requests and bytes, which are counted, not timed.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess  # noqa: TID251 - whole processes are what is timed
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.builder import git, isolated_env
from tests.support.git_http import GitHttpServer
from tests.support.opsrepo import OpsRepo, ahead_in, make_ops_repo

RAW = Path(__file__).with_name("raw_promote.sh")
PROJECT = "platform/shop-ops"
APP, BEFORE, STAGE, SUITE = "app-00005", "itg", "tst", "integration-tests"

LIMIT = 2.5  # times the script, on the embedded forge

Argv = tuple[str, ...]


def product(root: Path, url: str, release: str) -> Argv:
    """The promotion under test, on the embedded forge, its git going over `url`."""
    return (
        *(sys.executable, "-m", "gitops_ci", "promote", "--stage", STAGE, "--release", release),
        *("--forge", "local", "--forge-url", root.as_uri(), "--git-url", url),
    )


def raw(_root: Path, url: str, _release: str) -> Argv:
    """The yardstick."""
    return (str(RAW), url, BEFORE, STAGE, APP, SUITE)


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


def timed(argv: Argv, env: Mapping[str, str]) -> float:
    """Wall milliseconds of a command that must end well."""
    start = time.perf_counter()
    done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
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
    rounds: int

    def compare(self, where: str, url: str, server: GitHttpServer | None = None) -> Pair:
        """The promotion against the script; requests and bytes are those of one promotion."""
        name = f"{len(self.repo.apps)} applications, {where}"
        ours, theirs = in_turns(
            lambda: self._run(product, url), lambda: self._run(raw, url), self.rounds
        )
        if server is None:
            return Pair(name, ours, theirs, LIMIT)
        server.reset()
        self._run(product, url)
        return Pair(name, ours, theirs, LIMIT, len(server.requests), server.bytes_down)

    def _run(self, command: Callable[[Path, str, str], Argv], url: str) -> float:
        release = self.repo.release(APP, BEFORE).id
        self._restore()
        return timed(command(self.root, url, release), isolated_env())

    def _restore(self) -> None:
        gone = [f"delete {name}\n" for name in refs(self.repo) if name not in self.start]
        back = [f"update {name} {oid}\n" for name, oid in self.start.items()]
        git("update-ref", "--stdin", cwd=self.repo.path, stdin="".join(gone + back).encode())


def refs(repo: OpsRepo) -> dict[str, str]:
    """Every reference with its object."""
    lines = git("for-each-ref", "--format=%(refname) %(objectname)", cwd=repo.path).splitlines()
    return dict(line.split(" ") for line in lines)


def prepare(root: Path, *, apps: int, rounds: int) -> Scene:
    """An ops repository whose first stage is one release ahead."""
    path = root / f"{PROJECT}.git"
    path.parent.mkdir(parents=True)
    repo = make_ops_repo(path, apps=apps, version=ahead_in(BEFORE))
    return Scene(root, repo, refs(repo), rounds)


def sized(apps: int, rounds: int) -> Iterator[Pair]:
    """One repository, over the file system, over HTTP, and as GitHub serves it."""
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        scene = prepare(Path(made), apps=apps, rounds=rounds)
        yield scene.compare("`file://`", scene.repo.path.as_uri())
        for where, depth in (("HTTP", None), ("HTTP, `tree:0` only", 0)):
            with GitHttpServer(scene.root, tree_depth=depth) as server:
                yield scene.compare(where, f"{server.url}/{PROJECT}.git", server)


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

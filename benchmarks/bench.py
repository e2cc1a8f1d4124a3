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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.builder import git, isolated_env
from tests.support.git_http import GitHttpServer
from tests.support.opsrepo import OpsRepo, ahead_in, make_ops_repo

RAW = Path(__file__).with_name("raw_promote.sh")
PROJECT = "platform/shop-ops"
APP, BEFORE, STAGE, SUITE = "app-00005", "itg", "tst", "integration-tests"

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
    def ratio(self) -> float:
        """The median of the ratios, each of two neighbouring runs."""
        return statistics.median(a / b for a, b in zip(self.ours, self.theirs, strict=True))

    def row(self) -> str:
        low, high = (
            f(a / b for a, b in zip(self.ours, self.theirs, strict=True)) for f in (min, max)
        )
        counts = "" if self.requests is None else f"{self.requests}"
        size = "" if self.down is None else f"{self.down / 1024:.0f} KiB"
        ours, theirs = statistics.median(self.ours), statistics.median(self.theirs)
        return (
            f"| {self.name} | {ours:.0f} ms | {theirs:.0f} ms | {self.ratio:.2f}"
            f" ({low:.2f}..{high:.2f}) | {self.limit:.1f} | {counts} | {size} |"
        )


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


def promotions(
    repo: OpsRepo, root: Path, url: str, *, name: str, rounds: int, server: GitHttpServer | None
) -> Pair:
    """The promotion against the script, the repository put back before each run."""
    start = _refs(repo)
    env = isolated_env()
    release = repo.release(APP, BEFORE).id

    def run(command: Callable[[Path, str, str], Argv]) -> float:
        _restore(repo, start)
        if server:
            server.reset()
        return timed(command(root, url, release), env)

    ours, theirs = in_turns(lambda: run(product), lambda: run(raw), rounds)
    if not server:
        return Pair(name, ours, theirs, limit=2.5)
    run(product)
    return Pair(name, ours, theirs, 2.5, len(server.requests), server.bytes_down)


def _refs(repo: OpsRepo) -> dict[str, str]:
    lines = git("for-each-ref", "--format=%(refname) %(objectname)", cwd=repo.path).splitlines()
    return dict(line.split(" ") for line in lines)


def _restore(repo: OpsRepo, wanted: Mapping[str, str]) -> None:
    gone = [f"delete {name}\n" for name in _refs(repo) if name not in wanted]
    back = [f"update {name} {oid}\n" for name, oid in wanted.items()]
    git("update-ref", "--stdin", cwd=repo.path, stdin="".join(gone + back).encode())


def sized(apps: int, rounds: int) -> list[Pair]:
    """One repository of `apps` applications, over the file system and over HTTP."""
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        root = Path(made)
        path = root / f"{PROJECT}.git"
        path.parent.mkdir(parents=True)
        repo = make_ops_repo(path, apps=apps, version=ahead_in(BEFORE))
        rows = [
            promotions(
                repo, root, path.as_uri(), name=f"{apps} apps, file", rounds=rounds, server=None
            )
        ]
        for label, depth in (("HTTP", None), ("HTTP, `tree:0` only", 0)):
            with GitHttpServer(root, tree_depth=depth) as server:
                url = f"{server.url}/{PROJECT}.git"
                rows.append(
                    promotions(
                        repo, root, url, name=f"{apps} apps, {label}", rounds=rounds, server=server
                    )
                )
        return rows


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

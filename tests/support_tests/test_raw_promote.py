"""The yardstick of the benchmarks does all of a promotion, in as few requests as git can."""

from __future__ import annotations

import subprocess  # noqa: TID251 - a shell script is what is tested
from pathlib import Path

import pytest

from tests.support.builder import git, isolated_env
from tests.support.git_http import GitHttpServer
from tests.support.opsrepo import OpsRepo, ahead_in, make_ops_repo, passport

SCRIPT = Path(__file__).parents[2] / "benchmarks/raw_promote.sh"
APP = "app-00001"


@pytest.fixture
def ops(tmp_path: Path) -> OpsRepo:
    hold = {"holds/other.yaml": "kind: Hold\napp: other\n"}
    return make_ops_repo(tmp_path / "ops.git", apps=3, version=ahead_in("itg"), files=hold)


def promote(url: str, *, app: str = APP) -> int:
    argv = (str(SCRIPT), url, "itg", "tst", app, "integration-tests")
    return subprocess.run(argv, env=isolated_env(), capture_output=True).returncode


def check(ops: OpsRepo) -> None:
    """The new branch has the release's own tree and a passport of `tst`, and nothing else."""
    release = ops.release(APP, "itg")
    branch = f"refs/heads/promote/tst/{APP}/{release.id}"
    there = f"{branch}:environments/tst/{APP}"
    assert git("rev-parse", f"{there}/release", cwd=ops.path) == release.tree
    written = git("cat-file", "blob", f"{there}/release.yaml", cwd=ops.path) + "\n"
    assert written == passport(APP, "1.1.0", release.tree, "tst")
    changed = git("diff-tree", "-r", "--name-only", "main", branch, cwd=ops.path).split()
    assert all(path.startswith(f"environments/tst/{APP}/release") for path in changed)
    assert git("rev-list", "--count", f"main..{branch}", cwd=ops.path) == "1"
    assert git("fsck", "--strict", "--no-progress", cwd=ops.path) == ""


def test_it_promotes_over_the_file_system(ops: OpsRepo) -> None:
    assert promote(ops.path.as_uri()) == 0
    check(ops)


@pytest.mark.parametrize(("depth", "requests"), [(None, 9), (0, 16)])
def test_it_promotes_over_http(ops: OpsRepo, depth: int | None, requests: int) -> None:
    with GitHttpServer(ops.path.parent, tree_depth=depth) as server:
        assert promote(f"{server.url}/ops.git") == 0
        assert len(server.requests) == requests
    check(ops)


def test_a_branch_that_is_there_stays_as_it_is(ops: OpsRepo) -> None:
    assert [promote(ops.path.as_uri()) for _ in range(2)] == [0, 3]
    check(ops)


def test_a_hold_stops_it(tmp_path: Path) -> None:
    hold = {"holds/mine.yaml": f"kind: Hold\napp: {APP}\n"}
    ops = make_ops_repo(tmp_path / "ops.git", apps=2, version=ahead_in("itg"), files=hold)
    assert promote(ops.path.as_uri()) == 4
    assert git("for-each-ref", "--format=%(refname)", cwd=ops.path) == "refs/heads/main"

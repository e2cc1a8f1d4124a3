"""R3: many jobs that do the same at the same moment do it once, and all of them end well.

5 rounds by default, 100 with `GITOPS_CI_FULL=1`; every second one over smart HTTP with 50 ms for
each answer.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gitops_ci import names
from gitops_ci.forge import MergeState
from tests.support import jobs
from tests.support.builder import real_git, write_tree
from tests.support.git_http import GitHttpServer
from tests.support.jobs import PROGRAM, Ended, Job
from tests.support.world import APP, MERGER, OPS, World

FULL = os.environ.get("GITOPS_CI_FULL") == "1"
JOBS = 10
LATENCY = 0.05
ROUNDS = range(100 if FULL else 5)
LATER_ROUNDS = range(20 if FULL else 2)
SUITES = ("--suite", "integration-tests=passed")


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A release is ready for the first stage."""
    world = World.build(tmp_path_factory.mktemp("r03") / "first")
    world.commit("1.0.0")
    return world


@pytest.fixture(scope="session")
def later(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A release is live in the first stage, its suite has passed."""
    world = World.build(tmp_path_factory.mktemp("r03") / "later")
    world.commit("1.0.0")
    world.enter("itg", "1.0.0")
    world.suite("1.0.0", "integration-tests")
    world.reconcile()
    return world


@contextmanager
def served(prepared: World, place: Path, *, slowly: bool) -> Iterator[World]:
    """A copy of a world, its git behind a slow server or on the same disk."""
    world = prepared.copied(place)
    if not slowly:
        yield world
        return
    with GitHttpServer(world.forge_root, latency=LATENCY) as server:
        world.git_url = f"{server.url}/{OPS}.git"
        yield world


def promotion(world: World, stage: str, *more: str) -> Job:
    return world.job(*world.promote_args(stage, "1.0.0", *more), "--output", "json")


def assert_one(world: World, stage: str, ended: tuple[Ended, ...]) -> None:
    """All have ended well with the same release, and there is one merge request of it."""
    assert [each.code for each in ended] == [0] * JOBS, "\n".join(each.err for each in ended)
    assert {each.data["result"] for each in ended} <= {"opened", "open"}
    same = {tuple(each.data[key] for key in ("release", "commit", "url")) for each in ended}
    assert len(same) == 1, "\n".join(f"{each.data}\n{each.err}" for each in ended)
    found = world.ops().list(labels=names.labels(stage, APP))
    assert [request.state for request in found] == [MergeState.OPEN]
    branches = [name for name in world.branches() if name.startswith(f"promote/{stage}/")]
    assert branches == [found[0].source]
    assert world.branches()[found[0].source] == ended[0].data["commit"]


@pytest.mark.parametrize("number", ROUNDS)
def test_r03_ten_jobs_open_one_merge_request(number: int, first: World, tmp_path: Path) -> None:
    with served(first, tmp_path / "world", slowly=number % 2 == 1) as world:
        assert_one(world, "itg", jobs.at_once([promotion(world, "itg")] * JOBS))


@pytest.mark.parametrize("number", LATER_ROUNDS)
def test_r03_ten_jobs_open_one_merge_request_for_a_later_stage(
    number: int, later: World, tmp_path: Path
) -> None:
    with served(later, tmp_path / "world", slowly=number % 2 == 1) as world:
        assert_one(world, "tst", jobs.at_once([promotion(world, "tst", *SUITES)] * JOBS))


@pytest.mark.parametrize("slowly", [False, True], ids=["disk", "http"])
def test_r03_ten_applications_do_not_hinder_each_other(
    slowly: bool, later: World, tmp_path: Path
) -> None:
    """One enters a later stage, nine others the first one, each with a branch of its own."""
    with served(later, tmp_path / "world", slowly=slowly) as world:
        others = [f"shop-{number}" for number in range(1, JOBS)]
        wanted = [promotion(world, "tst", *SUITES), *(_of_another(world, app) for app in others)]
        ended = jobs.at_once(wanted)
        assert [each.code for each in ended] == [0] * JOBS, "\n".join(each.err for each in ended)
        assert {each.data["result"] for each in ended} == {"opened"}
        for app, stage in ((APP, "tst"), *((app, "itg") for app in others)):
            found = world.ops().list(labels=names.labels(stage, app), state=MergeState.OPEN)
            assert [request.source for request in found] == [
                name for name in world.branches() if name.startswith(f"promote/{stage}/{app}/")
            ]
        numbers = {each.data["merge_request"] for each in ended}
        assert len(numbers) == JOBS


def _of_another(world: World, app: str) -> Job:
    """A job of another application's pipeline, in a checkout of its own."""
    usual = promotion(world, "itg")
    files = {
        path.relative_to(world.dev_folder).as_posix(): path.read_bytes()
        for path in (world.dev_folder / "deploy").rglob("*")
        if path.is_file()
    }
    config = (world.dev_folder / "gitops-ci.yaml").read_text(encoding="utf-8")
    files["gitops-ci.yaml"] = config.replace(f"name: {APP}", f"name: {app}").encode()
    folder = write_tree(files, world.root / "checkouts" / app)
    image = world.image("1.0.0").replace(APP, app)
    args = tuple(image if word == world.image("1.0.0") else word for word in usual.args)
    env = {**usual.env, "GITOPS_CI_PROJECT": f"shop/{app}", "GITLAB_CI": "1"}
    env |= {"CI_PROJECT_PATH": f"shop/{app}", "CI_COMMIT_SHA": world.versions["1.0.0"]}
    return replace(usual, args=args, env=env, cwd=folder)


# --- what happens between two looks ------------------------------------------

_MEANWHILE = """\
#!/bin/sh
# The first fetch takes its time: before it ends, somebody else runs a command to its end.
{git} "$@"
code=$?
case " $* " in
*" fetch "*) mkdir {once} 2>/dev/null && {command} >{once}/out 2>{once}/err && : >{once}/done ;;
esac
exit "$code"
"""


def meanwhile(world: World, job: Job) -> Path:
    """Let `job` run between the first fetch and all that follows; the path is there if it did."""
    folder = world.root / "meanwhile"
    folder.mkdir()
    settings = (f"{name}={value}" for name, value in job.env.items())
    command = shlex.join(["env", "-i", "-C", str(job.cwd), *settings, *PROGRAM, *job.args])
    once = world.root / "once"
    text = _MEANWHILE.format(git=real_git(), once=shlex.quote(str(once)), command=command)
    (folder / "git").write_text(text, encoding="utf-8")
    (folder / "git").chmod(0o755)
    world.env["PATH"] = os.pathsep.join((str(folder), os.environ["PATH"]))
    return once / "done"


def test_r03_a_branch_that_came_after_the_fetch_is_seen(first: World, tmp_path: Path) -> None:
    world = first.copied(tmp_path / "world")
    other = meanwhile(world, promotion(world, "itg"))
    ran = world.promote("itg", "1.0.0")
    assert other.exists()
    assert (ran.code, ran.data["result"], ran.data["merge_request"]) == (0, "open", 1), ran.err
    assert len(world.ops().list(labels=())) == 1


def test_r03_a_merge_after_the_fetch_is_no_revert(first: World, tmp_path: Path) -> None:
    world = first.copied(tmp_path / "world")
    assert world.promote("itg", "1.0.0").code == 0
    other = meanwhile(world, world.job("reconcile", "--no-diff", user=MERGER))
    ran = world.promote("itg", "1.0.0")
    assert other.exists()
    assert (ran.code, ran.data["result"]) == (0, "unchanged"), ran.err


def test_r03_a_newer_release_that_came_after_the_fetch_wins(first: World, tmp_path: Path) -> None:
    world = first.copied(tmp_path / "world")
    world.commit("1.1.0")
    newer = world.job(*world.promote_args("itg", "1.1.0"))
    other = meanwhile(world, replace(newer, cwd=world.clone("1.1.0")))
    ran = world.promote("itg", "1.0.0")
    assert other.exists()
    assert (ran.code, ran.data["result"]) == (0, "superseded"), ran.err
    assert [request.title for request in world.ops().list(labels=())] == [
        "Promote shop-web 1.1.0 to itg"
    ]


def test_r03_reconcile_leaves_what_moved_after_its_fetch(first: World, tmp_path: Path) -> None:
    """The newer release closes the older one while `reconcile` looks at that: no harm, no error."""
    world = first.copied(tmp_path / "world")
    assert world.promote("itg", "1.0.0").code == 0
    world.commit("1.1.0")
    newer = world.job(*world.promote_args("itg", "1.1.0"))
    other = meanwhile(world, replace(newer, cwd=world.clone("1.1.0")))
    ran = world.reconcile()
    assert other.exists()
    assert ran.code == 0, ran.err
    assert world.reconcile().code == 0
    assert (world.holds("itg") or "").startswith("shop-web-1.1.0-")

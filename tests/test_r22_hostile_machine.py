"""R22: a machine in trouble ends in a documented exit code and a sentence, never in a traceback."""

from __future__ import annotations

import os
import resource
import subprocess  # noqa: TID251 - a file system of its own is mounted from outside
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gitops_ci.errors import Exit
from tests.support import jobs
from tests.support.jobs import Ended, Job
from tests.support.world import MERGER, World

DOCUMENTED = {int(code) for code in Exit} - {Exit.BUG}
BIG = 4 * 1024 * 1024
LIMIT = 128 * 1024  # of one environment variable, on Linux


@pytest.fixture(scope="session")
def ready(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World.build(tmp_path_factory.mktemp("r22") / "world")
    world.commit("1.0.0")
    return world


@pytest.fixture
def world(ready: World, tmp_path: Path) -> World:
    return ready.copied(tmp_path / "world")


@pytest.fixture(params=["promote", "reconcile"])
def job(request: pytest.FixtureRequest, world: World) -> Job:
    if request.param == "promote":
        return world.job(*world.promote_args("itg", "1.0.0"))
    assert world.promote("itg", "1.0.0").code == 0
    return world.job("reconcile", "--no-diff", user=MERGER)


def with_env(job: Job, **more: str) -> Job:
    return replace(job, env={**job.env, **more})


def assert_told(ended: Ended) -> None:
    assert ended.code in DOCUMENTED, ended.err
    assert "Traceback" not in ended.err
    if ended.code != Exit.DONE:
        assert ended.err.strip()


def assert_converges(job: Job) -> None:
    ended = jobs.run(job)
    assert ended.code == Exit.DONE, ended.err


@contextmanager
def small_disk(place: Path, *, kilobytes: int, options: str = "") -> Iterator[Path]:
    """A file system with hardly any room, where we may mount one."""
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k{options}", "tmpfs", str(place)]
    try:
        done = subprocess.run(words, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no `mount`")
    if done.returncode:
        pytest.skip("a file system can be mounted by root only")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.parametrize("kilobytes", [4, 16, 32, 48, 64, 96])
def test_r22_a_full_disk(job: Job, kilobytes: int, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", kilobytes=kilobytes) as scratch:
        ended = jobs.run(with_env(job, TMPDIR=str(scratch)))
    assert_told(ended)
    assert kilobytes < 32 or ended.code in {Exit.DONE, Exit.TEMPORARY}, ended.err
    assert_converges(job)


@pytest.mark.parametrize("blocks", [0, 1, 2, 4])
def test_r22_a_limit_on_the_size_of_files(job: Job, blocks: int) -> None:
    job = with_env(job, PYTHONDONTWRITEBYTECODE="1")  # half a module would harm later runs
    limited = replace(job, prefix=("sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh"))
    assert_told(jobs.run(limited))
    assert_converges(job)


def test_r22_a_disk_that_is_read_only(job: Job, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", kilobytes=64, options=",ro") as scratch:
        ended = jobs.run(with_env(job, TMPDIR=str(scratch)))
    assert_told(ended)
    assert_converges(job)


@pytest.mark.parametrize("place", ["missing", "file"])
def test_r22_a_directory_for_temporary_files_that_is_none(
    job: Job, place: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    assert_told(jobs.run(with_env(job, TMPDIR=str(tmp_path / place))))


@pytest.mark.parametrize("variable", ["GITOPS_CI_DOTENV", "GITHUB_STEP_SUMMARY"])
def test_r22_a_place_for_outputs_that_cannot_be_written(world: World, variable: str) -> None:
    env = {variable: "/nonexistent/outputs", "GITHUB_ACTIONS": "1"} if "HUB" in variable else {
        variable: "/nonexistent/outputs"
    }  # fmt: skip
    job = with_env(world.job(*world.promote_args("itg", "1.0.0")), **env)
    ended = jobs.run(job)
    assert_told(ended)
    assert ended.code != Exit.DONE


def test_r22_an_environment_with_nothing_but_our_own(job: Job) -> None:
    ours = {name: value for name, value in job.env.items() if name.startswith("GITOPS_CI_")}
    ended = jobs.run(replace(job, env={**ours, "PATH": os.environ["PATH"]}))
    assert ended.code == Exit.DONE, ended.err


def test_r22_no_git_on_the_path(job: Job, tmp_path: Path) -> None:
    ended = jobs.run(with_env(job, PATH=str(tmp_path)))
    assert_told(ended)
    assert ended.code != Exit.DONE
    assert "git" in ended.err


@pytest.fixture
def large_environments() -> Iterator[None]:
    """Linux gives arguments and environment a quarter of the stack, at the most 6 MiB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    wanted = 8 * BIG
    if hard not in {resource.RLIM_INFINITY} and hard < wanted:
        pytest.skip("the stack may not grow")
    resource.setrlimit(resource.RLIMIT_STACK, (wanted, hard))
    yield
    resource.setrlimit(resource.RLIMIT_STACK, (soft, hard))


@pytest.mark.usefixtures("large_environments")
def test_r22_an_environment_of_4_mib(job: Job) -> None:
    """A variable may not be larger than 128 KiB, but there may be many."""
    size = LIMIT - 100
    many = {f"FILLER_{number}": "x" * size for number in range(BIG // size)}
    ended = jobs.run(with_env(job, **many))
    assert ended.code == Exit.DONE, ended.err


@pytest.mark.parametrize("name", ["GITOPS_CI_TOKEN", "GITOPS_CI_FORGE_URL", "GITOPS_CI_VERSION"])
def test_r22_one_of_our_own_variables_is_very_large(world: World, name: str) -> None:
    job = world.job("promote", "--stage", "itg", "--image", world.image("1.0.0"))
    ended = jobs.run(with_env(job, **{name: "x" * (LIMIT - 100)}))
    assert_told(ended)
    assert ended.code != Exit.DONE


CLOSED = ["1", "1 2", "0 1 2"]


@pytest.mark.parametrize("closed", ["2", *CLOSED])
def test_r22_standard_streams_that_are_closed(job: Job, closed: str) -> None:
    closing = " ".join(f"{number}>&-" for number in closed.split())
    ended = jobs.run(replace(job, prefix=("sh", "-c", f'exec "$@" {closing}', "sh")))
    assert ended.code in DOCUMENTED, ended.err
    assert "Traceback" not in ended.err
    assert_converges(job)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_r22_nobody_reads_what_we_say(job: Job, stream: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = jobs.run(replace(job, streams={stream: writing}))
    finally:
        os.close(writing)
    assert ended.code in DOCUMENTED, ended.err
    assert "Traceback" not in ended.err
    assert_converges(job)


def test_r22_a_device_that_is_full(job: Job) -> None:
    with Path("/dev/full").open("w") as full:
        ended = jobs.run(replace(job, streams={"stdout": full}))
    assert_told(ended)
    assert_converges(job)


def test_r22_a_folder_that_is_gone(world: World, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    job = world.job(*world.promote_args("itg", "1.0.0"))
    vanish = ("sh", "-c", 'rmdir "$PWD" && exec "$@"', "sh")
    ended = jobs.run(replace(job, cwd=gone, prefix=vanish))
    assert_told(ended)
    assert ended.code != Exit.DONE

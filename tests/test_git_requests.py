"""What a command asks of the git server: counted to the request, bounded in bytes, and every fault
of a server told by its exit code, without the token in any word of it.
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitops_ci.errors import Exit
from tests.support import jobs, recording
from tests.support.git_http import GitHttpServer
from tests.support.killing import Command, Phase, Point, kill_at, run_undisturbed
from tests.support.world import MERGER, OPS, PROPOSER, Ran, World

FULL = os.environ.get("GITOPS_CI_FULL") == "1"
FEW, MANY = 10, 10_000 if FULL else 1_000
SUITES = ("--suite", "integration-tests=passed")
SERVERS: dict[str, dict[str, object]] = {
    "trees": {},  # serves `tree:<n>`, as GitLab
    "tree:0": {"tree_depth": 0},  # refuses all but `tree:0`, as GitHub
    "none": {"filters": False},
}


# --- counts ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cost:
    """The requests of one command, and the bytes that came down for it."""

    requests: int
    down: int


@dataclass(frozen=True, slots=True)
class Costs:
    """What each step of a release's way costs."""

    first: Cost
    later: Cost
    idle: Cost
    waiting: Cost


@contextmanager
def _served(world: World, **settings: object) -> Iterator[GitHttpServer]:
    with GitHttpServer(world.forge_root, **settings) as server:  # type: ignore[arg-type]
        world.git_url = f"{server.url}/{OPS}.git"
        yield server


def _cost(server: GitHttpServer, command: Callable[[], Ran]) -> Cost:
    server.reset()
    ran = command()
    assert ran.code == 0, ran.err
    return Cost(len(server.requests), server.bytes_down)


@pytest.fixture(scope="session")
def costs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, str], Costs]:
    """Walks the way when it is asked for the first time; a world of each size is made once."""
    worlds: dict[int, World] = {}
    found: dict[tuple[int, str], Costs] = {}

    def get(apps: int, server: str) -> Costs:
        if apps not in worlds:
            worlds[apps] = World.build(tmp_path_factory.mktemp("apps") / "world", apps=apps)
        if (apps, server) not in found:
            world = worlds[apps].copied(tmp_path_factory.mktemp("way") / "world")
            found[apps, server] = _way(world, SERVERS[server])
        return found[apps, server]

    return get


def _way(world: World, settings: dict[str, object]) -> Costs:
    world.commit("1.0.0")
    with _served(world, **settings) as server:
        first = _cost(server, lambda: world.promote("itg", "1.0.0"))
        assert world.reconcile().code == 0
        world.sync("itg")
        waiting = _cost(server, world.reconcile)
        world.suite("1.0.0", "integration-tests")
        assert world.reconcile().code == 0
        idle = _cost(server, world.reconcile)
        later = _cost(server, lambda: world.promote("tst", "1.0.0", *SUITES))
    return Costs(first, later, idle, waiting)


REQUESTS = {  # first stage, later stage: a fetch of refs is 3, one of ids 2, a push 2
    "trees": (7, 9),
    "tree:0": (14, 16),  # of these three are the refused filter
    "none": (5, 5),
}


@pytest.mark.parametrize("apps", [FEW, MANY], ids=["few", "many"])
@pytest.mark.parametrize("server", SERVERS)
def test_a_promotion_makes_exactly_these_requests(
    server: str, apps: int, costs: Callable[[int, str], Costs]
) -> None:
    found = costs(apps, server)
    assert (found.first.requests, found.later.requests) == REQUESTS[server]


@pytest.mark.parametrize("server", ["trees", "tree:0"])
@pytest.mark.parametrize("step", ["first", "later", "waiting"])
def test_an_application_more_costs_an_entry_of_a_tree(
    step: str, server: str, costs: Callable[[int, str], Costs]
) -> None:
    """About 24 bytes a stage that is looked at; never its files."""
    few, many = (getattr(costs(apps, server), step) for apps in (FEW, MANY))
    assert few.requests == many.requests
    assert few.down < 8_000
    assert many.down - few.down < (MANY - FEW) * 2 * 30


def test_without_filters_a_promotion_fetches_one_commit_whole(
    costs: Callable[[int, str], Costs],
) -> None:
    few, many = (costs(apps, "none").first for apps in (FEW, MANY))
    assert many.down > few.down * 20


@pytest.mark.parametrize("apps", [FEW, MANY], ids=["few", "many"])
@pytest.mark.parametrize("server", SERVERS)
def test_reconcile_with_nothing_to_do_asks_git_nothing(
    server: str, apps: int, costs: Callable[[int, str], Costs]
) -> None:
    assert costs(apps, server).idle == Cost(0, 0)


# --- who may -----------------------------------------------------------------

TOKEN = "canary-b7d25c61e0"
FORMS = (TOKEN, base64.b64encode(f"gitops-ci:{TOKEN}".encode()).decode().rstrip("="))
RIGHT = {"gitops-ci": TOKEN}


@pytest.fixture(scope="session")
def ready(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A release is ready for the first stage; the proposer's token is a canary."""
    world = World.build(tmp_path_factory.mktemp("ready") / "world")
    world.ops("admin").setup(
        members={
            TOKEN: "developer",
            PROPOSER: "developer",
            MERGER: "maintainer",
            "admin": "maintainer",
        }
    )
    world.commit("1.0.0")
    return world


@pytest.fixture
def world(ready: World, tmp_path: Path) -> World:
    return ready.copied(tmp_path / "world")


def _promote(world: World, *more: str, token: str = TOKEN) -> Ran:
    return world.run(*world.promote_args("itg", "1.0.0"), *more, user=token)


def test_the_right_token_may(world: World) -> None:
    with _served(world, users=RIGHT):
        assert _promote(world).code == Exit.DONE


@pytest.mark.parametrize("token", [f"{TOKEN}-wrong", ""], ids=["wrong", "missing"])
def test_a_token_that_is_not_accepted_ends_with_2(world: World, token: str) -> None:
    before = world.refs()
    with _served(world, users=RIGHT):
        ran = _promote(world, token=token)
    assert ran.code == Exit.USAGE
    assert "GITOPS_CI_TOKEN" in ran.err
    assert world.refs() == before
    _assert_clean(ran.out + ran.err)


def test_a_token_that_may_only_read_ends_with_2(world: World) -> None:
    before = world.refs()
    with _served(world, users=RIGHT, read_only=True):
        ran = _promote(world)
    assert ran.code == Exit.USAGE
    assert "hint:" in ran.err
    assert "GITOPS_CI_TOKEN" in ran.err
    assert world.refs() == before
    _assert_clean(ran.out + ran.err)


def _assert_clean(text: str) -> None:
    assert not [form for form in FORMS if form in text]


TRACES = {"GIT_TRACE": "1", "GIT_TRACE_CURL": "1", "GIT_CURL_VERBOSE": "1", "GIT_TRACE_REDACT": "0"}


def test_s06_the_token_is_in_no_output_and_no_argument(world: World, tmp_path: Path) -> None:
    wrappers = recording.install(tmp_path / "bin", tmp_path / "calls")
    world.env |= {"PATH": os.pathsep.join((str(wrappers), os.environ["PATH"])), **TRACES}
    outputs = tmp_path / "outputs.env"
    world.env["GITOPS_CI_DOTENV"] = str(outputs)
    with _served(world, users=RIGHT):
        for more in (
            (),
            ("--output", "json"),
            ("--dry-run",),
            ("--git-url", "http://127.0.0.1:1/x"),
        ):
            ran = _promote(world, *more)
            _assert_clean(ran.out + ran.err)
    _assert_clean(outputs.read_text(encoding="utf-8"))
    calls = recording.recorded_calls(tmp_path / "calls")
    assert calls
    _assert_clean("\n".join(word for call in calls for word in call))


def test_s06_the_token_is_in_no_file_of_a_run_that_was_killed(world: World, tmp_path: Path) -> None:
    """What is left of the temporary copy after each git call that moves something."""
    for number in _moments(world, tmp_path / "undisturbed"):
        copy = world.copied(tmp_path / f"world-{number}")
        scratch = tmp_path / f"scratch-{number}"
        with _served(copy, users=RIGHT):
            killed = kill_at(_command(copy, scratch), number)
        _assert_clean(killed.stdout + killed.stderr)
        left = [path for path in scratch.rglob("*") if path.is_file()]
        assert any(path.name == "config" for path in left)
        for path in left:
            _assert_clean(path.read_bytes().decode("latin-1"))


def _moments(world: World, place: Path) -> list[int]:
    copy = world.copied(place)
    with _served(copy, users=RIGHT):
        done = run_undisturbed(_command(copy, place / "scratch"))
    assert done.code == Exit.DONE, done.stderr
    moving = {Point(Phase.AFTER, f"git {name}") for name in ("fetch", "fast-import", "push")}
    found = [number for number, point in enumerate(done.points, 1) if point in moving]
    assert len(found) >= 3
    return found


def _command(world: World, scratch: Path) -> Command:
    scratch.mkdir()
    args = world.promote_args("itg", "1.0.0")
    job = world.job(*args, user=TOKEN, TMPDIR=str(scratch), **TRACES)
    return Command(world.argv_of(*args), job.env, job.cwd, quiet=(scratch,))


# --- a server in trouble -----------------------------------------------------

STATUSES = (429, 500, 502, 503, 504) if FULL else (429, 503)
CUTS = (0, 3, 20, 60) if FULL else (0, 60)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("good", [0, 1, 2, 3, 4])
def test_r20_a_server_in_trouble_ends_with_75_and_a_rerun_goes_on(
    world: World, good: int, status: int
) -> None:
    """`good` answers, then only that status: in the first fetch, the second, or the push."""
    with _served(world) as server:
        server.pass_next(good)
        server.fail_next(50, status)
        ran = _promote(world)
        assert ran.code == Exit.TEMPORARY, ran.err
        assert "run it again" in ran.err
        server.reset()
        assert _promote(world).code == Exit.DONE


def test_r20_an_answer_that_is_lost_after_the_push_is_found_by_the_rerun(world: World) -> None:
    with _served(world) as server:
        server.pass_next(4)
        server.fail_next(1, 502, after_effect=True)
        assert _promote(world).code == Exit.TEMPORARY
        ran = _promote(world, "--output", "json")
        assert (ran.code, ran.data["result"]) == (Exit.DONE, "opened")
    assert len(world.ops().list(labels=())) == 1


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("good", [0, 1, 2, 3, 4])
def test_r20_half_an_answer_ends_with_75_and_a_rerun_goes_on(
    world: World, good: int, cut: int
) -> None:
    with _served(world) as server:
        server.pass_next(good)
        server.drop_after(cut)
        ran = _promote(world)
        assert ran.code == Exit.TEMPORARY, ran.err
        assert _promote(world).code == Exit.DONE
    assert len(world.ops().list(labels=())) == 1


SOON = {
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "http.lowSpeedTime",
    "GIT_CONFIG_VALUE_0": "1",
    "GIT_CONFIG_KEY_1": "http.lowSpeedLimit",
    "GIT_CONFIG_VALUE_1": "1000",
}
"""What an administrator can set: one second of silence is enough."""


@pytest.mark.parametrize("good", range(5) if FULL else (0, 2, 4))
def test_r20_a_server_that_never_answers_ends_with_75(world: World, good: int) -> None:
    world.env |= SOON
    with _served(world) as server:
        server.pass_next(good)
        server.hang_next()
        begin = time.monotonic()
        ran = _promote(world)
        assert time.monotonic() - begin < 20
        assert ran.code == Exit.TEMPORARY, ran.err
        assert _promote(world).code == Exit.DONE


@pytest.mark.full
def test_r20_a_server_that_never_answers_is_left_within_a_minute(world: World) -> None:
    with _served(world) as server:
        server.hang_next()
        begin = time.monotonic()
        assert _promote(world).code == Exit.TEMPORARY
        assert time.monotonic() - begin < 60


def test_nobody_listens(world: World) -> None:
    with _served(world) as server:
        url = server.url
    world.git_url = f"{url}/{OPS}.git"
    assert _promote(world).code == Exit.TEMPORARY


def test_there_is_no_such_repository(world: World) -> None:
    with _served(world) as server:
        world.git_url = f"{server.url}/platform/elsewhere.git"
        ran = _promote(world)
    assert ran.code == Exit.FAILED
    assert "platform/elsewhere.git" in ran.err


@pytest.mark.parametrize("over_http", [False, True], ids=["disk", "http"])
def test_a_hook_that_refuses_the_branch_is_a_rule_and_not_a_fault(
    world: World, over_http: bool
) -> None:
    """What the hook says is passed on; trying again would not help, so the code is not 75."""
    hooks = world.ops_git / "hooks"
    hooks.mkdir(exist_ok=True)
    (hooks / "pre-receive").write_text("#!/bin/sh\necho protected by rule 7 >&2\nexit 1\n")
    (hooks / "pre-receive").chmod(0o755)
    before = world.refs()
    if over_http:
        with _served(world):
            ran = _promote(world)
    else:
        ran = _promote(world)
    assert ran.code == Exit.FAILED
    assert "protected by rule 7" in ran.err
    assert "hint:" in ran.err
    assert world.refs() == before


def test_a_slow_server_does_not_lose_anything(world: World) -> None:
    with _served(world, latency=0.05):
        ended = jobs.run(world.job(*world.promote_args("itg", "1.0.0"), user=TOKEN))
    assert ended.code == Exit.DONE, ended.err

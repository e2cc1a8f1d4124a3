"""R6: what is done is found, not done twice: a rerun writes nothing and asks little."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitops_ci.errors import Exit
from gitops_ci.forge import JobState
from tests.support import builder
from tests.support.git_http import GitHttpServer
from tests.support.world import APP, OPS, Ran, World

MOST = 12  # git requests of a rerun; a person's commits are followed down to ours for some more
PASSED = ("--suite", "integration-tests=passed")

Step = Callable[[World], Ran]


@dataclass(frozen=True, slots=True)
class Case:
    """A way to a finished step, the step, and what its rerun ends in and costs."""

    before: Callable[[World], object]
    step: Step
    code: Exit
    result: str
    requests: int


def _promote(stage: str, version: str, *more: str) -> Step:
    return lambda world: world.promote(stage, version, *more)


def _nothing(world: World) -> None:
    world.commit("1.0.0")


def _merged(world: World) -> None:
    _nothing(world)
    assert world.promote("itg", "1.0.0").code == 0
    assert world.reconcile().code == 0


def _newer_is_merged(world: World) -> None:
    _nothing(world)
    world.commit("1.1.0")
    assert world.promote("itg", "1.1.0").code == 0
    assert world.reconcile().code == 0


def _newer_is_open(world: World) -> None:
    _nothing(world)
    world.commit("1.1.0")
    assert world.promote("itg", "1.1.0").code == 0


def _declined(world: World) -> None:
    _nothing(world)
    assert world.promote("itg", "1.0.0").code == 0
    world.ops("admin").close(world.open_request("itg").number)


def _reverted(world: World) -> None:
    _merged(world)
    files = builder.git(
        "ls-tree", "-r", "--name-only", "refs/heads/main", f"environments/itg/{APP}/",
        cwd=world.ops_git,
    )  # fmt: skip
    world.push_to_main(dict.fromkeys(files.splitlines()), "Take it out")


def _with_a_persons_commit(world: World) -> None:
    _nothing(world)
    assert world.promote("itg", "1.0.0").code == 0
    passport = {f"environments/itg/{APP}/release/values.yaml": "by: hand\n"}
    builder.commit(world.ops_git, passport, "Mine", branch=world.open_request("itg").source)


def _held(world: World) -> None:
    _nothing(world)
    done = world.promote("itg", "1.0.0", "--dry-run")
    hold = f"release: {done.data['release']}\nreason: wrong prices\nowner: jane\n"
    world.push_to_main({"holds/prices.yaml": f"apiVersion: gitops-ci/v1\nkind: Hold\n{hold}"})


def _live(world: World) -> None:
    world.commit("1.0.0")
    world.enter("itg", "1.0.0")


def _tested(world: World) -> None:
    _live(world)
    world.suite("1.0.0", "integration-tests")
    assert world.reconcile().code == 0


def _failed(world: World) -> None:
    _live(world)
    world.suite("1.0.0", "integration-tests", JobState.FAILED)
    assert world.reconcile().code == 0


CASES = {
    "opened": Case(_nothing, _promote("itg", "1.0.0"), Exit.DONE, "open", 7),
    "opened later": Case(_tested, _promote("tst", "1.0.0", *PASSED), Exit.DONE, "open", 7),
    "unchanged": Case(_merged, _promote("itg", "1.0.0"), Exit.DONE, "unchanged", 7),
    "newer merged": Case(_newer_is_merged, _promote("itg", "1.0.0"), Exit.DONE, "superseded", 7),
    "newer open": Case(_newer_is_open, _promote("itg", "1.0.0"), Exit.DONE, "superseded", 7),
    "declined": Case(_declined, _promote("itg", "1.0.0"), Exit.NOT_YET, "declined", 7),
    "reverted": Case(_reverted, _promote("itg", "1.0.0"), Exit.NOT_YET, "reverted", 7),
    "foreign": Case(_with_a_persons_commit, _promote("itg", "1.0.0"), Exit.NOT_YET, "foreign", 13),
    "held": Case(_held, _promote("itg", "1.0.0"), Exit.REFUSED, "refused", 7),
    "not live": Case(_merged, _promote("tst", "1.0.0", *PASSED), Exit.NOT_YET, "waiting", 7),
    "not tested": Case(_live, _promote("tst", "1.0.0"), Exit.NOT_YET, "waiting", 7),
    "failed": Case(_failed, _promote("tst", "1.0.0"), Exit.REFUSED, "refused", 7),
}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[World, GitHttpServer]]:
    """A world with ten other applications, its git behind a server that counts."""
    world = World.build(tmp_path / "world", apps=10)
    with GitHttpServer(world.forge_root) as server:
        world.git_url = f"{server.url}/{OPS}.git"
        yield world, server


@pytest.mark.parametrize("name", CASES)
def test_r06_a_finished_promotion_is_not_done_again(
    name: str, served: tuple[World, GitHttpServer]
) -> None:
    (world, server), case = served, CASES[name]
    case.before(world)
    case.step(world)
    before = world.refs()
    server.reset()
    again = case.step(world)
    assert (again.code, again.data["result"]) == (case.code, case.result), again.err
    assert world.refs() == before
    assert len(server.requests) == case.requests, server.requests
    assert case.requests <= MOST or case.result == "foreign"


def _waits_for_approval(world: World) -> None:
    _tested(world)
    assert world.promote("tst", "1.0.0", *PASSED).code == 0


def _waits_for_sync(world: World) -> None:
    _waits_for_approval(world)
    assert world.reconcile().code == 0
    world.approve("tst", "tara")


@pytest.mark.parametrize(
    ("before", "requests"),
    [(_waits_for_approval, 11), (_waits_for_sync, 7), (_live, 7), (_tested, 0)],
    ids=["approval", "sync", "tests", "nothing"],
)
def test_r06_reconcile_that_can_only_wait_writes_nothing(
    before: Callable[[World], None], requests: int, served: tuple[World, GitHttpServer]
) -> None:
    world, server = served
    before(world)
    assert world.reconcile().code == 0
    refs = world.refs()
    server.reset()
    again = world.reconcile()
    assert again.code == 0
    assert world.refs() == refs
    assert len(server.requests) == requests <= MOST, server.requests

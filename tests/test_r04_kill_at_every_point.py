"""R4: killed anywhere, a command that is run again brings the world to where it would have been.

A point is one side of a git call (the local forge is made of them) or of a change of a file. With
`GITOPS_CI_FULL=1` every point is tried. By default those after an act are, for the disk is the same
before the next one; all of them in two scenarios, every third in the others.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from gitops_ci import review
from gitops_ci.errors import Exit
from tests.support import builder
from tests.support.killing import Command, Phase, Undisturbed, kill_at, run_undisturbed
from tests.support.world import APP, MERGER, PROPOSER, World

FULL = os.environ.get("GITOPS_CI_FULL") == "1"
SLICES = 4  # of a scenario's points, so that they can be tried on several processors
SLACK = 8  # a git call more or less in a command is no news; a third of them would be
AGAIN = {Exit.NOT_YET, Exit.TEMPORARY}
SUITES = ("--suite", "integration-tests=passed")
PLACE = f"environments/itg/{APP}"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A world made ready, a command on it, and about how many points that passes."""

    prepare: Callable[[World], None]
    args: Callable[[World], tuple[str, ...]]
    points: int
    user: str = PROPOSER
    stride: int = 3
    tidied: bool = False  # what is left of a closed merge request is the next `reconcile`'s work


@dataclass(frozen=True)
class Prepared:
    """A scenario's world before the command, and one after it that nobody disturbed."""

    before: World
    after: World
    done: Undisturbed
    scenario: Scenario

    @cached_property
    def state(self) -> str:
        return _state(self.after)

    @cached_property
    def tidied(self) -> str:
        world = self.after.copied(self.after.root.with_name("tidied"))
        assert world.reconcile().code == 0
        return _state(world)

    @cached_property
    def every(self) -> tuple[int, ...]:
        """The points worth trying: of the removal of temporary files only the first two."""
        removals = [
            number
            for number, point in enumerate(self.done.points, 1)
            if point.what.startswith(("os.remove", "os.rmdir")) and "/tmp/gitops-ci-" in point.what
        ]
        left_out = set(removals[2:])
        return tuple(n for n in range(1, len(self.done.points) + 1) if n not in left_out)

    @property
    def chosen(self) -> tuple[int, ...]:
        points = self.done.points
        after = [n for n in self.every if points[n - 1].phase is Phase.AFTER]
        return self.every if FULL else tuple(after[:: self.scenario.stride])

    def is_reached(self, world: World) -> bool:
        """Whether a world is where it would have been."""
        if _state(world) == self.state:
            return True
        return self.scenario.tidied and world.reconcile().code == 0 and _state(world) == self.tidied


# --- worlds ------------------------------------------------------------------


def _first_stage(world: World) -> None:
    world.commit("1.0.0")


def _later_stage(world: World) -> None:
    world.commit("1.0.0")
    world.enter("itg", "1.0.0")
    world.suite("1.0.0", "integration-tests")
    assert world.reconcile().code == 0


def _proposed(world: World) -> None:
    world.commit("1.0.0")
    assert world.promote("itg", "1.0.0").code == 0


def _older_is_open(world: World) -> None:
    _proposed(world)
    world.commit("1.1.0")


def _stage_has_changed(world: World) -> None:
    """A person's overrides are on the branch, and the stage's directory has moved on."""
    _proposed(world)
    values = {f"{PLACE}/values-ops.yaml": "replicas: 3\n"}
    builder.commit(world.ops_git, values, "More", branch=world.open_request("itg").source)
    world.push_to_main({f"{PLACE}/release/values.yaml": "by: hand\n"})


def _approved(world: World) -> None:
    _later_stage(world)
    assert world.promote("tst", "1.0.0", suites=["integration-tests"]).code == 0
    assert world.reconcile().code == 0
    world.approve("tst", "tara")


def _synced(world: World) -> None:
    _proposed(world)
    assert world.reconcile().code == 0
    world.sync("itg")


def _tested(world: World) -> None:
    _synced(world)
    assert world.reconcile().code == 0
    world.suite("1.0.0", "integration-tests")


def _reconcile(_: World) -> tuple[str, ...]:
    return ("reconcile", "--no-diff")


SCENARIOS = {
    "promote, first stage": Scenario(
        _first_stage, lambda world: world.promote_args("itg", "1.0.0"), points=56, stride=1
    ),
    "promote, later stage": Scenario(
        _later_stage, lambda world: world.promote_args("tst", "1.0.0", *SUITES), points=66
    ),
    "promote, closes an older one": Scenario(
        _older_is_open,
        lambda world: world.promote_args("itg", "1.1.0"),
        points=126,
        tidied=True,
    ),
    "promote, again on a changed stage": Scenario(
        _stage_has_changed,
        lambda world: world.promote_args("itg", "1.0.0"),
        points=126,
        tidied=True,
    ),
    "reconcile, automatic stage": Scenario(_proposed, _reconcile, points=84, user=MERGER, stride=1),
    "reconcile, approved stage": Scenario(_approved, _reconcile, points=98, user=MERGER),
    "reconcile, live and play": Scenario(_synced, _reconcile, points=74, user=MERGER),
    "reconcile, evidence": Scenario(_tested, _reconcile, points=68, user=MERGER),
}


# --- the rig -----------------------------------------------------------------


def _command(world: World, scenario: Scenario) -> Command:
    (world.root / "tmp").mkdir(exist_ok=True)
    job = world.job(
        *scenario.args(world),
        user=scenario.user,
        TMPDIR=str(world.root / "tmp"),
        GITOPS_CI_DOTENV=str(_outputs(world)),
    )
    return Command(world.argv_of(*job.args), job.env, job.cwd)


def _outputs(world: World) -> Path:
    return world.root / "outputs.env"


def _again(world: World, scenario: Scenario) -> int:
    world.env["GITOPS_CI_DOTENV"] = str(_outputs(world))
    ran = world.run(*scenario.args(world), user=scenario.user)
    if ran.code in AGAIN:
        ran = world.run(*scenario.args(world), user=scenario.user)
    return ran.code


def _state(world: World) -> str:
    """All that people and machines can see, but for times, what comes from times, and the place."""
    return re.sub(r"file://\S+/forge/", "forge:", "\n".join(_facts(world)))


def _facts(world: World) -> Iterator[str]:
    yield world.snapshot()
    branches = world.branches()
    yield from (f"{name} {tip}" for name, tip in sorted(branches.items()) if name != "main")
    yield builder.git("rev-parse", "refs/heads/main^{tree}", cwd=world.ops_git)
    yield builder.git("rev-list", "--count", "refs/heads/main", cwd=world.ops_git)
    for request in world.ops().list(labels=()):
        yield f"!{request.number} {request.state} {request.target} {sorted(request.labels)}"
        yield f"{request.title}\n{request.description}"
        for user in (PROPOSER, MERGER):
            said = world.ops(user).comment_with(request.number, review.NEWS_MARKER)
            yield f"{user}: {said}"
    for commit in world.versions.values():
        yield from (f"{job.id} {job.name} {job.state}" for job in world.dev().jobs(commit))
    yield from _last_outputs(world)


def _last_outputs(world: World) -> Iterator[str]:
    """The last value of each output; `opened` and `open` are the same to a later job."""
    if _outputs(world).exists():
        lines = _outputs(world).read_text(encoding="utf-8").splitlines()
        found = dict(line.split("=", 1) for line in lines)
        found["GITOPS_RESULT"] = found["GITOPS_RESULT"].replace("opened", "open")
        yield from (f"{key}={value}" for key, value in found.items())


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Prepared]:
    """Makes a scenario's worlds when they are asked for the first time."""
    made: dict[str, Prepared] = {}

    def get(name: str) -> Prepared:
        if name not in made:
            made[name] = _prepare(SCENARIOS[name], tmp_path_factory.mktemp("r04"))
        return made[name]

    return get


def _prepare(scenario: Scenario, place: Path) -> Prepared:
    before = World.build(place / "before")
    scenario.prepare(before)
    after = before.copied(place / "after")
    return Prepared(before, after, run_undisturbed(_command(after, scenario)), scenario)


@pytest.mark.parametrize("name", SCENARIOS)
def test_r04_an_undisturbed_run_passes_the_points_we_think(
    name: str, prepared: Callable[[str], Prepared], record_property: Callable[[str, object], None]
) -> None:
    found = prepared(name)
    assert found.done.code == 0, found.done.stderr
    print(f"{name}: {len(found.every)} points, {len(found.chosen)} of them are tried")
    record_property("points", len(found.every))
    assert abs(len(found.every) - found.scenario.points) <= SLACK


@pytest.mark.parametrize("part", range(SLICES))
@pytest.mark.parametrize("name", SCENARIOS)
def test_r04_killed_at_any_point_and_run_again_it_converges(
    name: str, part: int, prepared: Callable[[str], Prepared], tmp_path: Path
) -> None:
    found = prepared(name)
    failures = []
    for number in found.chosen[part::SLICES]:
        world = found.before.copied(tmp_path / str(number))
        killed = kill_at(_command(world, found.scenario), number)
        code = _again(world, found.scenario)
        if code != 0 or not found.is_reached(world):
            failures.append(f"{number} {killed.point.phase} {killed.point.what}: exit code {code}")
    assert not failures, "\n".join(failures)

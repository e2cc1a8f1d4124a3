"""Worlds that stand at a certain point of a release's way, prepared once and copied for each test."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_ci.helm import Helm
from tests.support.charts import real_helm
from tests.support.world import World

Station = Callable[[str], World]

SUITE = "integration-tests"


def _committed(world: World) -> None:
    world.commit("1.0.0")
    world.commit("1.1.0")
    world.checkout("1.0.0")


def _approved_into_tst(world: World) -> None:
    world.approve("tst", "tara")
    world.reconcile()


_WAY: tuple[tuple[str, Callable[[World], object]], ...] = (
    ("committed", _committed),
    ("itg proposed", lambda world: world.promote("itg", "1.0.0")),
    ("itg merged", World.reconcile),
    ("itg live", lambda world: (world.sync("itg"), world.reconcile())),
    ("itg tested", lambda world: (world.suite("1.0.0", SUITE), world.reconcile())),
    ("tst proposed", lambda world: world.promote("tst", "1.0.0", suites=[SUITE])),
    ("tst merged", _approved_into_tst),
)


@pytest.fixture(scope="session")
def stations(tmp_path_factory: pytest.TempPathFactory) -> Station:
    """The worlds at the named points; each one is made out of the one before."""
    root, made = tmp_path_factory.mktemp("stations"), dict[str, World]()

    def station(name: str) -> World:
        steps = [title for title, _ in _WAY]
        for number, (title, act) in enumerate(_WAY[: steps.index(name) + 1]):
            if title not in made:
                before = made[steps[number - 1]] if number else World.build(root / "built")
                world = before.copied(root / str(number))
                act(world)
                made[title] = world
        return made[name]

    return station


@pytest.fixture
def at(stations: Station, tmp_path: Path) -> Station:
    """A copy of the world at the named point, for this test alone."""
    return lambda name: stations(name).copied(tmp_path / "world")


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """A real Helm, found once a run."""
    own = tmp_path_factory.getbasetemp()
    return real_helm(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)

"""Worlds that stand at a point of a release's way, prepared once and copied for each test."""

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


def _synced(world: World) -> None:
    world.sync("itg")
    world.reconcile()


def _tested(world: World, version: str) -> None:
    world.suite(version, SUITE)
    world.reconcile()


def _newer_tested(world: World) -> None:
    world.promote("itg", "1.1.0")
    world.reconcile()
    _synced(world)
    _tested(world, "1.1.0")


_WAY: dict[str, tuple[str, Callable[[World], object]]] = {  # by name: from where, and what happens
    "committed": ("", _committed),
    "itg proposed": ("committed", lambda world: world.promote("itg", "1.0.0")),
    "itg merged": ("itg proposed", World.reconcile),
    "itg live": ("itg merged", _synced),
    "itg tested": ("itg live", lambda world: _tested(world, "1.0.0")),
    "tst proposed": ("itg tested", lambda world: world.promote("tst", "1.0.0", suites=[SUITE])),
    "tst merged": ("tst proposed", _approved_into_tst),
    "newer tested": ("tst proposed", _newer_tested),  # 1.1.0 is through with itg
}


@pytest.fixture(scope="session")
def stations(tmp_path_factory: pytest.TempPathFactory) -> Station:
    """The worlds at the named points; each one is made out of the one before."""
    root, made = tmp_path_factory.mktemp("stations"), dict[str, World]()

    def station(name: str) -> World:
        if not name:
            return World.build(root / "built")
        if name not in made:
            before, act = _WAY[name]
            world = station(before).copied(root / name.replace(" ", "-"))
            act(world)
            made[name] = world
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

"""Imports go downwards only: every module has a layer, and a new one has to choose its own.

All imports count, those inside of functions and for type checkers too.
"""

from __future__ import annotations

import graphlib

import pytest

from tests.support.modules import MODULES, imports_of_ours, unit

ERRORS = frozenset({"", "errors"})

PURE = frozenset({
    "changeset",
    "chart",
    "config",
    "forge",
    "holds",
    "layout",
    "live",
    "manifests",
    "names",
    "passports",
    "policy",
    "progress",
    "promotion",
    "release",
    "resources",
    "review",
    "schemas",
    "yamldoc",
    "yamledit",
    "yamltree",
})

# Each door with the doors that it may use.
DOORS = {
    "ci": {"files"},
    "credentials": set(),
    "files": set(),
    "forge._people": {"forge._records", "refstore"},
    "forge._pipelines": {"forge._records", "refstore"},
    "forge._records": set(),
    "forge.local": {"forge._people", "forge._pipelines", "forge._records", "refstore"},
    "git": {"credentials", "gitcall", "process"},
    "gitcall": {"process"},
    "helm": {"process"},
    "live.simulated": {"refstore"},
    "ops": {"git"},
    "process": set(),
    "refstore": {"gitcall", "process"},
}

STEPS = frozenset({
    "collect",
    "evidence",
    "liveness",
    "observe",
    "propose",
    "render",
    "scaffold",
    "trigger",
    "watch",
})

PACKAGES = frozenset({"commands", "cli", "git", "observe"})  # whose modules are rooms of one house

LAYERS = (ERRORS, PURE, frozenset(DOORS), STEPS, frozenset({"commands"}), frozenset({"cli"}))


def house(module: str) -> str:
    """`git` for `git.remote`; a module that is no room is a house of its own."""
    head = module.partition(".")[0]
    return head if head in PACKAGES else module


def layer(module: str) -> int:
    """A room belongs to its house's layer, others are listed."""
    name = "cli" if module == "__main__" else house(module)
    return next(number for number, names in enumerate(LAYERS) if name in names)


def test_every_module_has_a_layer_and_every_listed_one_exists():
    listed = set().union(*LAYERS) - {"commands", "cli"}
    inside = {module for module in MODULES if house(module) != module}
    assert MODULES.keys() - inside - {"commands", "cli", "__main__"} == listed


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_what_is_below_or_beside_it(module):
    above = {used for used in imports_of_ours(module) if layer(used) > layer(module)}
    assert not above


@pytest.mark.parametrize("door", sorted(DOORS))
def test_a_door_uses_only_the_doors_that_are_allowed_to_it(door):
    rooms = (module for module in MODULES if house(module) == door)
    used = {house(other) for module in rooms for other in imports_of_ours(module)}
    assert (used & DOORS.keys()) - {door} <= DOORS[door]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_nobody_looks_into_the_rooms_of_git(module):
    used = {other for other in imports_of_ours(module) if other.startswith("git.")}
    assert not used or house(module) == "git"


@pytest.mark.parametrize("step", sorted(STEPS))
def test_a_step_uses_no_other_step(step):
    inside = {module for module in MODULES if house(module) == step}
    used = {other for module in inside for other in imports_of_ours(module)}
    assert not (used & STEPS) - {step}


@pytest.mark.parametrize("module", sorted(m for m in MODULES if m.startswith("commands.")))
def test_a_command_uses_no_other_command(module):
    commands = {used for used in imports_of_ours(module) if used.startswith("commands")}
    assert {unit(used) for used in commands} <= {unit(module)}


def test_no_imports_go_in_a_circle():
    graph = {module: imports_of_ours(module) - {""} for module in MODULES}
    order = tuple(graphlib.TopologicalSorter(graph).static_order())  # raises where they do
    assert set(order) == MODULES.keys()

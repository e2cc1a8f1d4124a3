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
    "documents": {"gitcall", "process"},
    "files": set(),
    "forge._people": {"documents", "forge._records"},
    "forge._pipelines": {"documents", "forge._records"},
    "forge._records": set(),
    "forge.local": {"documents", "forge._people", "forge._pipelines", "forge._records"},
    "git": {"credentials", "gitcall", "process"},
    "gitcall": {"process"},
    "helm": {"process"},
    "live.simulated": {"documents"},
    "ops": {"git"},
    "process": set(),
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

PACKAGES = frozenset({"commands", "cli", "observe"})  # whose modules are rooms of one house

LAYERS = (ERRORS, PURE, frozenset(DOORS), STEPS, frozenset({"commands"}), frozenset({"cli"}))


def layer(module: str) -> int:
    """`commands.x`, `cli.x` and `observe.x` belong to their package's layer, others are listed."""
    head = module.partition(".")[0]
    name = head if head in PACKAGES else "cli" if module == "__main__" else module
    return next(number for number, names in enumerate(LAYERS) if name in names)


def test_every_module_has_a_layer_and_every_listed_one_exists():
    listed = set().union(*LAYERS) - {"commands", "cli"}
    inside = {m for m in MODULES if m.partition(".")[0] in PACKAGES and "." in m}
    assert MODULES.keys() - inside - {"commands", "cli", "__main__"} == listed


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_what_is_below_or_beside_it(module):
    above = {used for used in imports_of_ours(module) if layer(used) > layer(module)}
    assert not above


@pytest.mark.parametrize("door", sorted(DOORS))
def test_a_door_uses_only_the_doors_that_are_allowed_to_it(door):
    assert imports_of_ours(door) & DOORS.keys() <= DOORS[door]


@pytest.mark.parametrize("step", sorted(STEPS))
def test_a_step_uses_no_other_step(step):
    inside = {module for module in MODULES if module.partition(".")[0] == step} | {step}
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

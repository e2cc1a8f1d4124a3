"""Layer 1 computes: no I/O, no clock, no environment, no chance.

What it may import is listed, so that something new has to be judged first.
"""

from __future__ import annotations

import pytest

from tests.architecture.test_layers import PURE
from tests.support.modules import imports_of_others, references

STANDARD = frozenset({
    "__future__",
    "collections",
    "dataclasses",
    "datetime",
    "difflib",
    "enum",
    "functools",
    "gzip",
    "hashlib",
    "io",
    "itertools",
    "json",
    "math",
    "re",
    "string",
    "tarfile",
    "textwrap",
    "types",
    "typing",
    "unicodedata",
    "zlib",
    "zoneinfo",
})

# Package data counts as code, not as I/O.
ELSEWHERE = {
    "resources": {"ruamel"},
    "schemas": {"importlib.resources", "jsonschema", "referencing"},
    "yamltree": {"ruamel"},
}

EFFECTS = frozenset({"__import__", "breakpoint", "eval", "exec", "input", "open", "print"})
CLOCK = ("datetime.now", "datetime.today", "datetime.utcnow", "date.today")


def allowed(module: str, name: str) -> bool:
    more = ELSEWHERE.get(module, set())
    return name.split(".")[0] in STANDARD | more or name in more


@pytest.mark.parametrize("module", sorted(PURE))
def test_a_pure_module_imports_nothing_that_touches_the_world(module):
    assert not {name for name in imports_of_others(module) if not allowed(module, name)}


@pytest.mark.parametrize("module", sorted(PURE))
def test_a_pure_module_calls_nothing_that_touches_the_world(module):
    assert not references(module) & EFFECTS


@pytest.mark.parametrize("module", sorted(PURE))
def test_a_pure_module_does_not_ask_for_the_time(module):
    assert not {name for name in references(module) if name.endswith(CLOCK)}
